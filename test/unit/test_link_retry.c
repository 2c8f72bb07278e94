/* SPDX-License-Identifier: MIT */
/* Where the link goes after a failure, and how long it waits. */
#include <thimble/link.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim_device.h"

/* ---- addresses and brokers ---- */

static void the_addresses_of_a_name_are_tried_in_turn_without_waiting(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_name, 1);
    const struct th_address both[2] = {sim_here6, sim_here};
    th_sim_name(world.sim, "broker.example", both, 2, 0, TH_OK);
    th_sim_address(world.sim, &sim_here6, TH_SIM_REFUSES, NULL, NULL);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 1000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
    assert_int_equal(failed->event.u.failed.failure.error, TH_ERR_TCP_REFUSED);
    assert_int_equal(failed->event.u.failed.retry_ms, 0);
    const struct note *tcp = sim_device_note(&world.device, TH_LINK_EVENT_TCP, 0);
    assert_int_equal(tcp->event.u.tcp.address.family, 4);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT), 2);
    sim_world_end(&world);
}

/* A host whose IPv6 leads nowhere costs its time once, not at each reconnect. */
static void the_address_that_answered_last_is_tried_first(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_name, 1);
    const struct th_address many[3] = {sim_here6, sim_there, sim_here};
    th_sim_name(world.sim, "broker.example", many, 3, 0, TH_OK);
    th_sim_address(world.sim, &sim_here6, TH_SIM_SILENT, NULL, NULL);
    th_sim_address(world.sim, &sim_there, TH_SIM_SILENT, NULL, NULL);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 31000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT), 3);
    th_sim_pipe_drop(world.device.node.pipe);
    th_sim_run(world.sim, 2000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT), 4);
    sim_world_refuse(&world); /* and when it answers no more, the others keep their order */
    th_sim_pipe_drop(world.device.node.pipe);
    th_sim_run(world.sim, 40000);
    const uint8_t order[] = {192, 0x20, 192};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world.device.link.addresses[i].bytes[0], order[i]);
    assert_int_equal(world.device.link.addresses[2].bytes[3], 2);
    sim_world_end(&world);
}

static const struct th_broker three[3] = {
    {.host = "192.0.2.1"}, {.host = "192.0.2.2"}, {.host = "192.0.2.3"}};

static void assert_attempts(const struct sim_device *device, const char *expected)
{
    for (unsigned i = 0; expected[i] != '\0'; i++) {
        const struct note *attempt = sim_device_note(device, TH_LINK_EVENT_ATTEMPT, i);
        assert_non_null(attempt);
        assert_int_equal(attempt->event.u.attempt.broker, expected[i] - '0');
    }
}

static void brokers_are_tried_in_order_and_the_last_good_one_first(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, three, 3);
    struct th_sim_broker *second = th_sim_broker_new(world.sim, &sim_there);
    th_sim_broker_stop(world.broker);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 5000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    assert_attempts(&world.device, "01");
    th_sim_broker_start(world.broker, true); /* the first is back, but the second is good */
    th_sim_run(world.sim, 70000);
    th_sim_broker_stop(second);
    th_sim_broker_start(second, true);
    th_sim_run(world.sim, 5000);
    assert_attempts(&world.device, "011");
    th_sim_broker_stop(second); /* not stable yet: the next in the list, in its order */
    th_sim_run(world.sim, 5000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    assert_attempts(&world.device, "0110");
    th_sim_broker_stop(world.broker);
    th_sim_run(world.sim, 200000);
    assert_attempts(&world.device, "01102012012");
    th_sim_broker_free(second);
    sim_world_end(&world);
}

/* ---- waiting (R6) ---- */

/* Waits after the n-th failure in a row, of many devices. */
static void collect_waits(enum th_sim_entropy entropy, unsigned n, uint32_t *waits, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct sim_world world;
        sim_world_begin(&world, i, 0, &sim_by_number, 1);
        world.device.node.entropy = entropy;
        world.device.link_config.times.backoff_max_ms = 64000;
        sim_world_refuse(&world);
        sim_device_start(&world.device);
        while (sim_device_note(&world.device, TH_LINK_EVENT_FAILED, n) == NULL)
            assert_true(th_sim_step(world.sim));
        const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, n);
        waits[i] = failed->event.u.failed.retry_ms;
        const struct note *next = NULL;
        while (next == NULL) {
            assert_true(th_sim_step(world.sim));
            next = sim_device_note(&world.device, TH_LINK_EVENT_ATTEMPT, n + 1);
        }
        assert_int_equal(next->at_ms - failed->at_ms, waits[i]); /* it keeps its word */
        sim_world_end(&world);
    }
}

static void waits_are_uniform_from_0_to_a_cap_that_doubles(void **state)
{
    (void)state;
    enum { DEVICES = 1000 };
    static uint32_t waits[DEVICES];
    for (unsigned n = 0; n < 9; n++) {
        uint32_t cap = 1000u << (n < 6 ? n : 6);
        unsigned deciles[10] = {0};
        collect_waits(TH_SIM_ENTROPY_SEEDED, n, waits, DEVICES);
        for (unsigned i = 0; i < DEVICES; i++) {
            assert_in_range(waits[i], 0, cap);
            deciles[(uint64_t)waits[i] * 10 / ((uint64_t)cap + 1)]++;
        }
        double chi = 0; /* 9 degrees of freedom: above 27.9 once in a thousand times */
        for (int i = 0; i < 10; i++)
            chi += (deciles[i] - 100.0) * (deciles[i] - 100.0) / 100.0;
        assert_true(chi < 27.9);
    }
}

static void without_chance_a_device_waits_the_whole_cap(void **state)
{
    (void)state;
    uint32_t wait;
    for (unsigned n = 0; n < 9; n++) {
        collect_waits(TH_SIM_ENTROPY_FAILING, n, &wait, 1);
        assert_int_equal(wait, 1000u << (n < 6 ? n : 6));
    }
}

/* R6: what accepts CONNECT and then closes is no success. */
static void a_kick_after_connack_does_not_reset_the_waits_and_a_stable_time_does(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_number, 1);
    world.device.node.entropy = TH_SIM_ENTROPY_FAILING; /* every wait is its cap */
    struct th_sim_broker_options *options = th_sim_broker_options(world.broker);
    options->kicks = true;
    options->kick_after_ms = 59000; /* stable would be 60,000 */
    sim_device_start(&world.device);
    th_sim_run(world.sim, 500000);
    for (unsigned n = 0; n < 6; n++) {
        const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, n);
        assert_int_equal(failed->event.u.failed.in, TH_LINK_UP);
        assert_int_equal(failed->event.u.failed.retry_ms, 1000u << n);
    }
    options->kick_after_ms = 61000;
    world.device.note_count = 0;
    th_sim_run(world.sim, 500000);
    unsigned failures = sim_device_count(&world.device, TH_LINK_EVENT_FAILED);
    assert_true(failures >= 3);
    assert_int_equal(
        sim_device_note(&world.device, TH_LINK_EVENT_FAILED, failures - 1)->event.u.failed.retry_ms,
        1000);
    sim_world_end(&world);
}

static void two_brokers_that_both_kick_make_the_waits_grow_too(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, three, 2);
    struct th_sim_broker *second = th_sim_broker_new(world.sim, &sim_there);
    world.device.node.entropy = TH_SIM_ENTROPY_FAILING;
    th_sim_broker_options(world.broker)->kicks = th_sim_broker_options(second)->kicks = true;
    sim_device_start(&world.device);
    th_sim_run(world.sim, 300000);
    for (unsigned n = 0; n < 12; n++) {
        const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, n);
        assert_non_null(failed);
        assert_int_equal(failed->event.u.failed.retry_ms, n % 2 == 0 ? 1000 : 1000u << n / 2);
    }
    th_sim_broker_free(second);
    sim_world_end(&world);
}

static void without_a_network_nothing_is_tried_and_one_failure_says_so(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_name, 1);
    world.device.node.network = false;
    sim_device_start(&world.device);
    th_sim_run(world.sim, 3600000);
    assert_int_equal(world.device.note_count, 1);
    const struct note *failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
    assert_int_equal(failed->event.u.failed.failure.error, TH_ERR_NO_NETWORK);
    assert_int_equal(failed->event.u.failed.retry_ms, TH_FOREVER);
    assert_int_equal(sim_world_state(&world), TH_LINK_WAITING);
    world.device.node.network = true;
    th_sim_run(world.sim, 2500); /* noticed within 1 s, then full jitter up to 1 s */
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    world.device.node.network = false; /* a second outage is told again */
    th_sim_pipe_drop(world.device.node.pipe);
    th_sim_run(world.sim, 10000);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_FAILED), 3);
    sim_world_end(&world);
}

/* R6: all who shared the outage see its end at the same moment. */
static void after_an_outage_the_first_attempt_waits_too(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_number, 1);
    world.device.node.entropy = TH_SIM_ENTROPY_FAILING; /* the longest wait there is */
    world.device.node.network = false;
    sim_device_start(&world.device);
    th_sim_run(world.sim, 5000);
    world.device.node.network = true;
    sim_device_wake(&world.device);
    th_sim_run(world.sim, 999);
    assert_null(sim_device_note(&world.device, TH_LINK_EVENT_ATTEMPT, 0));
    th_sim_run(world.sim, 1);
    assert_non_null(sim_device_note(&world.device, TH_LINK_EVENT_ATTEMPT, 0));
    sim_world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_addresses_of_a_name_are_tried_in_turn_without_waiting),
        cmocka_unit_test(the_address_that_answered_last_is_tried_first),
        cmocka_unit_test(brokers_are_tried_in_order_and_the_last_good_one_first),
        cmocka_unit_test(waits_are_uniform_from_0_to_a_cap_that_doubles),
        cmocka_unit_test(without_chance_a_device_waits_the_whole_cap),
        cmocka_unit_test(a_kick_after_connack_does_not_reset_the_waits_and_a_stable_time_does),
        cmocka_unit_test(two_brokers_that_both_kick_make_the_waits_grow_too),
        cmocka_unit_test(without_a_network_nothing_is_tried_and_one_failure_says_so),
        cmocka_unit_test(after_an_outage_the_first_attempt_waits_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
