/* SPDX-License-Identifier: MIT */
/*
 * Outputs on Linux that nobody needs to switch off. A guard, a process of its own, holds them: it
 * switches off what is armed at its time, whatever the device's process is doing then, and all of
 * it when that process ends, in whatever way. The pins here are virtual: they stand in a file of
 * text that people and programs may watch, and in which they may drive the inputs.
 *
 *   pin 04 out 1 in 1      a line for each of 32 pins: driven (out) or not (---), the level it is
 *   ...                    driven to, and the level an input shows, which anybody may change
 *   spi ff                 the byte that was sent last
 *   adc 0 000512           a line for each of 16 analog inputs, to be changed by anybody
 */
#ifndef THIMBLE_LINUX_PINS_H
#define THIMBLE_LINUX_PINS_H

#include <sys/types.h>

#include <thimble/board.h>
#include <thimble/failure.h>

#define TH_LINUX_PINS 32
#define TH_LINUX_ADCS 16

/* Fields private. */
struct th_linux_pins {
    int guard;  /* socket to the guard; -1: closed */
    pid_t pid;  /* of the guard */
    char *file; /* the text, mapped */
    uint32_t (*now_ms)(void *ctx);
    void *ctx;
};

/* Starts the guard and makes the file anew, all pins inputs that are pulled high. `path` is not
 * used by two devices at a time. `now_ms` is the board's clock. Before any thread is started. OK,
 * or FILE_MISSING, STORE with `failure`. */
enum th_error th_linux_pins_open(struct th_linux_pins *pins, const char *path,
                                 uint32_t (*now_ms)(void *ctx), void *ctx,
                                 struct th_failure *failure);

/* Everything goes off. */
void th_linux_pins_close(struct th_linux_pins *pins);

/* The context of all three is the struct th_linux_pins. */
extern const struct th_pin_ops th_linux_pin_ops;
extern const struct th_spi_ops th_linux_spi_ops;
extern const struct th_analog_ops th_linux_analog_ops;

#endif
