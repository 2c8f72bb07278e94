/* SPDX-License-Identifier: MIT */
/* A handshake is up to five operations on elliptic curves of 13 to 32 million instructions each,
 * all within calls that the loop cannot interrupt. Each is bounded; so the watchdog is fed before
 * each, and a hang within one is still found. */
#include "link_demo.h"

static const br_ec_impl *plain(void)
{
    return &br_ec_all_m15;
}

static const unsigned char *generator(int curve, size_t *len)
{
    return plain()->generator(curve, len);
}

static const unsigned char *order(int curve, size_t *len)
{
    return plain()->order(curve, len);
}

static size_t xoff(int curve, size_t *len)
{
    return plain()->xoff(curve, len);
}

static uint32_t mul(unsigned char *point, size_t point_len, const unsigned char *x, size_t x_len,
                    int curve)
{
    th_timer_watchdog_feed();
    return plain()->mul(point, point_len, x, x_len, curve);
}

static size_t mulgen(unsigned char *result, const unsigned char *x, size_t x_len, int curve)
{
    th_timer_watchdog_feed();
    return plain()->mulgen(result, x, x_len, curve);
}

static uint32_t muladd(unsigned char *a, const unsigned char *b, size_t len, const unsigned char *x,
                       size_t x_len, const unsigned char *y, size_t y_len, int curve)
{
    th_timer_watchdog_feed();
    return plain()->muladd(a, b, len, x, x_len, y, y_len, curve);
}

#define CURVES                                                         \
    ((uint32_t)1 << BR_EC_secp256r1 | (uint32_t)1 << BR_EC_secp384r1 | \
     (uint32_t)1 << BR_EC_curve25519)

const br_ec_impl demo_fed_ec = {CURVES, generator, order, xoff, mul, mulgen, muladd};
