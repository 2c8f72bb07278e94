/* SPDX-License-Identifier: MIT */
/*
 * Continuous health tests of a noise source that delivers bytes (T13): the repetition count and
 * adaptive proportion tests of NIST SP 800-90B §4.4, and one for sequences that come again, which
 * those two miss. The cut-offs assume at least 4 bits of entropy a byte and fail a good source once
 * in 2^40 bytes.
 */
#ifndef TH_PORT_HEALTH_H
#define TH_PORT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TH_HEALTH_RUN_CUTOFF   11 /* equal bytes in a row */
#define TH_HEALTH_WINDOW       512
#define TH_HEALTH_SHARE_CUTOFF 79   /* of one value in a window */
#define TH_HEALTH_START_BYTES  1024 /* to be fed and thrown away before first use, §4.3 */

struct th_health {
    uint64_t recent;  /* the last eight bytes */
    uint64_t opening; /* the first eight of this window */
    uint64_t first;   /* the first eight since th_health_start(): compare it over a restart */
    uint32_t seen;    /* bytes fed; stays at its maximum */
    uint16_t in_window;
    uint16_t share;
    uint8_t run;
    uint8_t sample; /* the value whose share is counted */
    bool failed;    /* for good */
};

void th_health_start(struct th_health *health);

/* Judges `len` more bytes; false once any test has failed, from then on always. */
bool th_health_feed(struct th_health *health, const uint8_t *bytes, size_t len);

#endif
