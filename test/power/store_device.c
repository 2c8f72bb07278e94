/* SPDX-License-Identifier: MIT */
#include "store_device.h"

#include <string.h>

#include <thimble/clock.h>
#include <thimble/settings.h>
#include <thimble/trial.h>

#define UNIT   256
#define VALUES 3 /* the setting goes round among so many; 0: there is none */

enum { IN_FORCE, NEXT, TRIAL, FLOOR };

struct device {
    struct th_log log;
    struct th_trial trial;
    struct th_clock clock;
    /* What the world outside knows and was promised. */
    uint8_t value, coming;    /* in force; being committed */
    uint8_t candidate;        /* of the trial that runs; 0: none runs */
    uint8_t beginning;        /* of the one that was being begun */
    uint8_t proved, refuted;  /* the candidate; so it may be kept, or taken back */
    uint8_t crashes;          /* of the candidate */
    uint8_t rising;           /* the floor was being raised */
    uint8_t raises, spare[3]; /* how often */
};

static struct device *device_of(struct power_world *world)
{
    return (struct device *)world->device;
}

/* ---- the owner of settings and trials, as src/device is ---- */

static uint8_t work[TH_SETTINGS_MAX];

static const struct th_setting *setting(void)
{
    return th_setting_find(TH_SPAN("mqtt.keep_alive"));
}

static uint8_t value_in(struct device *device, uint8_t kind)
{
    const struct th_settings settings = {&device->log, kind};
    int32_t value = th_settings_number(&settings, setting());

    return value == 60 ? 0 : (uint8_t)(value - 10);
}

static enum th_error put_value(struct device *device, uint8_t from, uint8_t to, uint8_t value)
{
    const struct th_settings source = {&device->log, from}, target = {&device->log, to};
    const char text[] = {'1', (char)('0' + value)};
    struct th_settings_change change;
    const char *why;
    enum th_error error = th_settings_begin(&change, &source, work, sizeof work);

    if (error == TH_OK)
        error = th_settings_put(&change, setting(), th_span_of(text, 2), &why);
    return error ? error : th_settings_commit(&change, &target);
}

static enum th_error copy_set(struct device *device, uint8_t from, uint8_t to)
{
    const struct th_settings source = {&device->log, from}, target = {&device->log, to};
    struct th_settings_change change;
    enum th_error error = th_settings_begin(&change, &source, work, sizeof work);

    return error ? error : th_settings_commit(&change, &target);
}

static enum th_error carry_out(struct device *device, enum th_trial_order order)
{
    bool keep = order == TH_TRIAL_KEEP;
    enum th_error error = keep ? copy_set(device, NEXT, IN_FORCE)
                               : th_log_write(&device->log, NEXT, th_span_of(NULL, 0));

    if (error == TH_OK)
        error = th_trial_done(&device->trial);
    if (error == TH_OK && keep)
        error = th_log_write(&device->log, NEXT, th_span_of(NULL, 0));
    return error;
}

/* ---- what must hold ---- */

static void trial_over(struct power_world *world)
{
    struct device *device = device_of(world);
    uint8_t value = value_in(device, IN_FORCE);

    if (value != device->value && !(device->proved && value == device->candidate))
        world->wrong = "what was not proved is in force";
    if (!device->proved && !device->refuted)
        world->wrong = "a trial has ended without a reason";
    if (value == device->value && value != device->candidate && !device->refuted)
        world->wrong = "what was proved is not in force";
    device->value = value;
    device->candidate = device->proved = device->refuted = device->crashes = 0;
}

static void follow(struct power_world *world, enum th_trial_order order)
{
    struct device *device = device_of(world);

    if (order == TH_TRIAL_KEEP && !device->proved)
        world->wrong = "it is to be kept without a proof";
    if (order == TH_TRIAL_REVERT && device->crashes >= 2)
        device->refuted = 1;
    if (order == TH_TRIAL_REVERT && !device->refuted)
        world->wrong = "it is to be taken back without evidence";
    if (order != TH_TRIAL_KEEP && order != TH_TRIAL_REVERT)
        return;
    enum th_error error = carry_out(device, order);
    if (world->flash.dead)
        return;
    if (error)
        world->wrong = "an order cannot be carried out";
    else
        trial_over(world);
}

/* What was under way when power went has happened or not, and stays so. */
static void settle_begin(struct power_world *world, enum th_trial_order order)
{
    struct device *device = device_of(world);

    if (device->beginning && order != TH_TRIAL_GO_ON) {
        device->candidate = device->beginning;
        device->crashes = world->crashed;
    }
    device->beginning = 0;
    if (device->candidate && order == TH_TRIAL_GO_ON)
        trial_over(world);
    else if (!device->candidate && order != TH_TRIAL_GO_ON)
        world->wrong = "a trial runs that was never begun";
    else if (device->candidate && order != TH_TRIAL_REVERT &&
             value_in(device, NEXT) != device->candidate)
        world->wrong = "the candidate is not whole";
}

static void settle_value(struct power_world *world)
{
    struct device *device = device_of(world);
    uint8_t value = value_in(device, IN_FORCE);

    if (value == device->value || (device->coming && value == device->coming) ||
        (device->candidate && device->proved && value == device->candidate)) {
        if (!device->candidate)
            device->value = value;
    } else {
        world->wrong = "the settings are neither the old ones nor the new ones";
    }
    device->coming = 0;
}

/* C1: seconds are counted from the outside's knowledge, so that the floor has no end. */
static void settle_floor(struct power_world *world)
{
    struct device *device = device_of(world);
    uint8_t raw = 0;

    th_log_read(&device->log, FLOOR, 0, &raw, 1);
    if (raw != device->raises && !(device->rising && raw == (uint8_t)(device->raises + 1)))
        world->wrong = "the floor went back";
    device->raises = raw;
    device->rising = 0;
    th_clock_init(&device->clock, raw, 0);
}

static void start(struct power_world *world)
{
    struct device *device = device_of(world);
    const struct th_log_region region = {0, 2, 1};
    enum th_error error = th_log_mount(&device->log, &sim_flash_ops, &world->flash, region, 1);

    if (world->flash.dead)
        return;
    if (error) {
        world->wrong = "it does not start";
        return;
    }
    settle_value(world);
    settle_floor(world);
    enum th_trial_order order = th_trial_load(&device->trial, &device->log, TRIAL, world->crashed);
    if (world->flash.dead)
        return;
    settle_begin(world, order);
    follow(world, order);
}

/* ---- actions ---- */

static uint8_t after(uint8_t value)
{
    return (uint8_t)(value % VALUES + 1);
}

static void commit(struct device *device)
{
    device->coming = after(device->value);
    if (put_value(device, IN_FORCE, IN_FORCE, device->coming) != TH_OK)
        return;
    device->value = device->coming;
    device->coming = 0;
}

static void begin(struct device *device)
{
    static const struct th_trial_plan plan = {
        .component = TH_TRIAL_SETTINGS, .attempts = 1, .crashes = 2};

    if (put_value(device, IN_FORCE, NEXT, after(device->value)) != TH_OK)
        return;
    device->beginning = after(device->value);
    if (th_trial_begin(&device->trial, &plan) != TH_OK)
        return;
    device->candidate = device->beginning;
    device->beginning = device->crashes = 0;
}

static void raise_floor(struct device *device)
{
    uint8_t raised = (uint8_t)(device->raises + 1);

    th_clock_raise_floor(&device->clock, device->clock.floor_s + 1, 0);
    device->rising = 1;
    if (th_log_write(&device->log, FLOOR, th_span_of(&raised, 1)) != TH_OK)
        return;
    device->raises = raised;
    device->rising = 0;
}

static void prove(struct power_world *world)
{
    struct device *device = device_of(world);

    if (th_trial_running(&device->trial))
        device->proved = 1;
    else
        device->refuted = 1; /* the old set works, the new one did not */
    enum th_trial_order order = th_trial_proved(&device->trial);
    if (!world->flash.dead)
        follow(world, order);
}

static void lose(struct device *device)
{
    const struct th_failure failure = th_failure_of(TH_ERR_TCP_TIMEOUT);

    th_trial_failed(&device->trial, &failure);
}

static void act(struct power_world *world, unsigned action)
{
    struct device *device = device_of(world);
    bool trying = device->candidate != 0;

    switch (action) {
    case STORE_COMMIT:
        if (!trying)
            commit(device);
        break;
    case STORE_FLOOR: raise_floor(device); break;
    case STORE_BEGIN:
        if (!trying)
            begin(device);
        break;
    case STORE_PROVED:
        if (trying)
            prove(world);
        break;
    case STORE_FAILED:
        if (trying)
            lose(device);
        break;
    default:
        device->crashes += trying && th_trial_running(&device->trial) && device->crashes < 2;
        power_crash(world);
    }
}

/* ---- the view ---- */

static size_t normal(uint8_t kind, uint8_t *record, size_t len)
{
    const struct device *device = (const struct device *)power_world.device;

    if (kind == FLOOR && len > 0)
        record[0] = (uint8_t)(record[0] - device->raises);
    if (kind == TRIAL && len == 16) { /* how often both failed, and the last trial: only told */
        memset(record + 8, 0, 2);
        memset(record + 10, 0, 6);
    }
    return len;
}

static void look(struct power_world *world, struct power_view *view)
{
    const struct device *device = device_of(world);
    const struct th_log_region region = {0, 2, 1};
    const uint8_t known[] = {device->value,  device->coming,  device->candidate, device->beginning,
                             device->proved, device->refuted, device->crashes,   device->rising};

    power_view_log(world, region, normal, view);
    power_view_add(view, known, sizeof known);
    if (!world->on)
        return;
    power_view_mounted(&device->log, normal, view);
    power_view_number(view, (uint32_t)device->trial.state << 16 |
                                (uint32_t)device->trial.failed << 8 | device->trial.crashed);
}

const struct power_scenario store_settings = {
    .name = "settings and clock floor",
    .geometry = {2 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = STORE_FLOOR + 1,
    .start = start,
    .act = act,
    .look = look,
};

const struct power_scenario store_trials = {
    .name = "settings on trial, crashes, clock floor",
    .geometry = {2 * UNIT, UNIT, 4},
    .device_bytes = sizeof(struct device),
    .actions = STORE_CRASH + 1,
    .start = start,
    .act = act,
    .look = look,
};
