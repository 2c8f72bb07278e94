/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/rule.h"

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
