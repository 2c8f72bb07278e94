/* SPDX-License-Identifier: MIT */
/* Secrets are wiped at their last use, where a compiler may not leave it out. */
#ifndef TH_BASE_WIPE_H
#define TH_BASE_WIPE_H

#include <stddef.h>
#include <stdint.h>

static inline void th_wipe(void *secret, size_t len)
{
    volatile uint8_t *at = (volatile uint8_t *)secret;

    while (len-- > 0)
        *at++ = 0;
}

#endif
