/* SPDX-License-Identifier: MIT */
/* What the link decides around a handshake: lent memory, failures. The handshake itself is scripted
 * here; the real ones are tried with each backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scripted_tls.h"

/* ---- the handshake ---- */

static void memory_is_taken_before_a_handshake_and_given_back_when_it_is_over(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 100);
    tls_world_assert_state(&world, TH_LINK_TLS);
    assert_int_equal(world.lender.taken, 1);
    assert_int_equal(world.lender.given_back, 0);
    assert_ptr_equal(world.script.scratch, world.lender.room);
    th_sim_run(world.sim, 900);
    tls_world_assert_state(&world, TH_LINK_UP);
    assert_int_equal(world.lender.given_back, 1);
    assert_int_equal(world.device.note_count, 4);
    assert_int_equal(world.device.notes[2].event.kind, TH_LINK_EVENT_TLS);
    assert_int_equal(world.device.notes[2].event.u.tls.took_ms, 200);
    assert_string_equal(world.script.server_name, "one.example");
    tls_world_end(&world);
}

static void without_memory_no_handshake_begins_and_the_next_attempt_asks_again(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    world.lender.refuses = true;
    sim_device_start(&world.device);
    th_sim_run(world.sim, 100);
    const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
    assert_int_equal(failed->event.u.failed.failure.error, TH_ERR_MEMORY_HANDSHAKE);
    assert_int_equal(failed->event.u.failed.in, TH_LINK_TLS);
    assert_int_equal(world.script.starts, 0);
    world.lender.refuses = false;
    th_sim_run(world.sim, 20000);
    tls_world_assert_state(&world, TH_LINK_UP);
    tls_world_end(&world);
}

static void scratch_of_the_caller_serves_where_nothing_is_lent(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    world.device.link_config.loan.ops = NULL;
    world.device.link_config.scratch = th_span_of(world.lender.room, TLS_SCRATCH);
    tls_world_come_up(&world);
    assert_ptr_equal(world.script.scratch, world.lender.room);
    tls_world_end(&world);
}

static const struct {
    enum tls_ending ending;
    enum th_error scripted, reported;
    uint32_t at_ms;
} endings[] = {
    {TLS_FAILS, TH_ERR_TRUST_UNKNOWN_CA, TH_ERR_TRUST_UNKNOWN_CA, 220},
    {TLS_FAILS, TH_ERR_TLS_ENTROPY, TH_ERR_TLS_ENTROPY, 220},
    {TLS_FAILS, TH_ERR_DATE_EXPIRED, TH_ERR_DATE_EXPIRED, 220},
    {TLS_ENDS, TH_ERR_OK, TH_ERR_TLS_CLOSED, 220},
    {TLS_HANGS, TH_ERR_OK, TH_ERR_TLS_TIMEOUT, 30020},
};

static void every_way_a_handshake_ends_is_one_failure_with_its_cause(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        struct tls_world world;
        tls_world_begin(&world);
        world.script.full = endings[i].ending;
        world.script.error = endings[i].scripted;
        sim_device_start(&world.device);
        th_sim_run(world.sim, endings[i].at_ms);
        assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_FAILED), 1);
        const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
        assert_int_equal(failed->event.u.failed.failure.error, endings[i].reported);
        assert_int_equal(failed->event.u.failed.in, TH_LINK_TLS);
        assert_int_equal(failed->at_ms, endings[i].at_ms);
        tls_world_end(&world);
    }
}

/* TLS 1.3: our certificate is judged after our handshake is done. */
static void an_alert_in_the_place_of_connack_is_a_trust_failure(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    world.script.refuses_late = true;
    sim_device_start(&world.device);
    th_sim_run(world.sim, 400);
    const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
    assert_non_null(failed);
    assert_int_equal(failed->event.u.failed.failure.error, TH_ERR_TRUST_WE_ARE_REVOKED);
    assert_int_equal(failed->event.u.failed.failure.alert, 44);
    assert_int_equal(failed->event.u.failed.in, TH_LINK_MQTT);
    tls_world_end(&world);
}

static void a_handshake_that_fails_goes_on_with_the_next_address(void **state)
{
    (void)state;
    struct tls_world world;
    const struct th_address both[2] = {tls_here, tls_there};
    tls_world_begin(&world);
    world.brokers[0].host = "both.example";
    th_sim_name(world.sim, "both.example", both, 2, 0, TH_OK);
    struct th_sim_broker *second = th_sim_broker_new(world.sim, &tls_there);
    world.script.full = TLS_ENDS;
    sim_device_start(&world.device);
    while (sim_device_count(&world.device, TH_LINK_EVENT_FAILED) == 0)
        th_sim_step(world.sim);
    world.script.full = TLS_OPENS;
    th_sim_run(world.sim, 1000);
    tls_world_assert_state(&world, TH_LINK_UP);
    assert_int_equal(th_sim_broker_connected(second), 1);
    assert_int_equal(
        sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0)->event.u.failed.retry_ms, 0);
    th_sim_broker_free(second);
    tls_world_end(&world);
}

static void a_stop_or_restart_in_mid_handshake_gives_the_memory_back(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        for (uint32_t at = 0; at < 400; at += 10) {
            struct tls_world world;
            tls_world_begin(&world);
            sim_device_start(&world.device);
            th_sim_run(world.sim, at);
            if (restart)
                th_link_restart(&world.device.link, th_sim_now_ms(world.sim), false);
            th_link_stop(&world.device.link, th_sim_now_ms(world.sim));
            sim_device_wake(&world.device);
            th_sim_run(world.sim, 2000);
            tls_world_assert_state(&world, TH_LINK_DOWN);
            assert_null(world.device.node.pipe);
            tls_world_end(&world);
        }
    }
}

/* ---- configuration ---- */

static void nothing_changes(struct tls_world *world)
{
    (void)world;
}

static void no_trust(struct tls_world *world)
{
    world->tls_config.trust = NULL;
}

static void no_tls_config(struct tls_world *world)
{
    world->device.link_config.tls_config = NULL;
}

static void session_without_length(struct tls_world *world)
{
    world->device.link_config.session_len = NULL;
}

static void no_scratch(struct tls_world *world)
{
    world->device.link_config.loan.ops = NULL;
}

static void plaintext_and_tls(struct tls_world *world)
{
    world->device.link_config.plaintext = true;
}

static void a_name_in_brackets(struct tls_world *world)
{
    world->brokers[0] = (struct th_broker){.host = "[2001:db8::1]"};
}

static void a_name_with_a_zone(struct tls_world *world)
{
    world->brokers[0] = (struct th_broker){.host = "fe80::1%2"};
}

static void a_configuration_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    static void (*const spoils[])(struct tls_world *) = {
        nothing_changes, no_trust,          no_tls_config,      session_without_length,
        no_scratch,      plaintext_and_tls, a_name_in_brackets, a_name_with_a_zone};
    for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        struct tls_world world;
        tls_world_begin(&world);
        spoils[i](&world);
        assert_int_equal(th_mqtt_init(&world.device.mqtt, &world.device.mqtt_config), TH_OK);
        assert_int_equal(
            th_link_init(&world.device.link, &world.device.link_config, &world.device.mqtt),
            i == 0 ? TH_OK : TH_ERR_CONFIG);
        tls_world_end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_taken_before_a_handshake_and_given_back_when_it_is_over),
        cmocka_unit_test(without_memory_no_handshake_begins_and_the_next_attempt_asks_again),
        cmocka_unit_test(scratch_of_the_caller_serves_where_nothing_is_lent),
        cmocka_unit_test(every_way_a_handshake_ends_is_one_failure_with_its_cause),
        cmocka_unit_test(an_alert_in_the_place_of_connack_is_a_trust_failure),
        cmocka_unit_test(a_handshake_that_fails_goes_on_with_the_next_address),
        cmocka_unit_test(a_stop_or_restart_in_mid_handshake_gives_the_memory_back),
        cmocka_unit_test(a_configuration_that_contradicts_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
