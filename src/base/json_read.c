/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/json.h>

#include "base/utf8.h"

struct scan {
    const uint8_t *at, *end;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && is_space(*scan->at))
        scan->at++;
}

static bool take(struct scan *scan, uint8_t c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* ---- strings ---- */

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits; -1 when they are not there. */
static int32_t hex4(struct scan *scan)
{
    int32_t value = 0;

    if (scan->end - scan->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(scan->at[i]);

        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    scan->at += 4;
    return value;
}

/* Behind "\u": a character, or both halves of a surrogate pair. A half alone is refused. */
static int32_t unicode_escape(struct scan *scan)
{
    int32_t high = hex4(scan);

    if (high < 0xD800 || high > 0xDFFF)
        return high;
    if (high > 0xDBFF || !take(scan, '\\') || !take(scan, 'u'))
        return -1;
    int32_t low = hex4(scan);
    return low >= 0xDC00 && low <= 0xDFFF ? 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) : -1;
}

/* The next character of a string whose quote was taken: a byte as it stands, or what an escape
 * means. -1: none may stand here. */
static int32_t next_character(struct scan *scan)
{
    static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

    if (scan->at == scan->end || *scan->at < 0x20)
        return -1;
    uint8_t c = *scan->at++;
    if (c != '\\')
        return c;
    if (scan->at == scan->end)
        return -1;
    c = *scan->at++;
    if (c == 'u')
        return unicode_escape(scan);
    const char *found = c ? strchr(escapes, c) : NULL;
    return found ? meanings[found - escapes] : -1;
}

static bool skip_string(struct scan *scan)
{
    const uint8_t *begin = scan->at;

    if (!take(scan, '"'))
        return false;
    while (scan->at < scan->end && *scan->at != '"') {
        const uint8_t *before = scan->at;

        if (next_character(scan) < 0) {
            scan->at = before;
            return false;
        }
    }
    if (!take(scan, '"'))
        return false;
    if (th_utf8_check(th_span_of(begin, (size_t)(scan->at - begin)), false))
        return true;
    scan->at = begin;
    return false;
}

/* What a whole string means, as UTF-8 byte by byte. */
struct meaning {
    struct scan scan;
    uint8_t bytes[4];
    uint8_t have, given;
};

static struct meaning meaning_of(const uint8_t *quote, const uint8_t *end)
{
    return (struct meaning){.scan = {quote + 1, end - 1}};
}

static uint8_t encode(int32_t c, uint8_t into[4])
{
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    uint8_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (len == 1) {
        into[0] = (uint8_t)c;
        return 1;
    }
    for (uint8_t i = len - 1; i > 0; i--) {
        into[i] = (uint8_t)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    into[0] = (uint8_t)(lead[len] | c);
    return len;
}

/* -1 at the end. */
static int next_byte(struct meaning *meaning)
{
    if (meaning->given == meaning->have) {
        if (meaning->scan.at >= meaning->scan.end)
            return -1;
        bool escaped = *meaning->scan.at == '\\';
        int32_t c = next_character(&meaning->scan);
        if (!escaped)
            return c; /* it is UTF-8 already */
        meaning->have = encode(c, meaning->bytes);
        meaning->given = 0;
    }
    return meaning->bytes[meaning->given++];
}

/* ---- values ---- */

static bool skip_digits(struct scan *scan)
{
    const uint8_t *begin = scan->at;

    while (scan->at < scan->end && is_digit(*scan->at))
        scan->at++;
    return scan->at > begin;
}

static bool skip_number(struct scan *scan)
{
    take(scan, '-');
    if (!take(scan, '0') && !skip_digits(scan))
        return false;
    if (take(scan, '.') && !skip_digits(scan))
        return false;
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            take(scan, '-');
        return skip_digits(scan);
    }
    return true;
}

static bool skip_word(struct scan *scan, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return false;
    scan->at += len;
    return true;
}

static enum th_json_kind kind_at(const struct scan *scan)
{
    if (scan->at == scan->end)
        return TH_JSON_NONE;
    switch (*scan->at) {
    case '{': return TH_JSON_OBJECT;
    case '[': return TH_JSON_ARRAY;
    case '"': return TH_JSON_STRING;
    case 't': return TH_JSON_TRUE;
    case 'f': return TH_JSON_FALSE;
    case 'n': return TH_JSON_NULL;
    default: return *scan->at == '-' || is_digit(*scan->at) ? TH_JSON_NUMBER : TH_JSON_NONE;
    }
}

static bool skip_scalar(struct scan *scan, enum th_json_kind kind)
{
    switch (kind) {
    case TH_JSON_STRING: return skip_string(scan);
    case TH_JSON_NUMBER: return skip_number(scan);
    case TH_JSON_TRUE: return skip_word(scan, "true");
    case TH_JSON_FALSE: return skip_word(scan, "false");
    case TH_JSON_NULL: return skip_word(scan, "null");
    case TH_JSON_NONE:
    case TH_JSON_ARRAY:
    case TH_JSON_OBJECT: break;
    }
    return false;
}

/* Two names that read the same, however they are escaped. */
static bool same_string(struct scan a, struct scan b)
{
    struct meaning one = meaning_of(a.at, a.end), two = meaning_of(b.at, b.end);
    int byte;

    do {
        byte = next_byte(&one);
        if (byte != next_byte(&two))
            return false;
    } while (byte >= 0);
    return true;
}

static bool skip_value(struct scan *scan, int depth);

/* Is there an earlier member of this name? Every one of them is whole. */
static bool named_before(struct scan earlier, struct scan name, int depth)
{
    for (;;) {
        struct scan other = earlier;

        skip_space(&earlier);
        other.at = earlier.at;
        if (earlier.at >= name.at || !skip_string(&earlier))
            return false;
        other.end = earlier.at;
        if (same_string(other, name))
            return true;
        skip_space(&earlier);
        earlier.at++; /* the colon */
        skip_space(&earlier);
        if (!skip_value(&earlier, depth))
            return false;
        skip_space(&earlier);
        if (!take(&earlier, ','))
            return false;
    }
}

static bool skip_member_name(struct scan *scan, struct scan members, int depth)
{
    struct scan name = *scan;

    if (!skip_string(scan))
        return false;
    name.end = scan->at;
    if (named_before(members, name, depth)) {
        scan->at = name.at;
        return false;
    }
    skip_space(scan);
    if (!take(scan, ':'))
        return false;
    skip_space(scan);
    return true;
}

static bool skip_container(struct scan *scan, bool object, int depth)
{
    const uint8_t close = object ? '}' : ']';

    if (depth == 0)
        return false;
    scan->at++;
    struct scan members = *scan;
    skip_space(scan);
    if (take(scan, close))
        return true;
    for (;;) {
        skip_space(scan);
        if (object && !skip_member_name(scan, members, depth - 1))
            return false;
        if (!skip_value(scan, depth - 1))
            return false;
        skip_space(scan);
        if (take(scan, close))
            return true;
        if (!take(scan, ','))
            return false;
    }
}

/* The depth is bounded, so is the recursion. */
static bool skip_value(struct scan *scan, int depth)
{
    enum th_json_kind kind = kind_at(scan);

    if (kind == TH_JSON_OBJECT || kind == TH_JSON_ARRAY)
        return skip_container(scan, kind == TH_JSON_OBJECT, depth);
    return skip_scalar(scan, kind);
}

enum th_error th_json_parse(struct th_span document, struct th_json *out, size_t *at)
{
    struct scan scan = {document.at, document.at + document.len};

    *out = (struct th_json){TH_JSON_NONE, {0}};
    skip_space(&scan);
    struct scan begin = scan;
    bool good = skip_value(&scan, TH_JSON_DEPTH);
    const uint8_t *end = scan.at;
    if (good)
        skip_space(&scan);
    *at = (size_t)(scan.at - document.at);
    if (!good || scan.at != scan.end)
        return TH_ERR_INVALID;
    *out = (struct th_json){kind_at(&begin), {begin.at, (size_t)(end - begin.at)}};
    return TH_OK;
}

/* ---- reading what was checked ---- */

static struct th_json value_here(struct scan *scan)
{
    const uint8_t *begin = scan->at;
    enum th_json_kind kind = kind_at(scan);

    if (!skip_value(scan, TH_JSON_DEPTH))
        return (struct th_json){TH_JSON_NONE, {0}};
    return (struct th_json){kind, {begin, (size_t)(scan->at - begin)}};
}

bool th_json_next(struct th_json container, size_t *at, struct th_json *name, struct th_json *value)
{
    struct scan scan = {container.text.at + *at, container.text.at + container.text.len};
    bool object = container.kind == TH_JSON_OBJECT;
    struct th_json member = {TH_JSON_NONE, {0}};

    if (!object && container.kind != TH_JSON_ARRAY)
        return false;
    if (*at == 0)
        scan.at++;
    skip_space(&scan);
    if (scan.at == scan.end || *scan.at == '}' || *scan.at == ']')
        return false;
    take(&scan, ',');
    skip_space(&scan);
    if (object) {
        member = value_here(&scan);
        skip_space(&scan);
        take(&scan, ':');
        skip_space(&scan);
    }
    *value = value_here(&scan);
    if (name)
        *name = member;
    *at = (size_t)(scan.at - container.text.at);
    return value->kind != TH_JSON_NONE;
}

static bool reads_as(struct th_json string, const char *name)
{
    struct meaning meaning = meaning_of(string.text.at, string.text.at + string.text.len);

    for (; *name; name++) {
        if (next_byte(&meaning) != (uint8_t)*name)
            return false;
    }
    return next_byte(&meaning) < 0;
}

struct th_json th_json_member(struct th_json object, const char *name)
{
    struct th_json member, value;
    size_t at = 0;

    if (object.kind == TH_JSON_OBJECT) {
        while (th_json_next(object, &at, &member, &value)) {
            if (reads_as(member, name))
                return value;
        }
    }
    return (struct th_json){TH_JSON_NONE, {0}};
}

bool th_json_integer(struct th_json value, int64_t *out)
{
    uint64_t number = 0;

    if (value.kind != TH_JSON_NUMBER)
        return false;
    const uint8_t *at = value.text.at, *end = at + value.text.len;
    bool negative = *at == '-';
    uint64_t most = negative ? (uint64_t)1 << 63 : INT64_MAX;
    for (at += negative; at < end; at++) {
        if (!is_digit(*at) || number > (most - (uint64_t)(*at - '0')) / 10)
            return false;
        number = number * 10 + (uint64_t)(*at - '0');
    }
    *out = negative ? -(int64_t)(number - (number > 0)) - (number > 0) : (int64_t)number;
    return true;
}

bool th_json_string(struct th_json value, char *into, size_t room)
{
    size_t len = 0;

    if (value.kind != TH_JSON_STRING || room == 0)
        return false;
    struct meaning meaning = meaning_of(value.text.at, value.text.at + value.text.len);
    for (int byte = next_byte(&meaning); byte >= 0; byte = next_byte(&meaning)) {
        if (byte == 0 || len + 1 >= room)
            return false;
        into[len++] = (char)byte;
    }
    into[len] = '\0';
    return true;
}
