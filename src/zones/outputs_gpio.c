/* SPDX-License-Identifier: MIT */
#include <thimble/time.h>
#include <thimble/zones.h>

static enum th_pin_level level_of(const struct th_outputs_gpio *outputs, bool on)
{
    return on != outputs->active_low ? TH_PIN_HIGH : TH_PIN_LOW;
}

/* Armed first. A pin whose time came in between refuses to go on, and that is no fault. */
static bool switch_on(const struct th_outputs_gpio *outputs, uint8_t pin, uint32_t off_at_ms)
{
    const struct th_board *board = outputs->board;

    return board->pins.ops->arm_off(board->pins.ctx, pin, level_of(outputs, false), off_at_ms) &&
           (board->pins.ops->set(board->pins.ctx, pin, level_of(outputs, true)) ||
            th_time_reached(board->clock.ops->now_ms(board->clock.ctx), off_at_ms));
}

static bool put(void *ctx, uint16_t on, const uint32_t off_at_ms[TH_OUTPUTS_MAX])
{
    const struct th_outputs_gpio *outputs = ctx;
    const struct th_board *board = outputs->board;
    bool good = true;

    for (uint8_t i = 0; i < outputs->count; i++) {
        if ((on >> i & 1) == 0)
            good &=
                board->pins.ops->set(board->pins.ctx, outputs->pins[i], level_of(outputs, false));
    }
    for (uint8_t i = 0; i < outputs->count; i++) {
        if ((on >> i & 1) != 0)
            good &= switch_on(outputs, outputs->pins[i], off_at_ms[i]);
    }
    return good;
}

static bool actual(void *ctx, uint16_t *on)
{
    const struct th_outputs_gpio *outputs = ctx;
    const struct th_board *board = outputs->board;

    *on = 0;
    for (uint8_t i = 0; i < outputs->count; i++) {
        enum th_pin_level level;

        if (!board->pins.ops->get(board->pins.ctx, outputs->pins[i], &level))
            return false;
        if (level == level_of(outputs, true))
            *on |= (uint16_t)(1u << i);
    }
    return true;
}

const struct th_outputs_ops th_outputs_gpio_ops = {put, actual};
