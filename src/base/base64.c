/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int th_base64_char(struct th_base64 *base64, char c, uint8_t out[3])
{
    int value = value_of(c);
    if (base64->ended)
        return -1;
    if (c == '=') {
        if (base64->count < 2)
            return -1;
        base64->padding++;
        value = 0;
    } else if (value < 0 || base64->padding > 0) {
        return -1;
    }
    base64->bits = base64->bits << 6 | (uint32_t)value;
    if (++base64->count < 4)
        return 0;
    uint32_t bits = base64->bits;
    int bytes = 3 - base64->padding;
    uint32_t unused = base64->padding == 2 ? 0xFFFF : base64->padding == 1 ? 0xFF : 0;
    if ((bits & unused) != 0)
        return -1;
    base64->ended = base64->padding > 0;
    base64->bits = base64->count = base64->padding = 0;
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return bytes;
}

bool th_base64_whole(const struct th_base64 *base64)
{
    return base64->count == 0;
}

bool th_base64_decode(struct th_span text, uint8_t *into, size_t room, size_t *out_len)
{
    struct th_base64 base64 = {0};
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t out[3];
        int bytes = th_base64_char(&base64, (char)text.at[i], out);
        if (bytes < 0 || (size_t)bytes > room - len)
            return false;
        memcpy(into + len, out, (size_t)bytes);
        len += (size_t)bytes;
    }
    *out_len = len;
    return th_base64_whole(&base64);
}

size_t th_base64_encode(struct th_span bytes, char *into, size_t room)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = (bytes.len + 2) / 3 * 4;
    if (bytes.len > SIZE_MAX / 2 || room < len + 1)
        return 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = (uint32_t)bytes.at[i] << 16;
        if (count > 1)
            bits |= (uint32_t)bytes.at[i + 1] << 8;
        if (count > 2)
            bits |= bytes.at[i + 2];
        char *out = into + i / 3 * 4;
        out[0] = alphabet[bits >> 18];
        out[1] = alphabet[bits >> 12 & 63];
        out[2] = count > 1 ? alphabet[bits >> 6 & 63] : '=';
        out[3] = count > 2 ? alphabet[bits & 63] : '=';
    }
    into[len] = '\0';
    return len;
}
