/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#define DAY_S INT64_C(86400)

/* The first second of year 0 and the last of year 9999, proleptic Gregorian. */
#define YEAR_0_S        INT64_C(-62167219200)
#define YEAR_9999_END_S INT64_C(253402300799)

struct th_text th_text_init(char *into, size_t room)
{
    if (room > 0)
        into[0] = '\0';
    return (struct th_text){into, room, 0};
}

void th_text_char(struct th_text *text, char c)
{
    if (text->len + 1 >= text->room)
        return;
    text->at[text->len++] = c;
    text->at[text->len] = '\0';
}

void th_text_str(struct th_text *text, const char *string)
{
    while (*string != '\0')
        th_text_char(text, *string++);
}

static void digits_of(struct th_text *text, uint64_t number, unsigned base, unsigned least)
{
    char reversed[20];
    unsigned count = 0;
    do {
        reversed[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    for (unsigned i = count; i < least; i++)
        th_text_char(text, '0');
    while (count > 0)
        th_text_char(text, reversed[--count]);
}

void th_text_decimal(struct th_text *text, int64_t number)
{
    if (number < 0)
        th_text_char(text, '-');
    digits_of(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, 1);
}

void th_text_padded(struct th_text *text, uint32_t number, unsigned digits)
{
    digits_of(text, number, 10, digits);
}

void th_text_hex(struct th_text *text, uint32_t number)
{
    digits_of(text, number, 16, 1);
}

void th_text_date(struct th_text *text, int64_t time_s)
{
    if (time_s < YEAR_0_S)
        time_s = YEAR_0_S;
    if (time_s > YEAR_9999_END_S)
        time_s = YEAR_9999_END_S;
    /* Days since year 0, counted from 1 March so that the leap day is the year's last. Year 0
     * itself begins before its 1 March, hence one era of 400 years (146,097 days) is added
     * throughout. */
    uint32_t days = (uint32_t)((time_s - YEAR_0_S) / DAY_S) + 146097 - 60;
    uint32_t era = days / 146097, in_era = days % 146097;
    uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * in_year + 2) / 153;
    uint32_t day = in_year - (153 * month + 2) / 5 + 1;
    year += 400 * era + (month >= 10 ? 1 : 0) - 400;
    th_text_padded(text, year, 4);
    th_text_char(text, '-');
    th_text_padded(text, month < 10 ? month + 3 : month - 9, 2);
    th_text_char(text, '-');
    th_text_padded(text, day, 2);
}
