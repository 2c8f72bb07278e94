/* SPDX-License-Identifier: MIT */
/* Strings as MQTT narrows UTF-8: no NUL, no surrogates (3.1.1 §1.5.3, 5.0 §1.5.4). */
#ifndef TH_BASE_UTF8_H
#define TH_BASE_UTF8_H

#include <stdbool.h>

#include <thimble/span.h>

#include "base/fast.h"

#define TH_EACH(byte) (UINT64_MAX / 0xFF * (byte))

/* True for what nearly every topic is: at least eight bytes, all of them ASCII and neither NUL nor
 * '+' nor '#'. Reading words pays where they need not be aligned; elsewhere it is always false, and
 * compilers drop it. */
static inline bool th_utf8_common(struct th_span text)
{
    if (!TH_FAST || text.len < 8)
        return false;
    const uint8_t *last = text.at + text.len - 8;
    for (const uint8_t *at = text.at;; at = at + 8 < last ? at + 8 : last) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        /* Subtracting 1 from each byte sets the top bit of those that were 0, as long as none had
         * it before. The wildcards differ in bit 3 alone: with that bit set, both are '+'. */
        uint64_t wild = ((word | TH_EACH(0x08)) ^ TH_EACH('+')) - TH_EACH(0x01);
        if (((word | (word - TH_EACH(0x01)) | wild) & TH_EACH(0x80)) != 0)
            return false;
        if (at == last)
            return true;
    }
}

/* Well-formed, any length. With `name`, '+' and '#' are refused as well. */
bool th_utf8_check(struct th_span text, bool name);

#endif
