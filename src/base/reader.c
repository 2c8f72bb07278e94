/* SPDX-License-Identifier: MIT */
#include "base/reader.h"

#include "base/rule.h"

void th_read(struct th_reader *reader, size_t len, struct th_span *out)
{
    if (len > th_read_left(reader)) {
        reader->failed = true;
        reader->at = reader->end;
        len = 0;
    }
    out->at = reader->at;
    out->len = len;
    if (len > 0) /* nothing may be read from nowhere */
        reader->at += len;
}

uint8_t th_read_u8(struct th_reader *reader)
{
    if (reader->at != reader->end)
        return *reader->at++;
    reader->failed = true;
    return 0;
}

uint16_t th_read_u16(struct th_reader *reader)
{
    uint8_t high = th_read_u8(reader);
    uint8_t low = th_read_u8(reader);
    return TH_VALUE(integer_big_endian, (uint16_t)(high << 8 | low), (uint16_t)(low << 8 | high));
}

uint32_t th_read_u32(struct th_reader *reader)
{
    uint32_t high = th_read_u16(reader);
    return high << 16 | th_read_u16(reader);
}

void th_read_text(struct th_reader *reader, struct th_span *out)
{
    th_read(reader, th_read_u16(reader), out);
}

uint32_t th_read_varint(struct th_reader *reader)
{
    uint32_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = th_read_u8(reader);
        value |= (uint32_t)(byte & 0x7F) << (shift & 31);
        if ((byte & 0x80) == 0) {
            if (TH_RULE(varint_shortest, byte == 0 && shift > 0))
                reader->failed = true;
            return value;
        }
        if (TH_RULE(varint_5_bytes, shift == 21)) {
            reader->failed = true;
            return value;
        }
    }
}
