/* SPDX-License-Identifier: MIT */
#include "sim_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void run(void *ctx)
{
    struct sim_device *device = ctx;
    struct th_link_event event;
    while (th_link_next(&device->link, th_sim_now_ms(device->node.sim), &event)) {
        if (device->note_count < NOTES_MAX)
            device->notes[device->note_count] =
                (struct note){event, th_sim_elapsed_ms(device->node.sim)};
        device->note_count++;
        if (device->on_event != NULL)
            device->on_event(device, &event);
    }
    th_sim_node_wake_in(&device->node,
                        th_link_deadline(&device->link, th_sim_now_ms(device->node.sim)));
}

void sim_device_init(struct sim_device *device, struct th_sim *sim, unsigned number,
                     const struct th_broker *brokers, uint8_t broker_count)
{
    memset(device, 0, sizeof *device);
    th_sim_node_init(&device->node, sim, run, device);
    snprintf(device->client_id, sizeof device->client_id, "device-%u", number);
    device->mqtt_config = (struct th_mqtt_config){
        .version = &th_mqtt_v311,
        .client_id = th_span_str(device->client_id),
        .rx = device->rx,
        .rx_room = sizeof device->rx,
        .large = &th_mqtt_large,
    };
    device->link_config = (struct th_link_config){
        .board = &device->node.board,
        .brokers = brokers,
        .broker_count = broker_count,
        .plaintext = true,
        .plain_rx = device->plain_rx,
        .plain_rx_room = sizeof device->plain_rx,
        .plain_tx = device->plain_tx,
        .plain_tx_room = sizeof device->plain_tx,
    };
}

void sim_device_start(struct sim_device *device)
{
    assert_int_equal(th_mqtt_init(&device->mqtt, &device->mqtt_config), TH_OK);
    assert_int_equal(th_link_init(&device->link, &device->link_config, &device->mqtt), TH_OK);
    th_link_start(&device->link, th_sim_now_ms(device->node.sim));
    sim_device_wake(device);
}

void sim_device_wake(struct sim_device *device)
{
    th_sim_node_wake_in(&device->node, 0);
}

unsigned sim_device_count(const struct sim_device *device, enum th_link_event_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < device->note_count && i < NOTES_MAX; i++)
        count += device->notes[i].event.kind == kind;
    return count;
}

const struct note *sim_device_note(const struct sim_device *device, enum th_link_event_kind kind,
                                   unsigned n)
{
    for (unsigned i = 0; i < device->note_count && i < NOTES_MAX; i++) {
        if (device->notes[i].event.kind == kind && n-- == 0)
            return &device->notes[i];
    }
    return NULL;
}

/* ---- a world with one device ---- */

const struct th_address sim_here = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 1883};
const struct th_address sim_there = {.family = 4, .bytes = {192, 0, 2, 2}, .port = 1883};
const struct th_address sim_here6 = {
    .family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .port = 1883};
const struct th_broker sim_by_name = {.host = "broker.example"};
const struct th_broker sim_by_number = {.host = "192.0.2.1"};

void sim_world_begin(struct sim_world *world, uint64_t seed, uint32_t start_ms,
                     const struct th_broker *brokers, uint8_t count)
{
    memset(world, 0, sizeof *world);
    world->sim = th_sim_new(seed, start_ms);
    th_sim_path(world->sim, &(struct th_sim_path){
                                .latency_min_ms = 5, .latency_max_ms = 25, .fragment_max = 9});
    th_sim_name(world->sim, "broker.example", &sim_here, 1, 30, TH_OK);
    world->broker = th_sim_broker_new(world->sim, &sim_here);
    sim_device_init(&world->device, world->sim, 1, brokers, count);
}

void sim_world_end(struct sim_world *world)
{
    th_sim_broker_free(world->broker);
    th_sim_free(world->sim);
}

enum th_link_state sim_world_state(const struct sim_world *world)
{
    return th_link_state(&world->device.link);
}

void sim_world_refuse(struct sim_world *world)
{
    th_sim_address(world->sim, &sim_here, TH_SIM_REFUSES, NULL, NULL);
}
