/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "exits.h"
#include "term.h"
#include "token_key.h"

static int refused(const char *path, enum th_error error)
{
    ERR_clear_error();
    return fail(exits_of(error), "%s: %s\n%s", path, th_error_text(error), th_error_remedy(error));
}

static bool is_pem(const struct bytes *file)
{
    return strstr((const char *)file->at, "-----BEGIN ") != NULL;
}

/* ---- certificates ---- */

static int keep(struct credentials_chain *chain, const char *path, const uint8_t *der, size_t len)
{
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, (long)len);
    bool whole = certificate && at == der + len;
    X509_free(certificate);
    if (!whole)
        return refused(path, TH_ERR_CERT_MALFORMED);
    if (chain->count == CREDENTIALS_MAX)
        return fail(exits_of(TH_ERR_FILE_TOO_LARGE),
                    "%s holds more than %d certificates, as a whole system's store does\n"
                    "thimble profile public HOST writes the one that HOST needs",
                    path, CREDENTIALS_MAX);
    uint8_t *copy = malloc(len);
    if (!copy)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    memcpy(copy, der, len);
    chain->at[chain->count++] = th_span_of(copy, len);
    return EXIT_OK;
}

/* Other blocks are passed over: people keep key and certificate in one file. */
static int each_pem(struct credentials_chain *chain, const char *path, BIO *memory)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    int code = EXIT_OK;
    while (code == EXIT_OK && PEM_read_bio(memory, &name, &header, &der, &len) == 1) {
        if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0)
            code = keep(chain, path, der, (size_t)len);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
    }
    unsigned long error = ERR_peek_last_error();
    bool at_end = ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (code != EXIT_OK)
        return code;
    if (!at_end)
        return refused(path, TH_ERR_CERT_MALFORMED);
    return chain->count ? EXIT_OK : refused(path, TH_ERR_FILE_FORMAT);
}

static int read_chain(struct credentials_chain *chain, const char *path)
{
    struct bytes file;
    int code = files_read(path, &file);
    if (code != EXIT_OK)
        return code;
    if (is_pem(&file)) {
        BIO *memory = BIO_new_mem_buf(file.at, (int)file.len);
        code = memory ? each_pem(chain, path, memory)
                      : fail(EXIT_FAILED, "no memory\nend other programs");
        BIO_free(memory);
    } else {
        code = file.at[0] == 0x30 ? keep(chain, path, file.at, file.len)
                                  : refused(path, TH_ERR_FILE_FORMAT);
    }
    bytes_free(&file);
    return code;
}

static void free_chain(struct credentials_chain *chain)
{
    for (uint8_t i = 0; i < chain->count; i++)
        free((void *)(uintptr_t)chain->at[i].at);
    chain->count = 0;
}

/* ---- keys ---- */

static int no_password(char *into, int room, int writing, void *user)
{
    (void)into;
    (void)room;
    (void)writing;
    *(bool *)user = true; /* it asks, so it is encrypted */
    return -1;
}

static EVP_PKEY *decode_key(const struct bytes *file, bool *encrypted)
{
    const unsigned char *at = file->at;
    if (!is_pem(file))
        return d2i_AutoPrivateKey(NULL, &at, (long)file->len);
    BIO *memory = BIO_new_mem_buf(file->at, (int)file->len);
    EVP_PKEY *key = memory ? PEM_read_bio_PrivateKey(memory, NULL, no_password, encrypted) : NULL;
    BIO_free(memory);
    return key;
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
    bool encrypted = false;
    int code = files_read(path, &file);
    if (code != EXIT_OK)
        return code;
    *out = decode_key(&file, &encrypted);
    bytes_free(&file);
    return *out ? EXIT_OK : refused(path, encrypted ? TH_ERR_KEY_ENCRYPTED : TH_ERR_FILE_FORMAT);
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
