/* SPDX-License-Identifier: MIT */
/*
 * Outputs of a simulated machine, its counter, and a loop that can be held in any call to the
 * board. What is armed goes off while time passes, as by a timer interrupt: whatever the loop is
 * doing. Every change of an output is told when it happens.
 */
#ifndef THIMBLE_SIM_PINS_H
#define THIMBLE_SIM_PINS_H

#include <thimble/board.h>

#define SIM_PINS 16

/* `output`: a pin, or SIM_PINS + n for bit n of the byte over SPI. `level` is what the wire shows.
 */
struct sim_pins_watch {
    void (*changed)(void *ctx, uint8_t output, bool level, uint64_t at_ms);
    void *ctx;
};

struct sim_pins {
    struct th_board board; /* clock, pins, spi */
    uint64_t now_ms;       /* since the beginning; the board's counter is start_ms + that */
    uint32_t start_ms;
    struct sim_pins_watch watch;
    uint16_t pulls; /* what an input shows: resistors pull it there; all high unless changed */
    uint16_t levels, is_output, leased, armed, safe_levels;
    uint64_t off_at[SIM_PINS];
    bool spi_used;
    uint8_t byte, step_count, step_bytes[TH_SPI_STEPS];
    uint64_t step_at[TH_SPI_STEPS];

    uint32_t calls;      /* of the board, ever */
    uint32_t hold_at[2]; /* the calls in which the loop is held; UINT32_MAX: none */
    uint32_t hold_ms;
    bool broken; /* every output refuses */
};

/* Stays where it is as long as it is used. */
void sim_pins_init(struct sim_pins *pins, uint32_t start_ms, struct sim_pins_watch watch);

/* Time passes: what is armed goes off at its millisecond. */
void sim_pins_pass(struct sim_pins *pins, uint64_t ms);

/* A reset: all pins are inputs, nothing is armed; the byte over SPI is 0xFF, as the co-processor's
 * own start gives it. The counter goes on. */
void sim_pins_reset(struct sim_pins *pins);

#endif
