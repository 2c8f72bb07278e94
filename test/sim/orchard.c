/* SPDX-License-Identifier: MIT */
#include "orchard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct orchard orchard;

static struct device_world *const world = &rig.world;
static const uint8_t wires[ORCHARD_ZONES + 1] = {5, 4, 14, 12, 13, 2, 15};
static const struct th_flash_ops *flash_ops;
static struct th_flash_ops slow_flash;

#define MASTER  ORCHARD_ZONES
#define MOST_ON 3
#define SECONDS "3600,600,3600,600,900,86400"
#define LATE_MS 200

/* ---- the judge ---- */

static void found(uint64_t at_ms, const char *what, unsigned wire)
{
    if (orchard.fault[0] == '\0')
        snprintf(orchard.fault, sizeof orchard.fault,
                 "%s: wire of zone %u at %llu ms, lease to %llu", what, wire + 1,
                 (unsigned long long)at_ms, (unsigned long long)orchard.lease_end[wire]);
}

static void judge_together(uint64_t at_ms, unsigned n)
{
    int count = 0;

    for (unsigned i = 0; i < ORCHARD_ZONES; i++)
        count += orchard.on[i];
    if ((orchard.on[0] && orchard.on[1]) || (orchard.on[2] && orchard.on[3]))
        found(at_ms, "two of a group", n);
    if (count > MOST_ON)
        found(at_ms, "too many", n);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void changed(void *ctx, uint8_t wire, bool level, uint64_t at_ms)
{
    const uint8_t *place = memchr(wires, wire, sizeof wires);
    bool on = !level; /* relays that are on when low */

    (void)ctx;
    if (!place)
        return;
    unsigned n = (unsigned)(place - wires);
    if (on == orchard.on[n])
        return;
    if (on ? at_ms >= orchard.lease_end[n] && n != MASTER : at_ms > orchard.lease_end[n])
        found(at_ms, on ? "on without a lease" : "on past its lease", n);
    orchard.on[n] = on;
    orchard.switched_on += on;
    judge_together(at_ms, n);
}

/* What never goes off makes no change to be judged. */
static void judge_now(void)
{
    for (unsigned n = 0; n <= MASTER; n++) {
        if (orchard.on[n] && orchard.pins.now_ms > orchard.lease_end[n])
            found(orchard.pins.now_ms, "on past its lease", n);
    }
}

/* ---- the board ---- */

static void keep_up(void)
{
    uint64_t now = th_sim_elapsed_ms(world->sim);

    if (now > orchard.pins.now_ms)
        sim_pins_pass(&orchard.pins, now - orchard.pins.now_ms);
    judge_now();
}

/* Every call in a step may be where the loop is held: the world goes on without it. */
static void enter(void)
{
    if (world->busy && orchard.calls++ == orchard.hold_at) {
        orchard.held++;
        th_sim_run(world->sim, orchard.hold_ms);
    }
    keep_up();
}

static bool set(void *ctx, uint8_t pin, enum th_pin_level level)
{
    (void)ctx;
    enter();
    return orchard.pins.board.pins.ops->set(&orchard.pins, pin, level);
}

static bool get(void *ctx, uint8_t pin, enum th_pin_level *level)
{
    (void)ctx;
    enter();
    return orchard.pins.board.pins.ops->get(&orchard.pins, pin, level);
}

/* What is armed beyond the lease is a weekly start, where the zone has any and it is no longer. */
static void weekly_start(uint8_t pin, uint32_t at_ms)
{
    const uint8_t *place = memchr(wires, pin, ORCHARD_ZONES);
    unsigned n = place ? (unsigned)(place - wires) : ORCHARD_ZONES;
    uint32_t ahead_ms = at_ms - (uint32_t)(orchard.pins.start_ms + orchard.pins.now_ms);

    if (n == ORCHARD_ZONES || ahead_ms > 1000 * orchard.weekly_s[n] ||
        orchard.pins.now_ms + ahead_ms <= orchard.lease_end[n])
        return;
    orchard.lease_end[n] = orchard.pins.now_ms + ahead_ms;
    orchard.lease_end[MASTER] = later(orchard.lease_end[MASTER], orchard.lease_end[n]);
    orchard.weekly++;
}

static bool arm_off(void *ctx, uint8_t pin, enum th_pin_level safe, uint32_t at_ms)
{
    (void)ctx;
    enter();
    weekly_start(pin, at_ms);
    if (orchard.plant == PLANT_LATE)
        at_ms += LATE_MS;
    return orchard.pins.board.pins.ops->arm_off(&orchard.pins, pin, safe, at_ms);
}

static const struct th_pin_ops held_pins = {set, get, arm_off};

static bool slow_read(void *ctx, uint32_t offset, uint8_t *into, size_t len)
{
    enter();
    return flash_ops->read(ctx, offset, into, len);
}

static bool slow_program(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len)
{
    enter();
    return flash_ops->program(ctx, offset, bytes, len);
}

static bool slow_erase(void *ctx, uint32_t offset)
{
    enter();
    return flash_ops->erase(ctx, offset);
}

static void wire_board(void)
{
    flash_ops = world->board.flash.ops;
    slow_flash = (struct th_flash_ops){flash_ops->geometry, slow_read, slow_program, slow_erase};
    world->board.flash.ops = &slow_flash;
    world->board.pins.ops = &held_pins;
    world->board.pins.ctx = &orchard;
}

/* ---- time ---- */

static void run(uint32_t ms)
{
    orchard_pass(ms);
}

void orchard_pass(uint64_t ms)
{
    uint64_t end = th_sim_elapsed_ms(world->sim) + ms;

    while (th_sim_elapsed_ms(world->sim) < end && orchard.fault[0] == '\0') {
        uint64_t left = end - th_sim_elapsed_ms(world->sim);

        if (world->restarts)
            orchard_start(TH_RESET_REQUESTED);
        th_sim_run(world->sim, left < 60000 ? left : 60000);
        keep_up();
    }
}

void orchard_start(enum th_reset_reason reason)
{
    sim_pins_reset(&orchard.pins);
    world_start(world, reason);
}

/* ---- orders ---- */

static void grant(unsigned zone, uint64_t end)
{
    orchard.lease_end[zone - 1] = end;
    orchard.lease_end[MASTER] = later(orchard.lease_end[MASTER], end);
}

/* Until its answer is there the order may have been taken or not. */
void orchard_on(unsigned zone, uint32_t seconds)
{
    uint32_t taken = orchard.plant == PLANT_LONG ? seconds + seconds / 10 : seconds;
    uint64_t before = orchard.lease_end[zone - 1];
    uint64_t slack = ORCHARD_SLACK + (orchard.hold_at != UINT64_MAX ? 2 * orchard.hold_ms : 0);
    uint64_t end = th_sim_elapsed_ms(world->sim) + slack + 1000 * (uint64_t)seconds;
    char frame[120];

    snprintf(frame, sizeof frame,
             "{\"id\":1,\"method\":\"Zone.On\",\"params\":{\"zone\":%u,\"seconds\":%u}}", zone,
             (unsigned)taken);
    grant(zone, later(before, end));
    rig_send("alice", frame, (uint32_t)(200 + 2 * slack));
    orchard.orders++;
    if (strstr(rig.answer, "\"on\":true")) {
        grant(zone, end);
        orchard.done++;
    } else if (strstr(rig.answer, "\"error\"")) {
        orchard.lease_end[zone - 1] = before;
    }
    judge_now();
}

void orchard_off(unsigned zone)
{
    uint32_t weekly = orchard.weekly;
    char params[32];

    snprintf(params, sizeof params, "{\"zone\":%u}", zone);
    rig_ask("Zone.Off", params);
    /* A weekly start may follow at once. */
    if (strstr(rig.answer, "\"on\":false") && orchard.on[zone - 1] && orchard.weekly == weekly)
        found(orchard.pins.now_ms, "on after Zone.Off", zone - 1);
}

void orchard_check(void)
{
    bool any = false;

    keep_up();
    for (unsigned n = 0; n < ORCHARD_ZONES; n++)
        any |= orchard.on[n];
    if (orchard.on[MASTER] != any)
        found(orchard.pins.now_ms, "the master does not go with its zones", MASTER);
    for (uint8_t zone = 1; zone <= ORCHARD_ZONES && orchard.zones.ready; zone++) {
        struct th_zone_status status;

        th_zones_status(&orchard.zones.zones, zone, th_sim_now_ms(world->sim), &status);
        if (status.actual_known && status.actual != orchard.on[zone - 1])
            found(orchard.pins.now_ms, "told otherwise than the wire shows", zone - 1u);
    }
}

/* ---- beginning ---- */

static void set_zones(void)
{
    struct th_settings settings = {&world->device.log, TH_RECORD_SETTINGS};
    struct th_settings_change change;
    const char *why = "";
    const char *const pairs[][2] = {
        {"zones.count", "6"},
        {"zones.pins", orchard.plant == PLANT_NO_MASTER ? "5,4,14,12,13,2,0" : "5,4,14,12,13,2,15"},
        {"zones.master", "true"},
        {"zones.most_on", orchard.plant == PLANT_NO_LIMIT ? "0" : "3"},
        {"zones.most_s", SECONDS},
        {"zones.groups", orchard.plant == PLANT_NO_GROUPS ? "0" : "1,1,2,2,0,0"},
        {"zones.start1", "daily 06:00 600; daily 18:00 600"},
        {"zones.start5", "daily 06:02 900"},
        {"zones.start4", "Mo,We,Fr 06:01 60; Su 23:59 60"},
        {"sys.tz_spec", "CET-1CEST,M3.5.0,M10.5.0/3"},
    };

    assert_int_equal(th_settings_begin(&change, &settings, world->work, sizeof world->work), TH_OK);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(th_settings_put(&change, th_setting_find(th_span_str(pairs[i][0])),
                                         th_span_str(pairs[i][1]), &why),
                         TH_OK);
    assert_int_equal(th_settings_commit(&change, &settings), TH_OK);
    orchard.weekly_s[0] = 600;
    orchard.weekly_s[4] = 900;
    orchard.weekly_s[3] = 60;
}

void orchard_begin(enum orchard_plant plant, uint64_t seed, uint32_t start_ms)
{
    memset(&orchard, 0, sizeof orchard);
    orchard.plant = plant;
    orchard.hold_at = UINT64_MAX;
    rig_begin_at(NULL, 0, seed, start_ms);
    rig.run = run;
    sim_pins_init(&orchard.pins, start_ms, (struct sim_pins_watch){changed, NULL});
    wire_board();
    th_zone_service_init(&orchard.zones);
    assert_true(th_requests_add(&rig.requests, th_zone_methods(&orchard.zones)));
    rig_start(th_zone_service(&orchard.zones));
    set_zones();
    orchard_start(TH_RESET_POWER_ON);
    for (int i = 0; i < 60 && !world_is_up(world); i++)
        orchard_pass(1000);
    assert_true(world_is_up(world));
    orchard_pass(3000);
}

void orchard_end(void)
{
    world_end(world);
}
