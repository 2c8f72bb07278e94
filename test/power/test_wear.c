/* SPDX-License-Identifier: MIT */
/*
 * R4: what ten years under the budget of docs/flash-format.md, chapter "Wear", cost: erases of each
 * erase unit, on the map of a chip with 4 KiB units. Every run has 60 days, and the figure ten
 * years lead to; --full has all 3,650.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/history.h>
#include <thimble/identity.h>
#include <thimble/seed.h>
#include <thimble/settings.h>
#include <thimble/tls_openssl.h>
#include <thimble/trial.h>

#include "ports/sim/flash.h"

/* The budget: so often a day. */
enum { STARTS = 12, COMMITS = 10, CHANGES = 10, CRASHES = 12, FLOORS = 4, COUNTERS = 24 };
#define FAILURES                                                                    \
    288 /* one in five minutes, of two kinds; the history writes 96 of them at most \
         */
#define SESSIONS 24

#define DAYS       3650
#define CYCLES_MAX 10000 /* a tenth of what the chips are made for */

enum { SETTINGS, CANDIDATE, TRIAL, FLOOR, HISTORY, CRASH, COUNTER, SEED };

static const struct th_flash_map *const map = &th_flash_map_chip;
static uint8_t *cells, *weak;
static uint32_t *unit_erases;
static struct sim_flash flash;
static struct th_log log_;
static struct th_history history;
static struct th_identity_store identity;
static struct th_factory factory;
static struct th_seed seed;
static uint32_t now_ms, drawn;

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        into[i] = (uint8_t)((drawn++ * 2654435761u) >> 24);
    return true;
}

static const struct th_entropy_ops entropy = {fill};
static const struct th_board board = {.entropy = {&entropy, NULL},
                                      .flash = {&sim_flash_ops, &flash}};
static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

static void start(void)
{
    sim_flash_power_on(&flash, drawn);
    assert_int_equal(th_identity_open(&identity, &board, map, drawn), TH_OK);
    assert_int_equal(th_factory_open(&factory, &board, map, drawn), TH_OK);
    assert_int_equal(
        th_log_mount(&log_, &sim_flash_ops, &flash, th_flash_map_region(map, TH_FLASH_LOG), drawn),
        TH_OK);
    assert_int_equal(th_seed_start(&seed, &log_, SEED, &crypto, &board), TH_OK);
    th_history_load(&history, &log_, HISTORY, now_ms);
}

static void write_some(uint8_t kind, size_t len)
{
    uint8_t bytes[512];

    fill(NULL, bytes, len);
    assert_int_equal(th_log_write(&log_, kind, th_span_of(bytes, len)), TH_OK);
}

/* A set of some 400 bytes; the password is not stored as it stands, but it takes its room. */
static void commit(uint8_t kind)
{
    static uint8_t work[TH_SETTINGS_MAX];
    const struct th_settings settings = {&log_, kind};
    struct th_settings_change change;
    char text[256];
    const char *why;

    assert_int_equal(th_settings_begin(&change, &settings, work, sizeof work), TH_OK);
    memset(text, 'a' + (int)(drawn++ % 26), sizeof text);
    assert_int_equal(th_settings_put(&change, th_setting_find(TH_SPAN("mqtt.pass")),
                                     th_span_of(text, 255), &why),
                     TH_OK);
    assert_int_equal(th_settings_put(&change, th_setting_find(TH_SPAN("mqtt.server")),
                                     th_span_of(text, 120), &why),
                     TH_OK);
    assert_int_equal(th_settings_commit(&change, &settings), TH_OK);
}

/* Both sets fail once, then the candidate is kept. */
static void change_on_trial(void)
{
    static const struct th_trial_plan plan = {.component = TH_TRIAL_SETTINGS, .attempts = 1};
    const struct th_failure lost = th_failure_of(TH_ERR_TCP_TIMEOUT);
    struct th_trial trial;

    th_trial_load(&trial, &log_, TRIAL, false);
    commit(CANDIDATE);
    assert_int_equal(th_trial_begin(&trial, &plan), TH_OK);
    assert_int_equal(th_trial_failed(&trial, &lost), TH_TRIAL_USE_OLD);
    assert_int_equal(th_trial_failed(&trial, &lost), TH_TRIAL_USE_NEW);
    assert_int_equal(th_trial_proved(&trial), TH_TRIAL_KEEP);
    commit(SETTINGS);
    assert_int_equal(th_trial_done(&trial), TH_OK);
    assert_int_equal(th_log_write(&log_, CANDIDATE, th_span_of(NULL, 0)), TH_OK);
}

static void meet_failure(uint32_t number)
{
    struct th_failure failure =
        th_failure_of(number % 2 ? TH_ERR_TCP_TIMEOUT : TH_ERR_NAME_NOT_FOUND);

    now_ms += 24u * 3600u * 1000u / FAILURES;
    th_history_failure(&history, &failure, 0, now_ms);
}

/* Everything at the most the budget allows, spread over the day. */
static void live_a_day(void)
{
    for (uint32_t tick = 0; tick < FAILURES; tick++) {
        meet_failure(tick);
        if (tick % (FAILURES / STARTS) == 0)
            start();
        if (tick % (FAILURES / COMMITS) == 1)
            commit(SETTINGS);
        if (tick % (FAILURES / CHANGES) == 2)
            change_on_trial();
        if (tick % (FAILURES / CRASHES) == 3)
            write_some(CRASH, 1);
        if (tick % (FAILURES / FLOORS) == 4)
            write_some(FLOOR, 8);
        if (tick % (FAILURES / COUNTERS) == 5)
            write_some(COUNTER, 64);
        if (tick % (FAILURES / SESSIONS) == 6) {
            uint8_t session[200];

            fill(NULL, session, sizeof session);
            assert_int_equal(
                th_identity_session_put(&identity, th_span_of(session, sizeof session)), TH_OK);
        }
    }
}

static uint32_t most_in(enum th_flash_use use)
{
    const struct th_flash_area *area = &map->areas[use];
    uint32_t most = 0;

    for (uint32_t at = area->offset; at < area->offset + area->size; at += map->erase_unit) {
        if (unit_erases[at / map->erase_unit] > most)
            most = unit_erases[at / map->erase_unit];
    }
    return most;
}

static void ten_years_wear_no_unit_out(void **state)
{
    (void)state;
    const char *mode = getenv("THIMBLE_TEST_MODE");
    uint32_t days = mode != NULL && strcmp(mode, "full") == 0 ? DAYS : 60;
    static const struct {
        enum th_flash_use use;
        const char *name;
    } areas[] = {
        {TH_FLASH_LOG, "log"}, {TH_FLASH_IDENTITY, "identity"}, {TH_FLASH_FACTORY, "factory"}};

    cells = malloc(map->size);
    weak = malloc(map->size);
    unit_erases = calloc(map->size / map->erase_unit, sizeof *unit_erases);
    sim_flash_init(&flash, (struct th_flash_geometry){map->size, map->erase_unit, 4}, cells, weak,
                   1);
    flash.unit_erases = unit_erases;
    for (uint32_t day = 0; day < days; day++)
        live_a_day();
    for (size_t i = 0; i < 3; i++) {
        uint32_t most = most_in(areas[i].use);
        /* A part of a day's wear rounds up. */
        uint32_t in_ten_years = days == DAYS ? most : (most + 1) * DAYS / days;

        print_message("%s: %u erases of one unit in %u days, at most %u in ten years\n",
                      areas[i].name, most, days, in_ten_years);
        assert_in_range(in_ten_years, 0, CYCLES_MAX);
    }
    free(cells);
    free(weak);
    free(unit_erases);
}

/* What was measured is what is published. */
static void the_budget_is_the_published_one(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned a_day;
    } rows[] = {{"starts", STARTS},
                {"settings committed", COMMITS},
                {"changes on trial", CHANGES},
                {"crashes", CRASHES},
                {"clock floor raised", FLOORS},
                {"counters", COUNTERS},
                {"sessions stored on flash", SESSIONS}};
    static char page[64 * 1024];
    FILE *file = fopen(TH_DOCS "/flash-format.md", "r");

    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char row[64];

        snprintf(row, sizeof row, "| %s | %u |", rows[i].what, rows[i].a_day);
        assert_non_null(strstr(page, row));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_years_wear_no_unit_out),
        cmocka_unit_test(the_budget_is_the_published_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
