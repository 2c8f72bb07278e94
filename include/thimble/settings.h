/* SPDX-License-Identifier: MIT */
/*
 * Settings: one schema (settings_list.h) drives storage, validation, requests, the form, the
 * command line and the reference page. A value is text everywhere, so that every front says the
 * same; its type says which texts are allowed. Stored format: docs/flash-format.md, chapter
 * "Settings".
 *
 * Reading needs no memory: values are read from the log. Changing needs a buffer for the whole set,
 * lent by the caller; it is written as one record, so that a commit is atomic (R1).
 */
#ifndef THIMBLE_SETTINGS_H
#define THIMBLE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/log.h>

enum th_setting_type {
    TH_SETTING_TEXT,     /* UTF-8 without control characters; min and max are lengths in bytes */
    TH_SETTING_NUMBER,   /* decimal, min..max, no leading zeros */
    TH_SETTING_BOOL,     /* "true" or "false" */
    TH_SETTING_CHOICE,   /* one of `choices`, separated by '|' */
    TH_SETTING_ADDRESS,  /* an IPv4 address, or empty */
    TH_SETTING_TIMEZONE, /* a POSIX TZ string (timezone.h) */
    TH_SETTING_SCHEDULE, /* weekly starts (schedule.h), or empty */
    TH_SETTING_NUMBERS,  /* numbers as above with ',' between, or empty; min and max are of each */
};

enum th_setting_flag {
    TH_SETTING_SECRET = 1, /* write-only: no front ever gives it out */
    TH_SETTING_TRUST =
        2, /* says whom to trust: not over MQTT, only locally after the set-up code */
};

enum th_setting_applies { TH_APPLIES_NOW, TH_APPLIES_RECONNECT, TH_APPLIES_RESTART };

struct th_setting {
    const char *name; /* "mqtt.server" */
    uint16_t number;  /* on flash; never used again for something else */
    uint8_t type, flags, applies;
    int32_t min, max;
    const char *choices; /* NULL but for CHOICE */
    const char *normal;  /* the default */
};

#define TH_SETTING_VALUE_MAX 255  /* bytes of any value */
#define TH_SETTINGS_MAX      1536 /* bytes of a whole stored set */

extern const struct th_setting th_settings_schema[];
extern const uint16_t th_settings_count;

/* One sentence for a person. In a table of its own: a device that shows it to nobody does not have
 * it. */
const char *th_setting_help(const struct th_setting *setting);

/* NULL when there is none of that name or number. */
const struct th_setting *th_setting_find(struct th_span name);
const struct th_setting *th_setting_numbered(uint16_t number);

/* TH_OK, or TH_ERR_INVALID: `why` then is a sentence for a person. Not NULL. */
enum th_error th_setting_check(const struct th_setting *setting, struct th_span value,
                               const char **why);

/* ---- reading ---- */

struct th_settings {
    struct th_log *log;
    uint8_t kind; /* of the log's records: the set in force, or a candidate */
};

/* Copies the value, stored or default, with a NUL; returns its length. `into` has room for
 * TH_SETTING_VALUE_MAX + 1. A stored value that the schema no longer allows counts as not stored.
 */
size_t th_settings_get(const struct th_settings *settings, const struct th_setting *setting,
                       char *into);

/* Of NUMBER and BOOL settings. */
int32_t th_settings_number(const struct th_settings *settings, const struct th_setting *setting);

/* True when a value is stored; a secret's only visible property. */
bool th_settings_is_set(const struct th_settings *settings, const struct th_setting *setting);

/* ---- changing ---- */

/* Fields private. The buffer is wiped at the end: it has held secrets. */
struct th_settings_change {
    uint8_t *at;
    size_t room, len;
};

/* Loads the set into `at` (TH_SETTINGS_MAX bytes hold any). What a newer version stored and this
 * one does not know is kept. A damaged set counts as empty. TOO_LARGE when `room` does not hold it.
 */
enum th_error th_settings_begin(struct th_settings_change *change,
                                const struct th_settings *settings, uint8_t *at, size_t room);

/* Checks and puts one value; the default is stored as nothing. INVALID (`why`), TOO_LARGE. */
enum th_error th_settings_put(struct th_settings_change *change, const struct th_setting *setting,
                              struct th_span value, const char **why);

/* As th_settings_get(), in the changed set. */
size_t th_settings_peek(const struct th_settings_change *change, const struct th_setting *setting,
                        char *into);

/* Writes the whole set under `to` (often a candidate's kind) and wipes the buffer. STORE: nothing
 * changed. */
enum th_error th_settings_commit(struct th_settings_change *change, const struct th_settings *to);

/* Wipes the buffer without writing. */
void th_settings_drop(struct th_settings_change *change);

#endif
