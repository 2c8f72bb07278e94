/* SPDX-License-Identifier: MIT */
/* The simulated broker: sim_broker.c keeps connections and sessions and sends, sim_broker_packets.c
 * acts on what clients send. */
#ifndef TH_SIM_BROKER_PARTS_H
#define TH_SIM_BROKER_PARTS_H

#include "ports/sim/sim_broker.h"
#include "ports/sim/sim_codec.h"
#include "ports/sim/sim_session.h"

#define SIM_ALIASES_MAX 16

/* A message kept for who comes later: a last will, or a retained one. */
struct sim_kept {
    struct sim_kept *next;
    struct th_sim_broker *broker;
    struct th_span topic, payload; /* in the same block of memory */
    uint8_t qos;
    bool retain;
    char client_id[64]; /* whose will it is */
    uint32_t delay_s;
};

struct sim_connection {
    struct sim_connection *next;
    struct th_sim_broker *broker;
    struct th_sim_pipe *pipe;    /* NULL once closed */
    struct sim_session *session; /* NULL before CONNECT */
    uint8_t version;
    uint16_t inflight_max;
    uint32_t unanswered;   /* QoS 1 and 2 from the client, until the answer that ends it has left */
    struct sim_kept *will; /* NULL: none */
    struct sim_out in, out;
    size_t may_leave;  /* of `out`: its delay is over */
    uint64_t leave_at; /* of the latest packet */
    struct th_span aliases[SIM_ALIASES_MAX + 1];
    unsigned events; /* in the queue */
};

#define SIM_BUCKETS 4096

struct th_sim_broker {
    struct th_sim *sim;
    struct th_address address;
    struct th_sim_broker_options options;
    struct th_sim_broker_stats stats;
    struct sim_connection *connections;
    struct sim_kept *retained, *wills; /* wills: those whose delay runs */
    struct sim_session *sessions[SIM_BUCKETS];
};

/* ---- sim_broker.c ---- */

/* Counts what the client must not do; always false. */
bool sim_violation(struct sim_connection *connection, const char *what);

/* A packet to the client. `ends`: so many of its messages are thereby answered for good. */
void sim_send(struct sim_connection *connection, struct sim_out *packet, unsigned ends);

/* What the session holds for the client, as far as its inflight limit allows. */
void sim_pump(struct sim_session *session);

/* After CONNACK: what was under way goes again, in order. */
void sim_resend(struct sim_session *session);

void sim_close(struct sim_connection *connection, bool orderly);
void sim_close_later(struct sim_connection *connection, uint32_t in_ms);

/* Takes the client's session over, or begins a new one; true when there was one. */
bool sim_enter_session(struct sim_connection *connection, const char *client_id, bool clean);

/* To all who have subscribed. */
bool sim_route(struct th_sim_broker *broker, struct th_span topic, struct th_span payload,
               uint8_t qos);

/* ---- sim_broker_kept.c ---- */

struct sim_kept *sim_kept_new(struct th_sim_broker *broker, struct th_span topic,
                              struct th_span payload, uint8_t qos);

/* In the place of an earlier one; an empty payload removes that. */
void sim_retain(struct th_sim_broker *broker, struct th_span topic, struct th_span payload,
                uint8_t qos);

/* The retained messages a new subscription brings. */
void sim_send_retained(struct sim_connection *connection, struct th_span filter, uint8_t qos);

/* The connection is gone without DISCONNECT: its will is published, after its delay. */
void sim_will(struct sim_connection *connection);

void sim_kept_free_all(struct th_sim_broker *broker);

/* ---- sim_broker_packets.c ---- */

/* One whole packet; false: the connection must be closed. */
bool sim_handle(struct sim_connection *connection, uint8_t first, struct th_span body);

#endif
