/* SPDX-License-Identifier: MIT */
/* What requests carry: form values and cookies. */
#include <thimble/topic.h>

#include "http/parts.h"

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte of an encoded value; -1 at its end, -2 when it is not rightly encoded. */
static int next_byte(struct th_span value, size_t *at)
{
    if (*at == value.len)
        return -1;
    uint8_t c = value.at[(*at)++];
    if (c == '+')
        return ' ';
    if (c != '%')
        return c;
    if (value.len - *at < 2 || hex_of(value.at[*at]) < 0 || hex_of(value.at[*at + 1]) < 0)
        return -2;
    *at += 2;
    return hex_of(value.at[*at - 2]) << 4 | hex_of(value.at[*at - 1]);
}

/* Decodes; false when it does not fit, holds U+0000 or is no UTF-8. */
static bool decode(struct th_span value, char *into, size_t room)
{
    size_t len = 0;
    int byte;

    for (size_t at = 0; (byte = next_byte(value, &at)) >= 0;) {
        if (byte == 0 || len + 1 >= room)
            return false;
        into[len++] = (char)byte;
    }
    into[len] = '\0';
    return byte == -1 && th_utf8_valid(th_span_of(into, len));
}

static struct th_span cut(struct th_span *rest, uint8_t stop)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->at, stop, rest->len) : NULL;
    struct th_span part = *rest;

    if (!end) {
        rest->len = 0;
        return part;
    }
    part.len = (size_t)(end - rest->at);
    rest->at = end + 1;
    rest->len -= part.len + 1;
    return part;
}

bool th_http_form_value(struct th_span form, const char *name, char *into, size_t room)
{
    struct th_span found = {0};

    if (room == 0)
        return false;
    into[0] = '\0';
    while (form.len > 0) {
        struct th_span value = cut(&form, '&'), key = cut(&value, '=');
        if (!th_span_equal(key, th_span_str(name)))
            continue;
        if (found.at)
            return false;
        found = value.at ? value : th_span_of("", 0);
    }
    if (found.at && decode(found, into, room))
        return true;
    into[0] = '\0';
    return false;
}

struct th_span th_http_cookie(struct th_span cookie, const char *name)
{
    while (cookie.len > 0) {
        struct th_span value = cut(&cookie, ';');
        while (value.len > 0 && value.at[0] == ' ') {
            value.at++;
            value.len--;
        }
        struct th_span key = cut(&value, '=');
        if (th_span_equal(key, th_span_str(name)))
            return value;
    }
    return th_span_of(NULL, 0);
}
