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

/* What becomes of one bit that the operation was to change. */
enum fate { STAYS, CHANGES, WEAKENS };

static enum fate fate_counted(struct sim_flash *flash)
{
    uint32_t number = flash->counted++;

    switch (flash->tear) {
    case SIM_TEAR_SOME: return number % 4 == 1 ? CHANGES : STAYS;
    case SIM_TEAR_MOST: return number % 16 != 0 ? CHANGES : STAYS;
    default: return number % 8 == 0 ? WEAKENS : CHANGES;
    }
}

static enum fate fate_by_chance(const struct sim_flash *flash, uint32_t at, unsigned bit)
{
    uint8_t chance = random_byte(flash, at ^ flash->operation << 16);
    uint8_t more = random_byte(flash, at + 0x5555u);

    switch (flash->tear) {
    case SIM_TEAR_SOME: return (chance & more) >> bit & 1 ? CHANGES : STAYS;
    case SIM_TEAR_MOST: return (chance | more | 0x11) >> bit & 1 ? CHANGES : STAYS;
    default: return chance % 8 == 0 ? WEAKENS : CHANGES;
    }
}

/* `part` is where the byte lies in the operation, from 0 to below `whole`. */
static enum fate fate_of(struct sim_flash *flash, uint32_t at, unsigned bit, uint32_t part,
                         uint32_t whole)
{
    uint32_t piece = part / SIM_GRAIN;

    switch (flash->tear) {
    case SIM_TEAR_NOTHING: return STAYS;
    case SIM_TEAR_WHOLE: return CHANGES;
    case SIM_TEAR_HEAD: return part < whole / 2 ? CHANGES : STAYS;
    case SIM_TEAR_TAIL: return part >= whole / 2 ? CHANGES : STAYS;
    case SIM_TEAR_MARGINAL: return WEAKENS;
    case SIM_TEAR_CHUNKS:
        if (flash->by_count)
            return piece % 2 == 1 ? CHANGES : STAYS;
        return random_byte(flash, at / SIM_GRAIN ^ flash->operation << 16) & 1 ? CHANGES : STAYS;
    case SIM_TEAR_SOME:
    case SIM_TEAR_MOST:
    case SIM_TEAR_FADING:
    case SIM_TEAR_KINDS: break;
    }
    return flash->by_count ? fate_counted(flash) : fate_by_chance(flash, at, bit);
}

/* Gives one byte its new value as far as the tear lets it. A bit that was weak before is one that
 * was to change, unless it was sound. */
static void tear_byte(struct sim_flash *flash, uint32_t at, uint8_t wanted, uint8_t target,
                      uint32_t part, uint32_t whole)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        uint8_t mask = (uint8_t)(1u << bit);

        if (!(wanted & mask) ||
            (!(flash->weak[at] & mask) && !((flash->cells[at] ^ target) & mask)))
            continue;
        switch (fate_of(flash, at, bit, part, whole)) {
        case STAYS: break;
        case CHANGES:
            flash->cells[at] = (uint8_t)((flash->cells[at] & ~mask) | (target & mask));
            flash->weak[at] &= (uint8_t)~mask;
            break;
        case WEAKENS: flash->weak[at] |= mask; break;
        }
    }
}

/* What an operation does to one byte, in full: bits in `wanted` become as in `target`, sound. */
static void change_byte(struct sim_flash *flash, uint32_t at, uint8_t wanted, uint8_t target)
{
    flash->cells[at] = (uint8_t)((flash->cells[at] & ~wanted) | (target & wanted));
    flash->weak[at] &= (uint8_t)~wanted;
}

/* Counts the operation; false when it does not take place at all. */
static bool begin(struct sim_flash *flash, bool *cut)
{
    uint32_t number = flash->operation++;

    flash->counted = 0;

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

/* By chance: all weak bits of one start read as ones, or as zeros, or each grain in its own way, or
 * each bit. What turns a mark into one that was never there must have its turn as well. */
static uint8_t reading_by_chance(const struct sim_flash *flash, uint32_t at)
{
    uint32_t seed = flash->restless ? flash->seed + flash->reads * 64 : flash->seed;
    uint32_t way = mix(seed, 0xA5A5A5A5u) % 4;

    if (way == 2)
        way = mix(seed, ~(at / SIM_GRAIN)) % 3;
    if (way < 2)
        return sim_flash_reading(flash, at, way ? SIM_READS_ZEROS : SIM_READS_ONES);
    return flash->cells[at] ^ (flash->weak[at] & (uint8_t)mix(seed, at));
}

static uint8_t byte_read(const struct sim_flash *flash, uint32_t at)
{
    if (flash->readings == NULL)
        return reading_by_chance(flash, at);
    return sim_flash_reading(flash, at, (enum sim_reading)flash->readings[at / SIM_GRAIN]);
}

uint8_t sim_flash_reading(const struct sim_flash *flash, uint32_t at, enum sim_reading reading)
{
    uint8_t cell = flash->cells[at], weak = flash->weak[at];

    switch (reading) {
    case SIM_READS_ONES: return cell | weak;
    case SIM_READS_ZEROS: return cell & (uint8_t)~weak;
    case SIM_READS_MIXED:
    case SIM_READINGS: break;
    }
    return cell ^ (weak & 0x55);
}

static bool flash_read(void *ctx, uint32_t offset, uint8_t *into, size_t len)
{
    struct sim_flash *flash = ctx;

    if (flash->dead || !within(flash, offset, len))
        return false;
    uint32_t number = flash->reads++;
    if (number >= flash->fail_reads_from && number < flash->fail_reads_to)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint32_t at = offset + (uint32_t)i;

        into[i] = flash->weak[at] ? byte_read(flash, at) : flash->cells[at];
    }
    return true;
}

/* A weak bit that is to stay 1 stays weak. */
static bool flash_program(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len)
{
    struct sim_flash *flash = ctx;
    bool cut = false;

    if (!within(flash, offset, len) || !begin(flash, &cut))
        return false;
    flash->programs++;
    for (size_t i = 0; i < len; i++) {
        uint32_t at = offset + (uint32_t)i;
        uint8_t wanted = (uint8_t)~bytes[i];

        if (cut)
            tear_byte(flash, at, wanted, 0, (uint32_t)i, (uint32_t)len);
        else
            change_byte(flash, at, wanted, 0);
    }
    flash->dead = cut;
    return !cut;
}

static bool flash_erase(void *ctx, uint32_t offset)
{
    struct sim_flash *flash = ctx;
    uint32_t unit = flash->geometry.erase_unit;
    bool cut = false;

    if (offset % unit != 0 || !within(flash, offset, unit) || !begin(flash, &cut))
        return false;
    flash->erases++;
    if (flash->unit_erases)
        flash->unit_erases[offset / unit]++;
    for (uint32_t part = 0; part < unit; part++) {
        if (cut)
            tear_byte(flash, offset + part, 0xFF, 0xFF, part, unit);
        else
            change_byte(flash, offset + part, 0xFF, 0xFF);
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
    flash->reads = flash->fail_reads_from = flash->fail_reads_to = 0;
}

void sim_flash_cut(struct sim_flash *flash, uint32_t operation, enum sim_tear tear)
{
    flash->cut_at = operation;
    flash->tear = tear;
}
