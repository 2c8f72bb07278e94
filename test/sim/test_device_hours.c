/* SPDX-License-Identifier: MIT */
/*
 * R7 R8 R9 R10: thousands of simulated hours of a whole device: orders over MQTT, weekly starts,
 * crashes, resets, power cuts, a broker or a network that is away for minutes or a day with valves
 * open, clocks that jump, the counter's wrap, settings that change, and the loop held for 2 s in
 * any call. The judge of the pins is orchard.c; that it finds faults is shown as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orchard.h"

#define SECOND  1000u
#define MINUTE  60000u
#define HOUR    (60u * MINUTE)
#define DAY     (24u * HOUR)
#define HOLD_MS 2000u

static struct device_world *const world = &rig.world;
static uint64_t chance;

static bool full(void)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");

    return mode && strcmp(mode, "full") == 0;
}

static uint32_t dice(uint32_t below)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((chance >> 33) % below);
}

/* ---- events ---- */

static void order(void)
{
    unsigned zone = 1 + dice(ORCHARD_ZONES);

    if (dice(5) == 0)
        orchard_off(zone);
    else
        orchard_on(zone, 1 + dice(dice(3) == 0 ? 5 : dice(2) ? 600 : 4000));
}

/* More than may be on together. */
static void many_orders(void)
{
    for (unsigned zone = 1; zone <= ORCHARD_ZONES; zone++)
        orchard_on(zone, 300 + dice(300));
}

/* A lot of frames that are none, while somebody waters. */
static void noise(void)
{
    static const char *const frames[] = {
        "{\"method\":\"Zone.On\",\"params\":{\"zone\":1e9,\"seconds\":5}}",
        "{\"id\":1,\"method\":\"Zone.On\",\"params\":{\"zone\":6,\"seconds\":86401}}",
        "[[[[[[[[[[[[",
        "\xC3\x28",
        "",
        "{\"id\":1,\"method\":\"Zone.Status\"}"};

    for (int i = 0; i < 40; i++)
        th_sim_broker_publish(world->servers[0].broker, TH_SPAN("lamp/from/alice/rpc"),
                              th_span_str(frames[dice(sizeof frames / sizeof frames[0])]), 1);
    orchard_pass(SECOND);
}

static uint32_t a_while(void)
{
    static const uint32_t most[] = {MINUTE, 10 * MINUTE, 2 * HOUR, DAY + HOUR};

    return SECOND + dice(most[dice(4)]);
}

static void outage(void)
{
    uint32_t kind = dice(4);

    switch (kind) {
    case 0: th_sim_broker_stop(world->servers[0].broker); break;
    case 1: world->radio.gone = true; break;
    case 2: world->radio.dhcp_silent = true; break;
    default: world->servers[0].refuses_us = true; break;
    }
    orchard_pass(a_while());
    if (kind == 0)
        th_sim_broker_start(world->servers[0].broker, dice(2) == 0);
    world->radio.gone = world->radio.dhcp_silent = world->servers[0].refuses_us = false;
}

static void start_anew(void)
{
    switch (dice(4)) {
    case 0: orchard_start(TH_RESET_POWER_ON); break;
    case 1: orchard_start(TH_RESET_CRASH); break;
    case 2: orchard_start(TH_RESET_WATCHDOG); break;
    default: rig_ask("Sys.Reboot", "{}"); break;
    }
}

static void jump(void)
{
    int64_t off_ms = ((int64_t)dice(4 * HOUR) - 2 * HOUR) * (dice(3) == 0 ? 100 : 1);

    world->times.servers[0].off_ms = off_ms;
    th_device_set_clock(&world->device, dice(2) ? TH_CLOCK_TRUSTED : TH_CLOCK_HINT,
                        sim_time_now(&world->times) + off_ms, th_sim_now_ms(world->sim));
}

static void change(void)
{
    char config[64];

    snprintf(config, sizeof config, "{\"config\":{\"mqtt\":{\"keep_alive\":%u}}}", 30 + dice(60));
    world->user_silent = dice(4) == 0; /* nobody proves it: it is taken back */
    rig_ask("Config.Set", config);
    orchard_pass(dice(2) ? 5 * SECOND : 5 * MINUTE);
    world->user_silent = false;
}

static void one_event(void)
{
    bool hold = dice(3) == 0;

    orchard.hold_at = hold ? orchard.calls + dice(dice(2) ? 30 : 400) : UINT64_MAX;
    orchard.hold_ms = 1 + dice(HOLD_MS);
    switch (dice(12)) {
    case 0: outage(); break;
    case 1: start_anew(); break;
    case 2: jump(); break;
    case 3: change(); break;
    case 4: noise(); break;
    case 5: many_orders(); break;
    default: order(); break;
    }
    orchard_pass(hold ? 3 * HOLD_MS : 0);
    orchard.hold_at = UINT64_MAX;
    orchard_pass(dice(3) == 0 ? dice(6 * HOUR) : dice(20 * SECOND));
}

/* Until so many hours have passed or a fault was found; gives back the hours. */
static uint32_t a_season(enum orchard_plant plant, uint64_t seed, uint32_t hours)
{
    chance = seed;
    orchard_begin(plant, seed, UINT32_MAX - dice(40 * HOUR));
    while (th_sim_elapsed_ms(world->sim) < (uint64_t)hours * HOUR && orchard.fault[0] == '\0') {
        one_event();
        if (orchard.fault[0] == '\0')
            orchard_check();
    }
    return (uint32_t)(th_sim_elapsed_ms(world->sim) / HOUR);
}

/* ---- the tests ---- */

static void no_zone_is_on_past_its_lease_in_thousands_of_hours(void **state)
{
    unsigned seeds = full() ? 40 : 1;
    uint32_t hours = 0, orders = 0, weekly = 0, held = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        hours += a_season(PLANT_NOTHING, seed, full() ? 1500 : 2000);
        if (orchard.fault[0] != '\0')
            fail_msg("seed %u: %s", (unsigned)seed, orchard.fault);
        orders += orchard.done;
        weekly += orchard.weekly;
        held += orchard.held;
        orchard_end();
    }
    print_message("%u simulated hours, %u orders done, %u weekly starts, held %u times\n", hours,
                  orders, weekly, held);
    assert_true(orders > 200 && weekly > 20 && held > 50);
}

static void every_planted_fault_is_found(void **state)
{
    static const char *const names[PLANT_COUNT] = {"nothing",   "late",     "long",
                                                   "no groups", "no limit", "no master"};

    (void)state;
    for (int plant = PLANT_NOTHING + 1; plant < PLANT_COUNT; plant++) {
        uint32_t hours = a_season((enum orchard_plant)plant, 5, 1500);

        if (orchard.fault[0] == '\0')
            fail_msg("%s was not found", names[plant]);
        print_message("%s: found after %u h: %s\n", names[plant], hours, orchard.fault);
        orchard_end();
    }
}

/* R7: a week without any network. */
static void weekly_starts_need_no_network(void **state)
{
    (void)state;
    orchard_begin(PLANT_NOTHING, 9, 0);
    th_device_set_clock(&world->device, TH_CLOCK_TRUSTED, sim_time_now(&world->times),
                        th_sim_now_ms(world->sim));
    world->radio.gone = true;
    orchard.weekly = 0;
    orchard_pass(7 * (uint64_t)DAY);
    assert_string_equal(orchard.fault, "");
    /* Twice a day zone 1, once a day zone 5, four times a week zone 4. */
    assert_int_equal(orchard.weekly, 14 + 7 + 4);
    orchard_end();
}

static void scene(void)
{
    orchard_on(1, 2);
    orchard_on(2, 3); /* zone 1 goes off */
    orchard_on(6, 5);
    orchard_on(5, 1);
    orchard_on(3, 2); /* one too many */
    orchard_off(2);
    rig_ask("Config.Set", "{\"config\":{\"log\":{\"level\":\"warn\"}}}");
    orchard_pass(2 * SECOND);
    orchard_on(4, 3);
    rig_ask("Sys.Reboot", "{}");
    orchard_pass(10 * SECOND);
    orchard_on(1, 1);
    orchard_pass(5 * SECOND);
}

static uint64_t calls_of_scene(void)
{
    orchard_begin(PLANT_NOTHING, 3, UINT32_MAX - 12000);
    uint64_t before = orchard.calls;
    scene();
    uint64_t calls = orchard.calls - before;
    assert_string_equal(orchard.fault, "");
    assert_true(orchard.done >= 5);
    orchard_end();
    return calls;
}

static void pins_go_off_in_time_wherever_the_whole_loop_is_held(void **state) /* R9 */
{
    uint64_t calls = calls_of_scene(), runs = 0, held = 0;
    uint64_t step = full() ? 1 : calls / 25 + 1;

    (void)state;
    for (uint64_t at = 0; at < calls; at += step, runs++) {
        orchard_begin(PLANT_NOTHING, 3, UINT32_MAX - 12000);
        orchard.hold_at = orchard.calls + at;
        orchard.hold_ms = HOLD_MS;
        scene();
        held += orchard.held;
        if (orchard.fault[0] != '\0')
            fail_msg("held in call %u of the scene: %s", (unsigned)at, orchard.fault);
        orchard_end();
    }
    print_message("%u calls in the scene, %u runs, held in %u\n", (unsigned)calls, (unsigned)runs,
                  (unsigned)held);
    assert_true(held > runs / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weekly_starts_need_no_network),
        cmocka_unit_test(pins_go_off_in_time_wherever_the_whole_loop_is_held),
        cmocka_unit_test(every_planted_fault_is_found),
        cmocka_unit_test(no_zone_is_on_past_its_lease_in_thousands_of_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
