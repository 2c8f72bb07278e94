/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim_pins.h"

#include <string.h>

/* ---- the wires ---- */

static void tell(struct sim_pins *pins, uint8_t output, bool level, uint64_t at_ms)
{
    if (pins->watch.changed)
        pins->watch.changed(pins->watch.ctx, output, level, at_ms);
}

static void drive(struct sim_pins *pins, uint8_t pin, bool high, uint64_t at_ms)
{
    uint16_t bit = (uint16_t)(1u << pin);
    bool was_output = (pins->is_output & bit) != 0, was_high = (pins->levels & bit) != 0;

    pins->levels = (uint16_t)(high ? pins->levels | bit : pins->levels & ~bit);
    pins->is_output |= bit;
    if (!was_output || was_high != high)
        tell(pins, pin, high, at_ms);
}

static void send(struct sim_pins *pins, uint8_t byte, uint64_t at_ms)
{
    uint8_t changed = (uint8_t)(pins->spi_used ? byte ^ pins->byte : 0xFF);

    pins->spi_used = true;
    pins->byte = byte;
    for (uint8_t i = 0; i < 8; i++) {
        if (changed >> i & 1)
            tell(pins, (uint8_t)(SIM_PINS + i), byte >> i & 1, at_ms);
    }
}

/* ---- time ---- */

static uint64_t next_event(const struct sim_pins *pins)
{
    uint64_t next = UINT64_MAX;

    for (uint8_t pin = 0; pin < SIM_PINS; pin++) {
        if ((pins->armed >> pin & 1) && pins->off_at[pin] < next)
            next = pins->off_at[pin];
    }
    if (pins->step_count > 0 && pins->step_at[0] < next)
        next = pins->step_at[0];
    return next;
}

static void drop_step(struct sim_pins *pins)
{
    pins->step_count--;
    memmove(pins->step_at, pins->step_at + 1, sizeof pins->step_at - sizeof pins->step_at[0]);
    memmove(pins->step_bytes, pins->step_bytes + 1, sizeof pins->step_bytes - 1);
}

/* The interrupt: all that is due. */
static void fire(struct sim_pins *pins)
{
    for (uint8_t pin = 0; pin < SIM_PINS; pin++) {
        uint16_t bit = (uint16_t)(1u << pin);

        if ((pins->armed & bit) == 0 || pins->off_at[pin] > pins->now_ms)
            continue;
        pins->armed = (uint16_t)(pins->armed & ~bit);
        drive(pins, pin, (pins->safe_levels & bit) != 0, pins->now_ms);
    }
    while (pins->step_count > 0 && pins->step_at[0] <= pins->now_ms) {
        send(pins, pins->step_bytes[0], pins->now_ms);
        drop_step(pins);
    }
}

void sim_pins_pass(struct sim_pins *pins, uint64_t ms)
{
    uint64_t end = pins->now_ms + ms;

    while (next_event(pins) <= end) {
        uint64_t at = next_event(pins);

        if (at > pins->now_ms)
            pins->now_ms = at;
        fire(pins);
    }
    pins->now_ms = end;
}

/* Every call may be where the loop is held, before it does anything. */
static void enter(struct sim_pins *pins)
{
    uint32_t call = pins->calls++;

    if (call == pins->hold_at[0] || call == pins->hold_at[1])
        sim_pins_pass(pins, pins->hold_ms);
}

/* The 64-bit time of a counter value, which lies less than 2^31 ms away. */
static uint64_t time_of(const struct sim_pins *pins, uint32_t at_ms)
{
    int32_t ahead = (int32_t)(at_ms - (uint32_t)(pins->start_ms + pins->now_ms));

    if (ahead < 0 && pins->now_ms < (uint64_t) - (int64_t)ahead)
        return 0;
    return pins->now_ms + (uint64_t)(int64_t)ahead;
}

/* ---- the board ---- */

static uint32_t now_ms(void *ctx)
{
    struct sim_pins *pins = ctx;

    enter(pins);
    return (uint32_t)(pins->start_ms + pins->now_ms);
}

static bool set(void *ctx, uint8_t pin, enum th_pin_level level)
{
    struct sim_pins *pins = ctx;

    enter(pins);
    if (pin >= SIM_PINS || pins->broken)
        return false;
    uint16_t bit = (uint16_t)(1u << pin);
    bool high = level == TH_PIN_HIGH;
    bool safe = high == ((pins->safe_levels & bit) != 0);
    if ((pins->leased & bit) != 0 && !safe &&
        ((pins->armed & bit) == 0 || pins->off_at[pin] <= pins->now_ms))
        return false;
    drive(pins, pin, high, pins->now_ms);
    return true;
}

static bool get(void *ctx, uint8_t pin, enum th_pin_level *level)
{
    struct sim_pins *pins = ctx;

    enter(pins);
    if (pin >= SIM_PINS)
        return false;
    *level = pins->levels >> pin & 1 ? TH_PIN_HIGH : TH_PIN_LOW;
    return true;
}

static bool arm_off(void *ctx, uint8_t pin, enum th_pin_level safe, uint32_t at_ms)
{
    struct sim_pins *pins = ctx;

    enter(pins);
    if (pin >= SIM_PINS || pins->broken)
        return false;
    uint16_t bit = (uint16_t)(1u << pin);
    pins->safe_levels =
        (uint16_t)(safe == TH_PIN_HIGH ? pins->safe_levels | bit : pins->safe_levels & ~bit);
    pins->off_at[pin] = time_of(pins, at_ms);
    pins->armed |= bit;
    pins->leased |= bit;
    fire(pins);
    return true;
}

static bool output(void *ctx, uint8_t byte, const struct th_spi_step *steps, uint8_t count)
{
    struct sim_pins *pins = ctx;

    enter(pins);
    if (count > TH_SPI_STEPS || pins->broken)
        return false;
    pins->step_count = count;
    for (uint8_t i = 0; i < count; i++) {
        pins->step_at[i] = time_of(pins, steps[i].at_ms);
        pins->step_bytes[i] = steps[i].byte;
    }
    while (pins->step_count > 0 && pins->step_at[0] <= pins->now_ms) {
        byte = pins->step_bytes[0];
        drop_step(pins);
    }
    send(pins, byte, pins->now_ms);
    return true;
}

static bool last(void *ctx, uint8_t *byte)
{
    struct sim_pins *pins = ctx;

    enter(pins);
    *byte = pins->byte;
    return pins->spi_used;
}

static const struct th_clock_ops clock_ops = {now_ms};
static const struct th_pin_ops pin_ops = {set, get, arm_off};
static const struct th_spi_ops spi_ops = {output, last};

void sim_pins_init(struct sim_pins *pins, uint32_t start_ms, struct sim_pins_watch watch)
{
    memset(pins, 0, sizeof *pins);
    pins->start_ms = start_ms;
    pins->pulls = pins->levels = UINT16_MAX;
    pins->watch = watch;
    pins->hold_at[0] = pins->hold_at[1] = UINT32_MAX;
    pins->board.clock.ops = &clock_ops;
    pins->board.clock.ctx = pins;
    pins->board.pins.ops = &pin_ops;
    pins->board.pins.ctx = pins;
    pins->board.spi.ops = &spi_ops;
    pins->board.spi.ctx = pins;
}

void sim_pins_reset(struct sim_pins *pins)
{
    for (uint8_t pin = 0; pin < SIM_PINS; pin++) {
        bool pulled = (pins->pulls >> pin & 1) != 0;

        if ((pins->is_output >> pin & 1) && (pins->levels >> pin & 1) != pulled)
            drive(pins, pin, pulled, pins->now_ms);
    }
    pins->levels = pins->pulls;
    if (pins->spi_used)
        send(pins, 0xFF, pins->now_ms);
    pins->is_output = pins->leased = pins->armed = 0;
    pins->step_count = 0;
}
