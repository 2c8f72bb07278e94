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

uint32_t host_heap(void *ctx)
{
    int32_t mib = 0;

    (void)ctx;
    if (!memory(&mib))
        return 0;
    return mib < 4096 ? (uint32_t)mib * 1024 * 1024 : UINT32_MAX;
}

static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    struct machine *machine = ctx;

    switch (input) {
    case HOST_TEMPERATURE: return temperature(raw);
    case HOST_LOAD: return load(raw);
    case HOST_MEMORY: return memory(raw);
    default: break;
    }
    if (machine->options.adc)
        return th_linux_adc_ops.read(&machine->adc, input, raw);
    return machine->options.pins && th_linux_analog_ops.read(&machine->pins, input, raw);
}

const struct th_analog_ops host_analog_ops = {convert};

static const char *const ain_names[MACHINE_AINS] = {"Ain0", "Ain1", "Ain2", "Ain3",
                                                    "Ain4", "Ain5", "Ain6", "Ain7"};

static const struct th_sensor own[] = {
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

uint8_t host_sensors(struct machine *machine)
{
    const struct machine_options *options = &machine->options;
    uint8_t count = 0;

    for (uint8_t n = 0; n < MACHINE_AINS; n++) {
        uint8_t input = options->has_mux ? 0 : n;
        if (!options->pins && !(options->adc && th_linux_adc_has(&machine->adc, input)))
            continue;
        machine->sensor_table[count++] = (struct th_sensor){
            .name = ain_names[n],
            .unit = options->adc && th_linux_adc_scaled(&machine->adc) ? "mV" : NULL,
            .kind = options->has_mux ? TH_SENSOR_MUXED : TH_SENSOR_ANALOG,
            .input = n};
    }
    memcpy(&machine->sensor_table[count], own, sizeof own);
    return (uint8_t)(count + sizeof own / sizeof own[0]);
}
