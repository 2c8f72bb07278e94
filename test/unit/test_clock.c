/* SPDX-License-Identifier: MIT */
/* C1 C3 C4 R8: floor and working clock under hostile time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <thimble/clock.h>

#define FLOOR_S INT64_C(1790000000)
#define YEAR_S  INT64_C(31556952)

static void it_starts_with_the_floor_alone(void **state)
{
    (void)state;
    struct th_clock clock;

    th_clock_init(&clock, FLOOR_S, 77);
    struct th_clock_view view = th_clock_read(&clock, 5000);
    assert_int_equal(view.kind, TH_CLOCK_FLOOR_ONLY);
    assert_int_equal(view.floor_s, FLOOR_S);
    assert_int_equal(th_clock_ms(&clock, 9000), FLOOR_S * 1000);
}

/* C3 C4: neither 2040 nor 1970 moves the floor, and the next word from somebody better counts. */
static void no_server_of_time_moves_the_floor(void **state)
{
    (void)state;
    struct th_clock clock;

    th_clock_init(&clock, FLOOR_S, 0);
    assert_true(th_clock_set(&clock, TH_CLOCK_HINT, (FLOOR_S + 20 * YEAR_S) * 1000, 0));
    assert_true(th_clock_set(&clock, TH_CLOCK_TRUSTED, (FLOOR_S + 14 * YEAR_S) * 1000, 0));
    assert_int_equal(th_clock_read(&clock, 0).floor_s, FLOOR_S);
    assert_true(th_clock_set(&clock, TH_CLOCK_TRUSTED, (FLOOR_S + 60) * 1000, 0));
    assert_int_equal(th_clock_read(&clock, 1000).now_s, FLOOR_S + 61);
}

static void a_time_before_the_floor_is_refused(void **state)
{
    (void)state;
    struct th_clock clock;

    th_clock_init(&clock, FLOOR_S, 0);
    assert_false(th_clock_set(&clock, TH_CLOCK_TRUSTED, 0, 0));
    assert_false(th_clock_set(&clock, TH_CLOCK_HINT, FLOOR_S * 1000 - 1, 0));
    assert_int_equal(th_clock_read(&clock, 0).kind, TH_CLOCK_FLOOR_ONLY);
}

static void a_hint_does_not_replace_a_trusted_clock(void **state)
{
    (void)state;
    struct th_clock clock;

    th_clock_init(&clock, FLOOR_S, 0);
    th_clock_set(&clock, TH_CLOCK_TRUSTED, (FLOOR_S + 100) * 1000, 0);
    assert_true(th_clock_set(&clock, TH_CLOCK_HINT, (FLOOR_S + 900) * 1000, 0));
    struct th_clock_view view = th_clock_read(&clock, 0);
    assert_int_equal(view.kind, TH_CLOCK_TRUSTED);
    assert_int_equal(view.now_s, FLOOR_S + 100);
}

/* C1 */
static void the_floor_rises_and_never_falls(void **state)
{
    (void)state;
    struct th_clock clock;

    th_clock_init(&clock, FLOOR_S, 0);
    assert_true(th_clock_raise_floor(&clock, FLOOR_S + 10, 0));
    assert_false(th_clock_raise_floor(&clock, FLOOR_S + 10, 0));
    assert_false(th_clock_raise_floor(&clock, FLOOR_S, 0));
    assert_int_equal(th_clock_read(&clock, 0).floor_s, FLOOR_S + 10);
}

static void a_working_clock_below_the_new_floor_is_dropped(void **state)
{
    (void)state;
    struct th_clock clock;

    th_clock_init(&clock, FLOOR_S, 0);
    th_clock_set(&clock, TH_CLOCK_HINT, (FLOOR_S + 5) * 1000, 0);
    th_clock_raise_floor(&clock, FLOOR_S + 4, 0);
    assert_int_equal(th_clock_read(&clock, 0).kind, TH_CLOCK_HINT);
    th_clock_raise_floor(&clock, FLOOR_S + 6, 0);
    assert_int_equal(th_clock_read(&clock, 0).kind, TH_CLOCK_FLOOR_ONLY);
}

/* R8: a year, read every ten days, the counter wrapping on the way. */
static void it_runs_through_the_wrap_of_the_counter(void **state)
{
    (void)state;
    struct th_clock clock;
    uint32_t now_ms = UINT32_MAX - 1000;

    th_clock_init(&clock, FLOOR_S, now_ms);
    th_clock_set(&clock, TH_CLOCK_TRUSTED, FLOOR_S * 1000, now_ms);
    for (int days = 10; days <= 360; days += 10) {
        now_ms += 864000000u;
        assert_int_equal(th_clock_read(&clock, now_ms).now_s, FLOOR_S + days * INT64_C(86400));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_with_the_floor_alone),
        cmocka_unit_test(no_server_of_time_moves_the_floor),
        cmocka_unit_test(a_time_before_the_floor_is_refused),
        cmocka_unit_test(a_hint_does_not_replace_a_trusted_clock),
        cmocka_unit_test(the_floor_rises_and_never_falls),
        cmocka_unit_test(a_working_clock_below_the_new_floor_is_dropped),
        cmocka_unit_test(it_runs_through_the_wrap_of_the_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
