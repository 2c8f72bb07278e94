/* SPDX-License-Identifier: MIT */
/* Between the device's process and the guard of its outputs: one packet each way. */
#ifndef TH_LINUX_PINS_GUARD_H
#define TH_LINUX_PINS_GUARD_H

#include <thimble/linux_pins.h>

enum guard_op { GUARD_SET, GUARD_ARM, GUARD_SPI };

/* Times are of CLOCK_MONOTONIC, in milliseconds. */
struct guard_request {
    uint8_t op, pin, level, count;
    int64_t at_ms[TH_SPI_STEPS];     /* ARM: the first; SPI: of each step */
    uint8_t bytes[TH_SPI_STEPS + 1]; /* SPI: of each step, then the one to send now */
};

/* ---- the file: lines of a fixed length ---- */

#define PIN_LINE "pin 00 --- 0 in 1\n"
#define SPI_LINE "spi ff\n"
#define ADC_LINE "adc 0 000000\n"

#define PIN_LEN (sizeof PIN_LINE - 1)
#define SPI_AT  (TH_LINUX_PINS * PIN_LEN)
#define ADC_AT  (SPI_AT + sizeof SPI_LINE - 1)
#define ADC_LEN (sizeof ADC_LINE - 1)

#define PINS_FILE (ADC_AT + TH_LINUX_ADCS * ADC_LEN)

#define PIN_OUT   7  /* "out" or "---" */
#define PIN_LEVEL 11 /* it is driven to */
#define PIN_IN    16 /* an input shows */

int64_t guard_now_ms(void);

/* Never returns. Serves until the other end of `socket` is closed, then switches everything off. */
_Noreturn void guard_run(int socket, char *file);

#endif
