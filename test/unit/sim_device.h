/* SPDX-License-Identifier: MIT */
/* One device of the simulated world: a link, its MQTT session and a note of every event; and a
 * world with one broker and one such device. */
#ifndef TEST_SIM_DEVICE_H
#define TEST_SIM_DEVICE_H

#include <thimble/link.h>

#include "ports/sim/sim_broker.h"

#define NOTES_MAX 64

/* An event, and when it came. What lives only until the next call is not kept. */
struct note {
    struct th_link_event event;
    uint64_t at_ms;
};

struct sim_device {
    struct th_sim_node node;
    struct th_mqtt mqtt;
    struct th_link link;
    struct th_mqtt_config mqtt_config;
    struct th_link_config link_config;
    char client_id[24];
    uint8_t rx[256], plain_rx[256], plain_tx[256];
    struct note notes[NOTES_MAX]; /* the first ones; the count goes on */
    unsigned note_count;
    /* Called for every event, while its spans live. May be NULL. */
    void (*on_event)(struct sim_device *device, const struct th_link_event *event);
    void *user;
};

/* A plaintext device of MQTT 3.1.1 with a persistent session; both configurations may be changed
 * before the start. `brokers` lives as long. */
void sim_device_init(struct sim_device *device, struct th_sim *sim, unsigned number,
                     const struct th_broker *brokers, uint8_t broker_count);

/* Fails the test when the configuration is refused. */
void sim_device_start(struct sim_device *device);

/* After a call to the link or the session from outside of on_event. */
void sim_device_wake(struct sim_device *device);

/* How many events of that kind came, and the n-th of them (from 0) or NULL, of those noted. */
unsigned sim_device_count(const struct sim_device *device, enum th_link_event_kind kind);
const struct note *sim_device_note(const struct sim_device *device, enum th_link_event_kind kind,
                                   unsigned n);

/* ---- a world with one device ---- */

struct sim_world {
    struct th_sim *sim;
    struct th_sim_broker *broker; /* at sim_here, plaintext */
    struct sim_device device;
};

extern const struct th_address sim_here, sim_there, sim_here6; /* 192.0.2.1, .2, 2001:db8::1 */

/* "broker.example", which resolves to sim_here in 30 ms, and that address itself. */
extern const struct th_broker sim_by_name, sim_by_number;

void sim_world_begin(struct sim_world *world, uint64_t seed, uint32_t start_ms,
                     const struct th_broker *brokers, uint8_t count);
void sim_world_end(struct sim_world *world);
enum th_link_state sim_world_state(const struct sim_world *world);

/* The broker's address refuses. */
void sim_world_refuse(struct sim_world *world);

#endif
