/* SPDX-License-Identifier: MIT */
/*
 * Writes a packet through a window: `skip` bytes of it went out before and are passed over, what
 * then fits between `at` and `end` is written, the rest is only counted. Encoding the same packet
 * again with a larger `skip` goes on where the last window ended, so that a packet of any size
 * leaves through a buffer of any size. A window of no size counts. With a sink every field goes
 * there instead.
 */
#ifndef TH_BASE_WRITER_H
#define TH_BASE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

struct th_writer {
    uint8_t *at, *end;
    uint32_t skip;
    uint32_t total; /* of the packet so far, written or not */
    bool (*sink)(void *ctx, struct th_span bytes);
    void *ctx;
    bool failed; /* the sink did not take a field; it gets no more */
};

void th_write(struct th_writer *writer, const uint8_t *bytes, size_t len);
void th_write_u8(struct th_writer *writer, uint8_t value);
void th_write_u16(struct th_writer *writer, uint16_t value);
void th_write_u32(struct th_writer *writer, uint32_t value);
/* Two bytes of length, then the bytes: strings and binary data (MQTT 5.0 §1.5.4, §1.5.6). */
void th_write_text(struct th_writer *writer, struct th_span text);
/* A variable byte integer (§1.5.5), at most 268,435,455. */
void th_write_varint(struct th_writer *writer, uint32_t value);

/* Writes it to `into`, which has room for 4 bytes; returns where it ends. */
uint8_t *th_varint_put(uint8_t *into, uint32_t value);

#endif
