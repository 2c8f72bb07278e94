/* SPDX-License-Identifier: MIT */
#include "secret.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* mosquitto computes this for every CONNECT under a known name, and serves nobody meanwhile: 10,000
 * take some 7 ms on a desktop. Its own default is 101. */
#define ITERATIONS 10000
#define SALT_BYTES 12 /* mosquitto refuses any other length */
#define HASH_BYTES 64
#define LETTERS    20

bool secret_make(char into[SECRET_MAX])
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's */
    uint8_t random[LETTERS];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    for (int i = 0; i < LETTERS; i++)
        into[i] = alphabet[random[i] & 31];
    into[LETTERS] = '\0';
    OPENSSL_cleanse(random, sizeof random);
    return true;
}

bool secret_hash(const char *secret, char into[REGISTRY_HASH_MAX])
{
    uint8_t salt[SALT_BYTES], hash[HASH_BYTES];
    unsigned char salt_text[17], hash_text[89]; /* base64, and NUL */
    if (getrandom(salt, sizeof salt, 0) != sizeof salt ||
        PKCS5_PBKDF2_HMAC(secret, (int)strlen(secret), salt, sizeof salt, ITERATIONS, EVP_sha512(),
                          sizeof hash, hash) != 1)
        return false;
    EVP_EncodeBlock(salt_text, salt, sizeof salt);
    EVP_EncodeBlock(hash_text, hash, sizeof hash);
    snprintf(into, REGISTRY_HASH_MAX, "$7$%d$%s$%s", ITERATIONS, (char *)salt_text,
             (char *)hash_text);
    return true;
}
