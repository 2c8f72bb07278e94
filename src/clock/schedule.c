/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/schedule.h>

#define DAY_S     86400
#define EVERY_DAY 0x7F

struct cursor {
    struct th_span rest;
    bool failed; /* sticky */
};

static bool take(struct cursor *text, const char *word)
{
    size_t len = strlen(word);

    if (text->rest.len < len || memcmp(text->rest.at, word, len) != 0)
        return false;
    text->rest.at += len;
    text->rest.len -= len;
    return true;
}

static void blanks(struct cursor *text, bool wanted)
{
    bool some = false;

    while (take(text, " "))
        some = true;
    if (wanted && !some)
        text->failed = true;
}

static uint32_t number(struct cursor *text, uint32_t digits_most, uint32_t most)
{
    uint32_t value = 0, digits = 0;

    while (text->rest.len > 0 && text->rest.at[0] >= '0' && text->rest.at[0] <= '9' &&
           digits <= digits_most) {
        value = value * 10 + (text->rest.at[0] - '0');
        text->rest.at++;
        text->rest.len--;
        digits++;
    }
    if (digits == 0 || digits > digits_most || value > most)
        text->failed = true;
    return value;
}

static int weekday(struct cursor *text)
{
    static const char *const names[] = {"Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"};

    for (int i = 0; i < 7; i++) {
        if (take(text, names[i]))
            return i;
    }
    text->failed = true;
    return 0;
}

/* Mo-We, and Fr-Mo round the end of the week. */
static uint8_t days(struct cursor *text)
{
    uint8_t set = 0;

    if (take(text, "daily"))
        return EVERY_DAY;
    do {
        int from = weekday(text), to = take(text, "-") ? weekday(text) : from;

        for (int day = from;; day = (day + 1) % 7) {
            set |= (uint8_t)(1u << day);
            if (day == to)
                break;
        }
    } while (!text->failed && take(text, ","));
    return set;
}

static void entry(struct cursor *text, struct th_schedule_entry *out)
{
    blanks(text, false);
    out->days = days(text);
    blanks(text, true);
    out->minute = (uint16_t)(60 * number(text, 2, 23));
    if (!take(text, ":"))
        text->failed = true;
    size_t before = text->rest.len;
    out->minute = (uint16_t)(out->minute + number(text, 2, 59));
    if (before - text->rest.len != 2)
        text->failed = true;
    blanks(text, true);
    out->seconds = number(text, 5, TH_SCHEDULE_SECONDS_S);
    if (out->seconds == 0)
        text->failed = true;
    blanks(text, false);
}

enum th_error th_schedule_parse(struct th_span span,
                                struct th_schedule_entry entries[TH_SCHEDULE_ENTRIES],
                                uint8_t *count)
{
    struct cursor text = {span, false};

    *count = 0;
    if (span.len == 0)
        return TH_OK;
    do {
        if (*count == TH_SCHEDULE_ENTRIES)
            text.failed = true;
        else
            entry(&text, &entries[(*count)++]);
    } while (!text.failed && take(&text, ";"));
    if (!text.failed && text.rest.len == 0)
        return TH_OK;
    *count = 0;
    return TH_ERR_INVALID;
}

int64_t th_schedule_next(const struct th_schedule_entry *entry, const struct th_timezone *zone,
                         int64_t after_s)
{
    struct th_local_time start;

    /* From the day before: a time that is passed over may start on the next. */
    th_timezone_local(zone, after_s - DAY_S, &start);
    start.hour = (uint8_t)(entry->minute / 60);
    start.minute = (uint8_t)(entry->minute % 60);
    start.second = 0;
    for (int day = 0; day < 10; day++, start.day++) {
        if ((entry->days >> (start.weekday + day) % 7 & 1) == 0)
            continue;
        int64_t at_s = th_timezone_instant(zone, &start);
        if (at_s > after_s)
            return at_s;
    }
    return INT64_MAX; /* an entry without days */
}
