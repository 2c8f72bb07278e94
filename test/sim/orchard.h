/* SPDX-License-Identifier: MIT */
/*
 * A whole device with six zones and a master valve in the simulated world, its pins judged: no zone
 * is on past its lease, zones of a group exclude each other, no more than three are on at once. The
 * loop can be held in any call to pins, flash and RTC memory; faults can be planted that the judge
 * must find.
 */
#ifndef ORCHARD_H
#define ORCHARD_H

#include <thimble/zone_service.h>

#include "ports/sim/sim_pins.h"
#include "service_rig.h"

#define ORCHARD_ZONES 6
#define ORCHARD_SLACK 60 /* ms from an order at the broker to the device: latency, two steps */

enum orchard_plant {
    PLANT_NOTHING,
    PLANT_LATE,      /* what is armed goes off 200 ms late */
    PLANT_LONG,      /* the device takes a tenth more seconds than it was given */
    PLANT_NO_GROUPS, /* it knows nothing of groups */
    PLANT_NO_LIMIT,  /* it has as many on as were asked for */
    PLANT_NO_MASTER, /* the master's wire is not the one the judge watches */
    PLANT_COUNT
};

struct orchard {
    struct sim_pins pins;
    struct th_zone_service zones;
    enum orchard_plant plant;
    uint64_t lease_end[ORCHARD_ZONES + 1]; /* of the simulation; the master's last */
    uint32_t weekly_s[ORCHARD_ZONES]; /* how long a zone's weekly starts last; 0: it has none */
    bool on[ORCHARD_ZONES + 1];
    uint32_t switched_on, weekly, orders, done;
    uint64_t calls, hold_at; /* of the board; UINT64_MAX: not held */
    uint32_t hold_ms, held;
    char fault[160]; /* the first; "": none */
};

extern struct orchard orchard;

/* Enrolled, connected, its zones set. `start_ms` is the counter, `seed` decides every chance. */
void orchard_begin(enum orchard_plant plant, uint64_t seed, uint32_t start_ms);
void orchard_end(void);

/* Time passes; after a fault none does. */
void orchard_pass(uint64_t ms);

/* Zone.On by alice. */
void orchard_on(unsigned zone, uint32_t seconds);
void orchard_off(unsigned zone);

/* The device starts anew: its pins are inputs until it drives them. */
void orchard_start(enum th_reset_reason reason);

/* Between events, the loop not held: the master is on while a zone is, and the zones' own books say
 * what the wires show. */
void orchard_check(void);

#endif
