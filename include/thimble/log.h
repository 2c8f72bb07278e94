/* SPDX-License-Identifier: MIT */
/*
 * The log: a few kinds of records (settings, counters, failures, entropy seed …), of each the
 * newest counts. A write is atomic under any power cut: afterwards the record is the old one or the
 * new one, whole, and stays the one it was (a marginal cell cannot turn new back into old). Format:
 * docs/flash-format.md, chapter "The log".
 */
#ifndef THIMBLE_LOG_H
#define THIMBLE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/error.h>
#include <thimble/span.h>

#define TH_LOG_KINDS      16 /* kinds 0..15; what they mean is the user's affair */
#define TH_LOG_GRAIN      16 /* every mark and record begins at a multiple of it */
#define TH_LOG_UNITS      16 /* at most; at least 2 */
#define TH_LOG_RECORD_MAX UINT16_MAX

struct th_log_region {
    uint32_t offset;     /* of the first unit, a multiple of the erase unit */
    uint8_t units;       /* 2..TH_LOG_UNITS units in a row */
    uint8_t erase_units; /* erase units in a unit: several where records need it. 0 counts as 1 */
};

/* Fields private, size public. */
struct th_log {
    const struct th_flash_ops *flash;
    void *flash_ctx;
    struct th_log_region region;
    uint32_t unit_size, erase_unit;
    uint32_t unit_number; /* of the unit in use: grows by one with each change of unit */
    uint32_t nonce;       /* of the unit in use; binds every CRC in it */
    uint32_t sequence;    /* of the newest mark */
    uint32_t tail;        /* where the next mark goes, from the unit's begin */
    uint32_t erases;      /* of the unit in use */
    uint8_t unit;
    bool tidied; /* all other units were erased since this one is in use */
    struct {
        uint32_t at; /* of its data, from the unit's begin; 0: none */
        uint16_t len;
    } newest[TH_LOG_KINDS];
};

/* Finds the newest state and makes it stable before it returns; an empty or unreadable region is
 * begun anew. `nonce` is any number an attacker cannot foresee. Costs three programs of 16
 * bytes when there is something, at most one change of unit.
 * TH_ERR_CONFIG: region and geometry do not fit. TH_ERR_STORE: the flash fails; nothing may be
 * written through this log then. */
enum th_error th_log_mount(struct th_log *log, const struct th_flash_ops *flash, void *flash_ctx,
                           struct th_log_region region, uint32_t nonce);

/* Writes the newest record of `kind`; an empty one takes the kind away. On return it is durable.
 * TH_ERR_INVALID: no such kind. TH_ERR_TOO_LARGE: all newest records and this one do not fit one
 * unit. TH_ERR_STORE: the flash fails; the old record still counts in this session, but the next
 * start may find the new one: it cannot be taken back on a flash that fails. */
enum th_error th_log_write(struct th_log *log, uint8_t kind, struct th_span record);

/* The newest record's length, 0 when there is none. */
size_t th_log_len(const struct th_log *log, uint8_t kind);

/* Copies up to `room` bytes of it from `from`; returns how many. Fewer than asked: the flash fails
 * or the record ends. */
size_t th_log_read(const struct th_log *log, uint8_t kind, uint32_t from, uint8_t *into,
                   size_t room);

/* As th_log_write(), and in the same step forgets every kind not in `keep` (bit n: kind n); then
 * all other units are erased, so that what was replaced or forgotten is nowhere any more. Costs two
 * erases at least: for secrets and rare changes. INVALID, TOO_LARGE; STORE: the old state or the
 * new one counts, and th_log_tidy() or another call finishes the erasing. */
enum th_error th_log_replace(struct th_log *log, uint32_t keep, uint8_t kind,
                             struct th_span record);

/* Erases what a cut replacement has left: every unit but the one in use, unless that was done since
 * this one is in use. For logs whose records are secrets, after each mount. STORE: the flash fails.
 */
enum th_error th_log_tidy(struct th_log *log);

/* Forgets every kind not in `keep` (bit n: kind n) and erases all other units, so that what was
 * forgotten is nowhere any more. Cut in between, the old state or the new one is mounted; the
 * caller repeats it until it returns TH_OK. */
enum th_error th_log_wipe(struct th_log *log, uint32_t keep);

#endif
