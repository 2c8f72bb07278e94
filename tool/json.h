/* SPDX-License-Identifier: MIT */
/* Writes one JSON document, for --json. Names are literals of ours; values may be anything: bytes
 * that are not UTF-8 become U+FFFD. */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *to;
    bool first;
};

/* `{` … `}` and a newline. */
struct json json_begin(FILE *to);
void json_end(struct json *json);

/* `name` NULL inside an array. `bracket` is one of { [ and } ]. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);

void json_text(struct json *json, const char *name, const char *text);
void json_bytes(struct json *json, const char *name, const void *text, size_t len);
void json_number(struct json *json, const char *name, int64_t number);
void json_bool(struct json *json, const char *name, bool value);
void json_hex(struct json *json, const char *name, const uint8_t *bytes, size_t len);

#endif
