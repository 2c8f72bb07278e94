/* SPDX-License-Identifier: MIT */
/* O14, I9: a device over what a newer version has stored. test/system/test_versions.sh runs both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "device_world.h"

#define MINUTE 60000u

static struct device_world world;

static int begin(void **state)
{
    (void)state;
    world_begin(&world, 1, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static void enrolled(bool agent)
{
    world_enrol(&world, agent);
    assert_true(world_comes_up(&world, MINUTE));
    world_run(&world, 2000);
}

/* O14: what a newer version has stored outlives a change made by this one, kept or taken back. */
static void settings_of_a_newer_version_are_kept(void **state)
{
    static const uint8_t newer[] = {0x60, 0xEA, 5, 0, 'n', 'e', 'w', 'e', 'r'};
    uint8_t set[TH_SETTINGS_MAX];

    (void)state;
    enrolled(false);
    size_t len = th_log_read(&world.device.log, TH_RECORD_SETTINGS, 0, set, sizeof set);
    memcpy(set + len, newer, sizeof newer);
    assert_int_equal(
        th_log_write(&world.device.log, TH_RECORD_SETTINGS, th_span_of(set, len + sizeof newer)),
        TH_OK);
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    world_run(&world, MINUTE);
    assert_string_equal(world_setting(&world, "mqtt.keep_alive"), "30");
    assert_int_equal(world_try(&world, "", "mqtt.server", "nowhere.example", NULL), TH_OK);
    world_run(&world, MINUTE);
    len = th_log_read(&world.device.log, TH_RECORD_SETTINGS, 0, set, sizeof set);
    assert_non_null(memmem(set, len, newer, sizeof newer));
}

/* O14: what a newer version was trying is thrown away at once, and does not go on when it is back.
 */
static void a_trial_of_a_newer_version_ends(void **state)
{
    static const uint8_t newer[16] = {2, 1, 1, 3, 3};
    static const uint8_t candidate[] = {1, 14, 0, 2, 0, '3', '0'};
    uint8_t record[16];

    (void)state;
    enrolled(false);
    struct th_log *log = &world.device.log;
    assert_int_equal(
        th_log_write(log, TH_RECORD_SETTINGS_NEXT, th_span_of(candidate, sizeof candidate)), TH_OK);
    assert_int_equal(th_log_write(log, TH_RECORD_TRIAL, th_span_of(newer, sizeof newer)), TH_OK);
    world_start(&world, TH_RESET_POWER_ON);
    assert_int_equal(th_log_len(log, TH_RECORD_SETTINGS_NEXT), 0);
    assert_int_equal(th_log_read(log, TH_RECORD_TRIAL, 0, record, sizeof record), sizeof record);
    assert_int_equal(record[0], 1);
    assert_int_equal(record[1], 0);
    assert_true(world_comes_up(&world, MINUTE));
}

/* O14, I9: a newer version's records among the identities stay when trust changes, and go with a
 * factory reset. */
static void identities_of_a_newer_version_are_kept_until_a_reset(void **state)
{
    static const uint8_t newer[] = {9, 9, 9};
    uint8_t bundle[TH_TRUST_BUNDLE_MAX];
    struct world_bundle two = {.sequence = 2};

    (void)state;
    enrolled(false);
    assert_int_equal(th_log_write(&world.device.identity.log, 14, th_span_of(newer, sizeof newer)),
                     TH_OK);
    size_t len = world_bundle(&world, &two, bundle);
    assert_int_equal(
        th_device_try_trust(&world.device, th_span_of(bundle, len), "", th_sim_now_ms(world.sim)),
        TH_OK);
    th_sim_node_wake_in(&world.node, 0);
    world_run(&world, MINUTE);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_int_equal(th_log_len(&world.device.identity.log, 14), sizeof newer);
    assert_int_equal(
        th_device_factory_reset(&world.device, TH_RESET_FACTORY, th_sim_now_ms(world.sim)), TH_OK);
    world_run(&world, MINUTE);
    assert_int_equal(th_log_len(&world.device.identity.log, 14), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(settings_of_a_newer_version_are_kept),
        CASE(a_trial_of_a_newer_version_ends),
        CASE(identities_of_a_newer_version_are_kept_until_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
