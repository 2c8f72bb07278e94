/* SPDX-License-Identifier: MIT */
/*
 * Outputs on Linux that nobody needs to switch off. A guard, a process of its own, holds them: it
 * switches off what is armed at its time, whatever the device's process is doing then, and all of
 * it when that process ends, in whatever way. What it holds are wires: those of a GPIO chip and a
 * SPI device (linux_gpio.h), or virtual ones. The virtual ones stand in a file of text that people
 * and programs may watch, and in which they may drive the inputs.
 *
 *   pin 04 out 1 in 1      a line for each of 32 pins: driven (out) or not (---), the level it is
 *   ...                    driven to, and the level an input shows, which anybody may change
 *   spi ff                 the byte that was sent last
 *   adc 0 000512           a line for each of 16 analog inputs, to be changed by anybody
 *   off 04 1 000012345678  for each pin and each bit of the byte: the level it goes off to, and
 * when
 *
 * docs/linux-pins.md has it byte by byte.
 */
#ifndef THIMBLE_LINUX_PINS_H
#define THIMBLE_LINUX_PINS_H

#include <sys/types.h>

#include <thimble/board.h>
#include <thimble/failure.h>

#define TH_LINUX_PINS 32 /* virtual ones */
#define TH_LINUX_ADCS 16

/* ---- wires: what the guard holds; called by its process alone ---- */

#define TH_LINUX_WIRES 255 /* numbers of pins, at most */
#define TH_LINUX_WHY   120 /* bytes of a reason, with its NUL */

struct th_linux_wires_ops {
    /* Drives a pin, which is an output from then on. All but let_go: false when it could not be
     * done, with a sentence for a person in `why`. */
    bool (*drive)(void *ctx, uint8_t pin, bool high, char why[TH_LINUX_WHY]);
    /* The level that is there; a pin that was never driven is made an input for it. */
    bool (*level)(void *ctx, uint8_t pin, bool *high, char why[TH_LINUX_WHY]);
    /* The pin is no output any more. */
    void (*let_go)(void *ctx, uint8_t pin);
    bool (*send)(void *ctx, uint8_t byte, char why[TH_LINUX_WHY]);
    /* For those who watch: a pin, or TH_LINUX_BIT + n for bit n of the byte, is on a lease, goes
     * off to `safe`, and does so at `off_ms` of CLOCK_MONOTONIC (0: nothing is armed). Told when it
     * changes. NULL: nobody watches. */
    void (*due)(void *ctx, uint16_t output, bool safe, int64_t off_ms);
};

#define TH_LINUX_BIT 256

struct th_linux_wires {
    const struct th_linux_wires_ops *ops;
    void *ctx;
};

/* ---- the device's end ---- */

/* Fields private. */
struct th_linux_pins {
    int guard;  /* socket to the guard; -1: closed */
    pid_t pid;  /* of the guard */
    char *file; /* the text, mapped; NULL: the wires are real */
    bool lost, spi_used;
    char why[TH_LINUX_WHY];
    char leased[TH_LINUX_WIRES]; /* 0: never; 'L' or 'H': goes off to it */
    uint32_t (*now_ms)(void *ctx);
    void *ctx;
};

/* Starts the guard over those wires. They are opened already and used by the guard's process alone
 * from then on; this one may close its copies. `now_ms` is the board's clock. Before any thread is
 * started, and before files are opened that the guard must not keep open. OK, or FILE_SYSTEM with
 * `failure`. */
enum th_error th_linux_pins_guard(struct th_linux_pins *pins, struct th_linux_wires wires,
                                  uint32_t (*now_ms)(void *ctx), void *ctx,
                                  struct th_failure *failure);

/* The same over virtual wires: makes the file anew, all pins inputs that are pulled high. `path` is
 * not used by two devices at a time. */
enum th_error th_linux_pins_open(struct th_linux_pins *pins, const char *path,
                                 uint32_t (*now_ms)(void *ctx), void *ctx,
                                 struct th_failure *failure);

/* Everything goes off. */
void th_linux_pins_close(struct th_linux_pins *pins);

/* Why the wires did not do what they were told last; "": they did. Lives until the next call. */
const char *th_linux_pins_why(const struct th_linux_pins *pins);

/* The guard has gone, as no requests are answered any more. What was on may be on still: rescue it,
 * end this process, and start anew. */
bool th_linux_pins_lost(const struct th_linux_pins *pins);

/* After that: drives from here all that was ever on a lease to where it goes off, and the byte over
 * SPI to 0xFF. `wires` opened anew, or NULL for virtual ones. False when one does not obey within a
 * second; th_linux_pins_why() tells. */
bool th_linux_pins_rescue(struct th_linux_pins *pins, const struct th_linux_wires *wires);

/* ---- virtual wires, as somebody outside sees and drives them ---- */

/* Fields private. */
struct th_linux_view {
    char *file;
};

/* Of a pin, or of a bit of the byte over SPI. */
struct th_linux_output {
    bool driven, high; /* the level it is driven to */
    bool leased, safe; /* off is `safe` */
    int64_t off_ms;    /* goes off then, by CLOCK_MONOTONIC; 0: not armed */
};

/* The file of a device that has been started. False with errno; EINVAL: it is no such file. */
bool th_linux_view_open(struct th_linux_view *view, const char *path);
void th_linux_view_close(struct th_linux_view *view);

/* `pin` is below TH_LINUX_PINS, `bit` below 8, `adc` below TH_LINUX_ADCS. */
void th_linux_view_pin(const struct th_linux_view *view, uint8_t pin, struct th_linux_output *out);
void th_linux_view_bit(const struct th_linux_view *view, uint8_t bit, struct th_linux_output *out);
bool th_linux_view_input(const struct th_linux_view *view, uint8_t pin); /* true: high */
void th_linux_view_set_input(struct th_linux_view *view, uint8_t pin, bool high);
int32_t th_linux_view_adc(const struct th_linux_view *view, uint8_t adc); /* -1: unreadable */
void th_linux_view_set_adc(struct th_linux_view *view, uint8_t adc, int32_t value); /* 0..999999 */

/* The context of all three is the struct th_linux_pins; analog inputs are virtual ones. */
extern const struct th_pin_ops th_linux_pin_ops;
extern const struct th_spi_ops th_linux_spi_ops;
extern const struct th_analog_ops th_linux_analog_ops;

#endif
