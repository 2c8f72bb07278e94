/* SPDX-License-Identifier: MIT */
/* R7 R10: weekly starts: their text, and when they are due by local time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/schedule.h>

static struct th_schedule_entry entries[TH_SCHEDULE_ENTRIES];
static uint8_t count;

static enum th_error parse(const char *text)
{
    return th_schedule_parse(th_span_str(text), entries, &count);
}

static void a_line_of_starts_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse(""), TH_OK);
    assert_int_equal(count, 0);
    assert_int_equal(parse("Mo-Fr 06:30 600; Sa,Su 8:00 900 ;daily 23:59 86400"), TH_OK);
    assert_int_equal(count, 3);
    assert_int_equal(entries[0].days, 0x3E);
    assert_int_equal(entries[0].minute, 390);
    assert_int_equal(entries[0].seconds, 600);
    assert_int_equal(entries[1].days, 0x41);
    assert_int_equal(entries[1].minute, 480);
    assert_int_equal(entries[2].days, 0x7F);
    assert_int_equal(parse("Fr-Mo,We 00:00 1"), TH_OK);
    assert_int_equal(entries[0].days, 1 << 5 | 1 << 6 | 1 << 0 | 1 << 1 | 1 << 3);
}

#define TWO "Mo 1:30 60;Tu 1:30 60"

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char nine[] = TWO ";" TWO ";" TWO ";" TWO ";We 1:30 60";

    assert_int_equal(parse(nine), TH_ERR_INVALID);
    static const char *const bad[] = {
        " ",
        "Mo",
        "Mo 06:30",
        "Mo 06:30 0",
        "Mo 06:30 86401",
        "Mo 06:30 999999",
        "Mo 24:00 60",
        "Mo 06:60 60",
        "Mo 06:3 60",
        "Mo 06:300 60",
        "Mo 006:30 60",
        "Mo06:30 60",
        "Mo 06:30-60",
        "mo 06:30 60",
        "Mon 06:30 60",
        "Mo, 06:30 60",
        "Mo- 06:30 60",
        "Mo--We 06:30 60",
        "Mo-We-Fr 06:30 60",
        "daily,Mo 06:30 60",
        "Mo 06:30 60;",
        ";Mo 06:30 60",
        "Mo 06:30 60 Tu 06:30 60",
        "Mo 06:30 60\t",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse(bad[i]) != TH_ERR_INVALID)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(count, 0);
    }
}

/* Every start of ten years is found, in order, at the time clocks show, on its days alone. */
static void starts_are_found_one_after_the_other(void **state)
{
    (void)state;
    static const char *const zones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3",
                                        "NZST-12NZDT,M9.5.0,M4.1.0/3", "<-11>11"};

    for (size_t z = 0; z < 4; z++) {
        struct th_timezone zone;
        int64_t at_s = 1767225600, from_s = at_s;
        int found = 0;

        th_timezone_parse(&zone, th_span_str(zones[z]));
        assert_int_equal(parse("Tu,Fr 19:45 60"), TH_OK);
        while (at_s < from_s + INT64_C(3650) * 86400) {
            int64_t next_s = th_schedule_next(&entries[0], &zone, at_s);
            struct th_local_time local;

            th_timezone_local(&zone, next_s, &local);
            assert_true(next_s > at_s);
            assert_true(local.weekday == 2 || local.weekday == 5);
            assert_int_equal(local.hour * 60 + local.minute, 19 * 60 + 45);
            assert_int_equal(th_schedule_next(&entries[0], &zone, next_s - 1), next_s);
            at_s = next_s;
            found++;
        }
        assert_in_range(found, 1042, 1044);
    }
}

static void a_start_that_clocks_pass_over_or_show_twice_comes_once(void **state)
{
    (void)state;
    struct th_timezone zone;

    th_timezone_parse(&zone, TH_SPAN("CET-1CEST,M3.5.0,M10.5.0/3"));
    assert_int_equal(parse("daily 02:30 60"), TH_OK);
    /* 2026-03-29: no 02:30; it starts at 03:30 CEST, 01:30Z. */
    int64_t gap_s = th_schedule_next(&entries[0], &zone, 1774742400 - 3600);
    assert_int_equal(gap_s, 1774747800);
    assert_int_equal(th_schedule_next(&entries[0], &zone, gap_s), gap_s + 82800);
    /* 2026-10-25: 02:30 twice; it starts at the first, 00:30Z, and a day later. */
    int64_t twice_s = th_schedule_next(&entries[0], &zone, 1792886400 - 3600);
    assert_int_equal(twice_s, 1792888200);
    assert_int_equal(th_schedule_next(&entries[0], &zone, twice_s), twice_s + 90000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_starts_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(starts_are_found_one_after_the_other),
        cmocka_unit_test(a_start_that_clocks_pass_over_or_show_twice_comes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
