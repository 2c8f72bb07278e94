/* SPDX-License-Identifier: MIT */
/* What the host knows of itself, as analog inputs behind the board's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

static bool read_text(const char *path, char *into, size_t room)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    size_t len = fread(into, 1, room - 1, file);
    into[len] = '\0';
    fclose(file);
    return len > 0;
}

static bool temperature(int32_t *raw) /* thousandths of a degree */
{
    char text[32];

    if (!read_text("/sys/class/thermal/thermal_zone0/temp", text, sizeof text))
        return false;
    *raw = (int32_t)strtol(text, NULL, 10);
    return true;
}

static bool load(int32_t *raw) /* hundredths */
{
    char text[64];

    if (!read_text("/proc/loadavg", text, sizeof text))
        return false;
    *raw = (int32_t)(strtod(text, NULL) * 100 + 0.5);
    return true;
}

static bool memory(int32_t *raw) /* MiB that can be had */
{
    char text[512];

    if (!read_text("/proc/meminfo", text, sizeof text))
        return false;
    const char *at = strstr(text, "MemAvailable:");
    if (!at)
        return false;
    *raw = (int32_t)(strtol(at + strlen("MemAvailable:"), NULL, 10) / 1024);
    return true;
}

static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    struct machine *machine = ctx;

    switch (input) {
    case HOST_TEMPERATURE: return temperature(raw);
    case HOST_LOAD: return load(raw);
    case HOST_MEMORY: return memory(raw);
    default: return machine->options.pins && th_linux_analog_ops.read(&machine->pins, input, raw);
    }
}

const struct th_analog_ops host_analog_ops = {convert};

#define AIN(n)                                                 \
    {                                                          \
        .name = "Ain" #n, .kind = TH_SENSOR_ANALOG, .input = n \
    }

/* Without pins there is nothing behind the first eight. */
const struct th_sensor host_sensors[HOST_SENSORS] = {
    AIN(0),
    AIN(1),
    AIN(2),
    AIN(3),
    AIN(4),
    AIN(5),
    AIN(6),
    AIN(7),
    {.name = "host_temp",
     .unit = "\u00B0C",
     .kind = TH_SENSOR_ANALOG,
     .input = HOST_TEMPERATURE,
     .decimals = 1,
     .multiply = 1,
     .divide = 100},
    {.name = "host_load", .kind = TH_SENSOR_ANALOG, .input = HOST_LOAD, .decimals = 2},
    {.name = "host_mem", .unit = "MiB", .kind = TH_SENSOR_ANALOG, .input = HOST_MEMORY},
};
