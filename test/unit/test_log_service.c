/* SPDX-License-Identifier: MIT */
/* What a whole device tells of itself by level: include/thimble/log_service.h. I1, F9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/log_service.h>

#include "service_rig.h"

#define MINUTE 60000u

static struct device_world *const world = &rig.world;
static struct th_log_service log_service;
static uint8_t lines[700];
static char told[40][400];
static unsigned told_count;

static void hear(const char *topic, const char *payload)
{
    if (strcmp(topic, "log") == 0)
        snprintf(told[told_count++ % 40], sizeof told[0], "%.399s", payload);
}

static uint32_t now(void)
{
    return world->board.clock.ops->now_ms(world->board.clock.ctx);
}

static unsigned heard(const char *text)
{
    unsigned count = 0;

    for (unsigned i = 0; i < told_count && i < 40; i++)
        count += strstr(told[i], text) != NULL;
    return count;
}

static int begin(void **state)
{
    (void)state;
    told_count = 0;
    memset(told, 0, sizeof told);
    rig_begin(NULL, 0);
    rig.told = hear;
    th_log_service_init(&log_service, lines, sizeof lines);
    assert_true(th_requests_add(&rig.requests, th_log_methods(&log_service)));
    rig_start(th_log_service(&log_service));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(world);
    return 0;
}

static void set_level(const char *level)
{
    char params[64];

    snprintf(params, sizeof params, "{\"config\":{\"log\":{\"level\":\"%s\"}}}", level);
    rig_expect("Config.Set", params, "{\"trial\":true}");
    world_run(world, MINUTE);
    assert_string_equal(world_setting(world, "log.level"), level);
    told_count = 0;
    memset(told, 0, sizeof told);
}

static void what_a_device_says_is_sent_with_number_level_and_time(void **state)
{
    (void)state;
    assert_int_equal(heard("\"event\":\"line\""), heard("\"level\":\"info\""));
    assert_true(heard("\"text\":\"connected\"") == 1);
    assert_true(heard("\"number\":") > 0);
    rig_expect("Log.Lines", "{\"count\":1}", "\"result\":[{\"event\":\"line\",\"number\":");
    /* Telling the time of a line once turned the clock forward by a wrap of the counter. */
    int64_t before_ms = th_clock_ms(&world->device.clock, now());
    th_device_log(&world->device, TH_LEVEL_INFO, "one more");
    world_run(world, 1500);
    assert_in_range(th_clock_ms(&world->device.clock, now()) - before_ms, 1, 5000);
}

static void who_did_what_can_be_read_afterwards(void **state) /* F9 */
{
    (void)state;
    rig_ask("Sys.GetInfo", "{}");
    assert_int_equal(heard("alice asks for Sys.GetInfo"), 0);
    rig_expect("Mode.Set", "{\"mode\":\"mqtt\"}", "{\"trial\":false}");
    assert_int_equal(heard("\"level\":\"info\""), heard("\"event\":\"line\""));
    assert_int_equal(heard("alice asks for Mode.Set"), 1);
    rig_send("mallory", "{\"id\":1,\"method\":\"Sys.Reboot\"}", 900);
    assert_int_equal(heard("\"level\":\"warn\""), 1);
    assert_int_equal(heard("mallory asks for something, refused: the device's trust set"), 1);
}

static void the_setting_decides_what_is_sent(void **state)
{
    (void)state;
    set_level("debug");
    rig_ask("Sys.GetInfo", "{}");
    assert_int_equal(heard("\"level\":\"debug\""), 1);
    set_level("warn");
    rig_ask("Mode.Set", "{\"mode\":\"mqtt\"}");
    assert_int_equal(heard("\"event\":\"line\""), 0);
    rig_send("mallory", "{\"id\":1,\"method\":\"Sys.Reboot\"}", 900);
    assert_int_equal(heard("\"event\":\"line\""), 1);
    set_level("error");
    rig_send("mallory", "{\"id\":1,\"method\":\"Sys.Reboot\"}", 900);
    assert_int_equal(heard("\"event\":\"line\""), 0);
}

/* The history tells it once; a line of the same would be said twice. */
static void a_failure_is_told_by_the_history_alone(void **state)
{
    (void)state;
    rig_expect("Config.Set", "{\"config\":{\"wifi\":{\"sta\":{\"ssid\":\"nowhere\"}}}}",
               "{\"trial\":true}");
    world_run(world, 30 * MINUTE);
    assert_true(heard("\"event\":\"failure\"") > 0);
    assert_int_equal(heard("\"level\":\"error\""), 0);
    assert_non_null(strstr(rig_ask("Log.Lines", "{\"count\":64}"), "\"level\":\"error\""));
}

static void the_newest_lines_are_kept_and_an_answer_holds_what_fits(void **state)
{
    (void)state;
    char long_line[400];
    const char *at;
    unsigned count = 0;

    memset(long_line, 'x', sizeof long_line - 1);
    long_line[sizeof long_line - 1] = '\0';
    memcpy(long_line + TH_LOG_LINE - 1, "\xC3\xA9", 2); /* not cut in two */
    for (int i = 0; i < 50; i++)
        th_device_log(&world->device, TH_LEVEL_INFO, i % 2 ? long_line : "short");
    world_run(world, 5000);
    rig_ask("Log.Lines", "{}");
    for (at = rig.answer; (at = strstr(at, "\"event\"")) != NULL; at++)
        count++;
    assert_in_range(count, 5, 12);
    assert_null(strstr(rig.answer, "\xC3"));
    assert_non_null(strstr(rig.answer, "xxx\"}"));
    assert_true(log_service.used <= sizeof lines);
    rig_expect("Log.Lines", "{\"before\":1}", "\"result\":[]");
}

static void the_set_up_code_is_never_in_the_log(void **state) /* I1 */
{
    (void)state;
    assert_int_equal(world_said(world, "set-up code: "), 1);
    rig_ask("Log.Lines", "{}");
    assert_null(strstr(rig.answer, "set-up code"));
    for (size_t i = 0; i + 11 <= log_service.used; i++)
        assert_memory_not_equal(lines + i, "set-up code", 11);
}

static void lines_wait_for_the_connection(void **state)
{
    (void)state;
    told_count = 0;
    th_sim_broker_stop(world->servers[0].broker);
    world_run(world, 2 * MINUTE);
    th_device_log(&world->device, TH_LEVEL_WARN, "while it was away");
    world_run(world, 90000);
    assert_int_equal(heard("while it was away"), 0);
    th_sim_broker_start(world->servers[0].broker, false);
    assert_true(world_comes_up(world, 10 * MINUTE));
    world_run(world, 5000);
    assert_int_equal(heard("while it was away"), 1);
    for (unsigned i = 0; i < told_count; i++) {
        const char *age =
            strstr(told[i], "while it was away") ? strstr(told[i], "\"age_s\":") : NULL;
        if (age)
            assert_in_range(strtol(age + 8, NULL, 10), 90, 600);
        assert_true(age || !strstr(told[i], "while it was away"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_a_device_says_is_sent_with_number_level_and_time),
        TEST(who_did_what_can_be_read_afterwards),
        TEST(the_setting_decides_what_is_sent),
        TEST(a_failure_is_told_by_the_history_alone),
        TEST(the_newest_lines_are_kept_and_an_answer_holds_what_fits),
        TEST(the_set_up_code_is_never_in_the_log),
        TEST(lines_wait_for_the_connection),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
