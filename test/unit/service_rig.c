/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service_rig.h"

struct service_rig rig;
static struct th_service services[2];
static uint8_t queue[2560], rx[1400];
static void (*of_world)(void *ctx, const char *client_id, struct th_span topic,
                        struct th_span payload, uint8_t qos);

/* Besides what the world does with it: there the device's own requests are answered. */
static void overhear(void *ctx, const char *client_id, struct th_span topic, struct th_span payload,
                     uint8_t qos)
{
    char name[80], text[RIG_ANSWER];

    snprintf(name, sizeof name, "%.*s", (int)topic.len, (const char *)topic.at);
    snprintf(text, sizeof text, "%.*s", (int)payload.len, (const char *)payload.at);
    if (strcmp(name, "lamp/to/alice/rpc") == 0) {
        if (!strstr(text, "\"method\":"))
            memcpy(rig.answer, text, sizeof rig.answer);
    } else if (rig.told && strncmp(name, "lamp/", 5) == 0) {
        rig.told(name + 5, text);
    }
    of_world(ctx, client_id, topic, payload, qos);
}

static void run(uint32_t ms)
{
    if (rig.run)
        rig.run(ms);
    else
        world_run(&rig.world, ms);
}

void rig_begin(uint8_t *bundle, size_t bundle_room)
{
    rig_begin_at(bundle, bundle_room, 1, UINT32_MAX - 60000);
}

void rig_begin_at(uint8_t *bundle, size_t bundle_room, uint64_t seed, uint32_t start_ms)
{
    memset(&rig, 0, sizeof rig);
    world_begin(&rig.world, seed, start_ms);
    th_requests_init(&rig.requests, queue, sizeof queue, bundle, bundle_room);
    rig.world.config.rx = rx;
    rig.world.config.rx_room = sizeof rx;
    of_world = th_sim_broker_options(rig.world.servers[0].broker)->message;
    for (int i = 0; i < 2; i++)
        th_sim_broker_options(rig.world.servers[i].broker)->message = overhear;
}

void rig_start(struct th_service service)
{
    uint8_t count = 0;

    if (service.ops)
        services[count++] = service;
    services[count++] = th_requests_service(&rig.requests);
    rig.world.config.services = services;
    rig.world.config.service_count = count;
    world_enrol(&rig.world, false);
    for (int i = 0; i < 60 && !world_is_up(&rig.world); i++)
        run(1000);
    assert_true(world_is_up(&rig.world));
    run(3000);
}

const char *rig_send(const char *caller, const char *frame, uint32_t ms)
{
    char topic[64];

    snprintf(topic, sizeof topic, "lamp/from/%s/rpc", caller);
    rig.answer[0] = '\0';
    th_sim_broker_publish(rig.world.servers[0].broker, th_span_str(topic), th_span_str(frame), 1);
    run(ms);
    return rig.answer;
}

const char *rig_ask(const char *method, const char *params)
{
    char frame[1200];

    snprintf(frame, sizeof frame, "{\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
    return rig_send("alice", frame, 900);
}

void rig_expect(const char *method, const char *params, const char *in_answer)
{
    if (!strstr(rig_ask(method, params), in_answer))
        fail_msg("%s %s\n answers %s", method, params, rig.answer);
}
