/* SPDX-License-Identifier: MIT */
/* A handshake is up to five operations on elliptic curves of 13 to 32 million instructions each,
 * all within calls that the loop cannot interrupt. Each is bounded; so the watchdog is fed before
 * each, and a hang within one is still found. */
#include "link_demo.h"

/* P-384 is left out: no device needs it for a broker of its own, and its code, at 700 B of stack
 * more than P-256's, would be the deepest of all. */
#define CURVES ((uint32_t)1 << BR_EC_secp256r1 | (uint32_t)1 << BR_EC_curve25519)

static const br_ec_impl *plain(int curve)
{
    return curve == BR_EC_curve25519 ? &br_ec_c25519_m15 : &br_ec_p256_m15;
}

static const unsigned char *generator(int curve, size_t *len)
{
    return plain(curve)->generator(curve, len);
}

static const unsigned char *order(int curve, size_t *len)
{
    return plain(curve)->order(curve, len);
}

static size_t xoff(int curve, size_t *len)
{
    return plain(curve)->xoff(curve, len);
}

static uint32_t mul(unsigned char *point, size_t point_len, const unsigned char *x, size_t x_len,
                    int curve)
{
    th_timer_watchdog_feed();
    return plain(curve)->mul(point, point_len, x, x_len, curve);
}

static size_t mulgen(unsigned char *result, const unsigned char *x, size_t x_len, int curve)
{
    th_timer_watchdog_feed();
    return plain(curve)->mulgen(result, x, x_len, curve);
}

static uint32_t muladd(unsigned char *a, const unsigned char *b, size_t len, const unsigned char *x,
                       size_t x_len, const unsigned char *y, size_t y_len, int curve)
{
    th_timer_watchdog_feed();
    return plain(curve)->muladd(a, b, len, x, x_len, y, y_len, curve);
}

const br_ec_impl demo_fed_ec = {CURVES, generator, order, xoff, mul, mulgen, muladd};
