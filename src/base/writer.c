/* SPDX-License-Identifier: MIT */
#include "base/writer.h"

#include "base/rule.h"

void th_write(struct th_writer *writer, const uint8_t *bytes, size_t len)
{
    writer->total += (uint32_t)len;
    if (writer->sink != NULL) {
        if (len > 0 && !writer->failed)
            writer->failed = !writer->sink(writer->ctx, (struct th_span){bytes, len});
        return;
    }
    if (writer->skip >= len) { /* also when nothing is written from nowhere */
        writer->skip -= (uint32_t)len;
        return;
    }
    bytes += writer->skip;
    len -= writer->skip;
    writer->skip = 0;
    size_t room = (size_t)(writer->end - writer->at);
    if (len > room)
        len = room;
    if (len == 0)
        return;
    memcpy(writer->at, bytes, len);
    writer->at += len;
}

void th_write_u8(struct th_writer *writer, uint8_t value)
{
    th_write(writer, &value, 1);
}

void th_write_u16(struct th_writer *writer, uint16_t value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    th_write(writer, bytes, sizeof bytes);
}

void th_write_u32(struct th_writer *writer, uint32_t value)
{
    th_write_u16(writer, (uint16_t)(value >> 16));
    th_write_u16(writer, (uint16_t)value);
}

void th_write_text(struct th_writer *writer, struct th_span text)
{
    th_write_u16(writer, (uint16_t)text.len);
    th_write(writer, text.at, text.len);
}

uint8_t *th_varint_put(uint8_t *into, uint32_t value)
{
    while (value > 0x7F) {
        *into++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *into++ = (uint8_t)value;
    return into;
}

void th_write_varint(struct th_writer *writer, uint32_t value)
{
    uint8_t bytes[5];
    th_write(writer, bytes, (size_t)(th_varint_put(bytes, value) - bytes));
}
