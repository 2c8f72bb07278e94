/* SPDX-License-Identifier: MIT */
#include <thimble/trust.h>

#include "base/base64.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "0a1b…" or "0a:1b:…": the colons stand everywhere or nowhere. */
static bool parse_hex(const char *text, uint8_t *into, size_t len)
{
    size_t text_len = strlen(text);
    bool colons = len > 1 && text_len == 3 * len - 1;
    size_t step = colons ? 3 : 2;
    if (text_len != 2 * len && !colons)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[i * step]), low = hex_value(text[i * step + 1]);
        if (high < 0 || low < 0 || (colons && i > 0 && text[i * step - 1] != ':'))
            return false;
        into[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool th_trust_pin_parse(const char *text, uint8_t *into, size_t len)
{
    static const char prefix[] = "sha256//";
    uint8_t bytes[TH_SHA256_BYTES];
    size_t got = 0;
    if (parse_hex(text, into, len))
        return true;
    if (len != TH_SHA256_BYTES)
        return false;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        text += sizeof prefix - 1;
    if (!th_base64_decode(th_span_str(text), bytes, sizeof bytes, &got) || got != sizeof bytes)
        return false;
    memcpy(into, bytes, sizeof bytes);
    return true;
}
