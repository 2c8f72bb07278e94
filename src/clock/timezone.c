/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/timezone.h>

#define DAY_S    86400
#define HOUR_S   3600
#define YEAR_1_S INT64_C(-62135596800)
#define END_S    INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

#define OFFSET_HOURS 24
#define TIME_HOURS   167

enum { STANDARD, DAYLIGHT };

/* ---- the text ---- */

struct cursor {
    struct th_span rest;
    bool failed; /* sticky */
};

static uint8_t peek(const struct cursor *text)
{
    return text->rest.len > 0 ? text->rest.at[0] : 0;
}

static bool take(struct cursor *text, uint8_t wanted)
{
    if (text->rest.len == 0 || text->rest.at[0] != wanted)
        return false;
    text->rest.at++;
    text->rest.len--;
    return true;
}

static void want(struct cursor *text, uint8_t wanted)
{
    if (!take(text, wanted))
        text->failed = true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* At most three digits, within least..most. */
static int32_t number(struct cursor *text, int32_t least, int32_t most)
{
    int32_t value = 0, digits = 0;

    while (is_digit(peek(text)) && digits < 4) {
        value = value * 10 + (peek(text) - '0');
        take(text, peek(text));
        digits++;
    }
    if (digits == 0 || digits > 3 || value < least || value > most)
        text->failed = true;
    return value;
}

static int32_t seconds(struct cursor *text, int32_t hours_most)
{
    bool negative = take(text, '-');

    if (!negative)
        take(text, '+');
    int32_t value = HOUR_S * number(text, 0, hours_most);
    if (take(text, ':')) {
        value += 60 * number(text, 0, 59);
        if (take(text, ':'))
            value += number(text, 0, 59);
    }
    return negative ? -value : value;
}

static void name(struct cursor *text, char into[TH_TIMEZONE_NAME])
{
    bool quoted = take(text, '<');
    size_t len = 0;

    while (len < TH_TIMEZONE_NAME - 1) {
        uint8_t c = peek(text);

        if (!is_letter(c) && !(quoted && (is_digit(c) || c == '+' || c == '-')))
            break;
        take(text, c);
        into[len++] = (char)c;
    }
    into[len] = '\0';
    if (len < 3)
        text->failed = true;
    if (quoted)
        want(text, '>');
}

static void rule(struct cursor *text, struct th_timezone_rule *out)
{
    memset(out, 0, sizeof *out);
    want(text, ',');
    if (take(text, 'M')) {
        out->kind = 'M';
        out->month = (uint8_t)number(text, 1, 12);
        want(text, '.');
        out->week = (uint8_t)number(text, 1, 5);
        want(text, '.');
        out->day = (uint16_t)number(text, 0, 6);
    } else if (take(text, 'J')) {
        out->kind = 'J';
        out->day = (uint16_t)number(text, 1, 365);
    } else {
        out->kind = '0';
        out->day = (uint16_t)number(text, 0, 365);
    }
    out->time_s = take(text, '/') ? seconds(text, TIME_HOURS) : 2 * HOUR_S;
}

static void rules(struct cursor *text, struct th_timezone *zone)
{
    static const struct th_timezone_rule begin = {'M', 3, 2, 0, 2 * HOUR_S};
    static const struct th_timezone_rule end = {'M', 11, 1, 0, 2 * HOUR_S};

    zone->begin = begin;
    zone->end = end;
    if (text->rest.len == 0)
        return;
    rule(text, &zone->begin);
    rule(text, &zone->end);
}

enum th_error th_timezone_parse(struct th_timezone *zone, struct th_span spec)
{
    struct cursor text = {spec, false};

    memset(zone, 0, sizeof *zone);
    name(&text, zone->names[STANDARD]);
    zone->offsets_s[STANDARD] = -seconds(&text, OFFSET_HOURS);
    zone->has_daylight = text.rest.len > 0;
    if (zone->has_daylight) {
        uint8_t next;

        name(&text, zone->names[DAYLIGHT]);
        next = peek(&text);
        zone->offsets_s[DAYLIGHT] = next == '+' || next == '-' || is_digit(next)
                                        ? -seconds(&text, OFFSET_HOURS)
                                        : zone->offsets_s[STANDARD] + HOUR_S;
        rules(&text, zone);
    }
    if (!text.failed && text.rest.len == 0)
        return TH_OK;
    memset(zone, 0, sizeof *zone);
    memcpy(zone->names[STANDARD], "UTC", sizeof "UTC");
    return TH_ERR_INVALID;
}

/* ---- the calendar ---- */

static bool is_leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days before a month, from 0; 29 February belongs to the months behind it. */
static int32_t days_before(int32_t year, int32_t month)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

    return before[month - 1] + (month > 2 && is_leap(year) ? 1 : 0);
}

/* Days from 1970-01-01 to 1 January; years from 0. */
static int32_t year_begin(int32_t year)
{
    int32_t before = year - 1;

    return 365 * (year - 1970) + (before / 4 - before / 100 + before / 400) - 477;
}

static int32_t weekday(int32_t day)
{
    return ((day + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
}

static int32_t floor_div(int64_t a, int32_t b)
{
    return (int32_t)((a - (a % b + b) % b) / b);
}

static int32_t year_of(int32_t day)
{
    int32_t year = 1970 + floor_div((int64_t)day * 400, 146097);

    while (year_begin(year) > day)
        year--;
    while (year_begin(year + 1) <= day)
        year++;
    return year;
}

/* ---- daylight saving time ---- */

/* The day of a rule in a year, from 1970-01-01. */
static int32_t rule_day(const struct th_timezone_rule *rule, int32_t year)
{
    int32_t begin = year_begin(year);

    if (rule->kind == 'J')
        return begin + rule->day - 1 + (rule->day >= 60 && is_leap(year) ? 1 : 0);
    if (rule->kind != 'M')
        return begin + rule->day;
    int32_t first = begin + days_before(year, rule->month);
    int32_t behind = begin + days_before(year, rule->month + 1);
    int32_t day = first + (rule->day - weekday(first) + 7) % 7 + 7 * (rule->week - 1);
    return day < behind ? day : day - 7;
}

static int64_t rule_instant(const struct th_timezone_rule *rule, int32_t year, int32_t offset_s)
{
    return (int64_t)DAY_S * rule_day(rule, year) + rule->time_s - offset_s;
}

/* True when daylight saving time that begins in `year` is in force. South of the equator it ends in
 * the next year; where end and begin meet it lasts all year (RFC 8536 §3.3.1). */
static bool in_force(const struct th_timezone *zone, int32_t year, int64_t utc_s)
{
    int64_t begin = rule_instant(&zone->begin, year, zone->offsets_s[STANDARD]);
    int64_t end = rule_instant(&zone->end, year, zone->offsets_s[DAYLIGHT]);

    if (end < begin)
        end = rule_instant(&zone->end, year + 1, zone->offsets_s[DAYLIGHT]);
    return utc_s >= begin && utc_s < end;
}

static int64_t within(int64_t utc_s)
{
    return utc_s < YEAR_1_S ? YEAR_1_S : utc_s > END_S ? END_S : utc_s;
}

int32_t th_timezone_offset(const struct th_timezone *zone, int64_t utc_s, bool *daylight)
{
    bool found = false;

    if (zone->has_daylight) {
        utc_s = within(utc_s);
        int32_t year = year_of(floor_div(utc_s, DAY_S));

        /* A change may lie eight days outside of its year, and a southern summer two years. */
        for (int32_t y = year - 2; y <= year + 1 && !found; y++)
            found = in_force(zone, y, utc_s);
    }
    if (daylight)
        *daylight = found;
    return zone->offsets_s[found ? DAYLIGHT : STANDARD];
}

/* ---- there and back ---- */

void th_timezone_local(const struct th_timezone *zone, int64_t utc_s, struct th_local_time *out)
{
    utc_s = within(utc_s);
    memset(out, 0, sizeof *out);
    out->offset_s = th_timezone_offset(zone, utc_s, &out->daylight);
    utc_s = within(utc_s + out->offset_s);
    int32_t day = floor_div(utc_s, DAY_S), in_day = (int32_t)(utc_s - (int64_t)DAY_S * day);
    out->year = year_of(day);
    out->weekday = (uint8_t)weekday(day);
    day -= year_begin(out->year);
    out->month = 1;
    while (out->month < 12 && days_before(out->year, out->month + 1) <= day)
        out->month++;
    out->day = (uint8_t)(day - days_before(out->year, out->month) + 1);
    out->hour = (uint8_t)(in_day / HOUR_S);
    out->minute = (uint8_t)(in_day / 60 % 60);
    out->second = (uint8_t)(in_day % 60);
}

/* As if the clocks of Greenwich showed it. */
static int64_t as_utc(const struct th_local_time *local)
{
    int32_t year = local->year < 1 ? 1 : local->year > 9999 ? 9999 : local->year;
    int32_t month = local->month < 1 ? 1 : local->month > 12 ? 12 : local->month;
    int32_t day = year_begin(year) + days_before(year, month) + local->day - 1;

    return (int64_t)DAY_S * day + (int64_t)HOUR_S * local->hour + 60 * local->minute +
           local->second;
}

int th_timezone_instants(const struct th_timezone *zone, const struct th_local_time *local,
                         int64_t utc_s[2])
{
    int32_t more = zone->offsets_s[STANDARD], less = more;
    int count = 0;

    if (zone->has_daylight && zone->offsets_s[DAYLIGHT] > more)
        more = zone->offsets_s[DAYLIGHT];
    else if (zone->has_daylight)
        less = zone->offsets_s[DAYLIGHT];
    int64_t clock_s = as_utc(local), early = clock_s - more, late = clock_s - less;
    if (th_timezone_offset(zone, early, NULL) == more)
        utc_s[count++] = early;
    if (late != early && th_timezone_offset(zone, late, NULL) == less)
        utc_s[count++] = late;
    return count;
}

int64_t th_timezone_instant(const struct th_timezone *zone, const struct th_local_time *local)
{
    int64_t utc_s[2];

    if (th_timezone_instants(zone, local, utc_s) > 0)
        return utc_s[0];
    /* Clocks are put forward: before the gap the offset is the lesser one. */
    int32_t less = zone->offsets_s[STANDARD];
    if (zone->has_daylight && zone->offsets_s[DAYLIGHT] < less)
        less = zone->offsets_s[DAYLIGHT];
    return as_utc(local) - less;
}
