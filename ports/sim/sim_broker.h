/* SPDX-License-Identifier: MIT */
/*
 * An MQTT broker for the simulated world: 3.1.1 and 5.0, QoS 0 to 2 both ways, sessions that
 * outlive connections. It shares no code with the client it is there to try: what both had wrong in
 * the same way would never be seen. It is strict: whatever a client does that the specification
 * forbids is counted, and the first time is remembered in words.
 *
 * Not in it: message expiry, subscription identifiers and options, shared subscriptions, enhanced
 * authentication.
 */
#ifndef THIMBLE_SIM_BROKER_H
#define THIMBLE_SIM_BROKER_H

#include "ports/sim/sim.h"

struct th_sim_broker;

/* May be changed at any time between events. All 0: an obliging broker. */
struct th_sim_broker_options {
    uint16_t inflight_max;    /* unacknowledged towards one client; 0: 20 */
    uint16_t receive_maximum; /* 5.0: announced, and enforced; 0: none */
    uint16_t alias_maximum;   /* 5.0: announced; 0: none */
    uint32_t answer_delay_ms; /* each packet to a client leaves 0..this later; order is kept */
    uint8_t connack_code;     /* other than 0: every CONNECT is refused with it */
    bool kicks;               /* closes every connection … */
    uint32_t kick_after_ms;   /* … so long after CONNACK */
    bool mute;                /* never answers anything */
    uint8_t repeat_percent;   /* so often PUBREC, PUBREL, PUBCOMP and PUBACK are sent twice */
    bool pubrel_in_any_order; /* for a client that has forgotten a streamed message */
    /* A message is taken from a client: at QoS 0 and 1 each time it comes, at QoS 2 once. */
    void (*message)(void *ctx, const char *client_id, struct th_span topic, struct th_span payload,
                    uint8_t qos);
    void *ctx;
};

struct th_sim_broker_stats {
    uint32_t connects, connacks, publishes, violations;
    uint32_t sessions;           /* begun */
    const char *first_violation; /* NULL: none */
};

/* Listens at once. */
struct th_sim_broker *th_sim_broker_new(struct th_sim *sim, const struct th_address *address);

/* Right before th_sim_free(): no event may come any more. */
void th_sim_broker_free(struct th_sim_broker *broker);

struct th_sim_broker_options *th_sim_broker_options(struct th_sim_broker *broker);
const struct th_sim_broker_stats *th_sim_broker_stats(const struct th_sim_broker *broker);

/* Every connection is reset, and the address refuses until the start. `keep_sessions` false: it
 * comes back knowing nobody. */
void th_sim_broker_stop(struct th_sim_broker *broker);
void th_sim_broker_start(struct th_sim_broker *broker, bool keep_sessions);

/* A message from elsewhere, to all who have subscribed; false when nobody has. */
bool th_sim_broker_publish(struct th_sim_broker *broker, struct th_span topic,
                           struct th_span payload, uint8_t qos);

/* One client's session: whether there is one, how many messages wait in it for the client, of how
 * many from the client PUBREL has not come, and its end. */
bool th_sim_broker_knows(const struct th_sim_broker *broker, const char *client_id);
uint32_t th_sim_broker_waiting(const struct th_sim_broker *broker, const char *client_id);
uint32_t th_sim_broker_unreleased(const struct th_sim_broker *broker, const char *client_id);
void th_sim_broker_forget(struct th_sim_broker *broker, const char *client_id);

/* Connections that have had their CONNACK, and whether that client has one. */
uint32_t th_sim_broker_connected(const struct th_sim_broker *broker);
bool th_sim_broker_has(const struct th_sim_broker *broker, const char *client_id);

#endif
