/* SPDX-License-Identifier: MIT */
/*
 * A whole device in the simulated world with its requests, and alice, an admin of its trust set,
 * who asks it. What the device says on its own topics is handed to the test. One rig a program.
 */
#ifndef TEST_SERVICE_RIG_H
#define TEST_SERVICE_RIG_H

#include <thimble/requests.h>

#include "device_world.h"

#define RIG_ANSWER 2600

struct service_rig {
    struct device_world world;
    struct th_requests requests;
    char answer[RIG_ANSWER]; /* the device's last one to alice; "": none */
    /* A message of the device below <device>/, but for its answers; may be NULL. */
    void (*told)(const char *topic, const char *payload);
    /* Lets time pass; NULL: world_run(). */
    void (*run)(uint32_t ms);
};

extern struct service_rig rig;

/* A world that has not begun to run: the test adds what its board has, and methods. */
void rig_begin(uint8_t *bundle, size_t bundle_room);
/* The same with a seed and a counter of one's own. */
void rig_begin_at(uint8_t *bundle, size_t bundle_room, uint64_t seed, uint32_t start_ms);

/* Enrols the device with `service` (ops NULL: none) before its requests, and waits until it is
 * connected. */
void rig_start(struct th_service service);

/* Sends a frame as that caller, and lets `ms` pass; returns the answer. */
const char *rig_send(const char *caller, const char *frame, uint32_t ms);
const char *rig_ask(const char *method, const char *params);
/* The answer holds that text. */
void rig_expect(const char *method, const char *params, const char *in_answer);

#endif
