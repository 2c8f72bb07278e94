/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "log_device.h"

#define UNIT     256
#define VERSIONS 3 /* of a record at most; 0: there is none */

/* A scenario's variant. */
#define VARIANT(kinds, versions, erase_units) ((erase_units) << 8 | (kinds) << 4 | (versions))

struct device {
    struct th_log log;
    uint8_t held[2];        /* what was promised to whoever wrote */
    uint8_t flying, coming; /* 1 + the kind being written, and its version; 0: none */
    uint8_t wiping;
};

static struct device *device_of(struct power_world *world)
{
    return (struct device *)world->device;
}

static unsigned kinds_of(const struct power_world *world)
{
    return world->scenario->variant >> 4 & 15;
}

static struct th_span record_of(unsigned kind, uint8_t version, uint8_t *into)
{
    static const uint8_t lengths[2][VERSIONS] = {{0, 5, 20}, {0, 33, 16}};

    memset(into, (int)(version | kind << 4), 64);
    return th_span_of(into, lengths[kind][version]);
}

/* VERSIONS when it is none. */
static uint8_t version_of(const struct th_log *log, unsigned kind)
{
    for (uint8_t version = 0; version < VERSIONS; version++) {
        uint8_t expected[64], found[64] = {0};
        struct th_span wanted = record_of(kind, version, expected);

        if (th_log_len(log, (uint8_t)kind) == wanted.len &&
            th_log_read(log, (uint8_t)kind, 0, found, sizeof found) == wanted.len &&
            memcmp(found, expected, wanted.len) == 0)
            return version;
    }
    return VERSIONS;
}

/* What was promised is there; what was under way is there or not, and from now on it stays so. */
static void check(struct power_world *world)
{
    struct device *device = device_of(world);

    unsigned kinds = kinds_of(world);

    for (unsigned kind = 0; kind < kinds; kind++) {
        uint8_t found = version_of(&device->log, kind);
        bool may = device->flying == kind + 1 || (device->wiping && kind == kinds - 1);

        if (found == VERSIONS)
            world->wrong = "a record is not whole";
        else if (found != device->held[kind] && !(may && found == device->coming))
            world->wrong = "a record is neither the old one nor the new one";
        device->held[kind] = found;
    }
    device->flying = device->wiping = 0;
    device->coming = 0;
}

static struct th_log_region region_of(const struct power_world *world)
{
    const struct th_flash_geometry *geometry = &world->flash.geometry;
    unsigned erase_units = world->scenario->variant >> 8;

    return (struct th_log_region){0, (uint8_t)(geometry->size / geometry->erase_unit / erase_units),
                                  (uint8_t)erase_units};
}

static void start(struct power_world *world)
{
    struct device *device = device_of(world);
    enum th_error error =
        th_log_mount(&device->log, &sim_flash_ops, &world->flash, region_of(world), 1);

    if (world->flash.dead)
        return;
    if (error)
        world->wrong = "it does not start";
    else
        check(world);
}

static void write_next(struct power_world *world, uint8_t kind)
{
    struct device *device = device_of(world);
    uint8_t bytes[64];

    device->flying = (uint8_t)(kind + 1);
    device->coming = (uint8_t)((device->held[kind] + 1) % (world->scenario->variant & 15));
    enum th_error error = th_log_write(&device->log, kind, record_of(kind, device->coming, bytes));
    if (error == TH_OK)
        device->held[kind] = device->coming;
}

/* I9: nothing of what is forgotten is left in any cell. */
static bool left_over(const struct power_world *world)
{
    uint8_t bytes[64];

    for (uint8_t version = 1; version < VERSIONS; version++) {
        struct th_span record = record_of(kinds_of(world) - 1, version, bytes);

        for (uint32_t at = 0; at + record.len <= world->flash.geometry.size; at++) {
            if (memcmp(world->cells + at, record.at, record.len) == 0)
                return true;
        }
    }
    return false;
}

static void act(struct power_world *world, unsigned action)
{
    struct device *device = device_of(world);
    enum th_error error = TH_OK;

    unsigned last = kinds_of(world) - 1;

    if (action == last + 1) {
        device->wiping = 1;
        error = th_log_wipe(&device->log, ~(1u << last));
        if (error == TH_OK) {
            device->held[last] = 0;
            if (left_over(world))
                world->wrong = "a wiped record is still in the flash";
        }
    } else {
        write_next(world, (uint8_t)action);
    }
    if (!world->flash.dead)
        check(world);
}

static size_t as_it_is(uint8_t kind, uint8_t *record, size_t len)
{
    (void)kind;
    (void)record;
    return len;
}

static void look(struct power_world *world, struct power_view *view)
{
    const struct device *device = device_of(world);

    power_view_log(world, region_of(world), as_it_is, view);
    if (world->on)
        power_view_mounted(&device->log, as_it_is, view);
    power_view_add(view, device->held,
                   sizeof *device - offsetof(struct device, held)); /* no padding: bytes */
}

const struct power_scenario log_smallest = {
    .name = "log, 2 units, 1 kind, 2 versions",
    .geometry = {2 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = 2,
    .variant = VARIANT(1, 2, 1),
    .start = start,
    .act = act,
    .look = look,
};

const struct power_scenario log_of_one_kind = {
    .name = "log, 2 units, 1 kind, 3 versions",
    .geometry = {2 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = 2,
    .variant = VARIANT(1, 3, 1),
    .start = start,
    .act = act,
    .look = look,
};

const struct power_scenario log_of_two_kinds = {
    .name = "log, 2 units, 2 kinds, 3 versions",
    .geometry = {2 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = 3,
    .variant = VARIANT(2, 3, 1),
    .start = start,
    .act = act,
    .look = look,
};

const struct power_scenario log_in_three_units = {
    .name = "log, 3 units, 1 kind, 3 versions",
    .geometry = {3 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = 2,
    .variant = VARIANT(1, 3, 1),
    .start = start,
    .act = act,
    .look = look,
};

const struct power_scenario log_of_long_units = {
    .name = "log, 2 units of 2 erase units, 2 kinds, 3 versions",
    .geometry = {4 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = 3,
    .variant = VARIANT(2, 3, 2),
    .start = start,
    .act = act,
    .look = look,
};
