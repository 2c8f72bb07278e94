/* SPDX-License-Identifier: MIT */
/*
 * I5 I11 C1 C2 C3 C4 C5: 400 days of devices whose certificates live for 180, beside a broker that
 * looks at their dates by the true time and gets a new certificate itself. Power goes, the broker
 * restarts, the agent is away for a month and lives in 2040 for a while, servers of time lie. Each
 * day: the device is connected, its certificate has not ended, the floor has not gone back and is
 * nowhere ahead of what was signed. Two devices here, twenty with THIMBLE_TEST_MODE=full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world_renewals.h"

#define MINUTE 60000u
#define HOUR   (60u * MINUTE)
#define DAY    (24u * HOUR)
#define DAYS   400

static struct device_world world;
static struct world_renewals renewals;
static uint64_t chance;
static int64_t floor_s, signed_s; /* signed: the newest date that the floor may know */
static uint8_t keys[16][32];      /* that the device has had */
static unsigned key_count;

static uint32_t dice(uint32_t below)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((chance >> 33) % below);
}

static void pass(uint64_t for_ms)
{
    for (; for_ms > HOUR; for_ms -= HOUR)
        th_sim_run(world.sim, HOUR);
    th_sim_run(world.sim, for_ms);
}

static int64_t now_s(void)
{
    return sim_time_now(&world.times) / 1000;
}

/* ---- what happens ---- */

static void something_of_every_day(void)
{
    switch (dice(12)) {
    case 0: world_start(&world, TH_RESET_POWER_ON); break;
    case 1:
        th_sim_broker_stop(world.servers[0].broker);
        pass(10 * MINUTE);
        th_sim_broker_start(world.servers[0].broker, true);
        break;
    case 2: world.times.servers[0].off_ms = 20 * WORLD_YEAR_S * 1000; break; /* C4 */
    case 3: world.times.servers[0].off_ms = -3 * WORLD_YEAR_S * 1000; break;
    default: world.times.servers[0].off_ms = 0; break;
    }
}

/* The broker's certificate lives for a year: a full handshake shows the device the new one, and its
 * notBefore is signed. */
static void renew_the_broker(void)
{
    world.servers[0].not_before_s = now_s() - 600;
    world.servers[0].not_after_s = now_s() + WORLD_YEAR_S;
    world.servers[0].remembers = 0;
    signed_s = world.servers[0].not_before_s;
    th_sim_broker_stop(world.servers[0].broker);
    pass(MINUTE);
    th_sim_broker_start(world.servers[0].broker, true);
    pass(30 * MINUTE);
    assert_true(world.device.clock.floor_s == signed_s); /* C1: it rises by what was verified */
}

/* C3 C4: by the agent's word the broker's certificate has ended in 2040, and the device's own is
 * due: it comes and goes, and is back once the agent is right. */
static void an_agent_in_2040(void)
{
    uint8_t serial[sizeof renewals.renew.serial];

    memcpy(serial, renewals.renew.serial, sizeof serial);
    world.agent_off_ms = 14 * WORLD_YEAR_S * 1000;
    pass(2 * HOUR);
    assert_true(world.device.clock.floor_s == signed_s);
    world.agent_off_ms = 0;
    pass(30 * MINUTE);
    assert_true(world_is_up(&world));
    assert_true(world.device.clock.kind == TH_CLOCK_TRUSTED);
    assert_memory_equal(renewals.renew.serial, serial, sizeof serial);
}

static void agent_of_the_day(unsigned day)
{
    renewals.mood = day >= 95 && day < 125 ? AGENT_IS_AWAY : AGENT_GIVES;
}

/* C2: an old certificate, which ended before what is known to be signed, is refused whatever the
 * clocks say. C5: one that ended behind the floor is found out by the agent's time. */
static void old_certificates(void)
{
    struct world_server *server = &world.servers[0];
    int64_t from_s = server->not_before_s, until_s = server->not_after_s;
    const int64_t ends[] = {signed_s - 86400, signed_s + 60};

    world.times.servers[0].off_ms = 0;
    for (int i = 0; i < 2; i++) {
        server->not_before_s = signed_s - WORLD_YEAR_S;
        server->not_after_s = ends[i];
        server->remembers = 0;
        world_start(&world, TH_RESET_POWER_ON);
        pass(20 * MINUTE);
        assert_false(world_is_up(&world));
        assert_true(world_said(&world, "expired") > 0);
        assert_true(world.device.clock.floor_s == signed_s);
    }
    server->not_before_s = from_s;
    server->not_after_s = until_s;
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(world_comes_up(&world, 10 * MINUTE));
}

/* ---- what must hold ---- */

static void note_key(void)
{
    const uint8_t *key = world.device.credential.key + 7;

    if (key_count > 0 && memcmp(keys[key_count - 1], key, 32) == 0)
        return;
    assert_true(key_count < sizeof keys / sizeof keys[0]);
    for (unsigned i = 0; i < key_count; i++) {
        assert_memory_not_equal(keys[i], key, 32);
        assert_false(world_holds(&world, keys[i], 32)); /* the old ones are gone */
    }
    memcpy(keys[key_count++], key, 32);
}

static void see(unsigned day)
{
    if (!world_is_up(&world) || renewals.renew.not_after_s <= now_s())
        fail_msg("day %u: %s, its certificate ends in %lld days", day,
                 world_is_up(&world) ? "connected" : "not connected",
                 (long long)(renewals.renew.not_after_s - now_s()) / 86400);
    assert_true(world.device.clock.floor_s >= floor_s);  /* C1 */
    assert_true(world.device.clock.floor_s <= signed_s); /* C1 C3 */
    floor_s = world.device.clock.floor_s;
    if (th_trial_component(&world.device.trial) == TH_TRIAL_NOTHING)
        note_key();
}

static void live(uint64_t seed)
{
    chance = seed;
    key_count = 0;
    world_begin(&world, seed, (uint32_t)(seed * 123456789));
    world_renewals_begin(&renewals, &world);
    world.servers[0].not_after_s = WORLD_NOW_S + WORLD_YEAR_S;
    signed_s = world.servers[0].not_before_s;
    floor_s = 0;
    world_enrol(&world, true);
    assert_true(world_comes_up(&world, MINUTE));
    world_run(&world, 5000);
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "1200", NULL), TH_OK); /* for speed */
    world_run(&world, MINUTE);
    world_renews_now(&renewals);
    uint32_t erases = world.flash.erases;
    for (unsigned day = 1; day <= DAYS; day++) {
        agent_of_the_day(day);
        something_of_every_day();
        if (day == 150)
            renew_the_broker();
        if (day == 200)
            an_agent_in_2040();
        if (day == 350)
            old_certificates();
        pass(DAY);
        see(day);
    }
    printf("seed %llu: %u certificates asked for, %u keys in force, %u erases\n",
           (unsigned long long)seed, renewals.issued, key_count, world.flash.erases - erases);
    assert_true(key_count >= 4);
    world_end(&world);
}

static void four_hundred_days(void **state)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");
    unsigned devices = mode && strcmp(mode, "full") == 0 ? 20 : 2;

    (void)state;
    for (unsigned i = 0; i < devices; i++)
        live(1000 + i);
}

static int make_root(void **state)
{
    (void)state;
    world_renewals_root();
    return 0;
}

static int free_root(void **state)
{
    (void)state;
    world_renewals_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(four_hundred_days)};

    return cmocka_run_group_tests(tests, make_root, free_root);
}
