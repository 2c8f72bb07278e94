/* SPDX-License-Identifier: MIT */
/*
 * The whole device: start-up, modes, trials, resets. Ids: C1–C5 (hostile time), I1, I5, I6, I9,
 * I11, R7, R8, T10, T11; each case names its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "device_world.h"

#define WRAP_START (UINT32_MAX - 1000 + 1) /* one second before the counter's wrap */
#define MINUTE     60000u

static struct device_world world;

static int begin(void **state)
{
    (void)state;
    world_begin(&world, 1, WRAP_START);
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

/* ---- start-up and modes ---- */

static void a_blank_device_starts_in_configuration_mode_and_stays(void **state)
{
    (void)state;
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, 30 * MINUTE);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
    assert_int_equal(world_said(&world, "device without a name, mode config: not enrolled"), 1);
    assert_int_equal(world_said(&world, "set-up code: "), 1);
    assert_true(world.radio.ap_open);
    assert_false(world.restarts);
    assert_true(world.feeds > 10);
}

static void an_enrolled_device_connects_and_says_where(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(world_said(&world, "device lamp, mode mqtt"), 1);
    assert_int_equal(world_said(&world, "broker one.example:8883, MQTT 5.0"), 1);
    assert_int_equal(world_said(&world, "topics: listens on lamp/from/#, tells lamp/status"), 1);
    assert_int_equal(world_said(&world, "Wi-Fi garden, address 192.0.2.77"), 1);
    assert_int_equal(world_logged(&world, "\"event\":\"connected\""), 1);
    assert_int_equal(world_logged(&world, "\"started\":\"power on\""), 1);
}

static void without_flash_it_starts_in_configuration_mode(void **state)
{
    (void)state;
    world.board.flash.ops = NULL;
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, MINUTE);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
    assert_int_equal(world_try(&world, "", "device.id", "x", NULL), TH_ERR_TOO_LARGE);
}

static void a_configuration_that_breaks_a_rule_is_refused(void **state)
{
    struct th_device_config config;
    (void)state;
    world_start(&world, TH_RESET_POWER_ON);
    config = world.config;
    config.outbox.ops = NULL;
    assert_int_equal(th_device_start(&world.device, &config, 0), TH_ERR_CONFIG);
    world.device.config = NULL;
}

/* At once, naming what is short, and not when it is needed. */
static void a_device_short_of_memory_does_not_start(void **state)
{
    static const struct {
        const char *name;
        size_t room, needs;
    } buffers[] = {
        {"trust", offsetof(struct th_device_config, trust_room), TH_MANIFEST_BYTES + 1},
        {"chain", offsetof(struct th_device_config, chain_room), 1},
        {"work", offsetof(struct th_device_config, work_room), TH_SETTINGS_MAX},
        {"rx", offsetof(struct th_device_config, rx_room), 64},
        {"scratch", offsetof(struct th_device_config, scratch.len), 1000},
        {"session", offsetof(struct th_device_config, session_room), TH_SESSION_OVERHEAD + 1},
    };

    (void)state;
    world_start(&world, TH_RESET_POWER_ON);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        struct th_device_config config = world.config;
        size_t *room = (size_t *)(void *)((char *)&config + buffers[i].room);
        char line[80];
        *room = buffers[i].needs - 1;
        snprintf(line, sizeof line, "no start: %s has %zu bytes of memory and needs %zu",
                 buffers[i].name, *room, buffers[i].needs);
        assert_int_equal(th_device_start(&world.device, &config, 0), TH_ERR_CONFIG);
        assert_int_equal(world_said(&world, line), 1);
        *room = buffers[i].needs;
        assert_int_equal(th_device_start(&world.device, &config, 0), TH_OK);
    }
    world.device.config = NULL;
}

static void memory_of_a_handshake_may_be_lent_instead(void **state)
{
    static const struct th_loan_ops lender = {NULL, NULL};
    struct th_device_config config;
    (void)state;
    world_start(&world, TH_RESET_POWER_ON);
    config = world.config;
    config.scratch = th_span_of(NULL, 0);
    assert_int_equal(th_device_start(&world.device, &config, 0), TH_ERR_CONFIG);
    config.loan.ops = &lender;
    assert_int_equal(th_device_start(&world.device, &config, 0), TH_OK);
    world.device.config = NULL;
}

/* ---- crashes and safe mode ---- */

static void a_crash_is_told_once_with_its_place(void **state)
{
    (void)state;
    enrolled(false);
    world_start(&world, TH_RESET_CRASH);
    assert_true(world_comes_up(&world, MINUTE));
    world_run(&world, 5000);
    assert_int_equal(world_logged(&world, "\"event\":\"crash\""), 1);
    assert_int_equal(world_logged(&world, "crash at 0x40201234"), 1);
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(world_comes_up(&world, MINUTE));
    world_run(&world, 5000);
    assert_int_equal(world_logged(&world, "\"event\":\"crash\""), 1);
}

static void crashes_in_a_row_lead_to_safe_mode_and_out_again(void **state)
{
    (void)state;
    enrolled(false);
    for (int i = 1; i < TH_DEVICE_CRASHES; i++) {
        world_start(&world, TH_RESET_WATCHDOG);
        assert_int_equal(th_device_mode(&world.device), TH_MODE_MQTT);
    }
    world_start(&world, TH_RESET_CRASH);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_SAFE);
    assert_int_equal(world_said(&world, "it has crashed too often"), 1);
    world_run(&world, TH_DEVICE_SAFE_MS - 5000);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_SAFE);
    assert_false(sim_radio_up(&world.radio));
    /* By itself after a while … */
    world_run(&world, MINUTE);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_MQTT);
    assert_true(world_comes_up(&world, MINUTE));
    /* … the next crash leads back, and switching it off and on out of it. */
    world_start(&world, TH_RESET_CRASH);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_SAFE);
    world_start(&world, TH_RESET_POWER_ON);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_MQTT);
}

static void crashes_far_apart_do_not_add_up(void **state)
{
    (void)state;
    enrolled(false);
    for (int i = 0; i < 20; i++) {
        world_start(&world, TH_RESET_CRASH);
        assert_int_equal(th_device_mode(&world.device), TH_MODE_MQTT);
        world_run(&world, TH_DEVICE_STABLE_MS + 5000);
    }
}

/* ---- trials of settings ---- */

static void settings_that_connect_are_kept(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(world_try(&world, "", "mqtt.server", "two.example", NULL), TH_OK);
    assert_string_equal(world_setting(&world, "mqtt.server"), "");
    world_run(&world, MINUTE);
    assert_string_equal(world_setting(&world, "mqtt.server"), "two.example");
    assert_int_equal(world.servers[1].full, 1);
    assert_true(world_is_up(&world));
    assert_int_equal(world_logged(&world, "the new settings passed the trial"), 1);
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(world_comes_up(&world, MINUTE));
    assert_true(th_sim_broker_has(world.servers[1].broker, "lamp"));
}

static void a_broker_name_that_does_not_exist_is_taken_back_and_reported(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(world_try(&world, "", "mqtt.server", "nowhere.example", NULL), TH_OK);
    world_run(&world, MINUTE);
    assert_string_equal(world_setting(&world, "mqtt.server"), "");
    assert_true(world_is_up(&world));
    assert_int_equal(world_logged(&world, "the new settings were taken back: name: the broker's "
                                          "name has no address"),
                     1);
    assert_int_equal(world_logged(&world, "\"kept\":false,\"error\":\"NAME_NOT_FOUND\""), 1);
    assert_int_equal(th_log_len(&world.device.log, TH_RECORD_SETTINGS_NEXT), 0);
}

static void a_wrong_wifi_password_is_taken_back(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(world_try(&world, "", "wifi.sta.pass", "wrong", NULL), TH_OK);
    world_run(&world, 2 * MINUTE);
    assert_string_equal(world_setting(&world, "wifi.sta.pass"), "secret words");
    assert_true(world_is_up(&world));
    assert_int_equal(world_logged(&world, "\"error\":\"WIFI_REFUSED\""), 2); /* and the failure */
}

/* Set-up from the page: wrong first, then right. */
static void set_up_from_configuration_mode_comes_back_to_it_when_it_fails(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(world_try(&world, "", "mode", "config", NULL), TH_OK);
    world_run(&world, 5000);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
    assert_string_equal(world_setting(&world, "mode"), "config");
    assert_true(world.radio.ap_open);

    assert_int_equal(world_try(&world, "", "mode", "mqtt", "wifi.sta.pass", "wrong", NULL), TH_OK);
    world_run(&world, 2 * MINUTE);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
    assert_string_equal(world_setting(&world, "mode"), "config");
    assert_string_equal(world_setting(&world, "wifi.sta.pass"), "secret words");

    assert_int_equal(world_try(&world, "", "mode", "mqtt", NULL), TH_OK);
    world_run(&world, MINUTE);
    assert_string_equal(world_setting(&world, "mode"), "mqtt");
    assert_true(world_is_up(&world));
    assert_false(world.radio.ap_open);
}

static void one_change_is_on_trial_at_a_time(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "40", NULL), TH_ERR_BAD_STATE);
    world_run(&world, MINUTE);
    assert_string_equal(world_setting(&world, "mqtt.keep_alive"), "30");
}

/* O10: power cuts are no evidence, crashes are. */
static void a_trial_outlives_power_cuts_and_dies_of_crashes(void **state)
{
    (void)state;
    enrolled(false);
    th_sim_broker_stop(world.servers[0].broker);
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    world_run(&world, 100);
    for (int i = 0; i < 20; i++) {
        world_start(&world, TH_RESET_POWER_ON);
        assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_SETTINGS);
        world_run(&world, 100);
    }
    for (int i = 0; i < TH_TRIAL_CRASHES; i++)
        world_start(&world, TH_RESET_CRASH);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_string_equal(world_setting(&world, "mqtt.keep_alive"), "60");
    th_sim_broker_start(world.servers[0].broker, true);
    assert_true(world_comes_up(&world, 3 * MINUTE));
    world_run(&world, 5000);
    assert_int_equal(world_logged(&world, "the new settings were taken back after crashes"), 1);
}

static void when_the_broker_is_away_the_candidate_waits_for_it(void **state)
{
    (void)state;
    enrolled(false);
    th_sim_broker_stop(world.servers[0].broker);
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    uint32_t programs = world.flash.programs;
    world_run(&world, 24 * 60 * MINUTE);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_SETTINGS);
    /* R4: a day with a trial that nothing can decide. */
    assert_in_range(world.flash.programs - programs, 1, 600);
    th_sim_broker_start(world.servers[0].broker, true);
    world_run(&world, 12 * 60 * MINUTE);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_true(world_is_up(&world));
}

/* ---- services ---- */

static unsigned steps;

static uint32_t count_step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    (void)ctx;
    (void)device;
    (void)now_ms;
    steps++;
    return 1000;
}

static bool goes_on(void)
{
    unsigned before = steps;

    world_run(&world, MINUTE);
    return steps - before >= 58;
}

/* R7: without broker, without Wi-Fi, in configuration mode and in safe mode. */
static void services_go_on_whatever_the_network_does(void **state)
{
    static const struct th_service_ops ops = {.step = count_step};
    static const struct th_service service = {&ops, NULL};

    (void)state;
    world.config.services = &service;
    world.config.service_count = 1;
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(goes_on());
    enrolled(false);
    assert_true(goes_on());
    th_sim_broker_stop(world.servers[0].broker);
    assert_true(goes_on());
    world.radio.gone = true;
    assert_true(goes_on());
    for (int i = 0; i < TH_DEVICE_CRASHES; i++)
        world_start(&world, TH_RESET_CRASH);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_SAFE);
    assert_true(goes_on());
}

/* ---- the proof ---- */

static void with_an_agent_only_its_answer_proves(void **state)
{
    (void)state;
    enrolled(true);
    world.agent_silent = true;
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    world_run(&world, 20000);
    assert_true(world_is_up(&world));
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_SETTINGS);
    world.agent_silent = false;
    world_run(&world, MINUTE);
    assert_true(world.proofs > 0);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_string_equal(world_setting(&world, "mqtt.keep_alive"), "30");
}

static void the_user_who_made_the_change_proves_it_too(void **state)
{
    (void)state;
    enrolled(true);
    world.agent_silent = true;
    assert_int_equal(world_try(&world, "alice", "mqtt.keep_alive", "30", NULL), TH_OK);
    world_run(&world, 10000);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_string_equal(world_setting(&world, "mqtt.keep_alive"), "30");
}

/* I11 */
static void a_trial_never_resumes_a_session(void **state)
{
    (void)state;
    enrolled(false);
    world_start(&world, TH_RESET_REQUESTED);
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(world.servers[0].resumed, 1);
    assert_int_equal(world.servers[0].full, 1);
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    world_run(&world, MINUTE);
    assert_int_equal(world.servers[0].resumed, 1);
    assert_int_equal(world.servers[0].full, 2);
    assert_string_equal(world_setting(&world, "mqtt.keep_alive"), "30");
    /* Kept: sessions serve again. */
    world_start(&world, TH_RESET_REQUESTED);
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(world.servers[0].resumed, 1);
    world_start(&world, TH_RESET_REQUESTED);
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(world.servers[0].resumed, 2);
}

/* ---- trust ---- */

static enum th_error try_bundle(const struct world_bundle *bundle)
{
    static uint8_t bytes[TH_TRUST_BUNDLE_MAX];
    size_t len = world_bundle(&world, bundle, bytes);

    return th_device_try_trust(&world.device, th_span_of(bytes, len), "", th_sim_now_ms(world.sim));
}

/* I6: a roll of the broker's CA and place. */
static void a_trust_bundle_moves_the_device_to_another_broker(void **state)
{
    (void)state;
    enrolled(false);
    world.servers[1].anchor = 2;
    assert_int_equal(
        try_bundle(&(struct world_bundle){.sequence = 2, .broker = "two.example", .anchor = 2}),
        TH_OK);
    world_run(&world, MINUTE);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_true(th_sim_broker_has(world.servers[1].broker, "lamp"));
    assert_int_equal(world_logged(&world, "the new trust passed the trial"), 1);
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(world.servers[1].full, 2);
}

/* I6: one that would lock the device out. */
static void a_trust_bundle_that_locks_out_is_taken_back(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(try_bundle(&(struct world_bundle){.sequence = 2, .anchor = 2}), TH_OK);
    world_run(&world, MINUTE);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_true(world_is_up(&world));
    assert_int_equal(th_identity_trust_len(&world.device.identity, TH_NEXT), 0);
    assert_int_equal(world_logged(&world, "\"component\":\"trust\",\"kept\":false,\"error\":"
                                          "\"TRUST_UNKNOWN_CA\""),
                     1);
}

/* I6: a compromised broker can change none of it. */
static void a_bundle_of_a_stranger_an_old_or_an_altered_one_is_refused(void **state)
{
    static uint8_t bytes[TH_TRUST_BUNDLE_MAX];

    (void)state;
    enrolled(false);
    assert_int_equal(try_bundle(&(struct world_bundle){.sequence = 2, .stranger = true}),
                     TH_ERR_UPDATE_KEY);
    assert_int_equal(try_bundle(&(struct world_bundle){.sequence = 1}), TH_ERR_UPDATE_OLD);
    size_t len = world_bundle(&world, &(struct world_bundle){.sequence = 2}, bytes);
    for (size_t at = 0; at < len; at++) {
        bytes[at] ^= 0x10;
        assert_int_not_equal(th_device_try_trust(&world.device, th_span_of(bytes, len), "", 0),
                             TH_OK);
        bytes[at] ^= 0x10;
    }
    for (size_t short_len = 0; short_len < len; short_len += 7)
        assert_int_not_equal(
            th_device_try_trust(&world.device, th_span_of(bytes, short_len), "", 0), TH_OK);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
}

/* ---- identity ---- */

static void renew(void)
{
    static const uint8_t chain[] = {0x30, 8, 'c', 'h', 'a', 'i', 'n', '-', 'n', '2'};
    struct th_device *device = &world.device;

    assert_int_equal(
        th_identity_next_make(&device->identity, &world.crypto, &world.board, TH_SPAN("lamp")),
        TH_OK);
    assert_int_equal(th_identity_next_certify(&device->identity, th_span_of(chain, sizeof chain)),
                     TH_OK);
    assert_int_equal(th_device_try_identity(device, "", th_sim_now_ms(world.sim)), TH_OK);
}

/* I5: make before break. */
static void the_next_certificate_takes_over_once_it_has_connected(void **state)
{
    (void)state;
    enrolled(false);
    assert_true(world_holds(&world, "chain-o1", 8));
    renew();
    world_run(&world, MINUTE);
    assert_true(world_is_up(&world));
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_true(world_holds(&world, "chain-n2", 8));
    assert_false(world_holds(&world, "chain-o1", 8));
}

/* I5 T11 */
static void a_next_certificate_that_the_broker_refuses_leaves_the_old_one(void **state)
{
    (void)state;
    enrolled(false);
    world.servers[0].refuses_next = true;
    renew();
    world_run(&world, MINUTE);
    assert_true(world_is_up(&world));
    assert_true(world_holds(&world, "chain-o1", 8));
    assert_false(world_holds(&world, "chain-n2", 8));
    assert_int_equal(world_logged(&world, "\"component\":\"identity\",\"kept\":false"), 1);
}

static void without_a_next_certificate_there_is_no_trial(void **state)
{
    (void)state;
    enrolled(false);
    assert_int_equal(th_device_try_identity(&world.device, "", 0), TH_ERR_BAD_STATE);
}

/* ---- factory reset ---- */

/* I9 T11: secrets are gone from flash and RTC memory, and the device begins anew. */
static void a_factory_reset_leaves_no_secret(void **state)
{
    uint8_t key[TH_SEC1_KEY];

    (void)state;
    enrolled(false);
    memcpy(key, world.device.credential.key, sizeof key);
    assert_true(world_holds(&world, key + 7, 32)); /* the secret number in it */
    assert_true(world_holds(&world, "secret words", 12));
    assert_true(world_holds(&world, "SSSSSSSS", 8));
    assert_int_equal(
        th_device_factory_reset(&world.device, TH_RESET_FACTORY, th_sim_now_ms(world.sim)), TH_OK);
    world_run(&world, MINUTE);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
    assert_false(world_holds(&world, key + 7, 32));
    assert_false(world_holds(&world, "secret words", 12));
    assert_false(world_holds(&world, "SSSSSSSS", 8));
    assert_false(world_holds(&world, "chain-o1", 8));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_blank_device_starts_in_configuration_mode_and_stays),
        CASE(an_enrolled_device_connects_and_says_where),
        CASE(without_flash_it_starts_in_configuration_mode),
        CASE(a_configuration_that_breaks_a_rule_is_refused),
        CASE(a_device_short_of_memory_does_not_start),
        CASE(memory_of_a_handshake_may_be_lent_instead),
        CASE(a_crash_is_told_once_with_its_place),
        CASE(crashes_in_a_row_lead_to_safe_mode_and_out_again),
        CASE(crashes_far_apart_do_not_add_up),
        CASE(settings_that_connect_are_kept),
        CASE(a_broker_name_that_does_not_exist_is_taken_back_and_reported),
        CASE(a_wrong_wifi_password_is_taken_back),
        CASE(set_up_from_configuration_mode_comes_back_to_it_when_it_fails),
        CASE(one_change_is_on_trial_at_a_time),
        CASE(a_trial_outlives_power_cuts_and_dies_of_crashes),
        CASE(when_the_broker_is_away_the_candidate_waits_for_it),
        CASE(services_go_on_whatever_the_network_does),
        CASE(with_an_agent_only_its_answer_proves),
        CASE(the_user_who_made_the_change_proves_it_too),
        CASE(a_trial_never_resumes_a_session),
        CASE(a_trust_bundle_moves_the_device_to_another_broker),
        CASE(a_trust_bundle_that_locks_out_is_taken_back),
        CASE(a_bundle_of_a_stranger_an_old_or_an_altered_one_is_refused),
        CASE(the_next_certificate_takes_over_once_it_has_connected),
        CASE(a_next_certificate_that_the_broker_refuses_leaves_the_old_one),
        CASE(without_a_next_certificate_there_is_no_trial),
        CASE(a_factory_reset_leaves_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
