/* SPDX-License-Identifier: MIT */
/*
 * Requests over MQTT: `<device>/from/<caller>/rpc` in, `<device>/to/<caller>/rpc` out. The caller
 * is the topic's, which the broker proves by its ACL; neither the frame's src nor a response topic
 * gives authority, and one outside `<device>/to/<caller>/` is refused (F6). Retained commands are
 * refused (F11). Answers wait in memory lent by the device until the session takes them; while a
 * whole answer has no room there, requests are answered with 503 and not acted on.
 */
#ifndef THIMBLE_RPC_MQTT_H
#define THIMBLE_RPC_MQTT_H

#include <thimble/mqtt.h>
#include <thimble/rpc.h>

#define TH_RPC_CORRELATION_MAX 64  /* bytes; more is refused */
#define TH_RPC_TOPIC_MAX       160 /* bytes of an answer's topic */
#define TH_RPC_QUEUE_MIN       1024

/* Fields private. */
struct th_rpc_mqtt {
    struct th_rpc *rpc;
    uint8_t *queue; /* answers, oldest first */
    size_t room, used;
    uint32_t refused; /* requests that got no answer at all, for want of room */
};

/* `queue` (at least TH_RPC_QUEUE_MIN bytes) and `rpc` live as long as this. An answer is at most as
 * long as the queue. */
void th_rpc_mqtt_init(struct th_rpc_mqtt *front, struct th_rpc *rpc, uint8_t *queue, size_t room);

/* The filter to subscribe to, with a NUL, into `into` (at least 40 bytes): "<device>/from/+/rpc".
 */
size_t th_rpc_mqtt_filter(const struct th_rpc_mqtt *front, char *into, size_t room);

/* Takes a MESSAGE or BEGIN event; false when it is no request and for somebody else. `trust_set`
 * (checked) gives the caller's role. The answer is queued. */
bool th_rpc_mqtt_take(struct th_rpc_mqtt *front, const struct th_mqtt_event *event,
                      struct th_span trust_set, struct th_rpc_moment now);

/* Publishes what waits, at QoS 1, as long as the session takes it. Call after each event and each
 * tick. True when nothing waits any more. */
bool th_rpc_mqtt_send(struct th_rpc_mqtt *front, struct th_mqtt *mqtt);

/* Forgets what waits: the session has changed hands. */
void th_rpc_mqtt_drop(struct th_rpc_mqtt *front);

#endif
