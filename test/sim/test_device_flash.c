/* SPDX-License-Identifier: MIT */
/*
 * R2 R5: whatever the flash holds, the device starts into a defined mode and runs; and each
 * resource may fail at its Nth use, once or for ever.
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
#define FLASH  (128u * 1024)
#define UNIT   1024u
#define USED   (64u * 1024) /* boot records, log, factory and identity lie below */
#define NEVER  UINT32_MAX

static struct device_world world;
static uint8_t good[FLASH];
static uint64_t chance = 1;

static uint32_t dice(uint32_t below)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((chance >> 33) % below);
}

static int enrol_once(void **state)
{
    (void)state;
    world_begin(&world, 1, 0);
    world_enrol(&world, false);
    assert_true(world_comes_up(&world, MINUTE));
    world_try(&world, "", "mqtt.keep_alive", "30", NULL);
    world_run(&world, 100); /* a trial is under way */
    memcpy(good, world.flash.cells, FLASH);
    world_end(&world);
    return 0;
}

static bool full_run(void)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");

    return mode && strcmp(mode, "full") == 0;
}

/* ---- R2 ---- */

static void mutate(uint8_t *cells)
{
    uint32_t at = dice(USED), len = 1 + dice(dice(4) ? 64 : UNIT);

    if (len > USED - at)
        len = USED - at;
    switch (dice(7)) {
    case 0: cells[at] ^= (uint8_t)(1u << dice(8)); break;
    case 1: memset(cells + at, 0xFF, len); break;
    case 2: memset(cells + at, 0, len); break;
    case 3:
        for (uint32_t i = 0; i < len; i++)
            cells[at + i] = (uint8_t)dice(256);
        break;
    case 4: memmove(cells + at, cells + dice(USED - len), len); break;
    case 5: memcpy(cells + dice(USED / UNIT) * UNIT, cells + dice(USED / UNIT) * UNIT, UNIT); break;
    case 6: memset(cells + dice(USED / UNIT) * UNIT, 0xFF, UNIT); break;
    }
}

static void fill(uint8_t *cells, uint32_t round)
{
    if (round % 8 == 0) {
        for (uint32_t i = 0; i < USED; i++)
            cells[i] = (uint8_t)dice(256);
        return;
    }
    memcpy(cells, good, FLASH);
    for (uint32_t n = 1 + dice(12); n > 0; n--)
        mutate(cells);
}

static void start_and_run(uint32_t round)
{
    static const enum th_reset_reason reasons[] = {
        TH_RESET_POWER_ON, TH_RESET_REQUESTED, TH_RESET_WATCHDOG, TH_RESET_CRASH, TH_RESET_UNKNOWN};

    world_start(&world, reasons[round % 5]);
    world_run(&world, 2500);
    enum th_device_mode mode = th_device_mode(&world.device);
    assert_true(mode == TH_MODE_CONFIG || mode == TH_MODE_MQTT || mode == TH_MODE_SAFE);
    /* And once more, out of what this start has made of it. */
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, 1000);
    assert_int_not_equal(th_device_mode(&world.device), TH_MODE_SAFE);
}

static void any_content_of_the_flash_starts_into_a_defined_mode(void **state)
{
    uint32_t rounds = full_run() ? 1000000 : 3000;

    (void)state;
    for (uint32_t round = 0; round < rounds; round++) {
        if (round % 50 == 0) {
            if (round > 0)
                world_end(&world);
            world_begin(&world, round, round * 2654435761u);
        }
        chance = round * UINT64_C(0x9E3779B97F4A7C15) + 1;
        fill(world.flash.cells, round);
        memset(world.flash.weak, 0, FLASH);
        start_and_run(round);
    }
    world_end(&world);
    printf("%u images\n", rounds);
}

static void garbage_in_rtc_memory_is_no_session(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        world_begin(&world, round, 0);
        memcpy(world.flash.cells, good, FLASH);
        world_start(&world, TH_RESET_REQUESTED);
        chance = round + 1;
        for (size_t i = 0; i < sizeof world.rtc; i++)
            world.rtc[i] = (uint8_t)dice(256);
        world.rtc[1] = (uint8_t)(round % 3);
        world_start(&world, TH_RESET_REQUESTED);
        assert_true(world_comes_up(&world, 2 * MINUTE));
        assert_int_equal(world.servers[0].resumed, 0);
        world_end(&world);
    }
}

/* ---- R5 ---- */

/* The Nth flash operation fails, and with `for_ever` all that follow: it runs on, says so, and is
 * whole again once the flash is. */
static bool flash_fails(uint32_t n, bool for_ever)
{
    world_begin(&world, n, 0);
    memcpy(world.flash.cells, good, FLASH);
    world.flash.fail_from = n;
    world.flash.fail_to = for_ever ? NEVER : n + 1;
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, MINUTE);
    world_try(&world, "", "mqtt.keep_alive", "45", NULL);
    world_run(&world, MINUTE);
    bool reached = world.flash.operation > n;
    world.flash.fail_from = world.flash.fail_to = 0;
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, 3 * MINUTE);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_MQTT);
    assert_true(world_is_up(&world));
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    world_end(&world);
    return reached;
}

static void each_flash_operation_may_fail_once_or_for_ever(void **state)
{
    (void)state;
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        uint32_t n = 0;

        while (flash_fails(n, for_ever))
            n++;
        assert_true(n > 8);
        printf("%s: %u operations\n", for_ever ? "for ever" : "once", n);
    }
}

/* T13: no handshake, no question, no key; and back once there is entropy again. */
static void entropy_that_fails_stops_what_needs_it_and_nothing_else(void **state)
{
    (void)state;
    world_begin(&world, 5, 0);
    memcpy(world.flash.cells, good, FLASH);
    world.node.entropy = TH_SIM_ENTROPY_FAILING;
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, 10 * MINUTE);
    assert_int_equal(world.times.servers[0].asked, 0);
    world.node.entropy = TH_SIM_ENTROPY_SEEDED;
    assert_true(world_comes_up(&world, 10 * MINUTE));
    world_end(&world);
}

/* Memory of the handshake that is not to be had, n times and then again. */
static struct th_span refuse(void *ctx, size_t len)
{
    int *left = ctx;

    if (len > sizeof world.scratch || *left > 0) {
        --*left;
        return th_span_of(NULL, 0);
    }
    return th_span_of(world.scratch, sizeof world.scratch);
}

static void give_back(void *ctx)
{
    (void)ctx;
}

static void memory_that_is_not_there_is_asked_for_again(void **state)
{
    static const struct th_loan_ops loan = {refuse, give_back};

    (void)state;
    for (int refusals = 0; refusals < 8; refusals++) {
        int left = refusals;

        world_begin(&world, 5, 0);
        memcpy(world.flash.cells, good, FLASH);
        world.config.loan.ops = &loan;
        world.config.loan.ctx = &left;
        world_start(&world, TH_RESET_POWER_ON);
        assert_true(world_comes_up(&world, 20 * MINUTE));
        assert_int_equal(world_said(&world, "memory: there was no memory for the handshake") > 0,
                         refusals > 0);
        world_end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_content_of_the_flash_starts_into_a_defined_mode),
        cmocka_unit_test(garbage_in_rtc_memory_is_no_session),
        cmocka_unit_test(each_flash_operation_may_fail_once_or_for_ever),
        cmocka_unit_test(entropy_that_fails_stops_what_needs_it_and_nothing_else),
        cmocka_unit_test(memory_that_is_not_there_is_asked_for_again),
    };

    return cmocka_run_group_tests(tests, enrol_once, NULL);
}
