/* SPDX-License-Identifier: MIT */
/* What came out of a simulated world. */
#include <string.h>

#include "device_world.h"

unsigned world_said(const struct device_world *world, const char *text)
{
    unsigned count = 0;

    for (int i = 0; i < WORLD_LINES; i++)
        count += strstr(world->lines[i], text) != NULL;
    return count;
}

unsigned world_logged(const struct device_world *world, const char *text)
{
    unsigned count = 0;

    for (int i = 0; i < WORLD_LINES; i++)
        count += strstr(world->logs[i], text) != NULL;
    return count;
}

bool world_holds(const struct device_world *world, const void *bytes, size_t len)
{
    return memmem(world->flash.cells, world->flash.geometry.size, bytes, len) != NULL ||
           memmem(world->rtc, sizeof world->rtc, bytes, len) != NULL;
}

bool world_is_up(const struct device_world *world)
{
    return world->device.linked && world->device.subscribed &&
           th_link_state(&world->device.link) == TH_LINK_UP;
}

bool world_comes_up(struct device_world *world, uint64_t within_ms)
{
    uint64_t end = th_sim_elapsed_ms(world->sim) + within_ms;

    while (!world_is_up(world) && th_sim_elapsed_ms(world->sim) < end)
        world_run(world, 1000);
    return world_is_up(world);
}

const char *world_setting(struct device_world *world, const char *name)
{
    static char value[TH_SETTING_VALUE_MAX + 1];
    struct th_settings in_force = {&world->device.log, TH_RECORD_SETTINGS};

    th_settings_get(&in_force, th_setting_find(th_span_str(name)), value);
    return value;
}
