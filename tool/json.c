/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <inttypes.h>
#include <string.h>

/* The length of the well-formed UTF-8 sequence at `at`, 0 when there is none (RFC 3629 §4). */
static size_t utf8_len(const uint8_t *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    bool outside = (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF4 && at[1] > 0x8F);
    return overlong || outside ? 0 : len;
}

static void quoted(FILE *to, const uint8_t *at, size_t len)
{
    putc('"', to);
    for (size_t i = 0; i < len;) {
        size_t step = utf8_len(at + i, len - i);
        if (step == 0) {
            fputs("\\ufffd", to);
            step = 1;
        } else if (at[i] == '"' || at[i] == '\\') {
            fprintf(to, "\\%c", at[i]);
        } else if (at[i] < 0x20) {
            fprintf(to, "\\u%04x", at[i]);
        } else {
            fwrite(at + i, 1, step, to);
        }
        i += step;
    }
    putc('"', to);
}

static void name_of(struct json *json, const char *name)
{
    if (!json->first)
        putc(',', json->to);
    json->first = false;
    if (name) {
        quoted(json->to, (const uint8_t *)name, strlen(name));
        putc(':', json->to);
    }
}

struct json json_begin(FILE *to)
{
    putc('{', to);
    return (struct json){.to = to, .first = true};
}

void json_end(struct json *json)
{
    fputs("}\n", json->to);
    fflush(json->to);
}

void json_open(struct json *json, const char *name, char bracket)
{
    name_of(json, name);
    putc(bracket, json->to);
    json->first = true;
}

void json_close(struct json *json, char bracket)
{
    putc(bracket, json->to);
    json->first = false;
}

void json_bytes(struct json *json, const char *name, const void *text, size_t len)
{
    name_of(json, name);
    quoted(json->to, text, len);
}

void json_text(struct json *json, const char *name, const char *text)
{
    json_bytes(json, name, text, strlen(text));
}

void json_number(struct json *json, const char *name, int64_t number)
{
    name_of(json, name);
    fprintf(json->to, "%" PRId64, number);
}

void json_bool(struct json *json, const char *name, bool value)
{
    name_of(json, name);
    fputs(value ? "true" : "false", json->to);
}

void json_hex(struct json *json, const char *name, const uint8_t *bytes, size_t len)
{
    name_of(json, name);
    putc('"', json->to);
    for (size_t i = 0; i < len; i++)
        fprintf(json->to, "%02x", bytes[i]);
    putc('"', json->to);
}
