/* SPDX-License-Identifier: MIT */
/* R4: the last failures, crashes and trials, over restarts and within their share of the flash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/history.h>

#include "ports/sim/flash.h"

#define UNIT 4096u
#define KIND 5

static uint8_t cells[2 * UNIT], weak[2 * UNIT];
static struct sim_flash flash;
static struct th_log log_;
static struct th_history history;

static void start(uint32_t now_ms)
{
    const struct th_log_region region = {0, 2, 1};

    sim_flash_power_on(&flash, flash.seed + 1);
    assert_int_equal(th_log_mount(&log_, &sim_flash_ops, &flash, region, 7), TH_OK);
    th_history_load(&history, &log_, KIND, now_ms);
}

static int blank(void **state)
{
    (void)state;
    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    start(0);
    return 0;
}

static void failed(enum th_error error, const char *name, uint32_t now_ms)
{
    struct th_failure failure = th_failure_of(error);

    th_failure_name(&failure, th_span_str(name));
    th_history_failure(&history, &failure, 1800000000, now_ms);
}

static const char *text(size_t n)
{
    static char line[TH_HISTORY_TEXT];

    assert_non_null(th_history_item(&history, n));
    th_history_text(th_history_item(&history, n), line, sizeof line);
    return line;
}

static void a_failure_is_shown_with_layer_evidence_and_remedy(void **state)
{
    (void)state;
    failed(TH_ERR_NAME_NOT_FOUND, "broker.example", 0);
    start(0);
    assert_string_equal(text(0), "2027-01-15 name: the broker's name has no address "
                                 "(\"broker.example\"); check the spelling and the DNS server; an "
                                 "IP address works too when it is in the certificate");
}

static void equal_failures_are_one_item_with_a_count(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        failed(TH_ERR_TCP_REFUSED, "", 0);
    assert_int_equal(th_history_item(&history, 0)->count, 100);
    assert_null(th_history_item(&history, 1));
    start(0);
    assert_int_equal(th_history_item(&history, 0)->count, 64);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        failed(i % 2 ? TH_ERR_TCP_REFUSED : TH_ERR_TCP_RESET, "", (uint32_t)i * TH_HISTORY_PACE_MS);
    start(0);
    for (size_t i = 0; i < TH_HISTORY_ITEMS; i++)
        assert_int_equal(th_history_item(&history, i)->number, 10 - i);
    assert_null(th_history_item(&history, TH_HISTORY_ITEMS));
}

static void a_crash_keeps_its_place(void **state)
{
    const struct th_crash_place place = {0x40201234, 0x40205678, 29, 4, 65000};

    (void)state;
    th_history_crash(&history, TH_RESET_CRASH, &place, 0);
    start(0);
    assert_string_equal(text(0), "crash at 0x40201234, called from 0x40205678, cause 1d, address "
                                 "0x4, after 65000 ms; give these numbers to whoever made the "
                                 "firmware");
}

static void a_trial_says_what_was_taken_back_and_why(void **state)
{
    const struct th_trial_report kept = {.component = TH_TRIAL_TRUST, .kept = true};
    const struct th_trial_report back = {.component = TH_TRIAL_SETTINGS,
                                         .reason = TH_ERR_NAME_NOT_FOUND};
    uint8_t room[TH_HISTORY_TEXT + 128];

    (void)state;
    th_history_trial(&history, &kept, 0);
    th_history_trial(&history, &back, 0);
    start(0);
    assert_string_equal(text(1), "the new trust passed the trial and are kept");
    assert_non_null(strstr(text(0), "the new settings were taken back: name: the broker's name"));
    struct th_span json = th_history_json(th_history_item(&history, 0), room, sizeof room);
    assert_true(json.len > 0);
    room[json.len] = '\0';
    assert_non_null(strstr((char *)room, "{\"event\":\"trial\",\"number\":2,\"count\":1,"
                                         "\"component\":\"settings\",\"kept\":false,\"error\":"
                                         "\"NAME_NOT_FOUND\",\"layer\":\"name\",\"text\":\"the"));
    assert_int_equal(th_history_json(th_history_item(&history, 0), room, 60).len, 0);
}

static void each_is_told_once_also_over_a_restart(void **state)
{
    (void)state;
    failed(TH_ERR_TCP_RESET, "", 0);
    failed(TH_ERR_TCP_REFUSED, "", 0);
    assert_int_equal(th_history_untold(&history)->number, 1);
    th_history_told(&history, 1, true);
    start(0);
    assert_int_equal(th_history_untold(&history)->number, 2);
    th_history_told(&history, 2, true);
    start(0);
    assert_null(th_history_untold(&history));
    failed(TH_ERR_TCP_RESET, "", 0);
    assert_int_equal(th_history_untold(&history)->number, 3);
}

/* R4 R8: ten years of failures that are never twice the same, a thousand a day. */
static void writes_stay_within_their_share(void **state)
{
    uint32_t now = UINT32_MAX - 1000, before = flash.programs;

    (void)state;
    for (uint32_t i = 0; i < 3650u * 1000; i++) {
        now += 86400;
        failed(i % 2 ? TH_ERR_TCP_REFUSED : TH_ERR_TCP_RESET, "", now);
    }
    /* 96 a day; each is three programs, and a change of unit copies it once more in so many. */
    uint32_t a_day = (flash.programs - before) / 3650;
    assert_in_range(a_day, 96 * 3, 96 * 5);
    assert_in_range(flash.erases / 3650, 1, 10);
}

static void a_damaged_record_counts_as_none(void **state)
{
    uint8_t raw[600];

    (void)state;
    for (uint32_t seed = 1; seed < 3000; seed++) {
        size_t len = seed % sizeof raw;

        for (size_t i = 0; i < len; i++)
            raw[i] = (uint8_t)((seed * 2654435761u + i * 40503u) >> (i % 13));
        raw[0] = 1;
        raw[1] = (uint8_t)(seed % 8);
        assert_int_equal(th_log_write(&log_, KIND, th_span_of(raw, len)), TH_OK);
        th_history_load(&history, &log_, KIND, 0);
        for (size_t n = 0; th_history_item(&history, n); n++)
            text(n);
        failed(TH_ERR_TCP_RESET, "", 0);
    }
}

static void without_a_log_it_is_kept_in_memory(void **state)
{
    (void)state;
    th_history_load(&history, NULL, KIND, 0);
    failed(TH_ERR_TCP_RESET, "", 0);
    th_history_told(&history, 1, true);
    assert_int_equal(th_history_item(&history, 0)->count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_failure_is_shown_with_layer_evidence_and_remedy, blank),
        cmocka_unit_test_setup(equal_failures_are_one_item_with_a_count, blank),
        cmocka_unit_test_setup(the_oldest_makes_room, blank),
        cmocka_unit_test_setup(a_crash_keeps_its_place, blank),
        cmocka_unit_test_setup(a_trial_says_what_was_taken_back_and_why, blank),
        cmocka_unit_test_setup(each_is_told_once_also_over_a_restart, blank),
        cmocka_unit_test_setup(writes_stay_within_their_share, blank),
        cmocka_unit_test_setup(a_damaged_record_counts_as_none, blank),
        cmocka_unit_test_setup(without_a_log_it_is_kept_in_memory, blank),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
