/* SPDX-License-Identifier: MIT */
#include <thimble/der.h>

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int year, int month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of a month, proleptic Gregorian. */
static int64_t days_before(int year, int month)
{
    int64_t past = year - 1;
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;
    for (int m = 1; m < month; m++)
        days += days_in(year, m);
    return days;
}

bool th_der_time(uint8_t tag, struct th_span contents, int64_t *out_s)
{
    size_t year_digits = tag == TH_DER_GENERALIZED_TIME ? 4 : 2;
    if (tag != TH_DER_GENERALIZED_TIME && tag != TH_DER_UTC_TIME)
        return false;
    if (contents.len != year_digits + 11 || contents.at[contents.len - 1] != 'Z')
        return false;
    for (size_t i = 0; i + 1 < contents.len; i++) {
        if (contents.at[i] < '0' || contents.at[i] > '9')
            return false;
    }
    int fields[5]; /* month, day, hour, minute, second */
    int year = 0;
    for (size_t i = 0; i < year_digits; i++)
        year = year * 10 + (contents.at[i] - '0');
    for (size_t i = 0; i < 5; i++) {
        const uint8_t *pair = contents.at + year_digits + 2 * i;
        fields[i] = (pair[0] - '0') * 10 + (pair[1] - '0');
    }
    if (year_digits == 2)
        year += year < 50 ? 2000 : 1900; /* RFC 5280 §4.1.2.5.1 */
    if (year < 1 || fields[0] < 1 || fields[0] > 12 || fields[1] < 1 ||
        fields[1] > days_in(year, fields[0]) || fields[2] > 23 || fields[3] > 59 || fields[4] > 59)
        return false;
    int64_t days = days_before(year, fields[0]) + fields[1] - 1;
    *out_s = ((days * 24 + fields[2]) * 60 + fields[3]) * 60 + fields[4];
    return true;
}
