/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim_codec.h"

#include <string.h>

#include "ports/sim/sim_parts.h"

/* ---- reading ---- */

uint8_t sim_in_u8(struct sim_in *in)
{
    if (in->len == 0) {
        in->bad = true;
        return 0;
    }
    in->len--;
    return *in->at++;
}

uint16_t sim_in_u16(struct sim_in *in)
{
    uint16_t high = sim_in_u8(in);
    return (uint16_t)(high << 8 | sim_in_u8(in));
}

uint32_t sim_in_u32(struct sim_in *in)
{
    uint32_t high = sim_in_u16(in);
    return high << 16 | sim_in_u16(in);
}

static struct th_span take(struct sim_in *in, size_t len)
{
    if (len > in->len) {
        in->bad = true;
        len = 0;
    }
    struct th_span taken = {in->at, len};
    in->at += len;
    in->len -= len;
    return taken;
}

struct th_span sim_in_text(struct sim_in *in)
{
    size_t len = sim_in_u16(in);
    return take(in, len);
}

/* A variable byte integer, [MQTT-1.5.5-1]. */
static uint32_t in_length(struct sim_in *in)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        uint8_t byte = sim_in_u8(in);
        value |= (uint32_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    in->bad = true;
    return 0;
}

static void skip_property(struct sim_in *in, uint8_t id)
{
    switch (id) {
    case 0x01:
    case 0x17:
    case 0x19:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2A: sim_in_u8(in); break;
    case 0x13:
    case 0x22: sim_in_u16(in); break;
    case 0x02:
    case 0x27: sim_in_u32(in); break;
    case 0x0B: in_length(in); break;
    case 0x26:
        sim_in_text(in);
        sim_in_text(in);
        break;
    case 0x03:
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x15:
    case 0x16:
    case 0x1A:
    case 0x1C:
    case 0x1F: sim_in_text(in); break;
    default: in->bad = true;
    }
}

struct sim_properties sim_in_properties(struct sim_in *in)
{
    struct sim_properties found = {.session_expiry_s = 0};
    struct th_span all = take(in, in_length(in));
    struct sim_in rest = {all.at, all.len, false};
    while (rest.len > 0 && !rest.bad) {
        uint8_t id = sim_in_u8(&rest);
        if (id == 0x11) {
            found.session_expiry_s = sim_in_u32(&rest);
        } else if (id == 0x18) {
            found.will_delay_s = sim_in_u32(&rest);
        } else if (id == 0x21) {
            found.receive_maximum = sim_in_u16(&rest);
        } else if (id == 0x23) {
            found.alias = sim_in_u16(&rest);
        } else {
            skip_property(&rest, id);
        }
    }
    in->bad |= rest.bad;
    return found;
}

size_t sim_packet_length(const uint8_t *bytes, size_t len, size_t *head)
{
    size_t value = 0;
    for (size_t i = 1; i <= 4; i++) {
        if (i >= len)
            return 0;
        value |= (size_t)(bytes[i] & 0x7F) << 7 * (i - 1);
        if ((bytes[i] & 0x80) == 0) {
            *head = i + 1;
            return *head + value;
        }
    }
    return SIZE_MAX;
}

/* ---- writing ---- */

static uint8_t *more(struct sim_out *out, size_t len)
{
    if (out->len + len > out->room) {
        out->room = 2 * (out->len + len);
        out->bytes = th_sim_room(out->bytes, out->room);
    }
    out->len += len;
    return out->bytes + out->len - len;
}

void sim_out_u8(struct sim_out *out, uint8_t value)
{
    *more(out, 1) = value;
}

void sim_out_u16(struct sim_out *out, uint16_t value)
{
    sim_out_u8(out, (uint8_t)(value >> 8));
    sim_out_u8(out, (uint8_t)value);
}

void sim_out_bytes(struct sim_out *out, struct th_span bytes)
{
    if (bytes.len > 0)
        memcpy(more(out, bytes.len), bytes.at, bytes.len);
}

void sim_out_text(struct sim_out *out, struct th_span text)
{
    sim_out_u16(out, (uint16_t)text.len);
    sim_out_bytes(out, text);
}

void sim_out_packet(struct sim_out *out, size_t from, enum sim_packet type, uint8_t flags)
{
    size_t len = out->len - from, left = len, head_len = 0;
    uint8_t head[5];
    head[head_len++] = (uint8_t)(type << 4 | flags);
    do {
        uint8_t byte = left & 0x7F;
        left >>= 7;
        head[head_len++] = (uint8_t)(left > 0 ? byte | 0x80 : byte);
    } while (left > 0);
    more(out, head_len);
    memmove(out->bytes + from + head_len, out->bytes + from, len);
    memcpy(out->bytes + from, head, head_len);
}
