/* SPDX-License-Identifier: MIT */
#include "boot_device.h"

#include <string.h>

#include <thimble/boot.h>

#define UNIT     256
#define ATTEMPTS 2

static const uint32_t units[2] = {0, UNIT};

struct device {
    uint32_t epoch; /* of the record in force; counts the records written */
    uint8_t running;
    uint8_t writing; /* a record with the next epoch was being written */
    uint8_t trial;   /* the running slot is on trial */
    uint8_t crashes; /* of it */
    uint8_t spare[4];
};

static struct device *device_of(struct power_world *world)
{
    return (struct device *)world->device;
}

/* What a loader does: docs/flash-format.md. */
static bool load_slot(struct power_world *world, struct th_boot_record *record,
                      struct th_boot_choice *choice)
{
    struct sim_flash *flash = &world->flash;
    int copy = th_boot_read(&sim_flash_ops, flash, units, record);
    uint8_t bits[TH_BOOT_BITS_BYTES];

    if (copy < 0 || !th_boot_settle(&sim_flash_ops, flash, units, copy))
        return false;
    *choice = th_boot_choose(record, world->crashed);
    th_boot_encode_bits(choice, bits);
    return !record->trial ||
           sim_flash_ops.program(flash, units[copy] + TH_BOOT_BITS_OFFSET, bits, sizeof bits);
}

static void check(struct power_world *world, const struct th_boot_record *record,
                  const struct th_boot_choice *choice)
{
    struct device *device = device_of(world);
    bool same = record->epoch == device->epoch;

    if (!same && !(device->writing && record->epoch == device->epoch + 1))
        world->wrong = "the record is neither the old one nor the new one";
    if (!same)
        device->crashes = 0;
    /* O10 O11: 32 starts are more than this scenario has between two records. */
    if (choice->reverted && record->refused == UINT32_MAX && record->starts != 0 &&
        device->crashes < ATTEMPTS)
        world->wrong = "a trial was given up without its crashes";
    device->epoch = record->epoch;
    device->writing = 0;
    device->running = choice->slot;
    device->trial = choice->trial;
}

static void write_record(struct power_world *world, uint8_t slot, bool trial)
{
    struct device *device = device_of(world);
    struct th_boot_record record = {
        .slot = slot, .trial = trial, .attempts = ATTEMPTS, .epoch = device->epoch + 1};

    device->writing = 1;
    if (!th_boot_write(&sim_flash_ops, &world->flash, units, &record)) {
        if (!world->flash.dead)
            world->wrong = "the record cannot be written";
        return;
    }
    device->epoch++;
    device->writing = 0;
    device->trial = trial && slot == device->running;
    device->crashes = 0;
}

static void start(struct power_world *world)
{
    struct device *device = device_of(world);
    struct th_boot_record record;
    struct th_boot_choice choice;

    if (device->epoch == 0 && th_boot_read(&sim_flash_ops, &world->flash, units, &record) < 0) {
        write_record(world, 0, false); /* a flash as it is delivered */
        return;
    }
    if (load_slot(world, &record, &choice))
        check(world, &record, &choice);
    else if (!world->flash.dead)
        world->wrong = "there is no record";
}

static void act(struct power_world *world, unsigned action)
{
    struct device *device = device_of(world);

    switch (action) {
    case BOOT_CONFIRM: write_record(world, device->running, false); break;
    case BOOT_TRY_OTHER: write_record(world, (uint8_t)(1 - device->running), true); break;
    default: device->crashes += device->trial && device->crashes < ATTEMPTS; power_crash(world);
    }
}

/* ---- the view ---- */

struct outcome {
    struct th_boot_record record; /* zeros: not valid */
    uint8_t body, bits;           /* how its grains read */
};

static bool read_copy(const struct power_world *world, unsigned copy, struct outcome *out)
{
    uint8_t bytes[TH_BOOT_RECORD_BYTES];

    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = sim_flash_reading(&world->flash, units[copy] + i,
                                     (enum sim_reading)(i < 64 ? out->body : out->bits));
    memset(&out->record, 0, sizeof out->record);
    return th_boot_decode(bytes, &out->record);
}

/* All ways one copy can read that differ in what they say. */
static unsigned read_ways(const struct power_world *world, unsigned copy, struct outcome *ways)
{
    unsigned count = 0;

    for (unsigned both = 0; both < SIM_READINGS * SIM_READINGS; both++) {
        struct outcome *out = &ways[count];
        bool known = false;

        out->body = (uint8_t)(both / SIM_READINGS);
        out->bits = (uint8_t)(both % SIM_READINGS);
        if (!read_copy(world, copy, out))
            memset(&out->record, 0, sizeof out->record);
        for (unsigned i = 0; i < count; i++)
            known = known || memcmp(&ways[i].record, &out->record, sizeof out->record) == 0;
        count += !known;
    }
    return count;
}

static void add_outcome(struct power_view *view, const struct outcome *out, uint32_t newest,
                        uint32_t epoch)
{
    const struct th_boot_record *record = &out->record;
    bool valid = record->attempts != 0;

    power_view_number(view, valid);
    if (!valid || record->sequence == 0)
        return;
    power_view_number(view, newest - record->sequence);
    power_view_number(view, epoch - record->epoch);
    power_view_number(view, (uint32_t)record->slot << 1 | record->trial);
    power_view_number(view, record->starts);
    power_view_number(view, record->failures);
    power_view_number(view, record->refused);
}

/* One copy is sure to count: of the other it only matters whether it is valid, and voided if not.
 */
static bool surely_counts(const struct outcome *one, unsigned ways, uint32_t other_newest)
{
    for (unsigned i = 0; i < ways; i++) {
        if (!one[i].record.attempts || one[i].record.sequence <= other_newest)
            return false;
    }
    return true;
}

static unsigned forget_content(struct outcome *ways, unsigned count)
{
    unsigned kept = 0;
    bool seen[2] = {false, false};

    for (unsigned i = 0; i < count; i++) {
        bool valid = ways[i].record.attempts != 0;

        memset(&ways[i].record, 0, sizeof ways[i].record);
        ways[i].record.attempts = valid;
        if (!seen[valid])
            ways[kept++] = ways[i];
        seen[valid] = true;
    }
    if (kept == 2 && ways[0].record.attempts) { /* in one order */
        struct outcome first = ways[0];

        ways[0] = ways[1];
        ways[1] = first;
    }
    return kept;
}

static void look(struct power_world *world, struct power_view *view)
{
    const struct device *device = device_of(world);
    struct outcome ways[2][SIM_READINGS * SIM_READINGS];
    unsigned counts[2];
    uint32_t newests[2] = {0, 0};

    memset(ways, 0, sizeof ways);
    for (unsigned copy = 0; copy < 2; copy++) {
        counts[copy] = read_ways(world, copy, ways[copy]);
        for (unsigned i = 0; i < counts[copy]; i++) {
            if (ways[copy][i].record.attempts && ways[copy][i].record.sequence > newests[copy])
                newests[copy] = ways[copy][i].record.sequence;
        }
    }
    uint32_t newest = newests[0] > newests[1] ? newests[0] : newests[1];
    for (unsigned copy = 0; copy < 2; copy++) {
        bool sure = surely_counts(ways[copy], counts[copy], newests[1 - copy]);

        power_view_number(view, sure);
        if (sure)
            counts[1 - copy] = forget_content(ways[1 - copy], counts[1 - copy]);
    }
    for (unsigned copy = 0; copy < 2; copy++) {
        power_view_number(view, counts[copy]);
        for (unsigned i = 0; i < counts[copy]; i++)
            add_outcome(view, &ways[copy][i], newest, device->epoch);
    }
    power_view_add(view, &device->running, 4);
    power_view_number(view, device->epoch == 0);
    view->ways = counts[0] * counts[1];
    if (view->ways > POWER_WAYS) {
        view->cramped = true;
        return;
    }
    for (unsigned way = 0; way < view->ways; way++) {
        const struct outcome *pair[2] = {&ways[0][way % counts[0]], &ways[1][way / counts[0]]};

        for (unsigned copy = 0; copy < 2; copy++) {
            uint8_t *readings = &view->readings[way][units[copy] / SIM_GRAIN];

            memset(readings, pair[copy]->body, 4);
            readings[4] = pair[copy]->bits;
        }
    }
}

const struct power_scenario boot_record = {
    .name = "boot record",
    .geometry = {2 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = BOOT_ACTIONS,
    .start = start,
    .act = act,
    .look = look,
};
