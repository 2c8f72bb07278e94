/* SPDX-License-Identifier: MIT */
/*
 * What went wrong lately: the last failures, crashes and trials, each with layer, evidence and
 * remedy. Kept in the log over resets and power cuts, shown to people, told to the broker once.
 * Stored form: docs/flash-format.md, chapter "History".
 *
 * Writing is bounded (R4): a failure like the one before only counts, and is written at each power
 * of two; of different ones at most TH_HISTORY_BURST in a row and one each TH_HISTORY_PACE_MS are.
 * What is not written is still in memory until the restart. Crashes and trials are always written:
 * they are bounded by who counts them (safe mode, the trial engine).
 */
#ifndef THIMBLE_HISTORY_H
#define THIMBLE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/failure.h>
#include <thimble/log.h>
#include <thimble/trial.h>

#define TH_HISTORY_ITEMS   6
#define TH_HISTORY_NAME    17 /* with its NUL */
#define TH_HISTORY_BURST   8
#define TH_HISTORY_PACE_MS (15u * 60u * 1000u)
#define TH_HISTORY_TEXT    384 /* bytes hold every text below */

enum th_history_kind {
    TH_HISTORY_NOTHING,
    TH_HISTORY_FAILURE, /* error, alert, reason_code, detail, name */
    TH_HISTORY_CRASH,   /* part: enum th_reset_reason; place */
    TH_HISTORY_TRIAL,   /* part: enum th_trial_component; kept, crashed, error */
};

struct th_history_item {
    uint8_t kind, part;
    bool kept, crashed;
    uint8_t error, alert, reason_code;
    uint8_t more_flags; /* of a newer version: kept, not understood */
    uint16_t count;     /* how often in a row */
    uint32_t number;    /* grows by one from item to item */
    int32_t detail;
    int64_t time_s; /* of the first; by the working clock, or a lower bound; 0: unknown */
    char name[TH_HISTORY_NAME]; /* the beginning of the failure's */
    struct th_crash_place place;
};

/* Fields private. */
struct th_history {
    struct th_log *log;
    uint8_t kind;
    uint8_t count; /* items[0] is the oldest */
    uint8_t burst;
    bool unwritten;
    uint32_t next, told;
    uint32_t paced_ms;
    struct th_history_item items[TH_HISTORY_ITEMS];
};

/* Reads the record; a damaged one counts as none. `log` NULL: memory alone. */
void th_history_load(struct th_history *history, struct th_log *log, uint8_t kind, uint32_t now_ms);

void th_history_failure(struct th_history *history, const struct th_failure *failure,
                        int64_t time_s, uint32_t now_ms);
void th_history_crash(struct th_history *history, enum th_reset_reason reason,
                      const struct th_crash_place *place, int64_t time_s);
void th_history_trial(struct th_history *history, const struct th_trial_report *report,
                      int64_t time_s);

/* From 0, the newest first; NULL beyond the last. Lives until the next call that adds one. */
const struct th_history_item *th_history_item(const struct th_history *history, size_t n);

/* The oldest one not told yet, or NULL. */
const struct th_history_item *th_history_untold(const struct th_history *history);

/* All up to that number have been told; written with the next item, or when `now`. */
void th_history_told(struct th_history *history, uint32_t number, bool now);

/* One line for a person, remedy included; as th_failure_text(). */
size_t th_history_text(const struct th_history_item *item, char *into, size_t room);

/* The same as a JSON object; empty when it does not fit. */
struct th_span th_history_json(const struct th_history_item *item, uint8_t *into, size_t room);

#endif
