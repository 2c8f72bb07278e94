/* SPDX-License-Identifier: MIT */
/*
 * R4 R7 R8: years of a device that is used: outages of broker and Wi-Fi, power cuts, changes of
 * settings and certificates, wrong time; and years of one that can never connect. What the flash
 * bears is counted. A few months each here, ten years with THIMBLE_TEST_MODE=full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device_world.h"

#define MINUTE 60000u
#define HOUR   (60u * MINUTE)
#define DAY    (24u * HOUR)

/* docs/device.md: erases a day of an erase unit of the log, which has 16 here. In ten years that is
 * 14,600 where a chip bears 100,000. What identity and factory area are erased counts as the log's.
 */
#define ERASES_A_DAY 4
#define LOG_UNITS    16

static struct device_world world;
static uint64_t chance = 7;

static uint32_t dice(uint32_t below)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((chance >> 33) % below);
}

static unsigned days_of(unsigned full, unsigned ci)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");

    return mode && strcmp(mode, "full") == 0 ? full : ci;
}

/* In long slices: nothing here dies in between. */
static void pass(uint64_t for_ms)
{
    for (; for_ms > MINUTE; for_ms -= MINUTE) {
        if (world.restarts)
            world_start(&world, TH_RESET_REQUESTED);
        th_sim_run(world.sim, MINUTE);
    }
    th_sim_run(world.sim, for_ms);
}

static void renew(unsigned n)
{
    uint8_t chain[] = {0x30, 8, 'c', 'h', 'a', 'i', 'n', '-', 'r', (uint8_t)n};
    struct th_device *device = &world.device;

    assert_int_equal(
        th_identity_next_make(&device->identity, &world.crypto, &world.board, TH_SPAN("lamp")),
        TH_OK);
    assert_int_equal(th_identity_next_certify(&device->identity, th_span_of(chain, sizeof chain)),
                     TH_OK);
    assert_int_equal(th_device_try_identity(device, "", th_sim_now_ms(world.sim)), TH_OK);
}

/* Something happens each day; certificates are renewed as they will be, twice a year. */
static void one_day(unsigned day)
{
    char seconds[8];

    switch (dice(8)) {
    case 0: th_sim_broker_stop(world.servers[0].broker); break;
    case 1: world.radio.gone = true; break;
    case 2: world.radio.dhcp_silent = true; break;
    case 3: world_start(&world, TH_RESET_POWER_ON); break;
    case 4: world_start(&world, TH_RESET_CRASH); break;
    case 5:
        snprintf(seconds, sizeof seconds, "%u", 30 + dice(60));
        world_try(&world, "", "mqtt.keep_alive", seconds, NULL);
        break;
    case 6: world_try(&world, "", "mqtt.server", "nowhere.example", NULL); break;
    case 7: world.times.servers[0].off_ms = (int64_t)dice(4000000000u) * 1000; break;
    }
    pass(2 * HOUR);
    th_sim_broker_start(world.servers[0].broker, true);
    world.radio.gone = world.radio.dhcp_silent = false;
    world.times.servers[0].off_ms = 0;
    pass(DAY - 2 * HOUR);
    assert_true(world_is_up(&world));
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    if (day % 90 == 89)
        renew(day / 90);
}

static void report(const char *what, unsigned days, uint32_t programs, uint32_t erases)
{
    printf("%s: %u days, %.1f programs and %.2f erases a day, %.2f of a unit\n", what, days,
           (double)programs / days, (double)erases / days, (double)erases / days / LOG_UNITS);
    assert_true(erases <= days * ERASES_A_DAY * LOG_UNITS);
}

static void years_of_use_stay_within_what_the_flash_bears(void **state)
{
    unsigned days = days_of(3650, 120);

    (void)state;
    world_begin(&world, 3, UINT32_MAX - 1000);
    world.servers[0].not_after_s = WORLD_NOW_S + 50 * WORLD_YEAR_S;
    world_enrol(&world, true);
    assert_true(world_comes_up(&world, MINUTE));
    uint32_t programs = world.flash.programs, erases = world.flash.erases;
    for (unsigned day = 0; day < days; day++)
        one_day(day);
    report("in use", days, world.flash.programs - programs, world.flash.erases - erases);
    world_end(&world);
}

/* A broker that is gone for good, two errors taking turns: the worst for the history. */
static void years_without_a_broker_stay_within_it_too(void **state)
{
    unsigned days = days_of(1000, 30);

    (void)state;
    world_begin(&world, 4, 0);
    world_enrol(&world, false);
    assert_true(world_comes_up(&world, MINUTE));
    th_sim_broker_stop(world.servers[0].broker);
    uint32_t programs = world.flash.programs, erases = world.flash.erases;
    for (unsigned hour = 0; hour < days * 24; hour++) {
        world.radio.gone = hour % 2 == 1;
        pass(HOUR);
    }
    report("no broker", days, world.flash.programs - programs, world.flash.erases - erases);
    world_end(&world);
}

/* A candidate that nobody can judge. */
static void a_trial_without_end_stays_within_it_too(void **state)
{
    unsigned days = days_of(1000, 30);

    (void)state;
    world_begin(&world, 5, 0);
    world_enrol(&world, true);
    assert_true(world_comes_up(&world, MINUTE));
    world.agent_silent = true;
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    uint32_t programs = world.flash.programs, erases = world.flash.erases;
    for (unsigned day = 0; day < days; day++)
        pass(DAY);
    assert_true(world_is_up(&world));
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_SETTINGS);
    report("a trial without end", days, world.flash.programs - programs,
           world.flash.erases - erases);
    world.agent_silent = false;
    pass(DAY);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(years_of_use_stay_within_what_the_flash_bears),
        cmocka_unit_test(years_without_a_broker_stay_within_it_too),
        cmocka_unit_test(a_trial_without_end_stays_within_it_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
