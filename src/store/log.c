/* SPDX-License-Identifier: MIT */
#include "store/log.h"

#include <thimble/crc.h>

/* ---- writing into the unit in use ---- */

static bool program_data(struct th_log *log, struct th_span data)
{
    uint32_t whole = (uint32_t)(data.len / TH_LOG_GRAIN * TH_LOG_GRAIN);
    uint32_t rest = (uint32_t)data.len - whole;
    uint8_t last[TH_LOG_GRAIN];

    if (whole > 0 && !log_program(log, log->unit, log->tail, data.at, whole))
        return false;
    log->tail += whole;
    if (rest == 0)
        return true;
    memset(last, 0xFF, sizeof last);
    memcpy(last, data.at + whole, rest);
    log->tail += TH_LOG_GRAIN;
    return log_program(log, log->unit, log->tail - TH_LOG_GRAIN, last, sizeof last);
}

static bool append_record(struct th_log *log, uint8_t kind, struct th_span data, uint32_t *at)
{
    struct mark mark = {MARK_RECORD, kind, (uint16_t)data.len, ++log->sequence,
                        th_crc32(0, data.at, data.len)};

    *at = log->tail + TH_LOG_GRAIN;
    return log_mark_program(log, &mark) && program_data(log, data);
}

static bool append_settled(struct th_log *log, uint32_t sequence)
{
    struct mark mark = {.type = MARK_SETTLED, .sequence = sequence};

    return log_mark_program(log, &mark);
}

/* The CRC in the RECORD mark before that data. */
static bool crc_of(const struct th_log *log, uint8_t unit, uint32_t data, uint32_t *crc)
{
    uint8_t raw[4];

    if (!log_read(log, unit, data - 8, raw, sizeof raw))
        return false;
    *crc = raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24;
    return true;
}

/* Copies a record grain by grain: no record-sized buffer. False also when the copy is not what the
 * CRC of the original says: weak cells may read differently each time. */
static bool copy_record(struct th_log *log, uint8_t from, uint8_t kind, uint32_t at, uint16_t len)
{
    struct mark mark = {MARK_RECORD, kind, len, ++log->sequence, 0};
    uint32_t copied;

    if (!crc_of(log, from, at, &mark.data_crc) || !log_mark_program(log, &mark))
        return false;
    uint32_t to = log->tail;
    for (uint32_t done = 0; done < len; done += TH_LOG_GRAIN) {
        uint8_t grain[TH_LOG_GRAIN];
        uint32_t n = len - done < TH_LOG_GRAIN ? len - done : TH_LOG_GRAIN;

        memset(grain, 0xFF, sizeof grain);
        if (!log_read(log, from, at + done, grain, n) ||
            !log_program(log, log->unit, log->tail, grain, sizeof grain))
            return false;
        log->tail += TH_LOG_GRAIN;
    }
    if (!log_data_crc(log, log->unit, to, len, &copied) || copied != mark.data_crc)
        return false;
    log->newest[kind].at = to;
    log->newest[kind].len = len;
    return true;
}

/* ---- changing the unit ---- */

/* The first erase unit goes first: it has the header, without which the others count for nothing.
 */
static bool erase_unit(struct th_log *log, uint8_t unit)
{
    uint32_t begin = log->region.offset + unit * log->unit_size;

    for (uint32_t at = 0; at < log->unit_size; at += log->erase_unit) {
        if (!log->flash->erase(log->flash_ctx, begin + at))
            return false;
    }
    return true;
}

/* Begins a unit: always erased here and now, so that no half-erased one is ever written to. */
static bool begin_unit(struct th_log *log, uint8_t unit, uint32_t erases)
{
    struct unit_header header = {log->unit_number + 1,
                                 th_crc32(log->nonce, &unit, 1) + log->sequence, erases};

    if (!erase_unit(log, unit))
        return false;
    if (!log_header_program(log, unit, &header))
        return false;
    log->unit = unit;
    log->unit_number = header.number;
    log->nonce = header.nonce;
    log->erases = erases;
    log->tail = 2 * TH_LOG_GRAIN;
    log->tidied = false;
    return true;
}

static uint32_t erases_of(const struct th_log *log, uint8_t unit)
{
    struct unit_header header;

    return log_header_read(log, unit, &header) ? header.erases : log->erases;
}

static bool append_complete(struct th_log *log)
{
    struct mark mark = {.type = MARK_COMPLETE, .sequence = log->sequence};

    return log_mark_program(log, &mark);
}

/* Moves all newest records of `keep` into the unit after this one, and `record` in place of its
 * kind's. On failure the log goes on in the old unit as if nothing had been done; the broken unit
 * has no COMPLETE mark. */
static bool change_unit(struct th_log *log, uint32_t keep, uint8_t kind, struct th_span record)
{
    const struct th_log before = *log;
    uint8_t next = (uint8_t)((log->unit + 1) % log->region.units);
    uint32_t at = 0;
    bool ok = begin_unit(log, next, erases_of(log, next) + 1);

    memset(log->newest, 0, sizeof log->newest);
    for (uint8_t k = 0; ok && k < TH_LOG_KINDS; k++) {
        if (k != kind && (keep >> k & 1) && before.newest[k].len > 0)
            ok = copy_record(log, before.unit, k, before.newest[k].at, before.newest[k].len);
    }
    if (ok && record.len > 0) {
        ok = append_record(log, kind, record, &at);
        log->newest[kind].at = at;
        log->newest[kind].len = (uint16_t)record.len;
    }
    ok = ok && append_complete(log) && append_settled(log, log->sequence);
    if (!ok)
        *log = before;
    return ok;
}

#define NO_KIND TH_LOG_KINDS

static bool change_unit_keeping(struct th_log *log, uint32_t keep)
{
    return change_unit(log, keep, NO_KIND, (struct th_span){0});
}

/* ---- mounting ---- */

static uint32_t erase_units(struct th_log_region region)
{
    return region.erase_units ? region.erase_units : 1;
}

static bool region_fits(const struct th_flash_ops *flash, void *ctx, struct th_log_region region)
{
    struct th_flash_geometry geometry = flash->geometry(ctx);

    return region.units >= 2 && region.units <= TH_LOG_UNITS && geometry.erase_unit >= 256 &&
           geometry.erase_unit % TH_LOG_GRAIN == 0 && region.offset % geometry.erase_unit == 0 &&
           geometry.program_align <= TH_LOG_GRAIN && region.offset <= geometry.size &&
           (geometry.size - region.offset) / geometry.erase_unit / erase_units(region) >=
               region.units;
}

static void adopt(struct th_log *log, uint8_t unit, const struct unit_header *header,
                  const struct log_scan *scan)
{
    log->unit = unit;
    log->unit_number = header->number;
    log->nonce = header->nonce;
    log->erases = header->erases;
    log->sequence = scan->sequence;
    log->tail = scan->end;
    log->tidied = scan->tidied;
    for (uint8_t k = 0; k < TH_LOG_KINDS; k++) {
        log->newest[k].at = scan->newest[k].at;
        log->newest[k].len = scan->newest[k].len;
    }
}

/* Only the mark that stands last, and one right behind the end that left no trace, can have been
 * cut. The first is written again as it reads, or voided where it is none; the place of the other
 * is voided. Whatever they might have read as later, they read as now; should this be cut, nothing
 * has been written behind it. */
static bool close_end(struct th_log *log, const struct log_scan *scan)
{
    bool ok = scan->torn ? log_void(log, log->unit, scan->end - TH_LOG_GRAIN)
                         : log_mark_program_at(log, scan->last_at, &scan->last);

    return ok && (scan->end >= log->unit_size || log_void(log, log->unit, scan->end));
}

/* A newer unit that is not complete was cut while it was begun. It must never count later: the
 * place of its SETTLED mark, which may have been cut, is voided before the erase, which may be cut
 * as well and leave the rest of it readable. */
static bool discard_unit(struct th_log *log, uint8_t unit, const struct log_scan *scan)
{
    return (scan->complete_at == 0 || log_void(log, unit, scan->complete_at + TH_LOG_GRAIN)) &&
           erase_unit(log, unit);
}

/* The newest complete unit. Older ones do not matter, whatever state they are in. */
static bool find_unit(struct th_log *log, struct log_scan *best, bool *found)
{
    struct unit_header header;
    struct log_scan scan;

    *found = false;
    for (uint8_t unit = 0; unit < log->region.units; unit++) {
        if (!log_header_read(log, unit, &header))
            continue;
        if (!log_scan_unit(log, unit, &header, &scan))
            return false;
        if (scan.complete && (!*found || (int32_t)(header.number - log->unit_number) > 0)) {
            *found = true;
            *best = scan;
            adopt(log, unit, &header, &scan);
        }
    }
    for (uint8_t unit = 0; unit < log->region.units; unit++) {
        if (!log_header_read(log, unit, &header) ||
            (*found && (int32_t)(header.number - log->unit_number) <= 0))
            continue;
        if (!log_scan_unit(log, unit, &header, &scan) || !discard_unit(log, unit, &scan))
            return false;
    }
    return true;
}

/* What the last power cut left in doubt is decided and written down, before anybody acts on it. */
static bool decide(struct th_log *log, const struct log_scan *scan)
{
    uint32_t need = TH_LOG_GRAIN;

    if (scan->loose)
        need += TH_LOG_GRAIN + log_grains(scan->loose_len);
    if (!close_end(log, scan))
        return false;
    log->tail += TH_LOG_GRAIN;
    if (log->tail + need > log->unit_size)
        return false;
    if (scan->loose &&
        copy_record(log, log->unit, scan->loose_kind, scan->loose_at, scan->loose_len))
        return append_settled(log, log->sequence);
    return append_settled(log, scan->settled);
}

static bool make_stable(struct th_log *log, const struct log_scan *scan)
{
    if (decide(log, scan))
        return true;
    /* No room is left, or the place is worn. */
    if (scan->loose) {
        log->newest[scan->loose_kind].at = scan->loose_len ? scan->loose_at : 0;
        log->newest[scan->loose_kind].len = scan->loose_len;
    }
    return change_unit_keeping(log, UINT32_MAX);
}

enum th_error th_log_mount(struct th_log *log, const struct th_flash_ops *flash, void *flash_ctx,
                           struct th_log_region region, uint32_t nonce)
{
    struct log_scan scan;
    bool found;

    memset(log, 0, sizeof *log);
    if (!region_fits(flash, flash_ctx, region))
        return TH_ERR_CONFIG;
    log->flash = flash;
    log->flash_ctx = flash_ctx;
    log->region = region;
    log->erase_unit = flash->geometry(flash_ctx).erase_unit;
    log->unit_size = log->erase_unit * erase_units(region);
    if (!find_unit(log, &scan, &found))
        return TH_ERR_STORE;
    if (found)
        return make_stable(log, &scan) ? TH_OK : TH_ERR_STORE;
    log->nonce = nonce;
    log->unit = (uint8_t)(region.units - 1);
    return change_unit_keeping(log, 0) ? TH_OK : TH_ERR_STORE;
}

/* ---- the calls ---- */

/* The records kept, with this one in place of its kind's, in a fresh unit. */
static bool fits_unit(const struct th_log *log, uint32_t keep, uint8_t kind, size_t len)
{
    uint32_t need = 5 * TH_LOG_GRAIN + log_grains((uint32_t)len) + TH_LOG_GRAIN;

    for (uint8_t k = 0; k < TH_LOG_KINDS; k++) {
        if (k != kind && (keep >> k & 1) && log->newest[k].len > 0)
            need += TH_LOG_GRAIN + log_grains(log->newest[k].len);
    }
    return need <= log->unit_size;
}

enum th_error th_log_write(struct th_log *log, uint8_t kind, struct th_span record)
{
    uint32_t need, at;

    if (kind >= TH_LOG_KINDS)
        return TH_ERR_INVALID;
    if (record.len > TH_LOG_RECORD_MAX || !fits_unit(log, UINT32_MAX, kind, record.len))
        return TH_ERR_TOO_LARGE;
    need = 2 * TH_LOG_GRAIN + log_grains((uint32_t)record.len);
    if (log->tail + need > log->unit_size)
        return change_unit(log, UINT32_MAX, kind, record) ? TH_OK : TH_ERR_STORE;
    if (!append_record(log, kind, record, &at) || !append_settled(log, log->sequence)) {
        /* A worn place: leave this unit. What was written here is not settled. */
        return change_unit(log, UINT32_MAX, kind, record) ? TH_OK : TH_ERR_STORE;
    }
    log->newest[kind].at = record.len ? at : 0;
    log->newest[kind].len = (uint16_t)record.len;
    return TH_OK;
}

size_t th_log_len(const struct th_log *log, uint8_t kind)
{
    return kind < TH_LOG_KINDS ? log->newest[kind].len : 0;
}

size_t th_log_read(const struct th_log *log, uint8_t kind, uint32_t from, uint8_t *into,
                   size_t room)
{
    size_t len = th_log_len(log, kind);

    if (from >= len)
        return 0;
    if (room > len - from)
        room = len - from;
    return log_read(log, log->unit, log->newest[kind].at + from, into, room) ? room : 0;
}

/* ---- forgetting ---- */

static bool erase_others(struct th_log *log)
{
    for (uint8_t unit = 0; unit < log->region.units; unit++) {
        if (unit != log->unit && !erase_unit(log, unit))
            return false;
    }
    log->tidied = true;
    return true;
}

/* That it is done is noted: an erase that was cut may read as if it had ended, and its cells still
 * give away what they held. Where there is no room for the note the next start erases once more. */
static bool note_tidied(struct th_log *log)
{
    const struct mark mark = {.type = MARK_TIDIED, .sequence = log->sequence};

    return log->tail + TH_LOG_GRAIN > log->unit_size || log_mark_program(log, &mark);
}

enum th_error th_log_replace(struct th_log *log, uint32_t keep, uint8_t kind, struct th_span record)
{
    if (kind >= TH_LOG_KINDS)
        return TH_ERR_INVALID;
    if (record.len > TH_LOG_RECORD_MAX || !fits_unit(log, keep, kind, record.len))
        return TH_ERR_TOO_LARGE;
    return change_unit(log, keep, kind, record) && erase_others(log) && note_tidied(log)
               ? TH_OK
               : TH_ERR_STORE;
}

enum th_error th_log_tidy(struct th_log *log)
{
    if (log->tidied)
        return TH_OK;
    if (!erase_others(log))
        return TH_ERR_STORE;
    note_tidied(log); /* a place that is worn is no reason not to start */
    return TH_OK;
}

enum th_error th_log_wipe(struct th_log *log, uint32_t keep)
{
    return change_unit_keeping(log, keep) && erase_others(log) && note_tidied(log) ? TH_OK
                                                                                   : TH_ERR_STORE;
}
