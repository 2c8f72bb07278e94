/* SPDX-License-Identifier: MIT */
/* What the simulated broker remembers of one client from connection to connection. */
#ifndef TH_SIM_SESSION_H
#define TH_SIM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/span.h>

enum sim_message_state { SIM_WAITING, SIM_SENT, SIM_RELEASED };

/* A message on its way to the client. */
struct sim_message {
    struct sim_message *next;
    struct th_span topic, payload; /* in the same block of memory */
    uint16_t id;
    uint8_t qos, state;
    bool retained; /* it was there before the subscription */
};

struct sim_filter {
    struct sim_filter *next;
    uint8_t qos;
    struct th_span text;
};

struct sim_session {
    struct sim_session *next;
    char *client_id;
    bool lasts; /* beyond its connection */
    struct sim_filter *filters;
    struct sim_message *first, *last;
    uint16_t last_id;
    uint16_t *inbound; /* QoS 2 identifiers between PUBLISH and PUBREL, in order of PUBLISH */
    uint16_t inbound_count, inbound_room;
    void *connection;
};

struct sim_session *sim_session_new(const char *client_id);
void sim_session_free(struct sim_session *session);

void sim_session_subscribe(struct sim_session *session, struct th_span filter, uint8_t qos);
bool sim_session_unsubscribe(struct sim_session *session, struct th_span filter);

bool sim_filter_matches(struct th_span filter, struct th_span topic);

/* The highest QoS a matching subscription grants; -1: none matches. */
int sim_session_wants(const struct sim_session *session, struct th_span topic);

struct sim_message *sim_session_add(struct sim_session *session, struct th_span topic,
                                    struct th_span payload, uint8_t qos);
void sim_session_remove(struct sim_session *session, struct sim_message *message);
uint16_t sim_session_new_id(struct sim_session *session);

/* The oldest message of that QoS and state, or NULL. Answers must come in this order:
 * [MQTT-4.6.0-2], [MQTT-4.6.0-3]. */
struct sim_message *sim_session_oldest(struct sim_session *session, uint8_t qos,
                                       enum sim_message_state state);
uint32_t sim_session_inflight(const struct sim_session *session);

/* Where an inbound identifier stands in the order; -1: it is not there. */
int sim_session_inbound(const struct sim_session *session, uint16_t id);
void sim_session_inbound_add(struct sim_session *session, uint16_t id);
void sim_session_inbound_remove(struct sim_session *session, int at);

#endif
