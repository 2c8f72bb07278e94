/* SPDX-License-Identifier: MIT */
/*
 * A device's zones on simulated outputs, with a judge on the trace of the wires: whatever is
 * ordered, held, reset or broken, no output is on past its lease (R9), and no two zones of a group
 * are on together.
 */
#ifndef ZONES_WORLD_H
#define ZONES_WORLD_H

#include <thimble/zones.h>

#include "ports/sim/sim_pins.h"

#define WORLD_ZONES                                                               \
    6 /* 1 and 2 in group 1, 3 and 4 in group 2, 5 and 6 free; master behind them \
       */

struct zones_world {
    struct sim_pins pins;
    struct th_zones zones;
    struct th_outputs_gpio gpio;
    struct th_outputs_spi spi;
    bool over_spi;
    uint64_t lease_end[TH_OUTPUTS_MAX]; /* milliseconds of the simulation */
    bool on[TH_OUTPUTS_MAX], went_on[TH_OUTPUTS_MAX];
    uint64_t on_changes, orders, resets;
    char id[96]; /* which run it is, for messages */
};

/* `start_ms`: what the counter shows in the beginning. */
void garden_begin(struct zones_world *world, bool over_spi, uint32_t start_ms);

/* The device starts: its memory is new, its outputs are inputs. */
void garden_start(struct zones_world *world);

/* As a transport would: reads the counter, then calls. */
enum th_zone_answer garden_on(struct zones_world *world, uint8_t zone, uint32_t seconds);
void garden_off(struct zones_world *world, uint8_t zone);
void garden_safe(struct zones_world *world);

/* One turn of the loop. `seconds[zone]` is how long the zone's weekly starts last. */
void garden_tick(struct zones_world *world, const struct th_clock_view *clock,
                 const uint32_t seconds[WORLD_ZONES + 1]);

/* What is reported is what the wires show. */
void garden_check_reports(struct zones_world *world);

#endif
