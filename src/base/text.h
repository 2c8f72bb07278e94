/* SPDX-License-Identifier: MIT */
/* Writes text for people into a bounded buffer: what does not fit is cut, the NUL always stands. */
#ifndef TH_BASE_TEXT_H
#define TH_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct th_text {
    char *at;
    size_t room, len; /* len < room once room > 0 */
};

/* `into` may be NULL only when room is 0. Lives as long as the text is written to. */
struct th_text th_text_init(char *into, size_t room);

void th_text_char(struct th_text *text, char c);
void th_text_str(struct th_text *text, const char *string);
void th_text_decimal(struct th_text *text, int64_t number);

/* At least `digits` wide, filled with zeros. */
void th_text_padded(struct th_text *text, uint32_t number, unsigned digits);

/* Lower case, without leading zeros. */
void th_text_hex(struct th_text *text, uint32_t number);

/* "2026-11-20", UTC, of seconds since 1970; years outside 0..9999 are shown as their edge. */
void th_text_date(struct th_text *text, int64_t time_s);

#endif
