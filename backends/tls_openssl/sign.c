/* SPDX-License-Identifier: MIT */
/*
 * A key that is somewhere else: OpenSSL gets the public half from the certificate, and a method
 * that calls th_sign_fn. The methods are deprecated in favour of providers, which would be a
 * library of their own for this one function.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "backends/tls_openssl/internal.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>

/* Index 0 is the application's, for every kind of object. */
#define APPLICATION 0

static int call(const struct th_identity *identity, const unsigned char *digest, size_t digest_len,
                unsigned char *signature, size_t room, unsigned *len)
{
    size_t got = identity->sign(identity->user, digest, digest_len, signature, room);
    if (got > room)
        got = 0;
    *len = (unsigned)got;
    return got != 0;
}

static int ec_sign(int type, const unsigned char *digest, int digest_len, unsigned char *signature,
                   unsigned *len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
    (void)type, (void)kinv, (void)r;
    return call(EC_KEY_get_ex_data(key, APPLICATION), digest, (size_t)digest_len, signature,
                (size_t)ECDSA_size(key), len);
}

static int rsa_sign(int type, const unsigned char *digest, unsigned digest_len,
                    unsigned char *signature, unsigned *len, const RSA *key)
{
    (void)type;
    return call(RSA_get_ex_data(key, APPLICATION), digest, digest_len, signature,
                (size_t)RSA_size(key), len);
}

bool th_openssl_sign_methods(struct th_openssl_shared *shared)
{
    shared->ec_sign = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    shared->rsa_sign = RSA_meth_dup(RSA_PKCS1_OpenSSL());
    if (!shared->ec_sign || !shared->rsa_sign)
        return false;
    EC_KEY_METHOD_set_sign(shared->ec_sign, ec_sign, NULL, NULL);
    return RSA_meth_set_sign(shared->rsa_sign, rsa_sign);
}

void th_openssl_sign_methods_free(struct th_openssl_shared *shared)
{
    EC_KEY_METHOD_free(shared->ec_sign);
    RSA_meth_free(shared->rsa_sign);
}

static bool set_ec(EVP_PKEY *into, const struct th_openssl *tls, EVP_PKEY *public)
{
    EC_KEY *key = EC_KEY_dup(EVP_PKEY_get0_EC_KEY(public));
    bool good = key && EC_KEY_set_method(key, tls->shared->ec_sign) &&
                EC_KEY_set_ex_data(key, APPLICATION, (void *)(uintptr_t)tls->config->identity) &&
                EVP_PKEY_set1_EC_KEY(into, key);
    EC_KEY_free(key);
    return good;
}

static bool set_rsa(EVP_PKEY *into, const struct th_openssl *tls, EVP_PKEY *public)
{
    RSA *key = RSAPublicKey_dup(EVP_PKEY_get0_RSA(public));
    bool good = key && RSA_set_method(key, tls->shared->rsa_sign) &&
                RSA_set_ex_data(key, APPLICATION, (void *)(uintptr_t)tls->config->identity) &&
                EVP_PKEY_set1_RSA(into, key);
    RSA_free(key);
    return good;
}

EVP_PKEY *th_openssl_sign_key(const struct th_openssl *tls, X509 *certificate)
{
    EVP_PKEY *public = X509_get0_pubkey(certificate), *key = EVP_PKEY_new();
    bool rsa = tls->config->identity->kind == TH_KEY_RSA;
    bool good = public && key && EVP_PKEY_is_a(public, rsa ? "RSA" : "EC") &&
                (rsa ? set_rsa(key, tls, public) : set_ec(key, tls, public));
    if (good)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}
