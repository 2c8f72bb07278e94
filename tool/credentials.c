/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include <thimble/pem.h>

#include "exits.h"
#include "term.h"
#include "token_key.h"

static int refused(const char *path, enum th_error error)
{
    ERR_clear_error();
    return fail(exits_of(error), "%s: %s\n%s", path, th_error_text(error), th_error_remedy(error));
}

/* ---- certificates ---- */

/* The core's reader finds them; libcrypto must be able to read each to its end. */
static bool is_certificate(struct th_span der)
{
    const unsigned char *at = der.at;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    bool whole = certificate && at == der.at + der.len;
    X509_free(certificate);
    ERR_clear_error();
    return whole;
}

/* Decoded in place: what the file's bytes become is kept with the chain. */
static int read_chain(struct credentials_chain *chain, const char *path)
{
    size_t count = CREDENTIALS_MAX;
    int code = files_read(path, &chain->memory);
    if (code != EXIT_OK)
        return code;
    /* One that begins and does not decode was cut; without one it is another kind of file. */
    bool begins = strstr((const char *)chain->memory.at, "-----BEGIN CERTIFICATE-") != NULL;
    enum th_error error =
        th_pem_certificates(th_span_of(chain->memory.at, chain->memory.len), chain->memory.at,
                            chain->memory.len, chain->at, &count);
    if (error == TH_ERR_FILE_FORMAT && begins)
        error = TH_ERR_CERT_MALFORMED;
    for (size_t i = 0; error == TH_OK && i < count; i++) {
        if (!is_certificate(chain->at[i]))
            error = TH_ERR_CERT_MALFORMED;
    }
    chain->count = error == TH_OK ? (uint8_t)count : 0;
    if (error == TH_ERR_FILE_TOO_LARGE)
        return fail(exits_of(error),
                    "%s holds more than %d certificates, as a whole system's store does\n"
                    "thimble profile public HOST writes the one that HOST needs",
                    path, CREDENTIALS_MAX);
    return error == TH_OK ? EXIT_OK : refused(path, error);
}

static void free_chain(struct credentials_chain *chain)
{
    bytes_free(&chain->memory);
    chain->count = 0;
}

/* ---- keys ---- */

static enum th_error decode_key(struct bytes *file, EVP_PKEY **out)
{
    struct th_span der;
    enum th_error error =
        th_pem_private_key(th_span_of(file->at, file->len), file->at, file->len, &der);
    if (error != TH_OK)
        return error;
    const unsigned char *at = der.at;
    *out = d2i_AutoPrivateKey(NULL, &at, (long)der.len);
    ERR_clear_error();
    return *out ? TH_OK : TH_ERR_FILE_FORMAT;
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[32] = "";
    return EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

static bool encode_key(const EVP_PKEY *key, struct bytes *out)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : 0;
    if (len > 0 && (out->at = malloc((size_t)len)) != NULL) {
        unsigned char *at = out->at;
        out->len = (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &at);
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    return out->at != NULL;
}

static enum th_error key_fault(const struct credentials *credentials, EVP_PKEY *key)
{
    const unsigned char *at = credentials->chain.at[0].at;
    X509 *certificate = d2i_X509(NULL, &at, (long)credentials->chain.at[0].len);
    bool matches = certificate && X509_check_private_key(certificate, key) == 1;
    X509_free(certificate);
    if (!matches)
        return TH_ERR_KEY_MISMATCH;
    int kind = EVP_PKEY_get_base_id(key);
    bool usable =
        kind == EVP_PKEY_EC ? is_p256(key) : kind == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= 2048;
    return usable ? TH_OK : TH_ERR_KEY_KIND;
}

static int key_of_file(const char *path, EVP_PKEY **out)
{
    struct bytes file;
    int code = files_read(path, &file);
    if (code != EXIT_OK)
        return code;
    enum th_error error = decode_key(&file, out);
    bytes_free(&file);
    return error == TH_OK ? EXIT_OK : refused(path, error);
}

static int read_key(struct credentials *credentials, const char *path)
{
    EVP_PKEY *key = NULL;
    bool in_token = token_key_named(path);
    int code = in_token ? token_key_load(&(struct token_key){.what = "--key", .uri = path}, &key)
                        : key_of_file(path, &key);
    if (code != EXIT_OK)
        return code;
    enum th_error error = key_fault(credentials, key);
    if (error != TH_OK)
        code = refused(in_token ? "--key" : path, error);
    else if (!in_token && !encode_key(key, &credentials->key))
        code = fail(EXIT_FAILED, "no memory\nend other programs");
    credentials->identity.kind =
        EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? TH_KEY_EC_P256 : TH_KEY_RSA;
    if (in_token)
        credentials->token_key = key;
    else
        EVP_PKEY_free(key);
    return code;
}

/* ---- the whole ---- */

int credentials_anchors(struct credentials *credentials, const char *path)
{
    return read_chain(&credentials->anchors, path);
}

int credentials_identity(struct credentials *credentials, const char *certificate, const char *key)
{
    int code = read_chain(&credentials->chain, certificate);
    if (code == EXIT_OK)
        code = read_key(credentials, key);
    if (code != EXIT_OK)
        return code;
    credentials->identity.chain = credentials->chain.at;
    credentials->identity.chain_count = credentials->chain.count;
    credentials->identity.native_key = credentials->token_key;
    credentials->identity.key = th_span_of(credentials->key.at, credentials->key.len);
    return EXIT_OK;
}

void credentials_free(struct credentials *credentials)
{
    free_chain(&credentials->anchors);
    free_chain(&credentials->chain);
    bytes_free(&credentials->key);
    EVP_PKEY_free(credentials->token_key);
}
