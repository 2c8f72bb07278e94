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
