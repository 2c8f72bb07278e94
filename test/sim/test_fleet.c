/* SPDX-License-Identifier: MIT */
/*
 * R6: ten thousand devices and one broker in one process. Whatever happens to all of them at the
 * same moment, they do not come back at the same moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/link.h>

#include "ports/sim/sim_broker.h"

#define DEVICES    10000
#define SLOT_MS    100
#define SLOTS_MAX  20000
#define PER_SECOND (1000 / SLOT_MS)

struct device {
    struct th_sim_node node;
    struct th_mqtt mqtt;
    struct th_link link;
    struct th_mqtt_config mqtt_config;
    struct th_link_config link_config;
    char client_id[12];
    uint8_t rx[64], plain_rx[32], plain_tx[64];
    bool up;
};

struct fleet {
    struct th_sim *sim;
    struct th_sim_broker *broker;
    struct device *devices;
    uint32_t attempts[SLOTS_MAX]; /* connections begun, by slot of time */
};

static const struct th_address here = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 1883};
static const struct th_broker at_here = {.host = "192.0.2.1"};

static void on_connect(void *ctx, const struct th_address *to)
{
    struct fleet *fleet = ctx;
    (void)to;
    uint64_t slot = th_sim_elapsed_ms(fleet->sim) / SLOT_MS;
    assert_true(slot < SLOTS_MAX);
    fleet->attempts[slot]++;
}

static void run(void *ctx)
{
    struct device *device = ctx;
    struct th_link_event event;
    uint32_t now_ms = th_sim_now_ms(device->node.sim);
    while (th_link_next(&device->link, now_ms, &event)) {
    }
    device->up = th_link_state(&device->link) == TH_LINK_UP;
    th_sim_node_wake_in(&device->node, th_link_deadline(&device->link, now_ms));
}

static void device_starts(void *ctx, uint32_t number)
{
    struct device *device = ctx;
    (void)number;
    th_link_start(&device->link, th_sim_now_ms(device->node.sim));
    run(device);
}

static void device_init(struct fleet *fleet, unsigned number)
{
    struct device *device = &fleet->devices[number];
    th_sim_node_init(&device->node, fleet->sim, run, device);
    snprintf(device->client_id, sizeof device->client_id, "d%u", number);
    device->mqtt_config = (struct th_mqtt_config){
        .version = &th_mqtt_v311,
        .client_id = th_span_str(device->client_id),
        .rx = device->rx,
        .rx_room = sizeof device->rx,
        .large = &th_mqtt_large,
    };
    device->link_config = (struct th_link_config){
        .board = &device->node.board,
        .brokers = &at_here,
        .broker_count = 1,
        .plaintext = true,
        .plain_rx = device->plain_rx,
        .plain_rx_room = sizeof device->plain_rx,
        .plain_tx = device->plain_tx,
        .plain_tx_room = sizeof device->plain_tx,
    };
    assert_int_equal(th_mqtt_init(&device->mqtt, &device->mqtt_config), TH_OK);
    assert_int_equal(th_link_init(&device->link, &device->link_config, &device->mqtt), TH_OK);
}

/* The devices' counters wrap while they come up (R8). */
static struct fleet *begin(uint64_t seed)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    assert_non_null(fleet);
    fleet->devices = calloc(DEVICES, sizeof fleet->devices[0]);
    assert_non_null(fleet->devices);
    fleet->sim = th_sim_new(seed, 0u - 1000);
    th_sim_path(fleet->sim, &(struct th_sim_path){.latency_min_ms = 10, .latency_max_ms = 60});
    th_sim_on_connect(fleet->sim, on_connect, fleet);
    fleet->broker = th_sim_broker_new(fleet->sim, &here);
    for (unsigned i = 0; i < DEVICES; i++)
        device_init(fleet, i);
    return fleet;
}

static void end(struct fleet *fleet)
{
    th_sim_broker_free(fleet->broker);
    th_sim_free(fleet->sim);
    free(fleet->devices);
    free(fleet);
}

static uint32_t count_up(const struct fleet *fleet)
{
    uint32_t up = 0;
    for (unsigned i = 0; i < DEVICES; i++)
        up += fleet->devices[i].up;
    return up;
}

/* The most attempts in any `slots` slots in a row of the last `of`. */
static uint32_t peak(const struct fleet *fleet, uint32_t slots, uint64_t of)
{
    uint64_t last = th_sim_elapsed_ms(fleet->sim) / SLOT_MS;
    uint32_t most = 0;
    for (uint64_t i = last - of; i + slots <= last; i++) {
        uint32_t sum = 0;
        for (uint32_t j = 0; j < slots; j++)
            sum += fleet->attempts[i + j];
        most = sum > most ? sum : most;
    }
    return most;
}

static uint64_t slots_of(uint64_t seconds)
{
    return seconds * PER_SECOND;
}

/* All up, long enough for every back-off to have been reset. */
static void come_up(struct fleet *fleet, uint32_t within_s)
{
    for (unsigned i = 0; i < DEVICES; i++)
        th_sim_after(fleet->sim, th_sim_chance(fleet->sim, within_s * 1000), device_starts,
                     &fleet->devices[i], 0);
    th_sim_run(fleet->sim, (within_s + 70) * 1000);
    assert_int_equal(count_up(fleet), DEVICES);
    assert_int_equal(th_sim_broker_connected(fleet->broker), DEVICES);
}

static void after_a_broker_restart_the_attempts_of_10000_devices_stay_spread(void **state)
{
    (void)state;
    struct fleet *fleet = begin(1);
    come_up(fleet, 100);
    th_sim_broker_stop(fleet->broker);
    th_sim_run(fleet->sim, 60000);
    uint32_t first_slot = peak(fleet, 1, slots_of(60));
    /* The first wait is uniform in 0..1 s: 1,000 a slot, and the second attempts of the early ones
     * come on top. */
    assert_in_range(first_slot, 1000, 1600);
    /* When every cap has passed 16 s a second sees at most a sixteenth of them. */
    uint32_t late_second = peak(fleet, PER_SECOND, slots_of(25));
    assert_in_range(late_second, 1, DEVICES / 16);
    th_sim_broker_start(fleet->broker, true);
    th_sim_run(fleet->sim, 121000);
    assert_int_equal(count_up(fleet), DEVICES);
    uint32_t back_second = peak(fleet, PER_SECOND, slots_of(121));
    assert_in_range(back_second, 1, DEVICES / 16);
    print_message("restart of 60 s: at most %u attempts in 100 ms, %u a second after 35 s, %u a "
                  "second when it is back\n",
                  first_slot, late_second, back_second);
    assert_int_equal(th_sim_broker_stats(fleet->broker)->violations, 0);
    end(fleet);
}

static void a_broker_that_kicks_after_connack_is_left_in_peace(void **state)
{
    (void)state;
    struct fleet *fleet = begin(2);
    come_up(fleet, 100);
    struct th_sim_broker_options *options = th_sim_broker_options(fleet->broker);
    options->kicks = true;
    options->kick_after_ms = 500;
    th_sim_broker_stop(fleet->broker);
    th_sim_broker_start(fleet->broker, true);
    th_sim_run(fleet->sim, 900000);
    /* Each waits 60 s on average by now: 167 a second. */
    uint32_t second = peak(fleet, PER_SECOND, slots_of(300));
    uint32_t minute = peak(fleet, 60 * PER_SECOND, slots_of(300));
    assert_in_range(second, 1, 250);
    assert_in_range(minute, 1, 60 * 180);
    print_message("kicked for 15 minutes: at most %u attempts a second, %u a minute\n", second,
                  minute);
    options->kicks = false;
    th_sim_run(fleet->sim, 121000);
    assert_int_equal(count_up(fleet), DEVICES);
    end(fleet);
}

static void a_network_that_comes_back_for_all_at_once_is_not_flooded(void **state)
{
    (void)state;
    struct fleet *fleet = begin(3);
    for (unsigned i = 0; i < DEVICES; i++) {
        fleet->devices[i].node.network = false;
        device_starts(&fleet->devices[i], 0);
    }
    th_sim_run(fleet->sim, 20000);
    for (unsigned i = 0; i < DEVICES; i++) {
        fleet->devices[i].node.network = true;
        th_sim_node_wake_in(&fleet->devices[i].node, 0);
    }
    th_sim_run(fleet->sim, 10000);
    assert_int_equal(count_up(fleet), DEVICES);
    assert_in_range(peak(fleet, 1, slots_of(30)), 900, 1200);
    end(fleet);
}

/* The bounds above mean something: without chance all come in the same slot. */
static void without_chance_the_same_fleet_comes_all_at_once(void **state)
{
    (void)state;
    struct fleet *fleet = begin(4);
    come_up(fleet, 100);
    for (unsigned i = 0; i < DEVICES; i++)
        fleet->devices[i].node.entropy = TH_SIM_ENTROPY_STUCK;
    th_sim_broker_stop(fleet->broker);
    th_sim_run(fleet->sim, 60000);
    assert_true(peak(fleet, 1, slots_of(60)) > DEVICES / 2);
    assert_true(peak(fleet, PER_SECOND, slots_of(25)) > DEVICES / 2);
    end(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_broker_restart_the_attempts_of_10000_devices_stay_spread),
        cmocka_unit_test(a_broker_that_kicks_after_connack_is_left_in_peace),
        cmocka_unit_test(a_network_that_comes_back_for_all_at_once_is_not_flooded),
        cmocka_unit_test(without_chance_the_same_fleet_comes_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
