/* SPDX-License-Identifier: MIT */
/* Units and marks of the log in their bit-exact form. */
#include "store/log.h"

#include <thimble/crc.h>

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t flash_offset(const struct th_log *log, uint8_t unit, uint32_t at)
{
    return log->region.offset + unit * log->unit_size + at;
}

bool log_read(const struct th_log *log, uint8_t unit, uint32_t at, uint8_t *into, size_t len)
{
    return log->flash->read(log->flash_ctx, flash_offset(log, unit, at), into, len);
}

/* What was programmed is read back: a worn cell shows here, not at the next start. */
bool log_program(struct th_log *log, uint8_t unit, uint32_t at, const uint8_t *bytes, size_t len)
{
    if (!log->flash->program(log->flash_ctx, flash_offset(log, unit, at), bytes, len))
        return false;
    while (len > 0) {
        uint8_t back[TH_LOG_GRAIN];
        size_t n = len < sizeof back ? len : sizeof back;

        if (!log_read(log, unit, at, back, n) || memcmp(back, bytes, n) != 0)
            return false;
        at += (uint32_t)n;
        bytes += n;
        len -= n;
    }
    return true;
}

bool log_header_read(const struct th_log *log, uint8_t unit, struct unit_header *out)
{
    uint8_t raw[2 * TH_LOG_GRAIN];

    if (!log_read(log, unit, 0, raw, sizeof raw))
        return false;
    if (get32(raw) != LOG_UNIT_MAGIC || get32(raw + 4) != LOG_VERSION ||
        get32(raw + 28) != th_crc32(0, raw, 28))
        return false;
    *out = (struct unit_header){get32(raw + 8), get32(raw + 12), get32(raw + 16)};
    return true;
}

bool log_header_program(struct th_log *log, uint8_t unit, const struct unit_header *header)
{
    uint8_t raw[2 * TH_LOG_GRAIN];

    memset(raw, 0xFF, sizeof raw);
    put32(raw, LOG_UNIT_MAGIC);
    put32(raw + 4, LOG_VERSION);
    put32(raw + 8, header->number);
    put32(raw + 12, header->nonce);
    put32(raw + 16, header->erases);
    put32(raw + 28, th_crc32(0, raw, 28));
    return log_program(log, unit, 0, raw, sizeof raw);
}

/* A mark's CRC covers the unit's nonce and the mark's place, so that neither an old mark nor a
 * record's content can pass for one. */
static uint32_t mark_crc(const uint8_t *raw, uint32_t nonce, uint32_t at)
{
    uint8_t bind[8];

    put32(bind, nonce);
    put32(bind + 4, at);
    return th_crc32(th_crc32(0, bind, sizeof bind), raw, 12);
}

bool log_mark_read(const struct th_log *log, uint8_t unit, uint32_t nonce, uint32_t at,
                   struct mark *out)
{
    uint8_t raw[TH_LOG_GRAIN];

    if (at + TH_LOG_GRAIN > log->unit_size || !log_read(log, unit, at, raw, sizeof raw))
        return false;
    /* Most grains that are no mark are erased or void: no CRC for those. */
    if (raw[0] == 0xFF || raw[0] == 0 || get32(raw + 12) != mark_crc(raw, nonce, at))
        return false;
    *out = (struct mark){raw[0], raw[1], (uint16_t)(raw[2] | raw[3] << 8), get32(raw + 4),
                         get32(raw + 8)};
    return out->kind < TH_LOG_KINDS;
}

bool log_mark_program_at(struct th_log *log, uint32_t at, const struct mark *mark)
{
    uint8_t raw[TH_LOG_GRAIN];

    raw[0] = mark->type;
    raw[1] = mark->kind;
    raw[2] = (uint8_t)mark->len;
    raw[3] = (uint8_t)(mark->len >> 8);
    put32(raw + 4, mark->sequence);
    put32(raw + 8, mark->data_crc);
    put32(raw + 12, mark_crc(raw, log->nonce, at));
    return log_program(log, log->unit, at, raw, sizeof raw);
}

bool log_mark_program(struct th_log *log, const struct mark *mark)
{
    uint32_t at = log->tail;

    log->tail += TH_LOG_GRAIN;
    return log_mark_program_at(log, at, mark);
}

bool log_void(struct th_log *log, uint8_t unit, uint32_t at)
{
    static const uint8_t zeros[TH_LOG_GRAIN] = {0};

    return log_program(log, unit, at, zeros, sizeof zeros);
}

bool log_data_crc(const struct th_log *log, uint8_t unit, uint32_t at, uint32_t len, uint32_t *crc)
{
    *crc = 0;
    while (len > 0) {
        uint8_t part[64];
        uint32_t n = len < sizeof part ? len : (uint32_t)sizeof part;

        if (!log_read(log, unit, at, part, n))
            return false;
        *crc = th_crc32(*crc, part, n);
        at += n;
        len -= n;
    }
    return true;
}
