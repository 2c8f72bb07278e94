/* SPDX-License-Identifier: MIT */
/* C3 C4 R8: asking for the time, of servers that lie, hush and come back, over the wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/time.h>
#include <thimble/timekeeper.h>

#include "ports/sim/sim_time.h"

#define NOW_S      INT64_C(1795000000) /* in 2026 */
#define FLOOR_S    INT64_C(1790000000)
#define WRAP_START (UINT32_MAX - 1000 + 1)

static struct sim_time times;
static struct th_board board;
static struct th_clock working;
static struct th_timekeeper keeper;
static uint32_t now, chance;
static bool network, entropy_works;

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return now;
}

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        chance = chance * 1664525 + 1013904223;
        into[i] = (uint8_t)(chance >> 24);
    }
    return entropy_works;
}

static bool up(void *ctx)
{
    (void)ctx;
    return network;
}

static const struct th_clock_ops counter = {now_ms};
static const struct th_entropy_ops entropy = {fill};
static const struct th_net_ops net = {.up = up};

static int begin(void **state)
{
    (void)state;
    now = WRAP_START;
    network = entropy_works = true;
    board = (struct th_board){.clock = {&counter, NULL},
                              .entropy = {&entropy, NULL},
                              .net = {&net, NULL},
                              .udp = {&sim_time_ops, &times}};
    memset(&times, 0, sizeof times);
    memset(&keeper, 0, sizeof keeper);
    times.board = &board;
    times.at_ms = now;
    times.true_ms = NOW_S * 1000;
    times.servers[0].name = "a.example";
    times.servers[1].name = "b.example";
    times.servers[2].name = "c.example";
    th_clock_init(&working, FLOOR_S, now);
    return 0;
}

static void start(const char *servers)
{
    th_timekeeper_start(&keeper, &board, &working, servers, now);
}

/* As a main loop does it; how often the clock was set. */
static unsigned run(uint32_t for_ms)
{
    uint32_t end = now + for_ms;
    unsigned set = 0;

    for (;;) {
        set += th_timekeeper_step(&keeper, now);
        uint32_t wait = th_timekeeper_deadline(&keeper, now);
        if (th_time_until(now, end) == 0)
            return set;
        now += th_time_sooner(wait > 0 ? wait : 1, th_time_until(now, end));
        sim_time_now(&times);
    }
}

static int64_t off_ms(void)
{
    return th_clock_ms(&working, now) - times.true_ms;
}

static void the_clock_is_a_hint_within_its_error(void **state)
{
    (void)state;
    start("a.example b.example c.example");
    times.servers[0].delay_ms = 90;
    assert_int_equal(run(10000), 1);
    assert_int_equal(working.kind, TH_CLOCK_HINT);
    assert_in_range(off_ms() + 200, 0, 400);
    assert_int_equal(working.floor_s, FLOOR_S);
}

static void one_server_that_lies_is_outvoted(void **state)
{
    (void)state;
    times.servers[0].off_ms = INT64_C(20) * 365 * 86400 * 1000;
    start("a.example b.example c.example");
    assert_int_equal(run(10000), 1);
    assert_in_range(off_ms() + 200, 0, 400);
}

/* C3 C4: twenty years ahead, and nobody contradicts; then the truth again. */
static void a_lie_all_tell_moves_the_hint_alone_and_goes_with_it(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        times.servers[i].off_ms = INT64_C(20) * 365 * 86400 * 1000;
    start("a.example b.example c.example");
    assert_int_equal(run(10000), 1);
    assert_true(off_ms() > INT64_C(19) * 365 * 86400 * 1000);
    assert_int_equal(working.floor_s, FLOOR_S);
    for (int i = 0; i < 3; i++)
        times.servers[i].off_ms = 0;
    run(TH_TIMEKEEPER_ROUND_S * 1000 * 2);
    assert_in_range(off_ms() + 200, 0, 400);
}

/* In 1970 it is not: below the floor nothing is believed. */
static void a_time_before_the_floor_is_refused(void **state)
{
    (void)state;
    times.servers[0].off_ms = (FLOOR_S - NOW_S - 86400) * 1000;
    start("a.example");
    run(10000);
    assert_true(th_clock_ms(&working, now) >= FLOOR_S * 1000);
}

static void a_trusted_clock_stays(void **state)
{
    (void)state;
    th_clock_set(&working, TH_CLOCK_TRUSTED, NOW_S * 1000, now);
    times.servers[0].off_ms = 5000000;
    start("a.example");
    run(10000);
    assert_int_equal(working.kind, TH_CLOCK_TRUSTED);
    assert_in_range(off_ms() + 200, 0, 400);
}

static void forged_and_unsynchronised_answers_are_waited_out(void **state)
{
    (void)state;
    times.servers[0].forged = true;
    times.servers[1].unsynchronised = true;
    start("a.example b.example c.example");
    assert_int_equal(run(2 * TH_TIMEKEEPER_ASK_MS - 500), 0);
    assert_int_equal(run(2000), 1);
    assert_in_range(off_ms() + 200, 0, 400);
}

static void a_server_that_says_go_away_is_left_alone_for_a_day(void **state)
{
    (void)state;
    times.servers[0].kiss = true;
    start("a.example b.example");
    run(23u * 3600 * 1000);
    assert_int_equal(times.servers[0].asked, 1);
    assert_in_range(times.servers[1].asked, 3, 7);
    run(8u * 3600 * 1000);
    assert_int_equal(times.servers[0].asked, 2);
}

/* A silent network costs little: from a minute to an hour between rounds. */
static void silence_is_asked_ever_more_rarely(void **state)
{
    (void)state;
    times.servers[0].silent = true;
    start("a.example");
    run(24u * 3600 * 1000);
    assert_in_range(times.servers[0].asked, 20, 45);
    times.servers[0].silent = false;
    assert_true(run(2u * 3600 * 1000) >= 1);
}

static void without_a_network_nobody_is_asked(void **state)
{
    (void)state;
    network = false;
    start("a.example");
    run(3600 * 1000);
    assert_int_equal(times.servers[0].asked, 0);
    network = true;
    assert_int_equal(run(5000), 1);
}

/* T13 */
static void without_entropy_nobody_is_asked(void **state)
{
    (void)state;
    entropy_works = false;
    start("a.example");
    run(3600 * 1000);
    assert_int_equal(times.servers[0].asked, 0);
}

static void ports_and_odd_lists_are_read(void **state)
{
    (void)state;
    start("  a.example:123   b.example:0 [2001:db8::1]:124 2001:db8::2 e f");
    assert_int_equal(keeper.count, 4);
    assert_int_equal(keeper.port[0], 123);
    assert_int_equal(keeper.port[1], 123);
    assert_int_equal(keeper.port[2], 124);
    assert_string_equal(keeper.list + keeper.name_at[2], "2001:db8::1");
    assert_string_equal(keeper.list + keeper.name_at[3], "2001:db8::2");
    start("");
    assert_int_equal(th_timekeeper_deadline(&keeper, now), TH_FOREVER);
    start(":1 x:99999999999");
    assert_int_equal(keeper.port[1], 123);
    board.udp.ops = NULL;
    start("a.example");
    assert_false(th_timekeeper_step(&keeper, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_clock_is_a_hint_within_its_error, begin),
        cmocka_unit_test_setup(one_server_that_lies_is_outvoted, begin),
        cmocka_unit_test_setup(a_lie_all_tell_moves_the_hint_alone_and_goes_with_it, begin),
        cmocka_unit_test_setup(a_time_before_the_floor_is_refused, begin),
        cmocka_unit_test_setup(a_trusted_clock_stays, begin),
        cmocka_unit_test_setup(forged_and_unsynchronised_answers_are_waited_out, begin),
        cmocka_unit_test_setup(a_server_that_says_go_away_is_left_alone_for_a_day, begin),
        cmocka_unit_test_setup(silence_is_asked_ever_more_rarely, begin),
        cmocka_unit_test_setup(without_a_network_nobody_is_asked, begin),
        cmocka_unit_test_setup(without_entropy_nobody_is_asked, begin),
        cmocka_unit_test_setup(ports_and_odd_lists_are_read, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
