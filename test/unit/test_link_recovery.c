/* SPDX-License-Identifier: MIT */
/* I7: once our certificate was refused, the main listener and the one for recovery take turns under
 * one back-off. The handshake is scripted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scripted_tls.h"

static struct tls_world world;
static unsigned turns;
static uint64_t last_ms, waited_ms; /* the longest wait between two attempts */

/* What the application owes: it turns when it is asked to. */
static void on_event(struct sim_device *device, const struct th_link_event *event)
{
    uint64_t now = th_sim_elapsed_ms(world.sim);

    if (event->kind == TH_LINK_EVENT_ATTEMPT) {
        waited_ms = now - last_ms > waited_ms ? now - last_ms : waited_ms;
        last_ms = now;
    }
    if (event->kind != TH_LINK_EVENT_FAILED || !event->u.failed.turn)
        return;
    turns++;
    bool main = th_link_listener(&device->link) == TH_LINK_MAIN;
    device->link_config.brokers = &world.brokers[main];
    th_link_turn(&device->link, main ? TH_LINK_RECOVERY : TH_LINK_MAIN, th_sim_now_ms(world.sim));
}

static void begin(enum th_error error)
{
    tls_world_begin(&world);
    world.brokers[1].host = world.brokers[0].host;
    world.device.link_config.recovers = true;
    world.device.link_config.brokers = world.brokers;
    world.device.link_config.broker_count = 1;
    world.device.on_event = on_event;
    world.script.full = TLS_FAILS;
    world.script.error = error;
    turns = 0;
    last_ms = waited_ms = 0;
    sim_device_start(&world.device);
}

static void an_alert_about_our_certificate_begins_it(void **state)
{
    static const enum th_error alerts[] = {TH_ERR_TRUST_WE_ARE_UNKNOWN, TH_ERR_TRUST_WE_ARE_EXPIRED,
                                           TH_ERR_TRUST_WE_ARE_REVOKED,
                                           TH_ERR_TRUST_WE_ARE_REFUSED};
    (void)state;
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        begin(alerts[i]);
        th_sim_run(world.sim, 250);
        assert_true(th_link_recovering(&world.device.link));
        assert_int_equal(th_link_listener(&world.device.link), TH_LINK_RECOVERY);
        assert_int_equal(turns, 1);
        for (int tries = 0; tries < 100 && world.script.starts < 2; tries++)
            th_sim_run(world.sim, 100);
        assert_string_equal(world.script.server_name, "two.example");
        th_link_stop(&world.device.link, th_sim_now_ms(world.sim));
        tls_world_end(&world);
    }
}

static void other_failures_do_not(void **state)
{
    static const enum th_error errors[] = {TH_ERR_TRUST_UNKNOWN_CA, TH_ERR_DATE_EXPIRED,
                                           TH_ERR_TRUST_WE_ARE_REQUIRED, TH_ERR_TLS_ENTROPY,
                                           TH_ERR_TRUST_SELF_SIGNED};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        begin(errors[i]);
        th_sim_run(world.sim, 60000);
        assert_false(th_link_recovering(&world.device.link));
        assert_int_equal(turns, 0);
        tls_world_end(&world);
    }
}

static void nor_does_an_alert_where_nobody_could_turn(void **state)
{
    (void)state;
    begin(TH_ERR_TRUST_WE_ARE_EXPIRED);
    world.device.link_config.recovers = false;
    th_sim_run(world.sim, 60000);
    assert_int_equal(turns, 0);
    tls_world_end(&world);
}

static void the_listeners_take_turns_and_waits_grow(void **state)
{
    (void)state;
    begin(TH_ERR_TRUST_WE_ARE_EXPIRED);
    th_sim_run(world.sim, 3600000);
    assert_int_equal(turns, world.script.starts);
    assert_true(turns > 30 && turns < 120);
    assert_true(waited_ms > 60000 && waited_ms <= 121000);
    tls_world_end(&world);
}

static void the_main_listeners_connack_ends_it(void **state)
{
    (void)state;
    begin(TH_ERR_TRUST_WE_ARE_EXPIRED);
    th_sim_run(world.sim, 250);
    world.script.full = TLS_OPENS;
    th_sim_run(world.sim, 5000);
    assert_int_equal(th_link_state(&world.device.link), TH_LINK_UP); /* with the other one */
    assert_true(th_link_recovering(&world.device.link));
    uint64_t before = th_sim_elapsed_ms(world.sim);
    world.device.link_config.brokers = &world.brokers[0];
    th_link_turn(&world.device.link, TH_LINK_MAIN, th_sim_now_ms(world.sim));
    assert_int_equal(th_link_state(&world.device.link), TH_LINK_WAITING);
    sim_device_wake(&world.device);
    th_sim_run(world.sim, 10000);
    assert_true(last_ms >= before);
    assert_int_equal(th_link_state(&world.device.link), TH_LINK_UP);
    assert_false(th_link_recovering(&world.device.link));
    assert_string_equal(world.script.server_name, "one.example");
    tls_world_end(&world);
}

/* In TLS 1.3 the alert comes where CONNACK should. */
static void a_late_alert_begins_it_too(void **state)
{
    (void)state;
    begin(TH_ERR_TRUST_WE_ARE_REVOKED);
    world.script.full = TLS_OPENS;
    world.script.refuses_late = true;
    th_sim_run(world.sim, 3000);
    assert_true(turns > 0 && th_link_recovering(&world.device.link));
    tls_world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_about_our_certificate_begins_it),
        cmocka_unit_test(other_failures_do_not),
        cmocka_unit_test(nor_does_an_alert_where_nobody_could_turn),
        cmocka_unit_test(the_listeners_take_turns_and_waits_grow),
        cmocka_unit_test(the_main_listeners_connack_ends_it),
        cmocka_unit_test(a_late_alert_begins_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
