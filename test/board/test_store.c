/* SPDX-License-Identifier: MIT */
/*
 * R1 O10: settings and trials on an lx106 board that loses power at any moment, or is reset. After
 * each kill -9 the host reads the flash file itself: what the board said was stored is there, and
 * at most one value more. 20 kills and 10 resets, 200 and 100 with THIMBLE_TEST_MODE=full.
 * STORE_SEED=N replays a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <thimble/settings.h>
#include <thimble/trial.h>

#include "ports/sim/flash.h"
#include "qemu.h"
#include "store_check.h"

#define FLASH_BYTES 0x400000
#define FLASH_UNIT  0x10000

static struct qemu qemu;
static uint32_t chance;

static uint32_t draw(uint32_t below)
{
    chance = chance * 1664525 + 1013904223;
    return (chance >> 8) % below;
}

/* The number of the last whole line that begins with `word`. */
static unsigned last_said(const char *word, unsigned otherwise)
{
    char line[32];
    unsigned number = otherwise;

    snprintf(line, sizeof line, "\n%s ", word);
    for (const char *at = qemu.text; (at = strstr(at, line)) != NULL; at++) {
        char *end;
        unsigned long found = strtoul(at + strlen(line), &end, 10);
        if (*end == '\n' || *end == '\r')
            number = (unsigned)found;
    }
    return number;
}

/* ---- the host's own look at the flash file ---- */

static uint8_t cells[FLASH_BYTES], weak[FLASH_BYTES];

static unsigned value_of(struct th_log *log, uint8_t kind)
{
    const struct th_settings settings = {log, kind};

    return (unsigned)th_settings_number(&settings, th_setting_find(TH_SPAN(STORE_COUNTER)));
}

static unsigned read_file(unsigned cut)
{
    struct sim_flash flash;
    struct th_log log;
    struct th_trial trial;
    FILE *file = fopen(qemu_path(&qemu, "flash"), "rb");

    assert_non_null(file);
    sim_flash_init(&flash, (struct th_flash_geometry){FLASH_BYTES, FLASH_UNIT, 4}, cells, weak, 1);
    assert_int_equal(fread(cells, 1, sizeof cells, file), sizeof cells);
    fclose(file);
    if (th_log_mount(&log, &sim_flash_ops, &flash, STORE_CHECK_REGION, 1) != TH_OK)
        fail_msg("cut %u: the host cannot read the log", cut);
    unsigned value = value_of(&log, STORE_IN_FORCE);
    enum th_trial_order order = th_trial_load(&trial, &log, STORE_TRIAL, false);
    /* A candidate on trial is whole; once it is kept it may be in force already. */
    if (order == TH_TRIAL_USE_NEW || order == TH_TRIAL_USE_OLD)
        assert_int_equal(value_of(&log, STORE_NEXT), value + 1);
    if (order == TH_TRIAL_KEEP)
        assert_in_range(value_of(&log, STORE_NEXT), value, value + 1);
    return value;
}

/* ---- cuts ---- */

static unsigned wait_for_start(unsigned cut, unsigned stored)
{
    if (qemu_expect(&qemu, "\nfound ", 20000) == NULL || qemu_expect(&qemu, "\n", 5000) == NULL)
        fail_msg("cut %u: the board does not come back:\n%s", cut, qemu.text);
    unsigned found = last_said("found", 0);
    if (found - stored > 1)
        fail_msg("cut %u: %u was stored, the board found %u", cut, stored, found);
    return found;
}

static unsigned cut(unsigned index, unsigned stored)
{
    qemu_start(&qemu, (const char *const[]){"run=store", NULL}, NULL);
    stored = wait_for_start(index, stored);
    usleep(draw(200000));
    if (index % 2) {
        qemu_command(&qemu, "system_reset", NULL);
        /* Lines may still come from before the reset. */
        if (qemu_expect(&qemu, "\nfound ", 20000) == NULL || qemu_expect(&qemu, "\n", 5000) == NULL)
            fail_msg("cut %u: the board does not come back from a reset:\n%s", index, qemu.text);
        usleep(draw(100000));
    }
    qemu_kill(&qemu);
    stored = last_said("stored", stored);
    if (strstr(qemu.text, "fault") != NULL)
        fail_msg("cut %u: the board says\n%s", index, qemu.text);
    unsigned value = read_file(index);
    if (value - stored > 1)
        fail_msg("cut %u: %u was stored, the host reads %u", index, stored, value);
    print_message("cut %u: said %u, the host reads %u\n", index, stored, value);
    return value;
}

static void settings_and_trials_survive_kills_and_resets(void **state)
{
    (void)state;
    const char *mode = getenv("THIMBLE_TEST_MODE"), *given = getenv("STORE_SEED");
    unsigned cuts = mode != NULL && strcmp(mode, "full") == 0 ? 200 : 20;
    unsigned stored = 60;

    chance = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 1;
    print_message("STORE_SEED=%u\n", chance);
    qemu_prepare(&qemu, &qemu_lx106, "board_check.elf", NULL);
    for (unsigned i = 0; i < cuts; i++)
        stored = cut(i, stored);
    assert_in_range(stored, 60 + cuts, UINT32_MAX); /* it did store */
    qemu_clear(&qemu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_and_trials_survive_kills_and_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
