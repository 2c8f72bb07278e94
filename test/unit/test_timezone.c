/* SPDX-License-Identifier: MIT */
/* Local time by POSIX TZ strings, beside glibc's localtime_r() and mktime() (R7, R10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <thimble/timezone.h>

static struct th_timezone zone_of(const char *text)
{
    struct th_timezone zone;

    if (th_timezone_parse(&zone, th_span_str(text)) != TH_OK)
        fail_msg("%s was refused", text);
    return zone;
}

static struct th_local_time at(int year, int month, int day, int hour, int minute)
{
    return (struct th_local_time){.year = year,
                                  .month = (uint8_t)month,
                                  .day = (uint8_t)day,
                                  .hour = (uint8_t)hour,
                                  .minute = (uint8_t)minute};
}

/* ---- grammar ---- */

static void every_form_of_the_grammar_is_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "UTC0",
        "EST5",
        "EST+5EDT",
        "EST5EDT4",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "CET-1:00:00CEST-2:00:00,M3.5.0/2:00:00,M10.5.0/03:00:00",
        "<+0330>-3:30",
        "<-03>3<-02>2,M3.5.0/-2,M10.5.0/-1",
        "EET-2EEST,J60/0,J300/167:59:59",
        "EET-2EEST,0/-167,365/+1",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "ABCDEFGHIJKLMNO24:59:59",
        "abc-24:59:59",
        "AAA3BBB4,0/0,J365/23",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        zone_of(good[i]);
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "UTC",
        "UT0",
        ":Europe/Berlin",
        "Europe/Berlin",
        "EST5 ",
        " EST5",
        "EST5EDT,",
        "EST5EDT,M3.2.0",
        "EST5EDT,M3.2.0,",
        "EST5EDT,M3.2.0,M11.1.0,",
        "EST5EDT,M3.2.0,M11.1.0/",
        "EST5EDTM3.2.0,M11.1.0",
        "EST5ED",
        "EST5EDT,M0.2.0,M11.1.0",
        "EST5EDT,M13.2.0,M11.1.0",
        "EST5EDT,M3.0.0,M11.1.0",
        "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,M3.2,M11.1.0",
        "EST5EDT,J0,J5",
        "EST5EDT,J366,J5",
        "EST5EDT,366,5",
        "EST5EDT,M3.2.0/168,M11.1.0",
        "EST5EDT,M3.2.0/-168,M11.1.0",
        "EST5EDT,M3.2.0/2:60,M11.1.0",
        "EST5EDT,M3.2.0/2:00:60,M11.1.0",
        "EST5EDT,M3.2.0/2:,M11.1.0",
        "EST25",
        "EST-25",
        "EST5:60",
        "EST--5",
        "EST+-5",
        "EST0005",
        "<EST5",
        "<ES>5",
        "<E T>5",
        "E5T5",
        "<EST>",
        "ABCDEFGHIJKLMNOP5",
        "<ABCDEFGHIJKLMNOP>5",
        "EST5EDT,,",
        "EST5,M3.2.0,M11.1.0",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct th_timezone zone;

        if (th_timezone_parse(&zone, th_span_str(bad[i])) != TH_ERR_INVALID)
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(zone.names[0], "UTC");
        assert_int_equal(th_timezone_offset(&zone, 0, NULL), 0);
    }
    assert_int_equal(
        th_timezone_parse(&(struct th_timezone){.has_daylight = true}, th_span_of("UTC0\0", 5)),
        TH_ERR_INVALID);
}

/* ---- beside glibc ---- */

static void agree(const char *text, const struct th_timezone *zone, int64_t utc_s)
{
    time_t instant = (time_t)utc_s;
    struct tm theirs;
    struct th_local_time ours;
    char name[TH_TIMEZONE_NAME];

    assert_non_null(localtime_r(&instant, &theirs));
    th_timezone_local(zone, utc_s, &ours);
    snprintf(name, sizeof name, "%s", theirs.tm_zone);
    if (ours.year != theirs.tm_year + 1900 || ours.month != theirs.tm_mon + 1 ||
        ours.day != theirs.tm_mday || ours.hour != theirs.tm_hour || ours.minute != theirs.tm_min ||
        ours.second != theirs.tm_sec || ours.weekday != theirs.tm_wday ||
        ours.offset_s != theirs.tm_gmtoff || ours.daylight != (theirs.tm_isdst > 0) ||
        strcmp(zone->names[ours.daylight], name) != 0)
        fail_msg("TZ='%s' at %lld: %d-%d-%d %d:%d:%d %s here, %d-%d-%d %d:%d:%d %s by glibc", text,
                 (long long)utc_s, (int)ours.year, ours.month, ours.day, ours.hour, ours.minute,
                 ours.second, zone->names[ours.daylight], theirs.tm_year + 1900, theirs.tm_mon + 1,
                 theirs.tm_mday, theirs.tm_hour, theirs.tm_min, theirs.tm_sec, name);
}

/* Around each change of offset to the second, between them in steps. */
static void walk(const char *text, int first_year, int years)
{
    struct th_timezone zone = zone_of(text);
    const int64_t step = 7 * 3600 + 11;
    int64_t from = (int64_t)(first_year - 1970) * 31556952;
    int64_t to = from + (int64_t)years * 31556952;

    assert_int_equal(setenv("TZ", text, 1), 0);
    tzset();
    int32_t before = th_timezone_offset(&zone, from, NULL);
    for (int64_t now = from; now < to; now += step) {
        int32_t offset = th_timezone_offset(&zone, now, NULL);

        agree(text, &zone, now);
        if (offset != before) {
            int64_t low = now - step, high = now;

            while (high - low > 1) {
                int64_t middle = low + (high - low) / 2;
                *(th_timezone_offset(&zone, middle, NULL) == before ? &low : &high) = middle;
            }
            agree(text, &zone, low);
            agree(text, &zone, high);
        }
        before = offset;
    }
}

static void zones_of_the_world_show_what_glibc_shows(void **state)
{
    (void)state;
    /* Every form that the tz database uses for the future, and what it does not. */
    static const char *const zones[] = {
        "UTC0",
        "<+0545>-5:45",
        "<+1345>-13:45",
        "<-12>12",
        "EST5",
        "EST5EDT,M3.2.0,M11.1.0",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EET-2EEST,M3.4.4/50,M10.4.4/50",
        "EET-2EEST,M3.5.0/0,M10.5.0/0",
        "IST-2IDT,M3.4.4/26,M10.5.0",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "AEST-10AEDT,M10.1.0,M4.1.0/3",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
        "AZOT1AZOST,M3.5.0/0,M10.5.0/1",
        "NST3:30NDT,M3.2.0,M11.1.0",
        "AAA-3:00:01BBB-4:17:03,M2.1.3/-167,M12.1.1/167",
        "AAA24BBB23,M3.1.0/0,M10.1.0/24",
        "AAA-24BBB-24:30,M3.1.0/0,M10.1.0/24",
        "AAA5BBB,J60/2,J300/2",
        "AAA5BBB,59/2,299/2",
        "AAA-5BBB,J300/2,J60/2",
        "AAA-5BBB,299/2,59/2",
    };

    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        walk(zones[i], 1971, 20);
        walk(zones[i], 2020, 20);
        walk(zones[i], 2095, 10);
        walk(zones[i], 2395, 10);
    }
}

static uint32_t random_state = 1;

static uint32_t chance(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

/* Changes stay clear of the year's ends, where glibc looks at one year alone, and of each other. */
static void random_rule(char *into, size_t room, uint32_t first_month)
{
    uint32_t month = first_month + chance(3), kind = chance(3);
    int hours = (int)chance(335) - 167;

    if (kind == 0)
        snprintf(into, room, "M%u.%u.%u/%d:%02u:%02u", month, 1 + chance(5), chance(7), hours,
                 chance(60), chance(60));
    else
        snprintf(into, room, "%s%u/%d", kind == 1 ? "J" : "", 30 * (month - 1) + 1 + chance(28),
                 hours);
}

static void a_thousand_random_zones_show_what_glibc_shows(void **state)
{
    (void)state;
    const char *mode = getenv("THIMBLE_TEST_MODE");
    int zones = mode && strcmp(mode, "full") == 0 ? 20000 : 1000;

    for (int i = 0; i < zones; i++) {
        char text[128], early[40], late[40];
        int west = (int)chance(25 * 60) - 12 * 60;
        bool south = chance(2) == 0;

        random_rule(early, sizeof early, 2);
        random_rule(late, sizeof late, 8);
        snprintf(text, sizeof text, "AAA%s%d:%02dBBB%s,%s,%s", west < 0 ? "-" : "", abs(west) / 60,
                 abs(west) % 60, chance(2) == 0 ? "" : "3:17:01", south ? late : early,
                 south ? early : late);
        walk(text, 1971 + (int)chance(400), 2);
    }
}

/* Of glibc's own file for this (posixrules) the changes are at other instants. */
static void without_rules_those_of_the_united_states_count(void **state)
{
    (void)state;
    struct th_timezone without = zone_of("EST5EDT");
    struct th_timezone with = zone_of("EST5EDT,M3.2.0,M11.1.0");

    for (int64_t now = 0; now < INT64_C(4000000000); now += 1799)
        assert_int_equal(th_timezone_offset(&without, now, NULL),
                         th_timezone_offset(&with, now, NULL));
}

/* Where glibc does not look: daylight saving time all the year (RFC 8536 §3.3.1), and changes in
 * another year than their rule's. */
static void changes_across_the_year_s_end_count(void **state)
{
    (void)state;
    struct th_timezone whole = zone_of("XXX3EDT4,0/0,J365/23");
    struct th_timezone more = zone_of("EST5EDT,0/0,J365/26");
    struct th_timezone across = zone_of("AAA0BBB-1,J364/72,J100/0");
    bool summer;

    for (int64_t hour = 0; hour < 24 * 366 * 5; hour++) {
        th_timezone_offset(&whole, 1577836800 + hour * 3600, &summer);
        assert_true(summer);
        th_timezone_offset(&more, 1577836800 + hour * 3600, &summer);
        assert_true(summer);
    }
    /* 30 December 2020 and three days. */
    th_timezone_offset(&across, 1609545600 - 1, &summer);
    assert_false(summer);
    th_timezone_offset(&across, 1609545600, &summer);
    assert_true(summer);
}

/* ---- back to instants ---- */

static void times_that_come_twice_or_never_follow_the_stated_rule(void **state)
{
    (void)state;
    struct th_timezone new_york = zone_of("EST5EDT,M3.2.0,M11.1.0");
    struct th_local_time twice = at(2026, 11, 1, 1, 30), never = at(2007, 3, 11, 2, 30), shown;
    int64_t instants[2];

    assert_int_equal(th_timezone_instants(&new_york, &twice, instants), 2);
    assert_int_equal(instants[0], 1793511000); /* 05:30Z */
    assert_int_equal(instants[1], instants[0] + 3600);
    assert_int_equal(th_timezone_instant(&new_york, &twice), instants[0]);
    assert_int_equal(th_timezone_instants(&new_york, &never, instants), 0);
    /* The example of RFC 5545 §3.3.5: 03:30 EDT. */
    assert_int_equal(th_timezone_instant(&new_york, &never), 1173598200);
    th_timezone_local(&new_york, 1173598200, &shown);
    assert_int_equal(shown.hour, 3);
    assert_int_equal(shown.minute, 30);
}

static void an_instant_goes_to_local_time_and_back(void **state)
{
    (void)state;
    static const char *const zones[] = {"CET-1CEST,M3.5.0,M10.5.0/3", "IST-1GMT0,M10.5.0,M3.5.0/1",
                                        "NZST-12NZDT,M9.5.0,M4.1.0/3", "<+0545>-5:45"};

    for (size_t i = 0; i < 4; i++) {
        struct th_timezone zone = zone_of(zones[i]);

        for (int64_t now = 1767225600; now < 1767225600 + 366 * 86400; now += 1201) {
            struct th_local_time local;
            int64_t instants[2];

            th_timezone_local(&zone, now, &local);
            int count = th_timezone_instants(&zone, &local, instants);
            assert_true(count >= 1 && (instants[0] == now || (count == 2 && instants[1] == now)));
        }
    }
}

static void a_day_beyond_the_month_runs_over(void **state)
{
    (void)state;
    struct th_timezone utc = zone_of("UTC0");
    struct th_local_time over = at(2026, 2, 29, 0, 0), first = at(2026, 3, 1, 0, 0);

    assert_int_equal(th_timezone_instant(&utc, &over), th_timezone_instant(&utc, &first));
}

static void the_edges_of_time_stay_in_bounds(void **state)
{
    (void)state;
    struct th_timezone zone = zone_of("AAA24BBB-24:59:59,0/-167,365/167");
    struct th_local_time local;

    th_timezone_local(&zone, INT64_MIN, &local);
    assert_int_equal(local.year, 1);
    th_timezone_local(&zone, INT64_MAX, &local);
    assert_int_equal(local.year, 9999);
    local = (struct th_local_time){.year = INT32_MAX, .month = 255, .day = 255, .hour = 255};
    th_timezone_instant(&zone, &local);
    local = (struct th_local_time){.year = INT32_MIN};
    th_timezone_instant(&zone, &local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_the_grammar_is_taken),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(zones_of_the_world_show_what_glibc_shows),
        cmocka_unit_test(a_thousand_random_zones_show_what_glibc_shows),
        cmocka_unit_test(without_rules_those_of_the_united_states_count),
        cmocka_unit_test(changes_across_the_year_s_end_count),
        cmocka_unit_test(times_that_come_twice_or_never_follow_the_stated_rule),
        cmocka_unit_test(an_instant_goes_to_local_time_and_back),
        cmocka_unit_test(a_day_beyond_the_month_runs_over),
        cmocka_unit_test(the_edges_of_time_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
