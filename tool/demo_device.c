/* SPDX-License-Identifier: MIT */
/* A small device as one writes it over the link: it says that it is there, measures once a second,
 * and answers requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/time.h>

#include "demo_parts.h"
#include "exits.h"

#define PREFIX DEMO_DEVICE "/from/"

static void subscribe(struct demo_device *device)
{
    const struct th_mqtt_filter filter = {.filter = TH_SPAN(DEMO_DEVICE "/from/#"),
                                          .qos = TH_MQTT_QOS1};
    th_mqtt_subscribe(&device->actor.peer.mqtt, &filter, 1, NULL, 0, NULL);
}

static void say_online(struct demo_device *device)
{
    const struct th_mqtt_publish publish = {.topic = TH_SPAN(DEMO_DEVICE "/status"),
                                            .payload = TH_SPAN("online"),
                                            .qos = TH_MQTT_QOS1,
                                            .retain = true};
    th_mqtt_publish(&device->actor.peer.mqtt, &publish, NULL);
}

/* ---- requests ---- */

/* The number or text behind `"name":`, for the two flat members a request of the demo has. */
static const char *member(const char *frame, const char *name)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *at = strstr(frame, quoted);
    if (!at)
        return "";
    at += strlen(quoted);
    return at + strspn(at, " :");
}

static bool is_method(const char *frame, const char *method)
{
    const char *at = member(frame, "method");
    return *at == '"' && strncmp(at + 1, method, strlen(method)) == 0 &&
           at[1 + strlen(method)] == '"';
}

static void result_of(struct demo_device *device, const char *frame, char *into, size_t room)
{
    uint32_t up_ms = th_linux_now(device->actor.peer.loop) - device->started_ms;
    if (is_method(frame, "Sys.GetInfo"))
        snprintf(into, room, "\"result\":{\"id\":\"%s\",\"uptime\":%u,\"on\":%s}", DEMO_DEVICE,
                 up_ms / 1000, device->lamp_on ? "true" : "false");
    else if (is_method(frame, "Zone.On") || is_method(frame, "Zone.Off")) {
        device->lamp_on = is_method(frame, "Zone.On");
        snprintf(into, room, "\"result\":{\"on\":%s}", device->lamp_on ? "true" : "false");
    } else {
        snprintf(into, room, "\"error\":{\"code\":404,\"message\":\"no such method\"}");
    }
}

/* Who asks stands in the topic, which the broker proves; the message is never believed in that. */
static bool caller_of(struct th_span topic, char *into, size_t room)
{
    static const size_t before = sizeof PREFIX - 1, after = sizeof "/rpc" - 1;
    if (topic.len <= before + after || memcmp(topic.at, PREFIX, before) != 0 ||
        memcmp(topic.at + topic.len - after, "/rpc", after) != 0)
        return false;
    size_t len = topic.len - before - after;
    if (len >= room || memchr(topic.at + before, '/', len))
        return false;
    memcpy(into, topic.at + before, len);
    into[len] = '\0';
    return true;
}

static void answer(struct demo_device *device, const struct th_mqtt_message *message)
{
    char caller[40], frame[512], result[160], text[512], topic[96];
    if (message->retain || message->payload.len >= sizeof frame ||
        !caller_of(message->topic, caller, sizeof caller))
        return;
    memcpy(frame, message->payload.at, message->payload.len);
    frame[message->payload.len] = '\0';
    result_of(device, frame, result, sizeof result);
    snprintf(topic, sizeof topic, "%s/to/%s/rpc", DEMO_DEVICE, caller);
    snprintf(text, sizeof text, "{\"id\":%ld,\"src\":\"%s\",\"dst\":\"%s\",%s}",
             strtol(member(frame, "id"), NULL, 10), DEMO_DEVICE, caller, result);
    const struct th_mqtt_publish publish = {
        .topic = th_span_str(topic), .payload = th_span_str(text), .qos = TH_MQTT_QOS1};
    if (th_mqtt_publish(&device->actor.peer.mqtt, &publish, NULL) == TH_OK)
        device->answered++;
}

static void on_event(struct actor *actor, const struct th_mqtt_event *event)
{
    struct demo_device *device = actor->user;
    if (event->kind == TH_MQTT_EVENT_CONNECTED) {
        subscribe(device); /* also when the session is present: another may have taken it over */
        say_online(device);
    } else if (event->kind == TH_MQTT_EVENT_MESSAGE) {
        answer(device, &event->u.message);
    }
}

/* ---- telemetry ---- */

bool demo_device_measure(struct demo_device *device)
{
    for (int qos = 1; qos <= 2; qos++) {
        uint32_t number = device->ledger->sent[qos];
        char topic[64], text[64];
        if (number >= LEDGER_MAX)
            return false;
        snprintf(topic, sizeof topic, "%s/telemetry/q%d", DEMO_DEVICE, qos);
        snprintf(text, sizeof text, "{\"n\":%u,\"celsius\":%.1f}", number,
                 20.0 + (double)(number % 30) / 10);
        const struct th_mqtt_publish publish = {.topic = th_span_str(topic),
                                                .payload = th_span_str(text),
                                                .qos = (enum th_mqtt_qos)qos};
        if (th_mqtt_publish(&device->actor.peer.mqtt, &publish, NULL) != TH_OK)
            return false;
        device->ledger->sent[qos]++;
    }
    return true;
}

void demo_device_step(struct demo_device *device)
{
    uint32_t now = th_linux_now(device->actor.peer.loop);
    if (device->measuring && th_time_reached(now, device->measure_at_ms)) {
        device->measure_at_ms = now + 1000;
        demo_device_measure(device);
    }
    actor_step(&device->actor);
}

int demo_device_start(struct demo_device *device, struct th_linux *loop, const char *dir,
                      uint16_t port, const char *backend, struct ledger *ledger)
{
    struct peer_flags flags;
    memset(&flags, 0, sizeof flags);
    peer_flags_init(&flags);
    flags.as = DEMO_DEVICE;
    flags.dir = dir;
    flags.host = "localhost";
    flags.port = port;
    flags.backend = backend;
    flags.keep_session = true;
    flags.will_topic = DEMO_DEVICE "/status";
    flags.will_payload = "offline";
    flags.will_qos = 1;
    flags.will_retain = true;
    device->ledger = ledger;
    device->actor.event = on_event;
    device->actor.user = device;
    device->started_ms = device->measure_at_ms = th_linux_now(loop);
    return actor_start(&device->actor, DEMO_DEVICE, loop, &flags);
}
