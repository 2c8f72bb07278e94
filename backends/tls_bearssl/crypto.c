/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/tls_bearssl/internal.h"

#include <thimble/crypto.h>
#include <thimble/tls_backend.h>
#include <thimble/tls_bearssl.h>

/* The order of P-256 (SEC 2 §2.4.2). */
static const uint8_t order[TH_P256_SECRET] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};

static const struct th_bearssl_profile *profile_of(void *ctx)
{
    return ctx;
}

/* 0 < secret < order, in the same time for every secret. */
static bool secret_valid(const uint8_t secret[TH_P256_SECRET])
{
    unsigned any = 0, borrow = 0;

    for (int i = TH_P256_SECRET - 1; i >= 0; i--) {
        any |= secret[i];
        borrow = ((unsigned)secret[i] - order[i] - borrow) >> 31;
    }
    return any != 0 && borrow == 1;
}

static bool p256_public(void *ctx, const uint8_t secret[TH_P256_SECRET],
                        uint8_t point[TH_P256_POINT])
{
    const br_ec_impl *ec = profile_of(ctx)->ec;

    return secret_valid(secret) &&
           ec->mulgen(point, secret, TH_P256_SECRET, BR_EC_secp256r1) == TH_P256_POINT;
}

static bool p256_sign(void *ctx, const uint8_t secret[TH_P256_SECRET],
                      const uint8_t digest[TH_SHA256_BYTES], uint8_t signature[TH_P256_SIGNATURE])
{
    const struct th_bearssl_profile *profile = profile_of(ctx);
    uint8_t copy[TH_P256_SECRET];
    const br_ec_private_key key = {BR_EC_secp256r1, copy, sizeof copy};

    if (!secret_valid(secret) || !profile->ecdsa_sign_raw)
        return false;
    memcpy(copy, secret, sizeof copy);
    size_t len = profile->ecdsa_sign_raw(profile->ec, &br_sha256_vtable, digest, &key, signature);
    th_tls_wipe(copy, sizeof copy);
    return len == TH_P256_SIGNATURE;
}

static bool p256_verify(void *ctx, const uint8_t point[TH_P256_POINT],
                        const uint8_t digest[TH_SHA256_BYTES],
                        const uint8_t signature[TH_P256_SIGNATURE])
{
    const struct th_bearssl_profile *profile = profile_of(ctx);
    /* It is read alone, and not copied: this lies below the verification's arithmetic. */
    const br_ec_public_key key = {BR_EC_secp256r1, (uint8_t *)(uintptr_t)point, TH_P256_POINT};

    return profile->ecdsa_verify_raw &&
           profile->ecdsa_verify_raw(profile->ec, digest, TH_SHA256_BYTES, &key, signature,
                                     TH_P256_SIGNATURE) != 0;
}

static bool p256_shared(void *ctx, const uint8_t secret[TH_P256_SECRET],
                        const uint8_t point[TH_P256_POINT], uint8_t shared[32])
{
    const br_ec_impl *ec = profile_of(ctx)->ec;
    uint8_t copy[TH_P256_POINT];

    memcpy(copy, point, sizeof copy);
    uint32_t good = ec->mul(copy, sizeof copy, secret, TH_P256_SECRET, BR_EC_secp256r1);
    if (!secret_valid(secret) || !good || point[0] != 4)
        return false;
    memcpy(shared, copy + 1, 32);
    th_tls_wipe(copy, sizeof copy);
    return true;
}

static bool hmac(void *ctx, struct th_span key, const struct th_span *parts, size_t count,
                 uint8_t mac[TH_SHA256_BYTES])
{
    br_hmac_key_context prepared;
    br_hmac_context state;

    (void)ctx;
    br_hmac_key_init(&prepared, &br_sha256_vtable, key.at, key.len);
    br_hmac_init(&state, &prepared, 0);
    for (size_t i = 0; i < count; i++)
        br_hmac_update(&state, parts[i].at, parts[i].len);
    br_hmac_out(&state, mac);
    th_tls_wipe(&prepared, sizeof prepared);
    th_tls_wipe(&state, sizeof state);
    return true;
}

static void chapol(const struct th_bearssl_profile *profile, const uint8_t *key,
                   const uint8_t *nonce, struct th_span authenticated, uint8_t *bytes, size_t len,
                   uint8_t *tag, int encrypt)
{
    br_chacha20_run chacha20 = profile->chacha20_get ? profile->chacha20_get() : NULL;
    br_poly1305_run poly1305 = profile->poly1305_get ? profile->poly1305_get() : NULL;

    if (!chacha20)
        chacha20 = profile->chacha20;
    if (!poly1305)
        poly1305 = profile->poly1305;
    poly1305(key, nonce, bytes, len, authenticated.at, authenticated.len, tag, chacha20, encrypt);
}

static bool seal(void *ctx, const uint8_t key[TH_AEAD_KEY], const uint8_t nonce[TH_AEAD_NONCE],
                 struct th_span authenticated, uint8_t *bytes, size_t len, uint8_t tag[TH_AEAD_TAG])
{
    chapol(profile_of(ctx), key, nonce, authenticated, bytes, len, tag, 1);
    return true;
}

static bool open(void *ctx, const uint8_t key[TH_AEAD_KEY], const uint8_t nonce[TH_AEAD_NONCE],
                 struct th_span authenticated, uint8_t *bytes, size_t len,
                 const uint8_t tag[TH_AEAD_TAG])
{
    uint8_t found[TH_AEAD_TAG];
    unsigned differs = 0;

    chapol(profile_of(ctx), key, nonce, authenticated, bytes, len, found, 0);
    for (size_t i = 0; i < sizeof found; i++)
        differs |= found[i] ^ tag[i];
    if (differs != 0)
        th_tls_wipe(bytes, len);
    return differs == 0;
}

const struct th_crypto_ops th_crypto_bearssl = {
    .hashes = &th_bearssl_hashes,
    .p256_public = p256_public,
    .p256_sign = p256_sign,
    .p256_verify = p256_verify,
    .p256_shared = p256_shared,
    .hmac = hmac,
    .seal = seal,
    .open = open,
};
