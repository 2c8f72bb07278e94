/* SPDX-License-Identifier: MIT */
/*
 * R1 R3: the log under power cuts. A scenario of writes is run with power cut at each flash
 * operation, under each tear, and again in the recovery from that; afterwards each kind holds its
 * old record or its new one, whole, and every further start reads the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/log.h>

#include "ports/sim/flash.h"

#define UNIT   512u
#define UNITS  3u
#define KINDS  3
#define STEPS  14
#define STARTS 4

static uint32_t double_seeds = 2;
static uint8_t cells[UNIT * UNITS], weak[UNIT * UNITS];

static struct th_flash_geometry geometry = {UNIT * UNITS, UNIT, 4};
/* One erase unit a unit, and two of half the size. */
static struct th_log_region region = {0, UNITS, 1};

struct world {
    struct sim_flash flash;
    struct th_log log;
    uint8_t version[KINDS]; /* what each kind holds; 0: nothing */
    int written;            /* steps that returned TH_OK */
};

/* A record of version v of kind k is this many bytes, all of value v ^ k. */
static uint16_t length_of(int kind, uint8_t version)
{
    return (uint16_t)(1 + (version * 29 + kind * 17) % 60);
}

static struct th_span record_of(int kind, uint8_t version, uint8_t *into)
{
    memset(into, version ^ (kind << 5), 64);
    return th_span_of(into, length_of(kind, version));
}

/* The version found; -1 when it is no version at all. */
static int version_of(const struct th_log *log, int kind)
{
    uint8_t bytes[64], expected[64];
    size_t len = th_log_len(log, (uint8_t)kind);

    if (len == 0)
        return 0;
    if (len > sizeof bytes || th_log_read(log, (uint8_t)kind, 0, bytes, sizeof bytes) != len)
        return -1;
    uint8_t version = bytes[0] ^ (uint8_t)(kind << 5);
    struct th_span wanted = record_of(kind, version, expected);
    return th_span_equal(th_span_of(bytes, len), wanted) ? version : -1;
}

static enum th_error start(struct world *world, uint32_t seed)
{
    sim_flash_power_on(&world->flash, seed);
    return th_log_mount(&world->log, &sim_flash_ops, &world->flash, region, seed * 2654435761u);
}

/* Runs the scenario from where it stands; stops when power is gone. */
static void run(struct world *world)
{
    while (world->written < STEPS) {
        uint8_t buffer[64];
        int kind = world->written % KINDS;
        uint8_t version = (uint8_t)(world->written / KINDS + 1);

        if (th_log_write(&world->log, (uint8_t)kind, record_of(kind, version, buffer)))
            return;
        world->version[kind] = version;
        world->written++;
    }
}

/* After a cut: each kind holds what was acknowledged, but for the one being written, which may hold
 * the next; then that counts as written. */
static void settle(struct world *world, const char *id)
{
    for (int kind = 0; kind < KINDS; kind++) {
        int found = version_of(&world->log, kind);
        bool in_flight = world->written < STEPS && kind == world->written % KINDS;

        if (in_flight && found == world->written / KINDS + 1) {
            world->version[kind] = (uint8_t)found;
            world->written++;
            in_flight = false;
            continue;
        }
        if (found != world->version[kind])
            fail_msg("%s: kind %d holds %d, not %d", id, kind, found, world->version[kind]);
    }
}

static void check_all(struct world *world, const char *id)
{
    for (int kind = 0; kind < KINDS; kind++) {
        int found = version_of(&world->log, kind);

        if (found != world->version[kind])
            fail_msg("%s: a later start finds %d of kind %d, not %d", id, found, kind,
                     world->version[kind]);
    }
}

/* Starts again until nothing is cut any more, checks, finishes the scenario, checks again. */
static void recover(struct world *world, uint32_t seed, const char *id)
{
    if (start(world, seed))
        fail_msg("%s: it does not mount", id);
    settle(world, id);
    for (uint32_t i = 1; i < STARTS; i++) {
        if (start(world, seed + i * 7919))
            fail_msg("%s: it does not mount again", id);
        check_all(world, id);
    }
    run(world);
    if (world->written != STEPS)
        fail_msg("%s: the scenario does not go on", id);
    if (start(world, seed + 99991))
        fail_msg("%s: it does not mount at the end", id);
    check_all(world, id);
}

static void fresh(struct world *world, uint32_t seed)
{
    memset(world, 0, sizeof *world);
    sim_flash_init(&world->flash, geometry, cells, weak, seed);
}

/* Mounts and runs with a cut in operation `at`; false when the scenario needs fewer operations. */
static bool run_cut(struct world *world, uint32_t seed, uint32_t at, enum sim_tear tear)
{
    sim_flash_power_on(&world->flash, seed);
    sim_flash_cut(&world->flash, at, tear);
    if (th_log_mount(&world->log, &sim_flash_ops, &world->flash, region, seed) == TH_OK)
        run(world);
    return world->flash.dead;
}

static void a_cut_in_any_operation_leaves_old_or_new(void **state)
{
    (void)state;
    unsigned cases = 0;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        for (int tear = 0; tear < SIM_TEAR_KINDS; tear++) {
            for (uint32_t at = 0;; at++) {
                static struct world world;
                char id[64];

                snprintf(id, sizeof id, "seed %u tear %d at %u", seed, tear, at);
                fresh(&world, seed);
                if (!run_cut(&world, seed, at, (enum sim_tear)tear))
                    break;
                recover(&world, seed + 1000, id);
                cases++;
            }
        }
    }
    print_message("%u cuts\n", cases);
}

/* The second cut falls into the recovery from the first, or into what follows it. */
static void a_second_cut_in_the_recovery_changes_nothing(void **state)
{
    (void)state;
    unsigned cases = 0;
    for (uint32_t seed = 1; seed <= double_seeds; seed++) {
        for (int pair = 0; pair < SIM_TEAR_KINDS * SIM_TEAR_KINDS; pair++) {
            enum sim_tear one = (enum sim_tear)(pair / SIM_TEAR_KINDS);
            enum sim_tear two = (enum sim_tear)(pair % SIM_TEAR_KINDS);
            for (uint32_t at = 0;; at++) {
                static struct world after_one;
                static uint8_t cells_one[sizeof cells], weak_one[sizeof weak];
                uint32_t second = 0;

                fresh(&after_one, seed);
                if (!run_cut(&after_one, seed, at, one))
                    break;
                memcpy(cells_one, cells, sizeof cells);
                memcpy(weak_one, weak, sizeof weak);
                for (; second < 8; second++) {
                    static struct world world;
                    char id[96];

                    snprintf(id, sizeof id, "seed %u tears %d %d at %u %u", seed, one, two, at,
                             second);
                    world = after_one;
                    memcpy(cells, cells_one, sizeof cells);
                    memcpy(weak, weak_one, sizeof weak);
                    sim_flash_power_on(&world.flash, seed + 50);
                    sim_flash_cut(&world.flash, second, two);
                    if (th_log_mount(&world.log, &sim_flash_ops, &world.flash, region, seed) ==
                        TH_OK) {
                        settle(&world, id);
                        run(&world);
                    }
                    recover(&world, seed + 2000, id);
                    cases++;
                }
            }
        }
    }
    print_message("%u double cuts\n", cases);
}

static int units_of_two(void **state)
{
    (void)state;
    geometry.erase_unit = UNIT / 2;
    region.erase_units = 2;
    double_seeds = 1;
    return 0;
}

static int units_of_one(void **state)
{
    (void)state;
    geometry.erase_unit = UNIT;
    region.erase_units = 1;
    return 0;
}

/* Larger records than an erase unit takes: what a cut between two erases leaves. */
static void so_it_is_where_a_unit_has_several_erase_units(void **state)
{
    a_cut_in_any_operation_leaves_old_or_new(state);
    a_second_cut_in_the_recovery_changes_nothing(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_in_any_operation_leaves_old_or_new),
        cmocka_unit_test(a_second_cut_in_the_recovery_changes_nothing),
        cmocka_unit_test_setup_teardown(so_it_is_where_a_unit_has_several_erase_units, units_of_two,
                                        units_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
