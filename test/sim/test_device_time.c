/* SPDX-License-Identifier: MIT */
/* Hostile time against a whole device: C1–C5, T10, R8. Servers of time and the agent say what they
 * like; what is signed decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "device_world.h"

#define WRAP_START (UINT32_MAX - 1000 + 1)
#define MINUTE     60000u
#define HOUR       (60u * MINUTE)
#define TO_2040_MS (INT64_C(2208988800) * 1000 - WORLD_NOW_S * 1000)

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
    world_run(&world, 5000);
}

static int64_t floor_s(void)
{
    return world.device.clock.floor_s;
}

/* What the device takes for now, in seconds beside the truth. */
static int64_t off_s(void)
{
    return th_clock_ms(&world.device.clock, th_sim_now_ms(world.sim)) / 1000 -
           sim_time_now(&world.times) / 1000;
}

/* C1: build time, then the chain that a full handshake has verified; kept over a power cut. */
static void the_floor_rises_to_what_was_signed_and_stays_there(void **state)
{
    (void)state;
    world_start(&world, TH_RESET_POWER_ON);
    assert_int_equal(floor_s(), WORLD_BUILT_S);
    enrolled(false);
    assert_int_equal(floor_s(), world.servers[0].not_before_s);
    world_start(&world, TH_RESET_POWER_ON);
    assert_int_equal(floor_s(), world.servers[0].not_before_s);
    /* An older chain does not lower it. */
    world.servers[0].not_before_s -= WORLD_YEAR_S;
    world.servers[0].remembers = 0;
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(floor_s(), WORLD_NOW_S - 30 * 86400);
}

/* C1: a bundle's time counts once its signature does, also when the bundle is taken back. */
static void a_signed_bundle_raises_the_floor_and_an_unsigned_one_does_not(void **state)
{
    static uint8_t bytes[TH_TRUST_BUNDLE_MAX];
    const struct world_bundle forged = {
        .sequence = 2, .time_s = WORLD_NOW_S + WORLD_YEAR_S, .stranger = true};
    const struct world_bundle good = {.sequence = 2, .time_s = WORLD_NOW_S - 60, .anchor = 2};

    (void)state;
    enrolled(false);
    size_t len = world_bundle(&world, &forged, bytes);
    assert_int_equal(
        th_device_try_trust(&world.device, th_span_of(bytes, len), "", th_sim_now_ms(world.sim)),
        TH_ERR_UPDATE_KEY);
    assert_int_equal(floor_s(), world.servers[0].not_before_s);
    len = world_bundle(&world, &good, bytes);
    assert_int_equal(
        th_device_try_trust(&world.device, th_span_of(bytes, len), "", th_sim_now_ms(world.sim)),
        TH_OK);
    world_run(&world, 2 * MINUTE);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_int_equal(floor_s(), WORLD_NOW_S - 60);
    world_start(&world, TH_RESET_POWER_ON);
    assert_int_equal(floor_s(), WORLD_NOW_S - 60);
}

/* C2 */
static void a_certificate_that_ended_before_the_floor_is_refused(void **state)
{
    (void)state;
    enrolled(false);
    world.servers[0].not_before_s = WORLD_NOW_S - 2 * WORLD_YEAR_S;
    world.servers[0].not_after_s = WORLD_NOW_S - 31 * 86400;
    world.servers[0].remembers = 0;
    world_start(&world, TH_RESET_POWER_ON);
    assert_false(world_comes_up(&world, 10 * MINUTE));
    assert_true(world_said(&world, "date: a certificate in the chain has expired") > 0);
}

/* T10: neither is it taken by a session that was made before. */
static void a_session_does_not_outlive_its_chain(void **state)
{
    (void)state;
    world.servers[0].not_after_s = WORLD_NOW_S - 10 * 86400;
    enrolled(false);
    assert_int_equal(floor_s(), WORLD_NOW_S - 30 * 86400);
    unsigned full = world.servers[0].full;
    world_start(&world, TH_RESET_REQUESTED);
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(world.servers[0].resumed, 1);
    /* Something signed later moves the floor beyond its end. */
    world.device.clock.floor_s = WORLD_NOW_S - 86400;
    th_link_restart(&world.device.link, th_sim_now_ms(world.sim), false);
    th_sim_node_wake_in(&world.node, 0);
    world_run(&world, 5 * MINUTE);
    assert_int_equal(world.servers[0].resumed, 1);
    assert_int_equal(world.servers[0].full, full);
    assert_false(world_is_up(&world));
}

/* C3 C4: twenty years ahead by every time server there is. */
static void spoofed_time_servers_change_nothing_but_a_hint(void **state)
{
    (void)state;
    world.times.servers[0].off_ms = 20 * WORLD_YEAR_S * 1000;
    enrolled(false);
    world_run(&world, 10000);
    assert_int_equal(world.device.clock.kind, TH_CLOCK_HINT);
    assert_true(off_s() > 19 * WORLD_YEAR_S);
    assert_int_equal(floor_s(), world.servers[0].not_before_s);
    /* A full handshake under that hint warns, and goes on. */
    world.servers[0].remembers = 0;
    th_link_restart(&world.device.link, th_sim_now_ms(world.sim), true);
    th_sim_node_wake_in(&world.node, 0);
    world_run(&world, MINUTE);
    assert_true(world_is_up(&world));
    assert_true(world_said(&world, "by the time servers its certificate is not valid now") > 0);
}

/* C3: 1970, and back and forth. */
static void time_that_jumps_back_and_forth_never_disconnects(void **state)
{
    static const int64_t jumps_s[] = {
        -WORLD_NOW_S, 20 * WORLD_YEAR_S, -86400, 100, 0, INT64_C(400) * 365 * 86400};

    (void)state;
    enrolled(false);
    int64_t floor = floor_s();
    unsigned full = world.servers[0].full;
    for (unsigned i = 0; i < 60; i++) {
        world.times.servers[0].off_ms = jumps_s[i % 6] * 1000;
        world_run(&world, 5 * HOUR);
        assert_true(world_is_up(&world));
        assert_int_equal(floor_s(), floor);
    }
    assert_int_equal(world.servers[0].full, full);
}

/* C3 C4: an agent in 2040, whose word counts inside the session. */
static void an_agent_in_2040_cannot_lock_the_device_out_for_good(void **state)
{
    (void)state;
    enrolled(true);
    assert_int_equal(world.device.clock.kind, TH_CLOCK_TRUSTED);
    assert_in_range(off_s() + 5, 0, 10);
    world.agent_off_ms = TO_2040_MS;
    world_run(&world, 24 * HOUR);
    assert_int_equal(floor_s(), world.servers[0].not_before_s);
    assert_true(world_said(&world, "the clock refuses every broker") > 0);
    /* Once the agent is right again, so is the device. */
    world.agent_off_ms = 0;
    world_run(&world, 30 * MINUTE);
    assert_true(world_is_up(&world));
    assert_in_range(off_s() + 5, 0, 10);
}

/* C4: an agent that errs once is asked again, and nothing happens. */
static void one_wrong_answer_of_the_agent_does_not_disconnect(void **state)
{
    (void)state;
    enrolled(true);
    unsigned full = world.servers[0].full + world.servers[0].resumed;
    unsigned asked = world.times_asked;
    world.agent_off_ms = TO_2040_MS;
    while (world.times_asked == asked)
        world_run(&world, 1);
    world.agent_off_ms = 0;
    world_run(&world, HOUR);
    assert_true(world_is_up(&world));
    assert_int_equal(world.servers[0].full + world.servers[0].resumed, full);
    assert_in_range(off_s() + 5, 0, 10);
}

/* C5: provisionally accepted at a skewed start; judged again once time is trusted. */
static void an_expired_broker_is_dropped_once_time_is_trusted(void **state)
{
    (void)state;
    world.servers[0].not_before_s = WORLD_NOW_S - WORLD_YEAR_S;
    world.servers[0].not_after_s = WORLD_NOW_S - 86400;
    world_enrol(&world, true);
    world_run(&world, 20000);
    assert_true(world.servers[0].full > 0); /* nothing was known against it */
    assert_true(world.times_asked >= 2);    /* two answers condemned it */
    assert_int_equal(world_said(&world, "date: a certificate in the chain has expired") > 0, 1);
    assert_false(world_is_up(&world));
    /* The broker gets a new certificate. */
    world.servers[0].not_after_s = WORLD_NOW_S + WORLD_YEAR_S;
    assert_true(world_comes_up(&world, 10 * MINUTE));
}

/* C5: not valid yet by the floor alone, and the trusted time agrees that it is valid. */
static void a_chain_from_after_the_floor_is_taken_provisionally_and_confirmed(void **state)
{
    (void)state;
    enrolled(true);
    assert_true(world_is_up(&world));
    assert_int_equal(world.device.clock.kind, TH_CLOCK_TRUSTED);
    assert_false(world.device.suspect);
}

/* C3: the agent's time comes only from the agent. */
static void a_user_cannot_set_the_clock(void **state)
{
    (void)state;
    world.agent_silent = true;
    world.times.servers[0].silent = true;
    enrolled(true);
    assert_int_equal(world.device.clock.kind, TH_CLOCK_FLOOR_ONLY);
    th_sim_broker_publish(
        world.servers[0].broker, TH_SPAN("lamp/from/alice/rpc"),
        TH_SPAN("{\"id\":1,\"result\":{\"nonce\":\"00000000000000000000000000000000\","
                "\"time_ms\":2208988800000}}"),
        1);
    th_sim_broker_publish(
        world.servers[0].broker, TH_SPAN("lamp/from/agent/rpc"),
        TH_SPAN("{\"id\":1,\"result\":{\"nonce\":\"00000000000000000000000000000000\","
                "\"time_ms\":2208988800000}}"),
        1);
    world_run(&world, MINUTE);
    assert_int_equal(world.device.clock.kind, TH_CLOCK_FLOOR_ONLY);
}

/* R8: the clock goes right over the wrap of the counter. */
static void the_working_clock_outlives_the_counter(void **state)
{
    (void)state;
    world.servers[0].not_after_s = WORLD_NOW_S + 10 * WORLD_YEAR_S;
    enrolled(true);
    world.agent_silent = world.times.servers[0].silent = true;
    for (int month = 0; month < 2; month++) {
        world_run(&world, UINT64_C(30) * 24 * HOUR);
        assert_true(world_is_up(&world));
        assert_in_range(off_s() + 5, 0, 10);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(the_floor_rises_to_what_was_signed_and_stays_there),
        CASE(a_signed_bundle_raises_the_floor_and_an_unsigned_one_does_not),
        CASE(a_certificate_that_ended_before_the_floor_is_refused),
        CASE(a_session_does_not_outlive_its_chain),
        CASE(spoofed_time_servers_change_nothing_but_a_hint),
        CASE(time_that_jumps_back_and_forth_never_disconnects),
        CASE(an_agent_in_2040_cannot_lock_the_device_out_for_good),
        CASE(one_wrong_answer_of_the_agent_does_not_disconnect),
        CASE(an_expired_broker_is_dropped_once_time_is_trusted),
        CASE(a_chain_from_after_the_floor_is_taken_provisionally_and_confirmed),
        CASE(a_user_cannot_set_the_clock),
        CASE(the_working_clock_outlives_the_counter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
