/* SPDX-License-Identifier: MIT */
/*
 * JSON as RFC 8259 has it and nothing else: no comments, no trailing commas, no other encodings, no
 * second member of one name. A text is checked once as a whole; reading the checked text cannot
 * fail. No numbers with fractions are computed: they are carried as text.
 */
#ifndef THIMBLE_JSON_H
#define THIMBLE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/error.h>
#include <thimble/span.h>

#define TH_JSON_DEPTH 8 /* objects and arrays within each other, at most */

/* ---- reading ---- */

enum th_json_kind {
    TH_JSON_NONE, /* no such member or element */
    TH_JSON_NULL,
    TH_JSON_FALSE,
    TH_JSON_TRUE,
    TH_JSON_NUMBER,
    TH_JSON_STRING,
    TH_JSON_ARRAY,
    TH_JSON_OBJECT,
};

/* One value: its text in the document, brackets and quotes included. Lives as long as that. */
struct th_json {
    enum th_json_kind kind;
    struct th_span text;
};

/* Checks a whole document: one value, white space around it. TH_ERR_INVALID with `*at` at the byte
 * where it breaks the rules, or nests too deep. `out` then is NONE. */
enum th_error th_json_parse(struct th_span document, struct th_json *out, size_t *at);

/* The member of that name (as the name reads after its escapes are undone); NONE also when `object`
 * is none. */
struct th_json th_json_member(struct th_json object, const char *name);

/* Walks an array or object: `*at` 0 begins; false at its end. `name` (may be NULL) gets a member's
 * name as a STRING. */
bool th_json_next(struct th_json container, size_t *at, struct th_json *name,
                  struct th_json *value);

/* An integer within int64_t; false for other kinds, fractions and exponents. */
bool th_json_integer(struct th_json value, int64_t *out);

/* Copies a STRING without quotes and escapes, and a NUL. False when it is none, does not fit
 * `room`, or contains U+0000. */
bool th_json_string(struct th_json value, char *into, size_t room);

/* ---- writing ---- */

/* Puts commas by itself. A text that does not fit is cut and `failed` sticks. */
struct th_json_writer {
    uint8_t *at, *end;
    uint8_t *begin;
    bool failed, comma;
};

struct th_json_writer th_json_writer_of(uint8_t *into, size_t room);

/* `bracket` is one of "{[" to open and "}]" to close. */
void th_json_open(struct th_json_writer *writer, char bracket);
void th_json_close(struct th_json_writer *writer, char bracket);
void th_json_name(struct th_json_writer *writer, const char *name);
void th_json_put_string(struct th_json_writer *writer, struct th_span text);
void th_json_put_integer(struct th_json_writer *writer, int64_t value);
void th_json_put_bool(struct th_json_writer *writer, bool value);
void th_json_put_null(struct th_json_writer *writer);
/* Text that is JSON already. */
void th_json_put_raw(struct th_json_writer *writer, struct th_span json);

/* What was written; empty when it did not fit. */
struct th_span th_json_written(const struct th_json_writer *writer);

#endif
