/* SPDX-License-Identifier: MIT */
/*
 * Pins of the emulated board, driven and watched from the host through two files.
 *
 * `pins-out`: one line a change of an output, appended: the time in hexadecimal milliseconds, the
 * pin, the level: "0000a1b2 4 1\n" (pin in hexadecimal). A line "00000000 reset\n" marks each
 * start, when all pins are inputs. `pins-in`: fixed columns, written in place. 16 characters '0' or
 * '1', pin 0 first, and a newline; then 8 lines of four digits, the analog inputs in millivolts.
 */
#include "host.h"
#include "machine.h"

#include <cpu.h>

#define ANALOG_LINE   5
#define ANALOG_OFFSET (TH_PINS + 1)

static struct {
    int out, in;
    uint16_t levels;
    uint16_t is_output;
    uint16_t leased; /* was armed once */
    uint16_t armed;
    uint16_t off_levels;
    uint32_t off_at[TH_PINS];
} pins = {.out = -1, .in = -1};

void th_pins_start(void)
{
    const char *out = th_host_param("pins-out");
    const char *in = th_host_param("pins-in");

    if (out != NULL) {
        pins.out = th_host_open(out, TH_HOST_APPEND);
        th_host_write(pins.out, "00000000 reset\n", 15);
    }
    if (in != NULL)
        pins.in = th_host_open(in, TH_HOST_READ);
}

static inline char hex_digit(uint32_t value)
{
    return (char)(value < 10 ? '0' + value : 'a' + value - 10);
}

/* Interrupts masked: lines must not mix. */
static TH_IN_RAM void report(unsigned pin, bool high, uint32_t now)
{
    char line[13];

    for (unsigned i = 0; i < 8; i++)
        line[i] = hex_digit(now >> (28 - 4 * i) & 15);
    line[8] = ' ';
    line[9] = hex_digit(pin);
    line[10] = ' ';
    line[11] = high ? '1' : '0';
    line[12] = '\n';
    if (pins.out >= 0)
        th_host_write(pins.out, line, sizeof(line));
}

static TH_IN_RAM void drive(unsigned pin, bool high, uint32_t now)
{
    uint16_t bit = (uint16_t)(1u << pin);
    bool was_high = (pins.levels & bit) != 0;
    bool was_output = (pins.is_output & bit) != 0;

    pins.levels = (uint16_t)(high ? pins.levels | bit : pins.levels & ~bit);
    pins.is_output |= bit;
    if (!was_output || was_high != high)
        report(pin, high, now);
}

TH_IN_RAM bool th_pins_next_off(uint32_t *at_ms)
{
    bool found = false;

    for (unsigned pin = 0; pin < TH_PINS; pin++) {
        if ((pins.armed & 1u << pin) == 0)
            continue;
        if (!found || (int32_t)(pins.off_at[pin] - *at_ms) < 0)
            *at_ms = pins.off_at[pin];
        found = true;
    }
    return found;
}

TH_IN_RAM void th_pins_expire(uint32_t now_ms)
{
    for (unsigned pin = 0; pin < TH_PINS; pin++) {
        uint16_t bit = (uint16_t)(1u << pin);
        if ((pins.armed & bit) == 0 || (int32_t)(now_ms - pins.off_at[pin]) < 0)
            continue;
        pins.armed = (uint16_t)(pins.armed & ~bit);
        drive(pin, (pins.off_levels & bit) != 0, now_ms);
    }
}

/* Interrupts masked. */
static bool allowed(unsigned pin, bool high, uint32_t now)
{
    uint16_t bit = (uint16_t)(1u << pin);

    if ((pins.leased & bit) == 0 || high == ((pins.off_levels & bit) != 0))
        return true;
    return (pins.armed & bit) != 0 && (int32_t)(now - pins.off_at[pin]) < 0;
}

static bool set(void *ctx, uint8_t pin, enum th_pin_level level)
{
    (void)ctx;
    if (pin >= TH_PINS)
        return false;
    uint32_t ps = th_cpu_irq_save();
    uint32_t now = th_timer_now_ms();
    bool may = allowed(pin, level == TH_PIN_HIGH, now);
    if (may)
        drive(pin, level == TH_PIN_HIGH, now);
    th_cpu_irq_restore(ps);
    return may;
}

static bool get(void *ctx, uint8_t pin, enum th_pin_level *level)
{
    char digit = '0';

    (void)ctx;
    if (pin >= TH_PINS)
        return false;
    if ((pins.is_output & 1u << pin) != 0) {
        *level = (pins.levels & 1u << pin) != 0 ? TH_PIN_HIGH : TH_PIN_LOW;
        return true;
    }
    if (pins.in < 0 || th_host_seek(pins.in, pin) < 0 || th_host_read(pins.in, &digit, 1) != 1)
        return false;
    *level = digit == '1' ? TH_PIN_HIGH : TH_PIN_LOW;
    return true;
}

static bool arm_off(void *ctx, uint8_t pin, enum th_pin_level safe, uint32_t at_ms)
{
    uint16_t bit = (uint16_t)(1u << pin);

    (void)ctx;
    if (pin >= TH_PINS)
        return false;
    uint32_t ps = th_cpu_irq_save();
    pins.off_at[pin] = at_ms;
    pins.off_levels =
        (uint16_t)(safe == TH_PIN_HIGH ? pins.off_levels | bit : pins.off_levels & ~bit);
    pins.armed |= bit;
    pins.leased |= bit;
    th_cpu_irq_restore(ps);
    th_timer_changed();
    return true;
}

const struct th_pin_ops th_pins_ops = {set, get, arm_off};

int th_analog_mv(unsigned channel)
{
    char digits[4];
    int millivolts = 0;

    if (channel >= TH_ANALOG_COUNT || pins.in < 0 ||
        th_host_seek(pins.in, ANALOG_OFFSET + channel * ANALOG_LINE) < 0 ||
        th_host_read(pins.in, digits, sizeof(digits)) != (int)sizeof(digits))
        return -1;
    for (unsigned i = 0; i < sizeof(digits); i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return -1;
        millivolts = millivolts * 10 + digits[i] - '0';
    }
    return millivolts;
}

/* In millivolts. */
static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    (void)ctx;
    *raw = th_analog_mv(input);
    return *raw >= 0;
}

const struct th_analog_ops th_analog_ops = {convert};
