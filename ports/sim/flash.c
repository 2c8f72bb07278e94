/* SPDX-License-Identifier: MIT */
#include "ports/sim/flash.h"

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint32_t x = a * 0x9E3779B1u ^ (b + 0x7F4A7C15u) * 0x85EBCA77u;

    x ^= x >> 15;
    x *= 0x2C1B3C6Du;
    x ^= x >> 12;
    x *= 0x297A2D39u;
    return x ^ x >> 15;
}

static uint8_t random_byte(const struct sim_flash *flash, uint32_t at)
{
    return (uint8_t)mix(flash->seed, at);
}

static bool within(const struct sim_flash *flash, uint32_t offset, size_t len)
{
    return offset <= flash->geometry.size && len <= flash->geometry.size - offset;
}

/* Gives one byte its new value as far as the tear lets it. */
static void tear_byte(struct sim_flash *flash, uint32_t at, uint8_t target)
{
    uint8_t change = flash->cells[at] ^ target;
    uint8_t chance = random_byte(flash, at ^ flash->operation << 16);
    uint8_t more = random_byte(flash, at + 0x5555u);

    switch (flash->tear) {
    case SIM_TEAR_NOTHING: break;
    case SIM_TEAR_WHOLE: flash->cells[at] = target; break;
    case SIM_TEAR_SOME: flash->cells[at] ^= change & chance & more; break;
    case SIM_TEAR_MOST: flash->cells[at] ^= change & (chance | more | 0x11); break;
    case SIM_TEAR_CHUNKS:
        if (random_byte(flash, at / 16 ^ flash->operation << 16) & 1)
            flash->cells[at] = target;
        break;
    case SIM_TEAR_MARGINAL: flash->weak[at] |= change; break;
    case SIM_TEAR_FADING:
        if (chance % 8 == 0)
            flash->weak[at] |= change;
        else
            flash->cells[at] = target;
        break;
    case SIM_TEAR_KINDS: break;
    }
}

/* What one operation does to one byte: in full, or as the cut leaves it. */
static void apply(struct sim_flash *flash, uint32_t at, uint8_t target, bool cut)
{
    if (cut) {
        tear_byte(flash, at, target);
    } else {
        flash->weak[at] &= (uint8_t) ~(flash->cells[at] ^ target);
        flash->cells[at] = target;
    }
}

/* Counts the operation; false when it does not take place at all. */
static bool begin(struct sim_flash *flash, bool *cut)
{
    uint32_t number = flash->operation++;

    if (flash->dead || (number >= flash->fail_from && number < flash->fail_to))
        return false;
    *cut = number == flash->cut_at;
    return true;
}

static struct th_flash_geometry flash_geometry(void *ctx)
{
    const struct sim_flash *flash = ctx;

    return flash->geometry;
}

static bool flash_read(void *ctx, uint32_t offset, uint8_t *into, size_t len)
{
    const struct sim_flash *flash = ctx;

    if (flash->dead || !within(flash, offset, len))
        return false;
    for (size_t i = 0; i < len; i++) {
        uint32_t at = offset + (uint32_t)i;

        into[i] = flash->cells[at];
        if (flash->weak[at] != 0)
            into[i] ^= flash->weak[at] & random_byte(flash, at);
    }
    return true;
}

/* A weak bit that is programmed to 0 is a sound 0; one that is to stay 1 stays weak. */
static bool flash_program(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len)
{
    struct sim_flash *flash = ctx;
    bool cut = false;

    if (!within(flash, offset, len) || !begin(flash, &cut))
        return false;
    flash->programs++;
    for (size_t i = 0; i < len; i++) {
        uint32_t at = offset + (uint32_t)i;

        if (!cut)
            flash->weak[at] &= bytes[i];
        apply(flash, at, flash->cells[at] & bytes[i], cut);
    }
    flash->dead = cut;
    return !cut;
}

static bool flash_erase(void *ctx, uint32_t offset)
{
    struct sim_flash *flash = ctx;
    bool cut = false;

    if (offset % flash->geometry.erase_unit != 0 ||
        !within(flash, offset, flash->geometry.erase_unit) || !begin(flash, &cut))
        return false;
    flash->erases++;
    for (uint32_t at = offset; at < offset + flash->geometry.erase_unit; at++) {
        if (!cut)
            flash->weak[at] = 0;
        apply(flash, at, 0xFF, cut);
    }
    flash->dead = cut;
    return !cut;
}

const struct th_flash_ops sim_flash_ops = {
    .geometry = flash_geometry,
    .read = flash_read,
    .program = flash_program,
    .erase = flash_erase,
};

void sim_flash_init(struct sim_flash *flash, struct th_flash_geometry geometry, uint8_t *cells,
                    uint8_t *weak, uint32_t seed)
{
    *flash = (struct sim_flash){.geometry = geometry, .cells = cells, .weak = weak};
    memset(cells, 0xFF, geometry.size);
    memset(weak, 0, geometry.size);
    sim_flash_power_on(flash, seed);
}

void sim_flash_power_on(struct sim_flash *flash, uint32_t seed)
{
    flash->seed = seed;
    flash->dead = false;
    flash->operation = 0;
    flash->cut_at = UINT32_MAX;
    flash->fail_from = flash->fail_to = 0;
}

void sim_flash_cut(struct sim_flash *flash, uint32_t operation, enum sim_tear tear)
{
    flash->cut_at = operation;
    flash->tear = tear;
}
