/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "net/ap/packet.h"

/* ---- reading ---- */

void ap_read_head(struct th_reader *reader, struct dns_head *head)
{
    head->id = th_read_u16(reader);
    head->flags = th_read_u16(reader);
    head->questions = th_read_u16(reader);
    head->answers = th_read_u16(reader);
    head->authorities = th_read_u16(reader);
    head->additional = th_read_u16(reader);
}

static char plain(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte + ('a' - 'A'));
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
                   byte == '_'
               ? (char)byte
               : '?';
}

bool ap_read_name(struct th_reader *reader, const struct th_span *whole, char *into)
{
    struct th_reader at = *reader;
    size_t len = 0, lowest = whole ? (size_t)(reader->at - whole->at) : 0;
    bool jumped = false;

    for (;;) {
        uint8_t label = th_read_u8(&at);
        if (at.failed)
            return false;
        if ((label & 0xC0) == 0xC0) {
            size_t to = (size_t)(label & 0x3F) << 8 | th_read_u8(&at);
            if (!whole || at.failed || to >= lowest || to < DNS_HEAD)
                return false;
            if (!jumped)
                *reader = at;
            jumped = true;
            lowest = to;
            at = th_reader_of(*whole);
            at.at += to;
            continue;
        }
        if (label > 63 || label > th_read_left(&at) || len + label + 1 > DNS_NAME_MAX)
            return false;
        if (label == 0)
            break;
        if (len > 0)
            into[len++] = '.';
        for (; label > 0; label--)
            into[len++] = plain(th_read_u8(&at));
    }
    into[len] = '\0';
    if (!jumped)
        *reader = at;
    return true;
}

/* ---- writing ---- */

struct ap_writer ap_writer_of(uint8_t *into, size_t room)
{
    return (struct ap_writer){into, into, into + room, false};
}

void ap_put(struct ap_writer *writer, const void *bytes, size_t len)
{
    if ((size_t)(writer->end - writer->at) < len) {
        writer->failed = true;
        return;
    }
    if (len > 0)
        memcpy(writer->at, bytes, len);
    writer->at += len;
}

void ap_put_u8(struct ap_writer *writer, uint8_t value)
{
    ap_put(writer, &value, 1);
}

void ap_put_u16(struct ap_writer *writer, uint16_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};

    ap_put(writer, bytes, sizeof bytes);
}

void ap_put_u32(struct ap_writer *writer, uint32_t value)
{
    ap_put_u16(writer, (uint16_t)(value >> 16));
    ap_put_u16(writer, (uint16_t)value);
}

void ap_put_head(struct ap_writer *writer, const struct dns_head *head)
{
    ap_put_u16(writer, head->id);
    ap_put_u16(writer, head->flags);
    ap_put_u16(writer, head->questions);
    ap_put_u16(writer, head->answers);
    ap_put_u16(writer, head->authorities);
    ap_put_u16(writer, head->additional);
}

void ap_put_name(struct ap_writer *writer, const char *name)
{
    while (*name != '\0') {
        size_t len = strcspn(name, ".");
        writer->failed |= len == 0 || len > 63;
        ap_put_u8(writer, (uint8_t)len);
        ap_put(writer, name, len);
        name += len + (name[len] == '.');
    }
    ap_put_u8(writer, 0);
}

size_t ap_written(const struct ap_writer *writer)
{
    return writer->failed ? 0 : (size_t)(writer->at - writer->begin);
}
