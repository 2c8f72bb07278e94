/* SPDX-License-Identifier: MIT */
#include "zones_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MASTER WORLD_ZONES

static const uint8_t gpio_pins[TH_OUTPUTS_MAX] = {3, 5, 4, 12, 13, 1, 2};

static const struct th_zone_rule rules[WORLD_ZONES] = {
    {3600, 1}, {600, 1}, {3600, 2}, {60, 2}, {900, 0}, {TH_ZONE_SECONDS_MAX, 0}};

/* ---- the judge ---- */

static uint8_t output_of(uint8_t wire)
{
    if (wire >= SIM_PINS)
        return (uint8_t)(wire - SIM_PINS);
    for (uint8_t i = 0; i <= MASTER; i++) {
        if (gpio_pins[i] == wire)
            return i;
    }
    fail_msg("wire %u is nobody's", wire);
    return 0;
}

static void judge_groups(const struct zones_world *world, uint64_t at_ms)
{
    int count = 0;

    for (uint8_t i = 0; i < WORLD_ZONES; i++)
        count += world->on[i];
    if ((world->on[0] && world->on[1]) || (world->on[2] && world->on[3]))
        fail_msg("%s: two zones of a group are on at %llu ms", world->id,
                 (unsigned long long)at_ms);
    if (count > 3)
        fail_msg("%s: %d zones are on at %llu ms", world->id, count, (unsigned long long)at_ms);
}

static void changed(void *ctx, uint8_t wire, bool level, uint64_t at_ms)
{
    struct zones_world *world = ctx;
    uint8_t output = output_of(wire);
    bool on = !level; /* both kinds of wire are low when on */

    if (output > MASTER)
        return;
    if (on != world->on[output])
        world->on_changes++;
    if (on && at_ms >= world->lease_end[output])
        fail_msg("%s: output %u goes on at %llu ms, lease to %llu", world->id, output,
                 (unsigned long long)at_ms, (unsigned long long)world->lease_end[output]);
    if (!on && world->on[output] && at_ms > world->lease_end[output])
        fail_msg("%s: output %u goes off at %llu ms, lease to %llu", world->id, output,
                 (unsigned long long)at_ms, (unsigned long long)world->lease_end[output]);
    world->on[output] = on;
    world->went_on[output] |= on;
    judge_groups(world, at_ms);
}

/* An output that never goes off makes no change to be judged. */
static void judge_now(const struct zones_world *world)
{
    for (uint8_t i = 0; i <= MASTER; i++) {
        if (world->on[i] && world->pins.now_ms >= world->lease_end[i])
            fail_msg("%s: output %u is on at %llu ms, lease to %llu", world->id, i,
                     (unsigned long long)world->pins.now_ms,
                     (unsigned long long)world->lease_end[i]);
    }
}

/* ---- orders ---- */

static uint32_t now_of(struct zones_world *world)
{
    return world->pins.board.clock.ops->now_ms(world->pins.board.clock.ctx);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void allow(struct zones_world *world, uint8_t output, uint64_t end)
{
    world->lease_end[output] = later(world->lease_end[output], end);
    world->lease_end[MASTER] = later(world->lease_end[MASTER], end);
}

void garden_begin(struct zones_world *world, bool over_spi, uint32_t start_ms)
{
    char id[sizeof world->id];

    memcpy(id, world->id, sizeof id);
    memset(world, 0, sizeof *world);
    memcpy(world->id, id, sizeof id);
    world->over_spi = over_spi;
    sim_pins_init(&world->pins, start_ms, (struct sim_pins_watch){changed, world});
    world->gpio = (struct th_outputs_gpio){
        .board = &world->pins.board, .count = WORLD_ZONES + 1, .active_low = true};
    memcpy(world->gpio.pins, gpio_pins, sizeof gpio_pins);
    world->spi.board = &world->pins.board;
    garden_start(world);
}

void garden_start(struct zones_world *world)
{
    struct th_zones_config config = {.count = WORLD_ZONES, .most_on = 3, .master = true};

    sim_pins_reset(&world->pins);
    memset(&world->zones, 0xA5, sizeof world->zones);
    config.outputs = world->over_spi ? &th_outputs_spi_ops : &th_outputs_gpio_ops;
    config.outputs_ctx = world->over_spi ? (void *)&world->spi : (void *)&world->gpio;
    memcpy(config.rules, rules, sizeof rules);
    assert_true(th_zones_init(&world->zones, &config, now_of(world)));
    world->resets++;
    for (uint8_t i = 0; i <= MASTER; i++)
        assert_false(world->on[i]);
}

enum th_zone_answer garden_on(struct zones_world *world, uint8_t zone, uint32_t seconds)
{
    uint32_t now_ms = now_of(world);
    uint64_t end = world->pins.now_ms + 1000 * (uint64_t)seconds;
    uint64_t before = zone <= WORLD_ZONES && zone > 0 ? world->lease_end[zone - 1] : 0;

    if (zone > 0 && zone <= WORLD_ZONES)
        allow(world, (uint8_t)(zone - 1), end);
    enum th_zone_answer answer = th_zones_on(&world->zones, zone, seconds, now_ms);
    world->orders++;
    judge_now(world);
    if (zone > 0 && zone <= WORLD_ZONES)
        world->lease_end[zone - 1] = answer == TH_ZONE_DONE ? end : before;
    judge_now(world);
    return answer;
}

void garden_off(struct zones_world *world, uint8_t zone)
{
    th_zones_off(&world->zones, zone, now_of(world));
    assert_false(world->on[zone - 1]);
    judge_now(world);
}

void garden_safe(struct zones_world *world)
{
    th_zones_safe(&world->zones, now_of(world));
    for (uint8_t i = 0; i <= MASTER; i++)
        assert_false(world->on[i]);
}

void garden_tick(struct zones_world *world, const struct th_clock_view *clock,
                 const uint32_t seconds[WORLD_ZONES + 1])
{
    uint32_t now_ms = now_of(world);
    uint64_t before[WORLD_ZONES], now = world->pins.now_ms;

    memcpy(before, world->lease_end, sizeof before);
    memset(world->went_on, 0, sizeof world->went_on);
    for (uint8_t i = 0; i < WORLD_ZONES; i++) {
        if (seconds[i + 1] > 0)
            allow(world, i, now + 1000 * (uint64_t)seconds[i + 1]);
    }
    th_zones_tick(&world->zones, clock, now_ms);
    for (uint8_t i = 0; i < WORLD_ZONES; i++) {
        if (!world->went_on[i])
            world->lease_end[i] = before[i];
    }
    judge_now(world);
}

void garden_check_reports(struct zones_world *world)
{
    uint32_t now_ms = now_of(world);
    bool any = false;

    for (uint8_t zone = 1; zone <= WORLD_ZONES; zone++) {
        struct th_zone_status status;

        assert_true(th_zones_status(&world->zones, zone, now_ms, &status));
        assert_true(status.actual_known);
        if (status.actual != world->on[zone - 1] || status.commanded != status.actual ||
            (status.left_s > 0) != status.commanded)
            fail_msg("%s: zone %u: commanded %d, said to be %d, is %d, %u s left", world->id, zone,
                     status.commanded, status.actual, world->on[zone - 1], status.left_s);
        any |= status.actual;
    }
    if (world->on[MASTER] != any)
        fail_msg("%s: the master valve is %s", world->id, any ? "closed" : "open");
}
