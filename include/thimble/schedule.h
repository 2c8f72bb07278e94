/* SPDX-License-Identifier: MIT */
/*
 * Weekly starts by local time, as one line of text:
 *
 *   Mo-Fr 06:30 600; Sa,Su 08:00 900
 *
 * days (Mo Tu We Th Fr Sa Su, with ',' and '-' between, or "daily"), the time clocks show, and for
 * how many seconds. A time that comes twice on a day starts once, at the first; one that is passed
 * over starts by the offset before the gap (timezone.h).
 */
#ifndef THIMBLE_SCHEDULE_H
#define THIMBLE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include <thimble/error.h>
#include <thimble/span.h>
#include <thimble/timezone.h>

#define TH_SCHEDULE_ENTRIES   8 /* of one line */
#define TH_SCHEDULE_SECONDS_S 86400

struct th_schedule_entry {
    uint8_t days;    /* bit 0 is Sunday */
    uint16_t minute; /* of the day */
    uint32_t seconds;
};

/* Empty text is no entry. INVALID where the text has not that form, or more than
 * TH_SCHEDULE_ENTRIES entries. */
enum th_error th_schedule_parse(struct th_span text,
                                struct th_schedule_entry entries[TH_SCHEDULE_ENTRIES],
                                uint8_t *count);

/* The first start later than `after_s` (seconds since 1970). */
int64_t th_schedule_next(const struct th_schedule_entry *entry, const struct th_timezone *zone,
                         int64_t after_s);

#endif
