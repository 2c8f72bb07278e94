/* SPDX-License-Identifier: MIT */
/*
 * R7 R8 R9: thousands of simulated hours of zones, and the loop held for 2 s at each place. The
 * judge is in zones_world.c: it sees every change of every wire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones_world.h"

#define HOLD_MS 2000
#define HOUR_MS 3600000u

static const struct th_clock_view no_clock;
static const uint32_t no_starts[WORLD_ZONES + 1];

static bool full(void)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");

    return mode && strcmp(mode, "full") == 0;
}

/* ---- the loop held at each place ---- */

static void wait_ms(struct zones_world *world, uint32_t ms)
{
    uint64_t end = world->pins.now_ms + ms;

    while (world->pins.now_ms < end) {
        uint32_t now_ms = (uint32_t)(world->pins.start_ms + world->pins.now_ms);
        uint32_t step = th_zones_deadline(&world->zones, now_ms);
        uint64_t left = end - world->pins.now_ms;

        sim_pins_pass(&world->pins, step < left ? (step ? step : 1) : left);
        garden_tick(world, &no_clock, no_starts);
    }
}

static void scene(struct zones_world *world)
{
    garden_on(world, 1, 1);
    wait_ms(world, 400);
    garden_on(world, 2, 3); /* zone 1 goes off */
    wait_ms(world, 300);
    garden_on(world, 2, 2); /* a shorter lease */
    garden_on(world, 3, 1);
    garden_on(world, 5, 5);
    garden_on(world, 6, 5); /* one too many */
    wait_ms(world, 1500);
    garden_off(world, 2);
    garden_on(world, 1, 2);
    garden_on(world, 4, 1); /* zone 3 goes off */
    wait_ms(world, 2500);
    garden_on(world, 6, 1);
    garden_safe(world);
    garden_on(world, 6, 1);
    garden_start(world);
    garden_on(world, 1, 1);
    wait_ms(world, 1200);
}

static void run_held(bool over_spi, uint32_t start_ms, uint32_t first, uint32_t second)
{
    static struct zones_world world;

    snprintf(world.id, sizeof world.id, "%s from %08x, held in calls %d and %d",
             over_spi ? "SPI" : "pins", start_ms, (int)first, (int)second);
    garden_begin(&world, over_spi, start_ms);
    world.pins.calls = 0;
    world.pins.hold_at[0] = first;
    world.pins.hold_at[1] = second;
    world.pins.hold_ms = HOLD_MS;
    scene(&world);
    wait_ms(&world, 6000);
    garden_check_reports(&world);
}

static uint32_t calls_of_scene(bool over_spi)
{
    static struct zones_world world;

    garden_begin(&world, over_spi, 0);
    world.pins.calls = 0;
    scene(&world);
    return world.pins.calls;
}

static void held_at_each_place_and_at_each_two(bool over_spi)
{
    static const uint32_t counters[] = {0, UINT32_MAX - 700, UINT32_MAX - 3000, INT32_MAX - 1000};
    uint32_t calls = calls_of_scene(over_spi), step = full() ? 1 : 7, runs = 0;

    for (size_t c = 0; c < sizeof counters / sizeof counters[0]; c++) {
        for (uint32_t first = 0; first < calls; first++) {
            run_held(over_spi, counters[c], first, UINT32_MAX);
            for (uint32_t second = first + 1; second < calls; second += step, runs++)
                run_held(over_spi, counters[c], first, second);
        }
    }
    print_message("%u calls of the board; %u runs with two holds\n", calls, runs);
}

static void pins_go_off_in_time_wherever_the_loop_is_held(void **state)
{
    (void)state;
    held_at_each_place_and_at_each_two(false);
}

static void spi_outputs_go_off_in_time_wherever_the_loop_is_held(void **state)
{
    (void)state;
    held_at_each_place_and_at_each_two(true);
}

/* ---- thousands of hours ---- */

struct season {
    struct zones_world world;
    uint64_t chance;
    uint32_t seconds[WORLD_ZONES + 1]; /* of the weekly starts */
    int64_t offset_s;                  /* of the working clock */
    enum th_clock_kind kind;
    uint32_t scheduled, missed, held;
};

static uint32_t draw(struct season *season, uint32_t below)
{
    season->chance = season->chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((season->chance >> 33) % below);
}

static struct th_clock_view clock_of(const struct season *season)
{
    struct th_clock_view view = {.kind = season->kind};

    view.now_s = 1767225600 + season->offset_s + (int64_t)(season->world.pins.now_ms / 1000);
    return view;
}

static void plan(struct season *season)
{
    static const char *const texts[WORLD_ZONES + 1] = {NULL,
                                                       "daily 06:00 600; daily 18:00 600",
                                                       "Mo,We 06:05 300",
                                                       "daily 02:30 60",
                                                       NULL,
                                                       "Sa-Su 06:02 900",
                                                       "Fr 23:59 7200"};
    static const uint32_t seconds[WORLD_ZONES + 1] = {0, 600, 300, 60, 0, 900, 7200};
    struct th_timezone zone;

    assert_int_equal(th_timezone_parse(&zone, TH_SPAN("CET-1CEST,M3.5.0,M10.5.0/3")), TH_OK);
    th_zones_timezone(&season->world.zones, &zone);
    for (uint8_t i = 1; i <= WORLD_ZONES; i++) {
        season->seconds[i] = seconds[i];
        if (texts[i])
            assert_int_equal(th_zones_schedule(&season->world.zones, i, th_span_str(texts[i])),
                             TH_ZONE_DONE);
    }
}

static void count_starts(struct season *season)
{
    uint8_t zone;

    while ((zone = th_zones_changed(&season->world.zones)) != 0) {
        struct th_zone_status status;

        th_zones_status(&season->world.zones, zone,
                        (uint32_t)(season->world.pins.start_ms + season->world.pins.now_ms),
                        &status);
        season->scheduled += status.commanded && status.cause == TH_ZONE_SCHEDULE;
    }
}

static void let_be(struct season *season, uint64_t ms)
{
    uint64_t end = season->world.pins.now_ms + ms;

    while (season->world.pins.now_ms < end) {
        struct zones_world *world = &season->world;
        uint32_t now_ms = (uint32_t)(world->pins.start_ms + world->pins.now_ms);
        uint32_t step = th_zones_deadline(&world->zones, now_ms);
        uint64_t left = end - world->pins.now_ms;
        struct th_clock_view clock;

        sim_pins_pass(&world->pins, step < left ? (step ? step : 1) : left);
        clock = clock_of(season);
        garden_tick(world, &clock, season->seconds);
        count_starts(season);
    }
}

static void one_event(struct season *season)
{
    struct zones_world *world = &season->world;
    struct th_zones_report report;

    if (draw(season, 3) == 0) {
        world->pins.hold_at[0] = world->pins.calls + draw(season, 24);
        world->pins.hold_at[1] = world->pins.hold_at[0] + draw(season, 24);
        world->pins.hold_ms = 1 + draw(season, HOLD_MS);
        season->held++;
    }
    switch (draw(season, 12)) {
    case 0: garden_safe(world); break;
    case 1: garden_off(world, (uint8_t)(1 + draw(season, WORLD_ZONES))); break;
    case 2:
        th_zones_report(&world->zones, &report);
        season->missed += report.missed;
        garden_start(world);
        plan(season);
        break;
    case 3: season->kind = (enum th_clock_kind)draw(season, 3); break;
    case 4: season->offset_s += (int64_t)draw(season, 7200) - 3600; break;
    case 5: season->offset_s += ((int64_t)draw(season, 200) - 100) * 86400; break;
    default:
        garden_on(world, (uint8_t)draw(season, WORLD_ZONES + 2),
                  draw(season, draw(season, 2) ? 5 : 4000));
        break;
    }
    world->pins.hold_at[0] = world->pins.hold_at[1] = UINT32_MAX;
}

static void a_season(bool over_spi, uint64_t seed, uint32_t hours)
{
    static struct season season;
    uint64_t end = (uint64_t)hours * HOUR_MS;

    memset(&season, 0, sizeof season);
    season.chance = seed;
    season.kind = TH_CLOCK_TRUSTED;
    snprintf(season.world.id, sizeof season.world.id, "%s, seed %llu", over_spi ? "SPI" : "pins",
             (unsigned long long)seed);
    garden_begin(&season.world, over_spi, UINT32_MAX - draw(&season, 2 * HOUR_MS));
    plan(&season);
    while (season.world.pins.now_ms < end) {
        one_event(&season);
        let_be(&season, draw(&season, draw(&season, 4) ? 5000 : 4 * HOUR_MS));
        garden_check_reports(&season.world);
    }
    print_message("%u h, %llu orders, %u scheduled, %u holds, %llu resets, %llu changes of wires\n",
                  hours, (unsigned long long)season.world.orders, season.scheduled, season.held,
                  (unsigned long long)season.world.resets,
                  (unsigned long long)season.world.on_changes);
    assert_true(season.scheduled > 0 && season.held > 0 && season.world.resets > 1);
}

static void no_output_is_on_past_its_lease_in_thousands_of_hours(void **state)
{
    (void)state;
    uint32_t seeds = full() ? 40 : 2;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        a_season(false, seed, 1500);
        a_season(true, seed, 1500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_go_off_in_time_wherever_the_loop_is_held),
        cmocka_unit_test(spi_outputs_go_off_in_time_wherever_the_loop_is_held),
        cmocka_unit_test(no_output_is_on_past_its_lease_in_thousands_of_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
