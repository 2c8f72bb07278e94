/* SPDX-License-Identifier: MIT */
/* The plain hash functions are deprecated for the EVP ones, which need the heap; src/trust wants a
 * state of fixed size, several of them, and to read one without ending it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "backends/tls_openssl/internal.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= TH_HASH_STATE, "a SHA-256 context fits");
_Static_assert(sizeof(SHA_CTX) <= TH_HASH_STATE, "a SHA-1 context fits");

static void sha256_init(union th_hash_state *state)
{
    SHA256_Init((SHA256_CTX *)(void *)state);
}

static void sha256_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    SHA256_Update((SHA256_CTX *)(void *)state, bytes, len);
}

static void sha256_out(const union th_hash_state *state, uint8_t *digest)
{
    union th_hash_state copy = *state;
    SHA256_Final(digest, (SHA256_CTX *)(void *)&copy);
}

static void sha1_init(union th_hash_state *state)
{
    SHA1_Init((SHA_CTX *)(void *)state);
}

static void sha1_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    SHA1_Update((SHA_CTX *)(void *)state, bytes, len);
}

static void sha1_out(const union th_hash_state *state, uint8_t *digest)
{
    union th_hash_state copy = *state;
    SHA1_Final(digest, (SHA_CTX *)(void *)&copy);
}

static const struct th_hash_ops sha256 = {sha256_init, sha256_update, sha256_out};
static const struct th_hash_ops sha1 = {sha1_init, sha1_update, sha1_out};

const struct th_hashes th_openssl_hashes = {&sha256, &sha1};
