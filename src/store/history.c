/* SPDX-License-Identifier: MIT */
#include <thimble/history.h>
#include <thimble/time.h>

#define RECORD_VERSION 1
#define HEAD           12
#define ITEM           40
#define NAME_AT        24
#define NAME_BYTES     16

enum flags { FLAG_KEPT = 1, FLAG_CRASHED = 2, FLAGS_KNOWN = 3 };

/* Of a newer version (O14): carried along as it stands. */
static bool is_foreign(uint8_t kind)
{
    return kind > TH_HISTORY_TRIAL;
}

/* ---- little-endian ---- */

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* ---- the record ---- */

static void pack_item(const struct th_history_item *item, uint8_t *at)
{
    at[0] = item->kind;
    at[1] = item->part;
    at[2] = (uint8_t)((item->kept ? FLAG_KEPT : 0) | (item->crashed ? FLAG_CRASHED : 0) |
                      item->more_flags);
    at[3] = item->error;
    at[4] = item->alert;
    at[5] = item->reason_code;
    put(at + 6, item->count, 2);
    put(at + 8, item->number, 4);
    put(at + 12, (uint32_t)item->detail, 4);
    put(at + 16, (uint64_t)item->time_s, 8);
    if (item->kind != TH_HISTORY_CRASH) {
        memcpy(at + NAME_AT, item->name, NAME_BYTES);
        return;
    }
    put(at + 12, item->place.uptime_ms, 4);
    put(at + NAME_AT, item->place.pc, 4);
    put(at + NAME_AT + 4, item->place.return_address, 4);
    put(at + NAME_AT + 8, item->place.cause, 4);
    put(at + NAME_AT + 12, item->place.address, 4);
}

static struct th_history_item unpack_item(const uint8_t *at)
{
    struct th_history_item item = {
        .kind = at[0],
        .part = at[1],
        .kept = (at[2] & FLAG_KEPT) != 0,
        .crashed = (at[2] & FLAG_CRASHED) != 0,
        .more_flags = at[2] & (uint8_t)~FLAGS_KNOWN,
        .error = at[3],
        .alert = at[4],
        .reason_code = at[5],
        .count = (uint16_t)get(at + 6, 2),
        .number = (uint32_t)get(at + 8, 4),
        .time_s = (int64_t)get(at + 16, 8),
    };

    if (item.kind == TH_HISTORY_CRASH) {
        item.place = (struct th_crash_place){
            .pc = (uint32_t)get(at + NAME_AT, 4),
            .return_address = (uint32_t)get(at + NAME_AT + 4, 4),
            .cause = (uint32_t)get(at + NAME_AT + 8, 4),
            .address = (uint32_t)get(at + NAME_AT + 12, 4),
            .uptime_ms = (uint32_t)get(at + 12, 4),
        };
    } else if (is_foreign(item.kind)) {
        item.detail = (int32_t)get(at + 12, 4);
        memcpy(item.name, at + NAME_AT, NAME_BYTES);
    } else {
        item.detail = (int32_t)get(at + 12, 4);
        for (int i = 0; i < NAME_BYTES && at[NAME_AT + i] >= 0x20 && at[NAME_AT + i] < 0x7F; i++)
            item.name[i] = (char)at[NAME_AT + i];
    }
    return item;
}

static void write(struct th_history *history)
{
    uint8_t raw[HEAD + TH_HISTORY_ITEMS * ITEM] = {RECORD_VERSION, history->count};

    if (!history->log)
        return;
    put(raw + 4, history->next, 4);
    put(raw + 8, history->told, 4);
    for (uint8_t i = 0; i < history->count; i++)
        pack_item(&history->items[i], raw + HEAD + i * ITEM);
    history->unwritten =
        th_log_write(history->log, history->kind,
                     th_span_of(raw, HEAD + (size_t)history->count * ITEM)) != TH_OK;
}

void th_history_load(struct th_history *history, struct th_log *log, uint8_t kind, uint32_t now_ms)
{
    uint8_t raw[HEAD + TH_HISTORY_ITEMS * ITEM];

    memset(history, 0, sizeof *history);
    history->log = log;
    history->kind = kind;
    history->next = 1;
    history->burst = TH_HISTORY_BURST;
    history->paced_ms = now_ms;
    size_t len = log ? th_log_read(log, kind, 0, raw, sizeof raw) : 0;
    if (len < HEAD || raw[0] != RECORD_VERSION || raw[1] > TH_HISTORY_ITEMS ||
        len < HEAD + (size_t)raw[1] * ITEM)
        return;
    history->count = raw[1];
    history->next = (uint32_t)get(raw + 4, 4);
    history->told = (uint32_t)get(raw + 8, 4);
    for (uint8_t i = 0; i < history->count; i++)
        history->items[i] = unpack_item(raw + HEAD + i * ITEM);
}

/* ---- adding ---- */

static struct th_history_item *add(struct th_history *history, enum th_history_kind kind,
                                   int64_t time_s)
{
    if (history->count == TH_HISTORY_ITEMS)
        memmove(history->items, history->items + 1, --history->count * sizeof history->items[0]);
    struct th_history_item *item = &history->items[history->count++];
    *item = (struct th_history_item){.kind = (uint8_t)kind,
                                     .alert = TH_NO_ALERT,
                                     .reason_code = TH_NO_REASON_CODE,
                                     .count = 1,
                                     .number = history->next++,
                                     .time_s = time_s};
    return item;
}

/* A failure's share of the flash: a burst, refilled by one each TH_HISTORY_PACE_MS. */
static bool may_write(struct th_history *history, uint32_t now_ms)
{
    while (history->burst < TH_HISTORY_BURST &&
           th_time_reached(now_ms, history->paced_ms + TH_HISTORY_PACE_MS)) {
        history->burst++;
        history->paced_ms += TH_HISTORY_PACE_MS;
    }
    if (history->burst == TH_HISTORY_BURST)
        history->paced_ms = now_ms;
    if (history->burst == 0)
        return false;
    history->burst--;
    return true;
}

static bool same(const struct th_history_item *item, const struct th_failure *failure)
{
    return item->kind == TH_HISTORY_FAILURE && item->error == (uint8_t)failure->error &&
           item->alert == failure->alert && item->reason_code == failure->reason_code;
}

void th_history_failure(struct th_history *history, const struct th_failure *failure,
                        int64_t time_s, uint32_t now_ms)
{
    struct th_history_item *last = history->count > 0 ? &history->items[history->count - 1] : NULL;

    if (last && same(last, failure)) {
        last->count += last->count < UINT16_MAX;
        if ((last->count & (last->count - 1)) != 0)
            return;
    } else {
        last = add(history, TH_HISTORY_FAILURE, time_s);
        last->error = (uint8_t)failure->error;
        last->alert = failure->alert;
        last->reason_code = failure->reason_code;
        last->detail = failure->detail;
        memcpy(last->name, failure->name, sizeof last->name - 1);
    }
    history->unwritten = true;
    if (may_write(history, now_ms))
        write(history);
}

void th_history_crash(struct th_history *history, enum th_reset_reason reason,
                      const struct th_crash_place *place, int64_t time_s)
{
    struct th_history_item *item = add(history, TH_HISTORY_CRASH, time_s);

    item->part = (uint8_t)reason;
    item->place = *place;
    write(history);
}

void th_history_trial(struct th_history *history, const struct th_trial_report *report,
                      int64_t time_s)
{
    struct th_history_item *item = add(history, TH_HISTORY_TRIAL, time_s);

    item->part = (uint8_t)report->component;
    item->kept = report->kept;
    item->crashed = report->crashed;
    item->error = (uint8_t)report->reason;
    item->detail = report->swaps;
    write(history);
}

/* ---- reading ---- */

const struct th_history_item *th_history_item(const struct th_history *history, size_t n)
{
    return n < history->count ? &history->items[history->count - 1 - n] : NULL;
}

const struct th_history_item *th_history_untold(const struct th_history *history)
{
    for (uint8_t i = 0; i < history->count; i++) {
        if ((int32_t)(history->items[i].number - history->told) > 0)
            return &history->items[i];
    }
    return NULL;
}

void th_history_told(struct th_history *history, uint32_t number, bool now)
{
    if ((int32_t)(number - history->told) > 0)
        history->told = number;
    if (now)
        write(history);
}
