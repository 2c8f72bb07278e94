/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/rule.h"

/* The rest of a character of several bytes that begins with `first`; NULL when it is not
 * well-formed (Unicode, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
static const uint8_t *behind(uint32_t first, const uint8_t *at, const uint8_t *end)
{
    unsigned more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t value = first & (0x7Fu >> more);
    if (first < 0xC2)
        return NULL;
    for (unsigned i = 0; i < more; i++) {
        if (at == end || (*at & 0xC0) != 0x80)
            return NULL;
        value = value << 6 | (*at++ & 0x3F);
    }
    /* Three bytes begin at 2^11, four at 2^16; of two bytes C2 is the first. */
    bool overlong = value >> (5 * more + 1) == 0;
    return overlong || value >> 11 == 0xD800 >> 11 || value >> 16 > 0x10 ? NULL : at;
}

bool th_utf8_check(struct th_span text, bool name)
{
    if (th_utf8_common(text))
        return true;
    const uint8_t *at = text.at;
    for (const uint8_t *end = text.len > 0 ? at + text.len : at; at != end;) {
        uint8_t byte = *at++;
        if (TH_RULE(utf8_nul, TH_RULE(topic_nul, byte == 0)) ||
            (name && TH_RULE(publish_topic_wildcard, byte == '+' || byte == '#')))
            return false;
        const uint8_t *next = byte < 0x80 ? at : behind(byte, at, end);
        if (TH_RULE(utf8_ill_formed, next == NULL))
            return false;
        at = next != NULL ? next : at;
    }
    return true;
}
