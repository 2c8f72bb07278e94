/* SPDX-License-Identifier: MIT */
/*
 * Reads fields in order. Reading past the end gives zeros and sets `failed`, which sticks: a parser
 * reads like the table in its specification and looks at `failed` once, at the end.
 */
#ifndef TH_BASE_READER_H
#define TH_BASE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/span.h>

struct th_reader {
    const uint8_t *at, *end;
    bool failed;
};

static inline struct th_reader th_reader_of(struct th_span bytes)
{
    /* No arithmetic on NULL. */
    const uint8_t *at = bytes.at != NULL ? bytes.at : (const uint8_t *)"";
    return (struct th_reader){at, at + bytes.len, false};
}

static inline size_t th_read_left(const struct th_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* The next `len` bytes, where they lie; empty when there are fewer. Through a pointer: small
 * machines return no struct in registers. */
void th_read(struct th_reader *reader, size_t len, struct th_span *out);
uint8_t th_read_u8(struct th_reader *reader);
uint16_t th_read_u16(struct th_reader *reader);
uint32_t th_read_u32(struct th_reader *reader);
void th_read_text(struct th_reader *reader, struct th_span *out);
/* At most 4 bytes and no more than needed (MQTT 5.0 §1.5.5), else `failed`. */
uint32_t th_read_varint(struct th_reader *reader);

#endif
