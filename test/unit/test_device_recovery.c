/* SPDX-License-Identifier: MIT */
/* I7: a device whose certificate is refused finds its way back by its birth certificate, when that
 * is what it needs, and otherwise leaves things as they are. TLS is a model here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recovery_agent.h"

#define MINUTE 60000u
#define HOUR   (60 * MINUTE)

static struct device_world world;
static struct recovery_agent agent;

static void begin(uint64_t seed)
{
    world_begin(&world, seed, 0);
    world_recovers(&world);
    recovery_agent_begin(&agent, &world);
    world_enrol(&world, true);
    assert_true(world_comes_up(&world, MINUTE));
    world_run(&world, 5000);
}

/* The certificate in force has ended: every broker says so. */
static void expire(void)
{
    world.servers[0].refuses_old = world.servers[1].refuses_old = true;
    world_start(&world, TH_RESET_POWER_ON);
}

static bool has_another(void)
{
    return world.device.us.chain_count > 0 && world.device.us.chain[0].len > 100;
}

static void a_device_that_slept_past_its_certificates_end_comes_back(void **state)
{
    (void)state;
    begin(1);
    expire();
    assert_true(world_comes_up(&world, 10 * MINUTE));
    world_run(&world, MINUTE);
    assert_true(world_is_up(&world) && has_another());
    assert_int_equal(agent.renewals, 1);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_false(world_holds(&world, "chain-o1", 8));
    assert_true(world_said(&world, "in recovery") >= 1);
    assert_string_equal(th_device_id(&world.device), "lamp");
    world_end(&world);
}

static void nor_does_it_matter_for_how_long(void **state)
{
    (void)state;
    begin(12);
    world.times.true_ms += 400 * INT64_C(86400) * 1000;
    expire();
    assert_true(world_comes_up(&world, 10 * MINUTE) && has_another());
    world_end(&world);
}

static void over_either_version_of_mqtt(void **state)
{
    static const char *const versions[] = {"3.1.1", "5.0"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(2);
        world_try(&world, "", "mqtt.version", versions[i], NULL);
        world_run(&world, 2 * MINUTE);
        expire();
        assert_true(world_comes_up(&world, 10 * MINUTE) && has_another());
        world_end(&world);
    }
}

static void the_agent_is_asked_about_the_certificate_in_force(void **state)
{
    static const uint8_t chain[] = {0x30, 8, 'c', 'h', 'a', 'i', 'n', '-', 'o', '1'};
    uint8_t digest[TH_SHA256_BYTES];
    union th_hash_state hash;

    (void)state;
    begin(3);
    expire();
    assert_true(world_comes_up(&world, 10 * MINUTE));
    th_crypto_openssl.hashes->sha256->init(&hash);
    th_crypto_openssl.hashes->sha256->update(&hash, chain, sizeof chain);
    th_crypto_openssl.hashes->sha256->out(&hash, digest);
    assert_memory_equal(digest, agent.digest, sizeof digest);
    world_end(&world);
}

/* An expired revocation list: the broker refuses everybody as expired, and the agent knows better.
 */
static void an_expired_list_makes_nobody_renew(void **state)
{
    (void)state;
    begin(4);
    agent.valid = true;
    expire();
    world_run(&world, 6 * HOUR);
    assert_int_equal(agent.renewals, 0);
    assert_true(agent.checks >= 1 && agent.checks <= 60);
    unsigned writes = world.flash.operation;
    world_run(&world, 6 * HOUR);
    assert_true(world.flash.operation - writes < 200);
    world.servers[0].refuses_old = false;
    assert_true(world_comes_up(&world, 5 * MINUTE));
    assert_false(has_another());
    assert_false(th_link_recovering(&world.device.link));
    world_end(&world);
}

static void main_and_recovery_take_turns_under_back_off(void **state)
{
    (void)state;
    begin(5);
    agent.mood = RECOVERY_SILENT;
    expire();
    world_run(&world, HOUR);
    unsigned attempts = world.device.link.attempts;
    world_run(&world, 10 * HOUR);
    assert_true(world.device.link.attempts - attempts < 1000);
    assert_true(world.servers[2].full > 50);
    world.servers[0].refuses_old = false; /* whatever it was, it is over */
    assert_true(world_comes_up(&world, 10 * MINUTE));
    world_end(&world);
}

static void a_recovery_listener_that_is_away_changes_nothing(void **state)
{
    (void)state;
    begin(6);
    th_sim_address(world.sim, &world.servers[2].at, TH_SIM_REFUSES, NULL, NULL);
    expire();
    world_run(&world, HOUR);
    assert_false(world_is_up(&world));
    world.servers[0].refuses_old = false;
    assert_true(world_comes_up(&world, 10 * MINUTE));
    world_end(&world);
}

/* Its birth certificate is refused there too; there is nothing it could write to its flash. */
static void a_revoked_device_gets_nothing(void **state)
{
    (void)state;
    begin(7);
    world.servers[2].refuses_us = world.servers[0].refuses_us = true;
    expire();
    world_run(&world, 6 * HOUR);
    assert_int_equal(agent.checks + agent.renewals, 0);
    assert_false(world_is_up(&world));
    world_end(&world);
}

static void whatever_a_hostile_agent_says_the_old_certificate_stays(void **state)
{
    (void)state;
    for (int mood = RECOVERY_SILENT; mood < RECOVERY_MOODS; mood++) {
        begin((uint64_t)mood);
        agent.mood = (enum recovery_mood)mood;
        if (mood == RECOVERY_REPLAYS)
            strcpy(agent.kept,
                   "{\"id\":1,\"result\":{\"nonce\":\"00112233445566778899aabbccddeeff\","
                   "\"valid\":false}}");
        expire();
        world_run(&world, HOUR);
        assert_false(world_is_up(&world));
        world.servers[0].refuses_old = false;
        if (!world_comes_up(&world, 30 * MINUTE) || has_another())
            fail_msg("mood %d", mood);
        world_end(&world);
    }
}

static void what_waits_in_the_outbox_does_not_go_to_the_recovery_listener(void **state)
{
    (void)state;
    begin(9);
    expire();
    for (int i = 0; i < 600 && th_link_listener(&world.device.link) != TH_LINK_RECOVERY; i++)
        world_run(&world, 100);
    assert_int_equal(th_link_listener(&world.device.link), TH_LINK_RECOVERY);
    assert_int_equal(
        th_device_publish(&world.device, "telemetry/x", TH_SPAN("1"), TH_MQTT_QOS1, false, NULL),
        TH_ERR_OUTBOX_FULL);
    assert_int_equal(
        th_device_publish(&world.device, "telemetry/x", TH_SPAN("1"), TH_MQTT_QOS0, false, NULL),
        TH_ERR_NOT_CONNECTED);
    assert_true(world_comes_up(&world, 10 * MINUTE));
    world_end(&world);
}

/* A renewal hangs on trial while both certificates are refused: recovery gives it up for another.
 */
static void a_renewal_that_is_refused_as_well_is_given_up(void **state)
{
    static const uint8_t chain[] = {0x30, 8, 'c', 'h', 'a', 'i', 'n', '-', 'n', '2'};
    struct th_identity_store *store = &world.device.identity;

    (void)state;
    begin(10);
    world.servers[0].refuses_next = true;
    world.servers[0].refuses_old = true;
    assert_int_equal(th_identity_next_make(store, &world.crypto, &world.board, TH_SPAN("lamp")),
                     TH_OK);
    assert_int_equal(th_identity_next_certify(store, th_span_of(chain, sizeof chain)), TH_OK);
    assert_int_equal(th_device_try_identity(&world.device, "", th_sim_now_ms(world.sim)), TH_OK);
    th_sim_node_wake_in(&world.node, 0);
    world_run(&world, 2 * MINUTE);
    assert_true(world_comes_up(&world, 2 * HOUR));
    assert_true(has_another() && agent.renewals >= 1);
    world_end(&world);
}

/* Settings that were changed while the certificate had ended already. */
static void another_trial_does_not_stand_in_its_way(void **state)
{
    (void)state;
    begin(13);
    world.servers[0].refuses_old = true;
    world_try(&world, "", "mqtt.keep_alive", "30", NULL);
    world_run(&world, MINUTE);
    assert_true(world_comes_up(&world, HOUR) && has_another());
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_string_equal(world_setting(&world, "mqtt.keep_alive"), "60");
    world_end(&world);
}

/* … and with a list that has expired they wait on. */
static void a_trial_is_not_given_up_for_a_certificate_that_is_valid(void **state)
{
    (void)state;
    begin(14);
    agent.valid = true;
    world.servers[0].refuses_old = true;
    world_try(&world, "", "mqtt.keep_alive", "30", NULL);
    world_run(&world, HOUR);
    assert_true(agent.checks >= 1 && agent.renewals == 0);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_SETTINGS);
    world.servers[0].refuses_old = false;
    assert_true(world_comes_up(&world, 10 * HOUR));
    world_end(&world);
}

static void without_recovery_a_refused_certificate_is_tried_on(void **state)
{
    (void)state;
    world_begin(&world, 11, 0);
    world_enrol(&world, true);
    expire();
    world_run(&world, HOUR);
    assert_int_equal(world.servers[2].full, 0);
    world.servers[0].refuses_old = false;
    assert_true(world_comes_up(&world, 10 * MINUTE));
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_slept_past_its_certificates_end_comes_back),
        cmocka_unit_test(nor_does_it_matter_for_how_long),
        cmocka_unit_test(over_either_version_of_mqtt),
        cmocka_unit_test(the_agent_is_asked_about_the_certificate_in_force),
        cmocka_unit_test(an_expired_list_makes_nobody_renew),
        cmocka_unit_test(main_and_recovery_take_turns_under_back_off),
        cmocka_unit_test(a_recovery_listener_that_is_away_changes_nothing),
        cmocka_unit_test(a_revoked_device_gets_nothing),
        cmocka_unit_test(whatever_a_hostile_agent_says_the_old_certificate_stays),
        cmocka_unit_test(what_waits_in_the_outbox_does_not_go_to_the_recovery_listener),
        cmocka_unit_test(a_renewal_that_is_refused_as_well_is_given_up),
        cmocka_unit_test(another_trial_does_not_stand_in_its_way),
        cmocka_unit_test(a_trial_is_not_given_up_for_a_certificate_that_is_valid),
        cmocka_unit_test(without_recovery_a_refused_certificate_is_tried_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
