/* SPDX-License-Identifier: MIT */
/* Virtual pins as a table on a terminal: what it shows, what its keys do; and as lines. */
#ifndef TOOL_PINS_TABLE_H
#define TOOL_PINS_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include <thimble/linux_pins.h>

#define PINS_BITS  8
#define PINS_LINES 64

/* All that there is, at one moment. */
struct pins_state {
    struct th_linux_output pins[TH_LINUX_PINS], bits[PINS_BITS];
    bool inputs[TH_LINUX_PINS]; /* high */
    int32_t adcs[TH_LINUX_ADCS];
    bool has_spi;
};

void pins_state_read(struct pins_state *state, const struct th_linux_view *view);

/* CLOCK_MONOTONIC, as leases are. */
int64_t pins_now_ms(void);

/* On: away from where it goes off to. */
bool pins_is_on(const struct th_linux_output *output);

/* ---- table ---- */

struct pins_table {
    struct pins_state state;
    unsigned cursor;             /* a pin, or TH_LINUX_PINS + an analog input */
    unsigned rows_a_column;      /* of the pins, as drawn last */
    char typed[7];               /* of a value that is being typed */
    char note[80];               /* what a key has done, or why not */
    char lines[PINS_LINES][160]; /* a ring of what the device says */
    size_t line_count;
    bool utf8;
    int64_t began_ms;
};

void pins_table_say(struct pins_table *table, const char *line);

/* One frame of `rows` lines. */
void pins_table_draw(struct pins_table *table, FILE *to, unsigned rows, unsigned columns,
                     int64_t now_ms);

/* Keys as the terminal sends them. False: the person wants to leave. */
bool pins_table_keys(struct pins_table *table, struct th_linux_view *view, const char *keys,
                     size_t len);

/* ---- lines ---- */

/* A line for each thing that differs; of `before` NULL, for what is not as it is at the start. */
void pins_lines(FILE *to, const struct pins_state *before, const struct pins_state *after,
                bool json, int64_t now_ms);

#endif
