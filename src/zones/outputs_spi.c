/* SPDX-License-Identifier: MIT */
#include <thimble/zones.h>

#define OUTPUTS 8

/* The outputs that are on, in the order in which they go off. */
static uint8_t order(uint16_t on, const uint32_t off_at_ms[TH_OUTPUTS_MAX], uint8_t into[OUTPUTS])
{
    uint8_t count = 0;

    for (uint8_t i = 0; i < OUTPUTS; i++) {
        uint8_t at = count;

        if ((on >> i & 1) == 0)
            continue;
        for (; at > 0 && (int32_t)(off_at_ms[into[at - 1]] - off_at_ms[i]) > 0; at--)
            into[at] = into[at - 1];
        into[at] = i;
        count++;
    }
    return count;
}

static bool put(void *ctx, uint16_t on, const uint32_t off_at_ms[TH_OUTPUTS_MAX])
{
    const struct th_outputs_spi *outputs = ctx;
    struct th_spi_step steps[TH_SPI_STEPS];
    uint8_t leaving[OUTPUTS];
    uint8_t count = order(on, off_at_ms, leaving);
    uint16_t left = on;

    if (on >> OUTPUTS != 0)
        return false;
    for (uint8_t i = 0; i < count; i++) {
        left &= (uint16_t) ~(1u << leaving[i]);
        steps[i] = (struct th_spi_step){off_at_ms[leaving[i]], (uint8_t)~left};
    }
    return outputs->board->spi.ops->output(outputs->board->spi.ctx, (uint8_t)~on, steps, count);
}

static bool actual(void *ctx, uint16_t *on)
{
    const struct th_outputs_spi *outputs = ctx;
    uint8_t byte;

    if (!outputs->board->spi.ops->last(outputs->board->spi.ctx, &byte))
        return false;
    *on = (uint8_t)~byte;
    return true;
}

const struct th_outputs_ops th_outputs_spi_ops = {put, actual};
