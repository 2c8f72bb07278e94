/* SPDX-License-Identifier: MIT */
/* Runs a list of actions with power cut at each operation of the flash, under each tear. */
#include <stdlib.h>
#include <string.h>

#include "power.h"

struct cut {
    uint32_t at;
    enum sim_tear tear;
    unsigned reading; /* how the weak cells read at the start after it */
};

struct run {
    const struct power_scenario *scenario;
    const uint8_t *actions;
    size_t count;
    uint32_t seed;
    uint64_t cases;
    struct cut cuts[2];
    unsigned depth;
    unsigned tears[2]; /* of the first and of the second cut; 0: no such cut */
};

/* Readings of weak cells at one start: all ones, all zeros, or each grain in its own way. */
#define READINGS 3

static void set_readings(uint32_t seed, unsigned reading)
{
    for (uint32_t grain = 0; grain < power_world.flash.geometry.size / SIM_GRAIN; grain++) {
        uint32_t chance = (grain + seed) * 2654435761u;

        power_world.readings[grain] =
            (uint8_t)(reading < 2 ? reading : (chance >> 16 ^ chance >> 24) % SIM_READINGS);
    }
}

static void power_on(const struct run *run, unsigned reading)
{
    struct power_world *world = &power_world;

    set_readings(run->seed + (uint32_t)run->cases, reading);
    sim_flash_power_on(&world->flash, run->seed);
    world->flash.cut_at = UINT32_MAX;
    world->on = true;
}

static void start(const struct run *run)
{
    struct power_world *world = &power_world;

    run->scenario->start(world);
    world->crashed = false;
}

/* A start and the actions, as far as power lasts. An action may end in a crash: then the next start
 * comes at once. */
static void live(const struct run *run)
{
    struct power_world *world = &power_world;

    start(run);
    for (size_t i = 0; i < run->count && !world->flash.dead && !world->wrong; i++) {
        run->scenario->act(world, run->actions[i]);
        if (!world->on && !world->flash.dead) {
            world->on = true;
            start(run);
        }
    }
}

static bool report(const struct run *run)
{
    printf("%s: %s; seed %u", run->scenario->name, power_world.wrong, run->seed);
    for (unsigned i = 0; i < run->depth; i++)
        printf(", operation %u tear %d then read in way %u", run->cuts[i].at, run->cuts[i].tear,
               run->cuts[i].reading);
    printf("\n");
    return false;
}

/* Cuts have stopped: it starts, says the same at every further start, and goes on. */
static bool converges(struct run *run, unsigned reading)
{
    run->cases++;
    for (unsigned i = 0; i < READINGS && !power_world.wrong; i++) {
        power_on(run, (reading + i) % READINGS);
        start(run);
    }
    if (!power_world.wrong)
        live(run);
    if (!power_world.wrong) {
        power_on(run, 0);
        start(run);
    }
    return !power_world.wrong || report(run);
}

static bool cut_next(struct run *run, uint32_t most);

static bool after_cut(struct run *run)
{
    struct power_saved *kept = power_saved(run->scenario);
    bool good = true;

    power_save(run->scenario, kept);
    for (unsigned reading = 0; good && reading < READINGS; reading++) {
        run->cuts[run->depth - 1].reading = reading;
        power_load(run->scenario, kept);
        good = converges(run, reading);
        if (good && run->depth == 1 && run->tears[1]) {
            power_load(run->scenario, kept);
            good = cut_next(run, 8);
        }
    }
    free(kept);
    return good;
}

/* A cut in each of the next `most` operations, if there are so many. */
static bool cut_next(struct run *run, uint32_t most)
{
    struct power_saved *kept = power_saved(run->scenario);
    bool good = true, more = true;
    unsigned tears = run->tears[run->depth];

    power_save(run->scenario, kept);
    for (uint32_t at = 0; good && more && at < most; at++) {
        for (unsigned tear = SIM_TEAR_WHOLE; good && more && tear < SIM_TEAR_KINDS; tear++) {
            if (!(tears >> tear & 1))
                continue;
            power_load(run->scenario, kept);
            power_on(run, run->depth ? run->cuts[run->depth - 1].reading : 0);
            sim_flash_cut(&power_world.flash, at, (enum sim_tear)tear);
            live(run);
            more = power_world.flash.dead;
            if (power_world.wrong)
                good = report(run);
            if (!good || !more)
                break;
            power_world.on = false;
            run->cuts[run->depth++] = (struct cut){at, (enum sim_tear)tear, 0};
            good = after_cut(run);
            run->depth--;
        }
    }
    free(kept);
    return good;
}

bool power_cut(const struct power_scenario *scenario, const uint8_t *actions, size_t count,
               unsigned second, uint32_t seeds, uint64_t *cases)
{
    struct run run = {.scenario = scenario,
                      .actions = actions,
                      .count = count,
                      .tears = {POWER_ALL_TEARS, second}};
    bool good = true;

    for (uint32_t seed = 1; good && seed <= seeds; seed++) {
        run.seed = seed;
        power_blank(scenario);
        power_world.flash.by_count = false;
        good = cut_next(&run, UINT32_MAX);
    }
    *cases = run.cases;
    return good;
}

unsigned power_second_tears(void)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");
    bool full = mode != NULL && strcmp(mode, "full") == 0;

    return full ? POWER_ALL_TEARS : 1u << SIM_TEAR_SOME | 1u << SIM_TEAR_MARGINAL;
}
