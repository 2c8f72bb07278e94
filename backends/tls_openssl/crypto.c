/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/tls_openssl/internal.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <thimble/crypto.h>

/* Every function gives up in one way: what was made so far is freed, and the answer is no. */

static EVP_PKEY *key_of(const uint8_t *secret, const uint8_t *point)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    BIGNUM *number = secret ? BN_secure_new() : NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    bool ok =
        build && ctx &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, TH_P256_POINT);

    if (ok && secret)
        ok = number && BN_bin2bn(secret, TH_P256_SECRET, number) &&
             OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number);
    if (ok)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params && EVP_PKEY_fromdata_init(ctx) > 0)
        EVP_PKEY_fromdata(ctx, &key, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_clear_free(number);
    return key;
}

static bool p256_public(void *ctx, const uint8_t secret[TH_P256_SECRET],
                        uint8_t point[TH_P256_POINT])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *result = group ? EC_POINT_new(group) : NULL;
    BIGNUM *number = BN_secure_new();

    (void)ctx;
    bool ok = result && number && BN_bin2bn(secret, TH_P256_SECRET, number) &&
              !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(group)) < 0 &&
              EC_POINT_mul(group, result, number, NULL, NULL, NULL) &&
              EC_POINT_point2oct(group, result, POINT_CONVERSION_UNCOMPRESSED, point, TH_P256_POINT,
                                 NULL) == TH_P256_POINT;
    BN_clear_free(number);
    EC_POINT_clear_free(result);
    EC_GROUP_free(group);
    return ok;
}

static bool to_raw(const uint8_t *der, size_t len, uint8_t signature[TH_P256_SIGNATURE])
{
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + 32, 32) == 32;

    ECDSA_SIG_free(parsed);
    return ok;
}

static bool p256_sign(void *ctx, const uint8_t secret[TH_P256_SECRET],
                      const uint8_t digest[TH_SHA256_BYTES], uint8_t signature[TH_P256_SIGNATURE])
{
    uint8_t point[TH_P256_POINT], der[80];
    size_t len = sizeof der;
    EVP_PKEY *key = p256_public(ctx, secret, point) ? key_of(secret, point) : NULL;
    EVP_PKEY_CTX *sign = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool ok = sign && EVP_PKEY_sign_init(sign) > 0 &&
              EVP_PKEY_sign(sign, der, &len, digest, TH_SHA256_BYTES) > 0 &&
              to_raw(der, len, signature);

    EVP_PKEY_CTX_free(sign);
    EVP_PKEY_free(key);
    return ok;
}

static size_t to_der(const uint8_t signature[TH_P256_SIGNATURE], uint8_t *der, size_t room)
{
    ECDSA_SIG *parsed = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
    int len = 0;

    if (parsed && r && s && ECDSA_SIG_set0(parsed, r, s)) {
        len = i2d_ECDSA_SIG(parsed, NULL);
        if (len > 0 && (size_t)len <= room)
            len = i2d_ECDSA_SIG(parsed, &der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(parsed);
    return len > 0 ? (size_t)len : 0;
}

static bool p256_verify(void *ctx, const uint8_t point[TH_P256_POINT],
                        const uint8_t digest[TH_SHA256_BYTES],
                        const uint8_t signature[TH_P256_SIGNATURE])
{
    uint8_t der[80];
    size_t len = to_der(signature, der, sizeof der);
    EVP_PKEY *key = key_of(NULL, point);
    EVP_PKEY_CTX *verify = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;

    (void)ctx;
    bool ok = len > 0 && verify && EVP_PKEY_verify_init(verify) > 0 &&
              EVP_PKEY_verify(verify, der, len, digest, TH_SHA256_BYTES) == 1;
    EVP_PKEY_CTX_free(verify);
    EVP_PKEY_free(key);
    return ok;
}

static bool p256_shared(void *ctx, const uint8_t secret[TH_P256_SECRET],
                        const uint8_t point[TH_P256_POINT], uint8_t shared[32])
{
    uint8_t own[TH_P256_POINT];
    size_t len = 32;
    EVP_PKEY *key = p256_public(ctx, secret, own) ? key_of(secret, own) : NULL;
    EVP_PKEY *peer = key_of(NULL, point);
    EVP_PKEY_CTX *derive = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool ok = derive && peer && EVP_PKEY_derive_init(derive) > 0 &&
              EVP_PKEY_derive_set_peer(derive, peer) > 0 &&
              EVP_PKEY_derive(derive, shared, &len) > 0 && len == 32;

    EVP_PKEY_CTX_free(derive);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
    return ok;
}

static bool hmac(void *ctx, struct th_span key, const struct th_span *parts, size_t count,
                 uint8_t mac[TH_SHA256_BYTES])
{
    static const uint8_t empty[1];
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_END};
    EVP_MAC *kind = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *state = kind ? EVP_MAC_CTX_new(kind) : NULL;
    size_t len;

    (void)ctx;
    bool ok = state && EVP_MAC_init(state, key.len > 0 ? key.at : empty, key.len, params) > 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_MAC_update(state, parts[i].at, parts[i].len) > 0;
    ok = ok && EVP_MAC_final(state, mac, &len, TH_SHA256_BYTES) > 0;
    EVP_MAC_CTX_free(state);
    EVP_MAC_free(kind);
    return ok;
}

static bool chapol(const uint8_t *key, const uint8_t *nonce, struct th_span authenticated,
                   uint8_t *bytes, size_t len, uint8_t *tag, int encrypt)
{
    EVP_CIPHER_CTX *state = EVP_CIPHER_CTX_new();
    int done = 0;
    bool ok =
        state && EVP_CipherInit_ex(state, EVP_chacha20_poly1305(), NULL, key, nonce, encrypt) > 0;

    if (ok && !encrypt)
        ok = EVP_CIPHER_CTX_ctrl(state, EVP_CTRL_AEAD_SET_TAG, TH_AEAD_TAG, tag) > 0;
    if (ok && authenticated.len > 0)
        ok = EVP_CipherUpdate(state, NULL, &done, authenticated.at, (int)authenticated.len) > 0;
    if (ok && len > 0)
        ok = EVP_CipherUpdate(state, bytes, &done, bytes, (int)len) > 0;
    ok = ok && EVP_CipherFinal_ex(state, bytes + len, &done) > 0;
    if (ok && encrypt)
        ok = EVP_CIPHER_CTX_ctrl(state, EVP_CTRL_AEAD_GET_TAG, TH_AEAD_TAG, tag) > 0;
    EVP_CIPHER_CTX_free(state);
    return ok;
}

static bool seal(void *ctx, const uint8_t key[TH_AEAD_KEY], const uint8_t nonce[TH_AEAD_NONCE],
                 struct th_span authenticated, uint8_t *bytes, size_t len, uint8_t tag[TH_AEAD_TAG])
{
    (void)ctx;
    if (chapol(key, nonce, authenticated, bytes, len, tag, 1))
        return true;
    OPENSSL_cleanse(bytes, len);
    return false;
}

static bool open(void *ctx, const uint8_t key[TH_AEAD_KEY], const uint8_t nonce[TH_AEAD_NONCE],
                 struct th_span authenticated, uint8_t *bytes, size_t len,
                 const uint8_t tag[TH_AEAD_TAG])
{
    uint8_t copy[TH_AEAD_TAG];

    (void)ctx;
    memcpy(copy, tag, sizeof copy);
    if (chapol(key, nonce, authenticated, bytes, len, copy, 0))
        return true;
    OPENSSL_cleanse(bytes, len);
    return false;
}

const struct th_crypto_ops th_crypto_openssl = {
    .hashes = &th_openssl_hashes,
    .p256_public = p256_public,
    .p256_sign = p256_sign,
    .p256_verify = p256_verify,
    .p256_shared = p256_shared,
    .hmac = hmac,
    .seal = seal,
    .open = open,
};
