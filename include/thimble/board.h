/* SPDX-License-Identifier: MIT */
/*
 * What a machine supplies, as small const vtables with their context first. Nothing is global, so
 * that thousands of devices live in one process and the simulator owns every source of chance.
 */
#ifndef THIMBLE_BOARD_H
#define THIMBLE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/net.h>

struct th_clock_ops {
    /* Monotonic milliseconds, wrapping at 2^32; never goes back within one start. */
    uint32_t (*now_ms)(void *ctx);
};

struct th_entropy_ops {
    /* Fills `into` with `len` unpredictable bytes. False when the source fails its health test
     * (stuck or repeating): then nothing may be keyed from it, and no handshake starts (T13). */
    bool (*fill)(void *ctx, uint8_t *into, size_t len);
};

struct th_flash_geometry {
    uint32_t size;          /* bytes, a multiple of erase_unit */
    uint32_t erase_unit;    /* bytes, for example 4096 */
    uint32_t program_align; /* offset and length of a program are multiples of it: 1 or 4 */
};

struct th_flash_ops {
    struct th_flash_geometry (*geometry)(void *ctx);
    /* Offsets and lengths within the geometry; false on a device error. */
    bool (*read)(void *ctx, uint32_t offset, uint8_t *into, size_t len);
    /* NOR: only clears bits. */
    bool (*program)(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len);
    /* One erase unit; sets every bit. */
    bool (*erase)(void *ctx, uint32_t offset);
};

enum th_pin_level { TH_PIN_LOW, TH_PIN_HIGH };

struct th_pin_ops {
    bool (*set)(void *ctx, uint8_t pin, enum th_pin_level level);
    bool (*get)(void *ctx, uint8_t pin, enum th_pin_level *level);
    /* From a timer interrupt that lives in RAM, puts the pin to `safe` at `at_ms` (of now_ms),
     * whatever the loop is doing then. A later call for the same pin replaces the time. OFF needs
     * nobody. */
    bool (*arm_off)(void *ctx, uint8_t pin, enum th_pin_level safe, uint32_t at_ms);
};

#define TH_RTC_BYTES 256 /* kept over resets, lost with power */

struct th_rtc_ops {
    bool (*read)(void *ctx, uint8_t into[TH_RTC_BYTES]);
    bool (*write)(void *ctx, const uint8_t from[TH_RTC_BYTES]);
};

enum th_reset_reason {
    TH_RESET_POWER_ON,
    TH_RESET_REQUESTED,
    TH_RESET_WATCHDOG,
    TH_RESET_CRASH,
    TH_RESET_UNKNOWN,
};

struct th_system_ops {
    enum th_reset_reason (*reset_reason)(void *ctx);
    void (*feed_watchdog)(void *ctx);
    void (*restart)(void *ctx);
};

/* A part a machine does not have is {NULL, NULL}. Clock and entropy are required. */
struct th_board {
    struct {
        const struct th_clock_ops *ops;
        void *ctx;
    } clock;
    struct {
        const struct th_entropy_ops *ops;
        void *ctx;
    } entropy;
    struct {
        const struct th_flash_ops *ops;
        void *ctx;
    } flash;
    struct {
        const struct th_pin_ops *ops;
        void *ctx;
    } pins;
    struct {
        const struct th_rtc_ops *ops;
        void *ctx;
    } rtc;
    struct {
        const struct th_system_ops *ops;
        void *ctx;
    } system;
    struct th_net net;
};

#endif
