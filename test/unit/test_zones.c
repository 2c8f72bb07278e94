/* SPDX-License-Identifier: MIT */
/* R7 R9 F11: the rules zones are switched by, one by one. test/sim/test_zones_hours.c has the judge
 * over long times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/zones.h>

#include "ports/sim/sim_pins.h"

#define MONDAY 1767571200 /* 2026-01-05, 00:00 UTC */

struct garden {
    struct sim_pins pins;
    struct th_outputs_gpio outputs;
    struct th_zones zones;
    struct th_clock_view clock;
};

static struct garden garden;

/* Zones 1, 2 and 3 in group 1, zone 4 free; at most two at once; a master valve on pin 9. */
static int fresh(void **state)
{
    (void)state;
    struct th_zones_config config = {
        .outputs = &th_outputs_gpio_ops,
        .outputs_ctx = &garden.outputs,
        .rules = {{600, 1}, {600, 1}, {86400, 1}, {600, 0}, {600, 0}},
        .count = 5,
        .most_on = 2,
        .master = true,
    };

    memset(&garden, 0, sizeof garden);
    sim_pins_init(&garden.pins, UINT32_MAX - 5000, (struct sim_pins_watch){NULL, NULL});
    garden.outputs = (struct th_outputs_gpio){
        .board = &garden.pins.board, .pins = {4, 5, 6, 7, 8, 9}, .count = 6, .active_low = true};
    assert_true(th_zones_init(&garden.zones, &config, UINT32_MAX - 5000));
    return 0;
}

static uint32_t now(void)
{
    return (uint32_t)(garden.pins.start_ms + garden.pins.now_ms);
}

static bool pin_on(uint8_t output)
{
    uint8_t pin = garden.outputs.pins[output];

    return (garden.pins.is_output >> pin & 1) && !(garden.pins.levels >> pin & 1);
}

static void pass(uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        sim_pins_pass(&garden.pins, 1000);
        if (garden.clock.kind != TH_CLOCK_FLOOR_ONLY)
            garden.clock.now_s++;
        th_zones_tick(&garden.zones, &garden.clock, now());
    }
}

static enum th_zone_answer on(uint8_t zone, uint32_t seconds)
{
    return th_zones_on(&garden.zones, zone, seconds, now());
}

static struct th_zone_status status(uint8_t zone)
{
    struct th_zone_status out;

    assert_true(th_zones_status(&garden.zones, zone, now(), &out));
    return out;
}

static struct th_zones_report report(void)
{
    struct th_zones_report out;

    th_zones_report(&garden.zones, &out);
    return out;
}

static void a_start_puts_every_output_off(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 6; i++) {
        assert_true(garden.pins.is_output >> garden.outputs.pins[i] & 1);
        assert_false(pin_on(i));
    }
    assert_int_equal(status(1).cause, TH_ZONE_START);
}

static void two_minutes_and_not_a_second_more(void **state)
{
    (void)state;
    assert_int_equal(on(2, 120), TH_ZONE_DONE);
    assert_true(pin_on(1) && pin_on(5));
    assert_int_equal(status(2).left_s, 120);
    pass(119);
    assert_true(pin_on(1));
    assert_int_equal(status(2).left_s, 1);
    sim_pins_pass(&garden.pins, 999);
    assert_true(pin_on(1));
    sim_pins_pass(&garden.pins, 1); /* and nobody ticks */
    assert_false(pin_on(1) || pin_on(5));
    assert_false(status(2).commanded || status(2).actual);
    pass(1);
    assert_int_equal(status(2).cause, TH_ZONE_LEASE);
}

static void what_breaks_a_rule_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(on(0, 10), TH_ZONE_NONE);
    assert_int_equal(on(6, 10), TH_ZONE_NONE);
    assert_int_equal(on(255, 10), TH_ZONE_NONE);
    assert_int_equal(on(1, 0), TH_ZONE_TIME);
    assert_int_equal(on(1, 601), TH_ZONE_TIME);
    assert_int_equal(on(1, UINT32_MAX), TH_ZONE_TIME);
    assert_int_equal(on(3, 86401), TH_ZONE_TIME);
    assert_int_equal(th_zones_off(&garden.zones, 0, now()), TH_ZONE_NONE);
    for (uint8_t i = 0; i < 6; i++)
        assert_false(pin_on(i));
    for (int i = TH_ZONE_DONE; i <= TH_ZONE_OUTPUT; i++)
        assert_true(strlen(th_zone_answer_text((enum th_zone_answer)i)) > 3);
}

static void renewals_do_not_make_a_run_longer_than_its_rule(void **state)
{
    (void)state;
    assert_int_equal(on(1, 600), TH_ZONE_DONE);
    pass(300);
    assert_int_equal(on(1, 301), TH_ZONE_TIME);
    assert_int_equal(status(1).left_s, 300);
    assert_int_equal(on(1, 300), TH_ZONE_DONE);
    pass(299);
    assert_int_equal(on(1, 2), TH_ZONE_TIME);
    pass(2);
    assert_int_equal(on(1, 600), TH_ZONE_DONE); /* a new run */
}

static void a_shorter_lease_counts_at_once(void **state)
{
    (void)state;
    on(1, 600);
    assert_int_equal(on(1, 2), TH_ZONE_DONE);
    sim_pins_pass(&garden.pins, 2000);
    assert_false(pin_on(0));
}

static void a_zone_of_a_group_takes_the_place_of_another(void **state)
{
    (void)state;
    on(1, 600);
    assert_int_equal(on(2, 60), TH_ZONE_DONE);
    assert_false(pin_on(0));
    assert_true(pin_on(1));
    assert_int_equal(status(1).cause, TH_ZONE_GROUP);
    assert_int_equal(on(4, 60), TH_ZONE_DONE);
    assert_int_equal(on(5, 60), TH_ZONE_LIMIT);
    assert_int_equal(on(3, 60), TH_ZONE_DONE); /* in place of 2: still two */
    assert_int_equal(th_zones_off(&garden.zones, 4, now()), TH_ZONE_DONE);
    assert_int_equal(on(5, 60), TH_ZONE_DONE);
}

static void the_master_valve_closes_with_the_last_zone(void **state)
{
    (void)state;
    on(4, 10);
    on(1, 20);
    sim_pins_pass(&garden.pins, 10000);
    assert_true(pin_on(5) && !pin_on(3));
    sim_pins_pass(&garden.pins, 9999);
    assert_true(pin_on(5));
    sim_pins_pass(&garden.pins, 1);
    assert_false(pin_on(5) || pin_on(0));
    on(4, 10);
    th_zones_off(&garden.zones, 4, now());
    assert_false(pin_on(5));
}

static void safe_ends_everything_and_so_does_a_fault(void **state)
{
    (void)state;
    on(1, 600);
    on(4, 600);
    th_zones_safe(&garden.zones, now());
    assert_false(pin_on(0) || pin_on(3) || pin_on(5));
    assert_int_equal(status(4).cause, TH_ZONE_SAFE);
    on(1, 600);
    garden.pins.broken = true;
    assert_int_equal(on(4, 5), TH_ZONE_OUTPUT);
    assert_int_equal(status(1).cause, TH_ZONE_FAULT);
    assert_false(status(1).commanded);
    /* What is armed goes off although nothing can be ordered any more, and that is told. */
    assert_true(status(1).actual);
    while (th_zones_changed(&garden.zones))
        continue;
    sim_pins_pass(&garden.pins, 600000);
    assert_false(status(1).actual);
}

static void what_changes_is_told_once(void **state)
{
    (void)state;
    for (uint8_t zone = 1; zone <= 5; zone++)
        assert_int_equal(th_zones_changed(&garden.zones), zone);
    assert_int_equal(th_zones_changed(&garden.zones), 0);
    on(2, 1);
    assert_int_equal(th_zones_changed(&garden.zones), 2);
    assert_int_equal(th_zones_changed(&garden.zones), 0);
    pass(1);
    assert_int_equal(th_zones_changed(&garden.zones), 2);
    assert_int_equal(th_zones_changed(&garden.zones), 0);
}

/* A wire that does not show what was ordered. */
static void an_output_that_does_not_follow_is_seen(void **state)
{
    (void)state;
    on(1, 60);
    pass(2);
    while (th_zones_changed(&garden.zones))
        continue;
    garden.pins.levels |= 1u << garden.outputs.pins[0]; /* a short circuit */
    assert_true(status(1).commanded && !status(1).actual);
    pass(2);
    assert_true(pin_on(0)); /* put again */
}

/* ---- weekly starts ---- */

static void clock_is(enum th_clock_kind kind, int64_t at_s)
{
    garden.clock = (struct th_clock_view){.kind = kind, .now_s = at_s};
    pass(1);
}

static enum th_zone_answer schedule(uint8_t zone, const char *text)
{
    return th_zones_schedule(&garden.zones, zone, th_span_str(text));
}

static void a_start_happens_without_the_network_and_says_by_which_clock(void **state)
{
    (void)state;
    assert_int_equal(schedule(1, "Mo 06:30 60"), TH_ZONE_DONE);
    assert_int_equal(report().clock, TH_CLOCK_FLOOR_ONLY);
    clock_is(TH_CLOCK_HINT, MONDAY + 6 * 3600);
    pass(1);
    assert_int_equal(report().clock, TH_CLOCK_HINT);
    assert_int_equal(report().next_s, MONDAY + 6 * 3600 + 1800);
    assert_int_equal(report().next_zone, 1);
    pass(1795);
    assert_false(pin_on(0));
    pass(5);
    assert_true(pin_on(0));
    assert_int_equal(status(1).cause, TH_ZONE_SCHEDULE);
    pass(61);
    assert_false(pin_on(0));
    assert_int_equal(report().next_s, MONDAY + 6 * 3600 + 1800 + 7 * 86400);
    assert_int_equal(report().missed, 0);
}

static void nothing_starts_while_there_is_no_clock(void **state)
{
    (void)state;
    schedule(1, "daily 06:30 60");
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 23395);
    clock_is(TH_CLOCK_FLOOR_ONLY, 0);
    garden.clock.now_s = MONDAY + 23401;
    pass(60);
    assert_false(pin_on(0));
    /* Nor is what passed without one made up for. */
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 23460);
    pass(60);
    assert_false(pin_on(0));
    assert_int_equal(report().missed, 0);
}

static void a_start_waits_for_its_turn_and_not_for_ever(void **state)
{
    (void)state;
    schedule(1, "daily 06:30 60");
    schedule(2, "daily 06:30 60");
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 23390);
    pass(20);
    assert_true(pin_on(0) && !pin_on(1));
    assert_int_equal(report().waiting, 1);
    pass(70);
    assert_true(pin_on(1) && !pin_on(0));
    assert_int_equal(report().waiting, 0);
    pass(86400 - 120);
    on(3, 86400);
    pass(TH_ZONES_WAIT_MS / 1000 + 60);
    assert_true(pin_on(2) && !pin_on(0) && !pin_on(1));
    assert_int_equal(report().missed, 2);
    assert_int_equal(report().waiting, 0);
}

static void safe_forgets_starts_that_wait(void **state)
{
    (void)state;
    schedule(1, "daily 06:30 60");
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 23390);
    on(3, 3600);
    pass(20);
    assert_int_equal(report().waiting, 1);
    th_zones_safe(&garden.zones, now());
    pass(60);
    assert_false(pin_on(0));
}

static void a_clock_that_jumps_waters_neither_twice_nor_by_night(void **state)
{
    (void)state;
    schedule(1, "daily 06:30 60");
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 23390);
    pass(80);
    assert_int_equal(status(1).cause, TH_ZONE_LEASE); /* it was on */
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 23390);       /* back by little: not again */
    pass(80);
    assert_int_equal(status(1).cause, TH_ZONE_LEASE);
    assert_false(pin_on(0));
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 86400 + 23400 + TH_ZONES_LATE_S + 5); /* too late */
    pass(20);
    assert_false(pin_on(0));
    assert_int_equal(report().missed, 1);
    clock_is(TH_CLOCK_TRUSTED, MONDAY + 2 * 86400 + 23400 + 60); /* still worth it */
    pass(20);
    assert_true(pin_on(0));
    pass(100);
    clock_is(TH_CLOCK_TRUSTED, MONDAY - 86400 + 23390); /* it was wrong all the time */
    pass(20);
    assert_true(pin_on(0));
}

static void schedules_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    assert_int_equal(schedule(1, "Mo 06:30 600"), TH_ZONE_DONE);
    assert_int_equal(schedule(1, "Mo 06:30 601"), TH_ZONE_TIME);
    assert_int_equal(schedule(1, "Mo"), TH_ZONE_TIME);
    assert_int_equal(schedule(0, ""), TH_ZONE_NONE);
    assert_int_equal(schedule(6, ""), TH_ZONE_NONE);
    assert_int_equal(report().starts, 1);
    for (uint8_t zone = 2; zone <= 3; zone++)
        assert_int_equal(schedule(zone, "Mo 1:00 1;Tu 1:00 1;We 1:00 1;Th 1:00 1;Fr 1:00 1;"
                                        "Sa 1:00 1;Su 1:00 1"),
                         TH_ZONE_DONE);
    assert_int_equal(schedule(4, "Mo 1:00 1;Tu 1:00 1"), TH_ZONE_LIMIT);
    assert_int_equal(schedule(4, "Mo 1:00 1"), TH_ZONE_DONE);
    assert_int_equal(report().starts, 16);
    assert_int_equal(schedule(2, ""), TH_ZONE_DONE);
    assert_int_equal(report().starts, 9);
}

/* ---- one byte over SPI ---- */

static void a_byte_over_spi_is_inverted_and_its_steps_go_on_alone(void **state)
{
    (void)state;
    static struct th_outputs_spi spi;
    struct th_zones_config config = {
        .outputs = &th_outputs_spi_ops, .outputs_ctx = &spi, .count = 8, .most_on = 8};
    struct th_zone_status out;

    spi.board = &garden.pins.board;
    for (int i = 0; i < 8; i++)
        config.rules[i].most_s = 600;
    assert_true(th_zones_init(&garden.zones, &config, now()));
    assert_int_equal(garden.pins.byte, 0xFF);
    on(1, 30);
    on(8, 10);
    on(4, 20);
    assert_int_equal(garden.pins.byte, 0x76);
    sim_pins_pass(&garden.pins, 10000);
    assert_int_equal(garden.pins.byte, 0xF6);
    sim_pins_pass(&garden.pins, 10000);
    assert_int_equal(garden.pins.byte, 0xFE);
    assert_true(th_zones_status(&garden.zones, 1, now(), &out) && out.actual);
    sim_pins_pass(&garden.pins, 10000);
    assert_int_equal(garden.pins.byte, 0xFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_start_puts_every_output_off, fresh),
        cmocka_unit_test_setup(two_minutes_and_not_a_second_more, fresh),
        cmocka_unit_test_setup(what_breaks_a_rule_is_refused_and_changes_nothing, fresh),
        cmocka_unit_test_setup(renewals_do_not_make_a_run_longer_than_its_rule, fresh),
        cmocka_unit_test_setup(a_shorter_lease_counts_at_once, fresh),
        cmocka_unit_test_setup(a_zone_of_a_group_takes_the_place_of_another, fresh),
        cmocka_unit_test_setup(the_master_valve_closes_with_the_last_zone, fresh),
        cmocka_unit_test_setup(safe_ends_everything_and_so_does_a_fault, fresh),
        cmocka_unit_test_setup(what_changes_is_told_once, fresh),
        cmocka_unit_test_setup(an_output_that_does_not_follow_is_seen, fresh),
        cmocka_unit_test_setup(a_start_happens_without_the_network_and_says_by_which_clock, fresh),
        cmocka_unit_test_setup(nothing_starts_while_there_is_no_clock, fresh),
        cmocka_unit_test_setup(a_start_waits_for_its_turn_and_not_for_ever, fresh),
        cmocka_unit_test_setup(safe_forgets_starts_that_wait, fresh),
        cmocka_unit_test_setup(a_clock_that_jumps_waters_neither_twice_nor_by_night, fresh),
        cmocka_unit_test_setup(schedules_that_break_a_rule_are_refused, fresh),
        cmocka_unit_test_setup(a_byte_over_spi_is_inverted_and_its_steps_go_on_alone, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
