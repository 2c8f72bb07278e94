/* SPDX-License-Identifier: MIT */
/* One pass over a unit: which records count, and where a cut write may have left weak cells. */
#include "store/log.h"

struct pass {
    const struct th_log *log;
    uint8_t unit;
    uint32_t nonce;
    bool pending; /* a whole record that nothing has settled yet */
    uint8_t kind;
    uint16_t len;
    uint32_t at, sequence;
    struct log_scan *out;
};

static void settle(struct pass *pass)
{
    if (pass->pending) {
        pass->out->newest[pass->kind].at = pass->len ? pass->at : 0;
        pass->out->newest[pass->kind].len = pass->len;
        pass->out->settled = pass->sequence;
    }
    pass->pending = false;
}

/* Before COMPLETE every whole record counts: the unit as a whole is judged by that mark. Behind it
 * a record counts when its own SETTLED mark follows. One that never got its mark was cut; what came
 * after the cut took the decision, so it is passed over. */
static void take_record(struct pass *pass, const struct mark *mark, uint32_t data)
{
    if (pass->out->complete_at == 0)
        settle(pass);
    pass->pending = true;
    pass->kind = mark->kind;
    pass->len = mark->len;
    pass->at = data;
    pass->sequence = mark->sequence;
}

static void take_mark(struct pass *pass, const struct mark *mark, uint32_t at)
{
    if (mark->type == MARK_COMPLETE) {
        settle(pass);
        pass->out->complete_at = at;
    } else if (mark->type == MARK_SETTLED && pass->out->complete_at > 0) {
        /* It settles the unit too: it was written only after COMPLETE was whole. */
        pass->out->complete = true;
        if (mark->sequence != pass->sequence)
            pass->pending = false; /* a start found it broken and decided against it */
        settle(pass);
    } else if (mark->type == MARK_TIDIED) {
        pass->out->tidied = true;
    }
}

/* The record at `mark` is whole; false also when the flash fails (`*ok` tells). */
static bool record_whole(const struct pass *pass, const struct mark *mark, uint32_t data, bool *ok)
{
    uint32_t crc;

    if (data + log_grains(mark->len) > pass->log->unit_size)
        return false;
    *ok = log_data_crc(pass->log, pass->unit, data, mark->len, &crc);
    return *ok && crc == mark->data_crc;
}

/* The end of the last grain that does not read as erased. */
static bool used_end(const struct th_log *log, uint8_t unit, uint32_t *end)
{
    for (uint32_t at = log->unit_size; at > 0; at -= TH_LOG_GRAIN) {
        uint8_t grain[TH_LOG_GRAIN];

        if (!log_read(log, unit, at - TH_LOG_GRAIN, grain, sizeof grain))
            return false;
        for (size_t i = 0; i < sizeof grain; i++) {
            if (grain[i] != 0xFF) {
                *end = at;
                return true;
            }
        }
    }
    *end = 0;
    return true;
}

static void finish(struct pass *pass, uint32_t reach)
{
    struct log_scan *out = pass->out;

    out->torn = out->end > reach;
    if (!out->torn)
        out->end = reach;
    out->loose = out->complete && pass->pending;
    if (out->loose) {
        out->loose_kind = pass->kind;
        out->loose_len = pass->len;
        out->loose_at = pass->at;
    }
}

bool log_scan_unit(const struct th_log *log, uint8_t unit, const struct unit_header *header,
                   struct log_scan *out)
{
    struct pass pass = {.log = log, .unit = unit, .nonce = header->nonce, .out = out};
    uint32_t reach = 2 * TH_LOG_GRAIN; /* behind the data that the newest RECORD mark announced */
    bool ok = true;

    memset(out, 0, sizeof *out);
    for (uint32_t at = 2 * TH_LOG_GRAIN; at + TH_LOG_GRAIN <= log->unit_size;) {
        struct mark mark;
        uint32_t next = at + TH_LOG_GRAIN;

        if (log_mark_read(log, unit, header->nonce, at, &mark)) {
            if (mark.sequence > out->sequence)
                out->sequence = mark.sequence;
            out->last = mark;
            out->last_at = at;
            reach = next + (mark.type == MARK_RECORD ? log_grains(mark.len) : 0);
            if (mark.type == MARK_RECORD && record_whole(&pass, &mark, next, &ok)) {
                take_record(&pass, &mark, next);
                next = reach;
            } else {
                take_mark(&pass, &mark, at);
            }
        }
        if (!ok)
            return false;
        at = next;
    }
    if (!used_end(log, unit, &out->end))
        return false;
    finish(&pass, reach);
    return true;
}
