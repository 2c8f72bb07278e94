/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/rule.h"

/* Length of the character of several bytes at `at`, 0 when it is not well-formed (Unicode, table
 * 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t character(const uint8_t *at, size_t len)
{
    size_t need = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    uint32_t value = at[0] & (0xFFu >> need);
    if (at[0] < 0xC2 || len < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3F);
    }
    /* Three bytes begin at 2^11, four at 2^16; of two bytes C2 is the first. */
    bool overlong = value >> (5 * need - 4) == 0;
    return overlong || value >> 11 == 0xD800 >> 11 || value >> 16 > 0x10 ? 0 : need;
}

bool th_utf8_check(struct th_span text, bool name)
{
    const uint8_t *at = text.at;
    if (th_utf8_common(text))
        return true;
    for (size_t len = text.len; len > 0;) {
        size_t step = 1;
        if (TH_RULE(utf8_nul, TH_RULE(topic_nul, *at == 0)) ||
            (name && TH_RULE(publish_topic_wildcard, *at == '+' || *at == '#')))
            return false;
        if (*at >= 0x80)
            step = character(at, len);
        if (TH_RULE(utf8_ill_formed, step == 0))
            return false;
        step += step == 0;
        at += step;
        len -= step;
    }
    return true;
}
