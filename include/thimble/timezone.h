/* SPDX-License-Identifier: MIT */
/*
 * Local time by a POSIX TZ string (POSIX.1-2017 §8.3), for display and schedules alone: no
 * certificate and no lease is ever judged by it. The whole grammar:
 *
 *   NAME offset [ NAME [offset] [ ,rule ,rule ] ]
 *   NAME    at least 3 letters, or <...> of letters, digits, '+' and '-' (at most 15 characters)
 *   offset  [+|-]hh[:mm[:ss]], hours 0..24, west of UTC: "CET-1CEST" is an hour ahead of it
 *   rule    day[/time]: Mm.w.d (month 1..12, week 1..5 with 5 the last, weekday 0..6 from Sunday),
 *           Jn (1..365, 29 February is never counted), n (0..365, it is)
 *   time    [+|-]hh[:mm[:ss]], hours 0..167, default 02:00:00 (RFC 8536 §3.3.1 allows days' worth)
 *
 * Daylight saving time without an offset is an hour more; without rules it follows those of the
 * United States, M3.2.0,M11.1.0, as is usual. Names of the tz database ("Europe/Berlin") are not
 * TZ strings; the last line of a file in that database is one.
 */
#ifndef THIMBLE_TIMEZONE_H
#define THIMBLE_TIMEZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/error.h>
#include <thimble/span.h>

#define TH_TIMEZONE_NAME 16 /* with its NUL */

/* Fields private. */
struct th_timezone_rule {
    uint8_t kind; /* 'M', 'J' or '0' */
    uint8_t month, week;
    uint16_t day;   /* weekday, or day of the year */
    int32_t time_s; /* after midnight, local time before the change */
};

struct th_timezone {
    char names[2][TH_TIMEZONE_NAME]; /* standard, daylight */
    int32_t offsets_s[2];            /* east of UTC */
    bool has_daylight;
    struct th_timezone_rule begin, end; /* of daylight saving time */
};

struct th_local_time {
    int32_t year;       /* 1..9999 */
    uint8_t month, day; /* 1..12, 1..31; as an argument `day` may be up to 255 and runs over */
    uint8_t hour, minute, second;
    uint8_t weekday; /* 0 is Sunday; not read as an argument */
    bool daylight;   /* likewise; zone->names[daylight] is the abbreviation */
    int32_t offset_s;
};

/* INVALID where the text is no TZ string; `zone` is UTC then. */
enum th_error th_timezone_parse(struct th_timezone *zone, struct th_span text);

/* Seconds east of UTC at an instant. Years outside 1..9999 count as their edge, here and below. */
int32_t th_timezone_offset(const struct th_timezone *zone, int64_t utc_s, bool *daylight);

void th_timezone_local(const struct th_timezone *zone, int64_t utc_s, struct th_local_time *out);

/* The instants at which clocks show that time: none where they are put forward over it, two where
 * they are put back to it (the earlier one first). */
int th_timezone_instants(const struct th_timezone *zone, const struct th_local_time *local,
                         int64_t utc_s[2]);

/* The one instant a schedule means (RFC 5545 §3.3.5): of two the first; a time that is passed over
 * counts by the offset before the gap, so that 02:30 happens when clocks show 03:30. */
int64_t th_timezone_instant(const struct th_timezone *zone, const struct th_local_time *local);

#endif
