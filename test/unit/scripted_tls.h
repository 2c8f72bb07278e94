/* SPDX-License-Identifier: MIT */
/* A world whose device speaks TLS by script: a delay, an ending, then bytes as they are. What the
 * link decides around a handshake can so be tried one by one. */
#ifndef TEST_SCRIPTED_TLS_H
#define TEST_SCRIPTED_TLS_H

#include "sim_device.h"

#define TLS_SCRATCH 1000
#define TLS_SESSION 48

enum tls_ending { TLS_OPENS, TLS_FAILS, TLS_ENDS, TLS_HANGS };

struct scripted_tls {
    struct th_sim_node *node;
    enum tls_ending full, resumption; /* how a handshake without and with a session ends */
    enum th_error error;
    bool refuses_late;      /* the alert comes when CONNACK should */
    unsigned sessions_late; /* session() has none before it was asked so often */
    uint32_t after_ms;

    unsigned starts, offers, asked;
    const uint8_t *scratch;
    char server_name[40];
    struct th_plain plain;
    struct th_stream below;
    uint8_t rx[256], tx[256];
    uint32_t started_ms;
    bool open, closed;
    enum tls_ending ending;
    uint8_t offered[TLS_SESSION];
};

/* Memory that is lent. */
struct tls_lender {
    uint8_t room[TLS_SCRATCH];
    unsigned taken, given_back;
    bool refuses;
};

struct tls_world {
    struct th_sim *sim;
    struct th_sim_broker *broker;
    struct sim_device device;
    struct scripted_tls script;
    struct tls_lender lender;
    struct th_broker brokers[2];
    struct th_span anchor, certificate;
    struct th_trust trust;
    struct th_identity identity;
    struct th_tls_config tls_config;
    uint8_t session[TH_SESSION_BEARSSL];
    size_t session_len;
};

extern const struct th_address tls_here, tls_there; /* as sim_here and sim_there, port 8883 */

/* With a loan, room for a session, an anchor and a client certificate. */
void tls_world_begin(struct tls_world *world);

/* Fails the test when lent memory was not given back. */
void tls_world_end(struct tls_world *world);
void tls_world_assert_state(const struct tls_world *world, enum th_link_state state);

/* Starts, and must be up within a second. */
void tls_world_come_up(struct tls_world *world);

/* The device loses its power and has a second to come up again; what is in `session` stays. */
void tls_world_power_cycle(struct tls_world *world);

/* Nothing is left of a session. */
bool tls_world_is_wiped(const struct tls_world *world);

#endif
