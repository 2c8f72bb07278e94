/* SPDX-License-Identifier: MIT */
#include <thimble/net.h>

#include <string.h>

#include "base/text.h"

/* ---- into text ---- */

static void put_v4(struct th_text *text, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            th_text_char(text, '.');
        th_text_decimal(text, bytes[i]);
    }
}

static unsigned group_at(const uint8_t *bytes, int i)
{
    return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* The first of the longest runs of two and more zero groups, among the first `groups`; RFC 5952
 * §4.2. */
static void longest_zeros(const uint8_t *bytes, int groups, int *from, int *count)
{
    *from = -1;
    *count = 1;
    for (int i = 0; i < groups; i++) {
        int run = 0;
        while (i + run < groups && group_at(bytes, i + run) == 0)
            run++;
        if (run > *count) {
            *from = i;
            *count = run;
        }
    }
}

static void put_v6(struct th_text *text, const uint8_t *bytes)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    bool is_mapped = memcmp(bytes, mapped, sizeof mapped) == 0;
    int groups = is_mapped ? 6 : 8;
    int from, count;
    longest_zeros(bytes, groups, &from, &count);
    for (int i = 0; i < groups; i++) {
        if (i == from) {
            th_text_str(text, "::");
            i += count - 1;
            continue;
        }
        if (i > 0 && i != from + count)
            th_text_char(text, ':');
        th_text_hex(text, group_at(bytes, i));
    }
    if (is_mapped) {
        th_text_char(text, ':');
        put_v4(text, bytes + 12);
    }
}

size_t th_address_text(const struct th_address *address, char *into)
{
    struct th_text text = th_text_init(into, TH_ADDRESS_TEXT_MAX);
    if (address->family == 4) {
        put_v4(&text, address->bytes);
    } else {
        th_text_char(&text, '[');
        put_v6(&text, address->bytes);
        if (address->scope != 0) {
            th_text_char(&text, '%');
            th_text_decimal(&text, address->scope);
        }
        th_text_char(&text, ']');
    }
    th_text_char(&text, ':');
    th_text_decimal(&text, address->port);
    return text.len;
}

/* ---- out of text ---- */

/* Reads digits up to `most`; false when there is none, or one too many. */
static bool read_number(const char **at, uint32_t most, uint32_t *out)
{
    const char *from = *at;
    uint64_t number = 0;
    while (**at >= '0' && **at <= '9') {
        number = number * 10 + (uint64_t)(**at - '0');
        if (number > most)
            return false;
        (*at)++;
    }
    *out = (uint32_t)number;
    return *at > from;
}

/* Four decimal bytes without leading zeros, which some systems read as octal. */
static bool read_v4(const char **at, uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *(*at)++ != '.')
            return false;
        if ((*at)[0] == '0' && (*at)[1] >= '0' && (*at)[1] <= '9')
            return false;
        uint32_t number;
        if (!read_number(at, 255, &number))
            return false;
        bytes[i] = (uint8_t)number;
    }
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_group(const char **at, uint8_t *bytes)
{
    unsigned group = 0, digits = 0;
    for (; hex_value(**at) >= 0; (*at)++) {
        if (++digits > 4)
            return false;
        group = group << 4 | (unsigned)hex_value(**at);
    }
    bytes[0] = (uint8_t)(group >> 8);
    bytes[1] = (uint8_t)group;
    return digits > 0;
}

/* Where the groups read so far are, and where "::" stood among them. */
struct v6 {
    uint8_t bytes[16];
    int len, gap; /* bytes; gap < 0: none */
};

/* A group, or four decimal bytes in the place of the last two groups; RFC 4291 §2.2. */
static bool read_part(const char **at, struct v6 *v6)
{
    const char *rest = *at;
    if (v6->len <= 12 && read_v4(&rest, v6->bytes + v6->len) && *rest != ':') {
        v6->len += 4;
    } else {
        rest = *at;
        if (v6->len > 14 || !read_group(&rest, v6->bytes + v6->len))
            return false;
        v6->len += 2;
    }
    *at = rest;
    return true;
}

static bool read_v6(const char **at, uint8_t *bytes)
{
    struct v6 v6 = {.gap = -1};
    bool ended = false;
    if ((*at)[0] == ':' && (*at)[1] != ':')
        return false;
    while (!ended) {
        if ((*at)[0] == ':' && (*at)[1] == ':') {
            if (v6.gap >= 0)
                return false;
            v6.gap = v6.len;
            *at += 2;
            if (hex_value(**at) < 0)
                break;
        } else if (v6.len > 0 && *(*at)++ != ':') {
            return false;
        }
        if (!read_part(at, &v6))
            return false;
        ended = **at != ':';
    }
    if (v6.gap < 0 ? v6.len != 16 : v6.len > 14)
        return false;
    int before = v6.gap < 0 ? 16 : v6.gap, after = v6.len - before;
    memset(bytes, 0, 16);
    memcpy(bytes, v6.bytes, (size_t)before);
    if (v6.gap >= 0)
        memcpy(bytes + 16 - after, v6.bytes + before, (size_t)after);
    return true;
}

bool th_address_parse(const char *text, struct th_address *out)
{
    struct th_address address = {.family = 4};
    const char *at = text;
    if (read_v4(&at, address.bytes) && *at == '\0') {
        *out = address;
        return true;
    }
    address = (struct th_address){.family = 6};
    at = text;
    bool bracket = *at == '[';
    at += bracket ? 1 : 0;
    if (!read_v6(&at, address.bytes))
        return false;
    if (*at == '%') {
        at++;
        if (!read_number(&at, UINT32_MAX, &address.scope))
            return false;
    }
    if (bracket && *at++ != ']')
        return false;
    if (*at != '\0')
        return false;
    *out = address;
    return true;
}
