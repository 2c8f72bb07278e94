/* SPDX-License-Identifier: MIT */
/* Stored TLS sessions: when the link offers one, keeps it, drops it (T10, T11, I11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scripted_tls.h"

/* ---- stored sessions ---- */

static void a_session_outlives_a_reset_and_is_resumed(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    tls_world_come_up(&world);
    assert_int_equal(world.script.offers, 0);
    assert_int_equal(world.session_len, TLS_SESSION + TH_SESSION_OVERHEAD);
    for (int i = 0; i < 3; i++) { /* the chain's end is known only from the first handshake */
        tls_world_power_cycle(&world);
        tls_world_assert_state(&world, TH_LINK_UP);
        assert_int_equal(world.script.offers, 1);
        assert_int_equal(world.script.offered[0], 'A' + 1 + i);
    }
    tls_world_end(&world);
}

/* A resumed handshake shows no certificate: the date of the first one goes on. */
static void a_session_ends_with_the_chain_however_often_it_was_resumed(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    tls_world_come_up(&world);
    for (int i = 0; i < 3; i++)
        tls_world_power_cycle(&world);
    world.trust.clock = (struct th_clock_view){.kind = TH_CLOCK_TRUSTED, .now_s = 2000000000};
    tls_world_power_cycle(&world);
    assert_int_equal(world.script.offers, 1);
    world.trust.clock.now_s++;
    tls_world_power_cycle(&world);
    assert_int_equal(world.script.offers, 0);
    tls_world_end(&world);
}

/* It was not even offered. */
static void a_session_outlives_an_attempt_without_memory(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    tls_world_come_up(&world);
    tls_world_power_cycle(&world);
    world.lender.refuses = true;
    world.device.note_count = 0;
    world.script.offers = 0;
    th_sim_pipe_drop(
        world.device.node.pipe); /* the same link: what it remembers is not told anew */
    th_sim_run(world.sim, 5000);
    assert_int_equal(world.script.offers, 0);
    assert_int_not_equal(world.session_len, 0);
    world.lender.refuses = false;
    th_sim_run(world.sim, 30000);
    tls_world_assert_state(&world, TH_LINK_UP);
    assert_int_equal(world.script.offers, 1);
    tls_world_end(&world);
}

/* TLS 1.3 has no session before the server's ticket. */
static void a_session_that_comes_late_is_stored_at_connack_or_once_stable(void **state)
{
    (void)state;
    for (unsigned late = 0; late <= 2; late++) {
        struct tls_world world;
        tls_world_begin(&world);
        world.script.sessions_late = late;
        tls_world_come_up(&world);
        assert_int_equal(world.session_len != 0, late < 2);
        th_sim_run(world.sim, 60000);
        assert_int_not_equal(world.session_len, 0);
        tls_world_end(&world);
    }
}

static void a_resumption_that_fails_is_followed_by_a_full_handshake_at_once(void **state)
{
    (void)state;
    for (enum tls_ending ending = TLS_FAILS; ending <= TLS_HANGS; ending++) {
        struct tls_world world;
        tls_world_begin(&world);
        tls_world_come_up(&world);
        world.script.resumption = ending;
        world.script.error = TH_ERR_TLS_ALERT;
        world.script.sessions_late = 100;
        world.device.note_count = 0;
        tls_world_power_cycle(&world);
        th_sim_run(world.sim, 30000);
        tls_world_assert_state(&world, TH_LINK_UP);
        assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_FAILED), 1);
        const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
        assert_int_equal(failed->event.u.failed.retry_ms, 0);
        assert_int_equal(world.script.starts, 3);
        assert_true(tls_world_is_wiped(&world)); /* T11 */
        tls_world_end(&world);
    }
}

/* The broker takes the identity from the session: a refusal of it says nothing about ours. */
static void a_resumed_session_that_the_broker_refuses_is_dropped(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    tls_world_come_up(&world);
    th_sim_broker_options(world.broker)->connack_code = 5;
    tls_world_power_cycle(&world);
    assert_int_equal(world.script.offers, 1);
    const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
    assert_int_equal(failed->event.u.failed.failure.error, TH_ERR_CONNACK_REFUSED);
    th_sim_broker_options(world.broker)->connack_code = 0;
    world.script.offers = 0;
    th_sim_run(world.sim, 5000);
    tls_world_assert_state(&world, TH_LINK_UP);
    assert_int_equal(world.script.offers, 0);
    tls_world_end(&world);
}

static void nothing_changes(struct tls_world *world)
{
    (void)world;
}

static void another_policy(struct tls_world *world)
{
    static const uint8_t other[] = {1, 2, 4};
    world->anchor = th_span_of(other, sizeof other);
}

static void another_certificate(struct tls_world *world)
{
    static const uint8_t other[] = {4, 5, 7};
    world->certificate = th_span_of(other, sizeof other);
}

static void no_certificate(struct tls_world *world)
{
    world->tls_config.identity = NULL;
}

static void another_server_name(struct tls_world *world)
{
    world->brokers[0].server_name = "three.example";
}

static void another_place_in_the_list(struct tls_world *world)
{
    static const struct th_broker turned[2] = {{.host = "192.0.2.3", .server_name = "two.example"},
                                               {.host = "192.0.2.1", .server_name = "one.example"}};
    memcpy(world->brokers, turned, sizeof turned);
    world->device.link_config.broker_count = 2;
}

static void the_chain_has_expired(struct tls_world *world)
{
    world->trust.clock = (struct th_clock_view){.kind = TH_CLOCK_TRUSTED, .now_s = 2000000001};
}

static void the_floor_has_risen_past_the_chain(struct tls_world *world)
{
    world->trust.clock = (struct th_clock_view){.floor_s = 2000000001};
}

static void one_bit_has_flipped(struct tls_world *world)
{
    world->session[100] ^= 1;
}

static void it_is_cut(struct tls_world *world)
{
    world->session_len--;
}

static void its_length_is_nonsense(struct tls_world *world)
{
    world->session_len = SIZE_MAX;
}

static void it_is_forgotten(struct tls_world *world)
{
    th_link_restart(&world->device.link, th_sim_now_ms(world->sim), true);
}

/* T10, I11: a session is bound to everything it was made under. */
static void a_session_is_offered_only_where_nothing_has_changed(void **state)
{
    (void)state;
    static void (*const changes[])(struct tls_world *) = {
        nothing_changes,        another_policy,
        another_certificate,    no_certificate,
        another_server_name,    another_place_in_the_list,
        the_chain_has_expired,  the_floor_has_risen_past_the_chain,
        one_bit_has_flipped,    it_is_cut,
        its_length_is_nonsense, it_is_forgotten};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct tls_world world;
        tls_world_begin(&world);
        tls_world_come_up(&world);
        world.script.sessions_late = 1000;
        changes[i](&world);
        tls_world_power_cycle(&world);
        th_sim_run(world.sim, 3000);
        tls_world_assert_state(&world, TH_LINK_UP);
        assert_int_equal(world.script.offers, i == 0 ? 1 : 0);
        assert_int_equal(tls_world_is_wiped(&world), i != 0);
        tls_world_end(&world);
    }
}

static void a_restart_resumes_unless_it_was_told_to_forget(void **state)
{
    (void)state;
    for (int forget = 0; forget < 2; forget++) {
        struct tls_world world;
        tls_world_begin(&world);
        tls_world_come_up(&world);
        th_link_restart(&world.device.link, th_sim_now_ms(world.sim), forget);
        assert_int_equal(tls_world_is_wiped(&world), forget);
        sim_device_wake(&world.device);
        th_sim_run(world.sim, 1000);
        tls_world_assert_state(&world, TH_LINK_UP);
        assert_int_equal(world.script.offers, forget ? 0 : 1);
        tls_world_end(&world);
    }
}

static void a_link_without_room_for_a_session_makes_full_handshakes(void **state)
{
    (void)state;
    struct tls_world world;
    tls_world_begin(&world);
    world.device.link_config.session = NULL;
    world.device.link_config.session_len = NULL;
    tls_world_come_up(&world);
    tls_world_power_cycle(&world);
    tls_world_assert_state(&world, TH_LINK_UP);
    assert_int_equal(world.script.starts, 2);
    assert_int_equal(world.script.offers, 0);
    tls_world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_outlives_a_reset_and_is_resumed),
        cmocka_unit_test(a_session_ends_with_the_chain_however_often_it_was_resumed),
        cmocka_unit_test(a_session_outlives_an_attempt_without_memory),
        cmocka_unit_test(a_session_that_comes_late_is_stored_at_connack_or_once_stable),
        cmocka_unit_test(a_resumption_that_fails_is_followed_by_a_full_handshake_at_once),
        cmocka_unit_test(a_resumed_session_that_the_broker_refuses_is_dropped),
        cmocka_unit_test(a_session_is_offered_only_where_nothing_has_changed),
        cmocka_unit_test(a_restart_resumes_unless_it_was_told_to_forget),
        cmocka_unit_test(a_link_without_room_for_a_session_makes_full_handshakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
