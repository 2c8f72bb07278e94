/* SPDX-License-Identifier: MIT */
/*
 * Time is an argument. `now_ms` is a monotonic counter of milliseconds that may start anywhere and
 * wraps at 2^32 (every 49.7 days); two times are comparable when they lie less than 2^31 ms apart.
 * Calendar time is `int64_t` seconds since 1970-01-01T00:00:00Z and never used for waiting.
 */
#ifndef THIMBLE_TIME_H
#define THIMBLE_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Returned by every `..._deadline()` when nothing is pending; also the longest wait there is. */
#define TH_FOREVER UINT32_MAX

/* True when `at_ms` is now or in the past. */
static inline bool th_time_reached(uint32_t now_ms, uint32_t at_ms)
{
    return (int32_t)(now_ms - at_ms) >= 0;
}

/* Milliseconds from now until `at_ms`; 0 when it is reached. */
static inline uint32_t th_time_until(uint32_t now_ms, uint32_t at_ms)
{
    return th_time_reached(now_ms, at_ms) ? 0 : at_ms - now_ms;
}

static inline uint32_t th_time_sooner(uint32_t a_ms, uint32_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

#endif
