/* SPDX-License-Identifier: MIT */
/*
 * Devices that lose power at any operation of their flash.
 *
 * A scenario is a device small enough to be copied: what it does when power comes, what it may do
 * then, and what must hold. Two engines run it. power_cut() goes through a list of actions with one
 * cut, or a cut in the recovery from a cut, at each operation and under each tear. power_explore()
 * follows every state that any number of cuts can lead to, until none is new; docs/proof.md says
 * what that shows.
 */
#ifndef TH_TEST_POWER_H
#define TH_TEST_POWER_H

#include <stddef.h>
#include <stdio.h>

#include <thimble/log.h>

#include "ports/sim/flash.h"

#define POWER_FLASH  32768 /* bytes at most */
#define POWER_DEVICE 8192
#define POWER_GRAINS (POWER_FLASH / SIM_GRAIN)

/* One at a time, at a fixed place: a device may point into it. */
struct power_world {
    const struct power_scenario *scenario;
    struct sim_flash flash;
    bool on;           /* power is there; else the next thing is a start */
    bool crashed;      /* the start to come follows a crash, not a cut */
    const char *wrong; /* the invariant that broke; NULL */
    _Alignas(16) uint8_t device[POWER_DEVICE];
    uint8_t readings[POWER_GRAINS];
    uint8_t cells[POWER_FLASH], weak[POWER_FLASH];
};

/* What decides about all that can happen from now on, and how the weak cells can read at the next
 * start: each way gives a reading to each grain. */
#define POWER_WAYS 64
struct power_view {
    size_t len;
    unsigned ways;
    bool cramped; /* it did not fit: a limit of the test, not of the code under test */
    uint8_t bytes[8192];
    uint8_t readings[POWER_WAYS][POWER_GRAINS];
};

struct power_scenario {
    const char *name;
    struct th_flash_geometry geometry;
    size_t
        device_bytes; /* of world->device: RAM, and what the outside world knows. Begins zeroed */
    unsigned actions;
    unsigned variant; /* the scenario's own affair */
    /* Power has come. Ends early where it goes again. Checks what must hold and says what does not
     * in world->wrong. */
    void (*start)(struct power_world *world);
    /* One of the actions, with power on; the same duties. An action that is not possible now does
     * nothing. To crash: power_crash(). */
    void (*act)(struct power_world *world, unsigned action);
    /* Fills `view`; for power_explore() alone. */
    void (*look)(struct power_world *world, struct power_view *view);
};

extern struct power_world power_world;

/* The world as it is now, to come back to. free() it. */
struct power_saved *power_saved(const struct power_scenario *scenario);
void power_save(const struct power_scenario *scenario, struct power_saved *into);
void power_load(const struct power_scenario *scenario, const struct power_saved *from);

void power_blank(const struct power_scenario *scenario);
void power_crash(struct power_world *world);
/* For a scenario's look(). */
void power_view_add(struct power_view *view, const void *bytes, size_t len);
void power_view_number(struct power_view *view, uint32_t number);

/* The log in a region: `normal` replaces what a record holds by what of it matters. */
typedef size_t power_normal(uint8_t kind, uint8_t *record, size_t len);
void power_view_log(const struct power_world *world, struct th_log_region region,
                    power_normal *normal, struct power_view *view);
/* Its state in memory, with power on; after the one above. */
void power_view_mounted(const struct th_log *log, power_normal *normal, struct power_view *view);

#define POWER_ALL_TEARS ((1u << SIM_TEAR_KINDS) - 1)

struct power_bounds {
    uint32_t states;  /* stop at so many */
    unsigned tears;   /* bit n: SIM_TEAR n */
    unsigned compare; /* of so many states keep one, to compare others of its view with it */
};

struct power_count {
    uint32_t off, on; /* states without and with power */
    uint64_t moves;   /* taken from them */
    uint32_t merged;  /* moves into a state known in another raw form */
    uint32_t compared;
    bool closed; /* no state is left that was not followed */
};

/* Prints the first path that breaks an invariant. False then. */
bool power_explore(const struct power_scenario *scenario, struct power_bounds bounds,
                   struct power_count *count);

/* Runs `actions` with a cut, and with `second` tears (bit n: SIM_TEAR n) a second one in the
 * recovery from it; 0: none. Prints what breaks. */
bool power_cut(const struct power_scenario *scenario, const uint8_t *actions, size_t count,
               unsigned second, uint32_t seeds, uint64_t *cases);

/* What every run has time for, and all of them with --full. */
unsigned power_second_tears(void);

#endif
