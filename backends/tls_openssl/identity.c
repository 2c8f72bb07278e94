/* SPDX-License-Identifier: MIT */
/* Our certificate and key into a connection. */
#include "backends/tls_openssl/internal.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <string.h>

static bool is_p256(EVP_PKEY *key)
{
    char group[64];
    size_t len;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &len) &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

static enum th_error kind_check(EVP_PKEY *key, enum th_key_kind kind)
{
    if (kind == TH_KEY_EC_P256)
        return is_p256(key) ? TH_OK : TH_ERR_KEY_KIND;
    return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 2048 ? TH_OK : TH_ERR_KEY_KIND;
}

static enum th_error use_key(struct th_openssl *tls, X509 *certificate)
{
    const struct th_identity *identity = tls->config->identity;
    EVP_PKEY *key = identity->native_key;
    enum th_error error = TH_ERR_FILE_FORMAT;
    if (key) {
        EVP_PKEY_up_ref(key);
    } else if (identity->sign) {
        key = th_openssl_sign_key(tls, certificate);
        error = TH_ERR_KEY_MISMATCH;
    } else {
        const unsigned char *at = identity->key.at;
        key = d2i_AutoPrivateKey(NULL, &at, (long)identity->key.len);
    }
    if (key)
        error = kind_check(key, identity->kind);
    if (error == TH_OK && X509_check_private_key(certificate, key) != 1)
        error = TH_ERR_KEY_MISMATCH;
    if (error == TH_OK && SSL_use_PrivateKey(tls->ssl, key) != 1)
        error = TH_ERR_KEY_KIND;
    EVP_PKEY_free(key);
    return error;
}

static enum th_error use_chain(struct th_openssl *tls)
{
    const struct th_identity *identity = tls->config->identity;
    for (uint8_t i = 1; i < identity->chain_count; i++) {
        X509 *certificate = th_openssl_certificate(identity->chain[i]);
        bool added = certificate && SSL_add1_chain_cert(tls->ssl, certificate);
        X509_free(certificate);
        if (!added)
            return TH_ERR_CERT_MALFORMED;
    }
    return TH_OK;
}

enum th_error th_openssl_identity(struct th_openssl *tls)
{
    const struct th_identity *identity = tls->config->identity;
    if (!identity)
        return TH_OK;
    X509 *certificate = th_openssl_certificate(identity->chain[0]);
    if (!certificate)
        return TH_ERR_CERT_MALFORMED;
    enum th_error error = TH_OK;
    if (SSL_use_certificate(tls->ssl, certificate) != 1)
        error = TH_ERR_CERT_MALFORMED;
    if (error == TH_OK)
        error = use_key(tls, certificate);
    X509_free(certificate);
    return error == TH_OK ? use_chain(tls) : error;
}
