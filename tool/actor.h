/* SPDX-License-Identifier: MIT */
/* One side of the demo's story: a peer, what it was last seen doing, and words for it. */
#ifndef TOOL_ACTOR_H
#define TOOL_ACTOR_H

#include "peer.h"

struct actor {
    struct peer peer;
    const char *name;
    bool talk; /* prints the steps of its connection */
    bool up;   /* between CONNACK and the end */
    unsigned connections;
    unsigned failures;
    struct th_tls_info tls;
    char address[TH_ADDRESS_TEXT_MAX];
    uint32_t tcp_ms, tls_ms;
    bool session_present;
    struct th_failure failure;
    /* What it does with what the session says. */
    void (*event)(struct actor *actor, const struct th_mqtt_event *event);
    void *user;
};

/* Opens and starts it. */
int actor_start(struct actor *actor, const char *name, struct th_linux *loop,
                const struct peer_flags *flags);

/* All it can do now. */
void actor_step(struct actor *actor);
uint32_t actor_deadline(const struct actor *actor);
void actor_stop(struct actor *actor);

#endif
