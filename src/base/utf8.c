/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/rule.h"

#define EACH(byte) (UINT64_MAX / 0xFF * (byte))

static uint64_t zero_byte(uint64_t word)
{
    return (word - EACH(0x01)) & ~word & EACH(0x80);
}

/* True when eight bytes are all ASCII and neither NUL nor '+' nor '#'. The wildcards differ in bit
 * 3 alone: with that bit set, both are '+'. A byte above 0x7F may hide another; it is told apart
 * one by one then. */
static bool common_eight(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t wild = zero_byte((word | EACH(0x08)) ^ EACH('+'));
    return ((word & EACH(0x80)) | zero_byte(word) | wild) == 0;
}

/* Length of the character of several bytes at `at`, 0 when it is not well-formed (Unicode, table
 * 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t character(const uint8_t *at, size_t len)
{
    uint8_t first = at[0];
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    size_t need = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first < 0xC2 || first > 0xF4 || len < need || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return need;
}

bool th_utf8_check(struct th_span text, bool name)
{
    const uint8_t *at = text.at;
    size_t len = text.len;
    while (len > 0) {
        /* Reading words pays where they need not be aligned; elsewhere the compiler drops this. */
        while (sizeof(size_t) == 8 && len >= 8 && common_eight(at)) {
            at += 8;
            len -= 8;
        }
        size_t many = len < 8 || sizeof(size_t) != 8 ? len : 8;
        size_t done = 0;
        while (done < many) {
            uint8_t byte = at[done];
            size_t step = 1;
            if (TH_RULE(utf8_nul, byte == 0) ||
                (name && TH_RULE(publish_topic_wildcard, byte == '+' || byte == '#')))
                return false;
            if (byte >= 0x80 &&
                TH_RULE(utf8_ill_formed, (step = character(at + done, len - done)) == 0))
                return false;
            done += step > 0 ? step : 1;
        }
        at += done;
        len -= done;
    }
    return true;
}
