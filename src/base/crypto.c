/* SPDX-License-Identifier: MIT */
#include <thimble/crypto.h>

#include "base/wipe.h"

#define TRIES 8 /* a secret outside the order has a chance of 2^-32 */

bool th_p256_generate(const struct th_crypto *crypto, const struct th_board *board,
                      uint8_t secret[TH_P256_SECRET], uint8_t point[TH_P256_POINT])
{
    for (int i = 0; i < TRIES; i++) {
        if (!board->entropy.ops->fill(board->entropy.ctx, secret, TH_P256_SECRET))
            break;
        if (crypto->ops->p256_public(crypto->ctx, secret, point))
            return true;
    }
    th_wipe(secret, TH_P256_SECRET);
    return false;
}

bool th_hkdf(const struct th_crypto *crypto, struct th_span salt, struct th_span secret,
             struct th_span info, uint8_t *into, size_t len)
{
    static const uint8_t no_salt[TH_SHA256_BYTES];
    uint8_t key[TH_SHA256_BYTES], block[TH_SHA256_BYTES];

    if (salt.len == 0)
        salt = th_span_of(no_salt, sizeof no_salt);
    bool ok = crypto->ops->hmac(crypto->ctx, salt, &secret, 1, key);
    for (uint8_t counter = 1; ok && len > 0; counter++) {
        size_t before = counter == 1 ? 0 : sizeof block;
        size_t take = len < sizeof block ? len : sizeof block;
        const struct th_span parts[] = {{block, before}, info, {&counter, 1}};

        ok = crypto->ops->hmac(crypto->ctx, th_span_of(key, sizeof key), parts, 3, block);
        if (ok)
            memcpy(into, block, take);
        into += take;
        len -= take;
    }
    th_wipe(key, sizeof key);
    th_wipe(block, sizeof block);
    return ok;
}
