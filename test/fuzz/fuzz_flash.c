/* SPDX-License-Identifier: MIT */
/* R2: flash of any content gives a defined start: log, settings and trial, and what is written then
 * is there after the next one. */
#include <stdlib.h>
#include <string.h>

#include <thimble/settings.h>
#include <thimble/trial.h>

#include "ports/sim/flash.h"

#define UNIT  512u
#define UNITS 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start(struct sim_flash *flash, struct th_log *log)
{
    const struct th_log_region region = {0, UNITS, 1};

    sim_flash_power_on(flash, 1);
    if (th_log_mount(log, &sim_flash_ops, flash, region, 77) != TH_OK)
        abort();
}

static void read_settings(struct th_log *log)
{
    const struct th_settings settings = {log, 1};
    char value[TH_SETTING_VALUE_MAX + 1];

    for (uint16_t i = 0; i < th_settings_count; i++) {
        const char *why;
        size_t len = th_settings_get(&settings, &th_settings_schema[i], value);

        if (th_setting_check(&th_settings_schema[i], th_span_of(value, len), &why) != TH_OK)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t cells[UNIT * UNITS], weak[UNIT * UNITS];
    struct sim_flash flash;
    struct th_log log;
    struct th_trial trial;
    uint8_t back[5];

    sim_flash_init(&flash, (struct th_flash_geometry){UNIT * UNITS, UNIT, 4}, cells, weak, 1);
    memcpy(cells, data, size < sizeof cells ? size : sizeof cells);
    start(&flash, &log);
    read_settings(&log);
    th_trial_load(&trial, &log, 2, (size & 1) != 0);
    enum th_error error = th_log_write(&log, 3, TH_SPAN("hello"));
    if (error == TH_ERR_TOO_LARGE)
        return 0; /* the other records fill the unit */
    start(&flash, &log);
    if (error != TH_OK || th_log_read(&log, 3, 0, back, sizeof back) != 5 ||
        memcmp(back, "hello", 5) != 0)
        abort();
    return 0;
}
