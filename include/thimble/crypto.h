/* SPDX-License-Identifier: MIT */
/*
 * The few primitives that identity, updates and enrolment need besides TLS, from the library the
 * TLS backend uses anyway. Naming a table links it. Numbers on the curve are big-endian; a point is
 * uncompressed (0x04, x, y); a signature is r then s.
 */
#ifndef THIMBLE_CRYPTO_H
#define THIMBLE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/trust.h>

#define TH_P256_SECRET    32
#define TH_P256_POINT     65
#define TH_P256_SIGNATURE 64
#define TH_AEAD_KEY       32
#define TH_AEAD_NONCE     12
#define TH_AEAD_TAG       16

struct th_crypto_ops {
    const struct th_hashes *hashes;
    /* The point of a secret; false when the secret is 0 or not below the curve's order. */
    bool (*p256_public)(void *ctx, const uint8_t secret[TH_P256_SECRET],
                        uint8_t point[TH_P256_POINT]);
    /* ECDSA over a SHA-256 digest. False when the secret is not one, or the library fails. */
    bool (*p256_sign)(void *ctx, const uint8_t secret[TH_P256_SECRET],
                      const uint8_t digest[TH_SHA256_BYTES], uint8_t signature[TH_P256_SIGNATURE]);
    /* True only for a good signature under a point that is on the curve. */
    bool (*p256_verify)(void *ctx, const uint8_t point[TH_P256_POINT],
                        const uint8_t digest[TH_SHA256_BYTES],
                        const uint8_t signature[TH_P256_SIGNATURE]);
    /* ECDH: the x coordinate. False when the point is not on the curve. */
    bool (*p256_shared)(void *ctx, const uint8_t secret[TH_P256_SECRET],
                        const uint8_t point[TH_P256_POINT], uint8_t shared[32]);
    /* HMAC-SHA-256 over the parts one after the other. False when the library has no memory. */
    bool (*hmac)(void *ctx, struct th_span key, const struct th_span *parts, size_t count,
                 uint8_t mac[TH_SHA256_BYTES]);
    /* ChaCha20-Poly1305 (RFC 8439) in place; the tag is put behind, or `open` checks it: false when
     * anything was altered, and the bytes are then wiped. A nonce serves once for a key. `seal` is
     * false when the library has no memory; the bytes are then wiped. */
    bool (*seal)(void *ctx, const uint8_t key[TH_AEAD_KEY], const uint8_t nonce[TH_AEAD_NONCE],
                 struct th_span authenticated, uint8_t *bytes, size_t len,
                 uint8_t tag[TH_AEAD_TAG]);
    bool (*open)(void *ctx, const uint8_t key[TH_AEAD_KEY], const uint8_t nonce[TH_AEAD_NONCE],
                 struct th_span authenticated, uint8_t *bytes, size_t len,
                 const uint8_t tag[TH_AEAD_TAG]);
};

/* BearSSL's context is a `const struct th_bearssl_profile *`; OpenSSL's is NULL. */
extern const struct th_crypto_ops th_crypto_bearssl, th_crypto_openssl;

struct th_crypto {
    const struct th_crypto_ops *ops;
    void *ctx;
};

/* A fresh key pair from the board's entropy. False when the entropy fails (T13); `secret` is wiped
 * then. */
bool th_p256_generate(const struct th_crypto *crypto, const struct th_board *board,
                      uint8_t secret[TH_P256_SECRET], uint8_t point[TH_P256_POINT]);

/* HKDF-SHA-256 (RFC 5869), `len` at most 255 * 32. False as `hmac` is; nothing is derived then. */
bool th_hkdf(const struct th_crypto *crypto, struct th_span salt, struct th_span secret,
             struct th_span info, uint8_t *into, size_t len);

#endif
