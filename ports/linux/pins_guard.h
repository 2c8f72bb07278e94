/* SPDX-License-Identifier: MIT */
/* Between the device's process and the guard of its outputs: one packet each way. */
#ifndef TH_LINUX_PINS_GUARD_H
#define TH_LINUX_PINS_GUARD_H

#include <thimble/linux_pins.h>

enum guard_op { GUARD_SET, GUARD_GET, GUARD_ARM, GUARD_SPI, GUARD_LAST };

/* Times are of CLOCK_MONOTONIC, in milliseconds. */
struct guard_request {
    uint8_t op, pin, level, count;
    int64_t at_ms[TH_SPI_STEPS];     /* ARM: the first; SPI: of each step */
    uint8_t bytes[TH_SPI_STEPS + 1]; /* SPI: of each step, then the one to send now */
};

struct guard_answer {
    uint8_t ok, value;      /* GET: the level; LAST: the byte */
    char why[TH_LINUX_WHY]; /* what the wires said last, perhaps on an earlier occasion; "": fine */
};

int64_t guard_now_ms(void);

/* Never returns. Serves until the other end of `socket` is closed, then switches everything off. */
_Noreturn void guard_run(int socket, struct th_linux_wires wires);

#endif
