/* SPDX-License-Identifier: MIT */
/*
 * What a revocation does at the broker: waits until it refuses what the new list revokes, takes the
 * place of every connection and session of the names, clears what they left, and then tries
 * whether anything still gets in. Nothing here waits for a time: everything is seen.
 */
#ifndef TOOL_EVICT_H
#define TOOL_EVICT_H

#include <thimble/linux.h>

#include "evict_papers.h"
#include "listeners.h"
#include "peer.h"

/* One connection. */
struct evict_call {
    struct peer peer;
    const struct listener *listener;
    bool open;
    /* out */
    bool entered, failed, stopped;
    bool offered; /* a stored TLS session was offered to be resumed */
    bool session_present;
    bool subscribed, acknowledged;
    uint8_t reason; /* of the acknowledgement */
    struct th_failure failure;
    /* what the keeper does with what it hears */
    void (*heard)(void *user, const struct th_mqtt_message *message);
    void *user;
};

struct evict {
    const struct registry_principal *row;
    struct listeners listeners;
    struct evict_papers papers;
    const char *host, *server_name; /* another machine than the configuration names; NULL: none */
    struct th_linux loop;
    bool loop_open;
    /* Two that were let in before: of TLS 1.3 and of 1.2. They keep their TLS sessions. */
    struct evict_call early[2];
    size_t early_count;
    bool unheeded; /* a WebSocket listener that lets in what is revoked */
    unsigned cleared;
    unsigned tried;  /* listeners that its own certificate was tried on */
    char found[200]; /* why a step has failed */
};

enum evict_result {
    EVICT_DONE,
    EVICT_UNREACHABLE, /* nobody answers there */
    EVICT_NOT_READ,    /* the broker still works by older files */
    EVICT_FAULT,       /* it did what it must not; `found` says what */
};

/* EXIT_OK, or an error that was printed. */
int evict_open(struct evict *evict);
void evict_close(struct evict *evict);

/* Before the broker has read the list: the probes come in and keep TLS sessions for later. A broker
 * that cannot be reached, or refuses them, is left for evict_await() to judge. */
void evict_early(struct evict *evict);

/* Until every listener refuses the probe because it is revoked, or lets the keeper's new password
 * in. */
enum evict_result evict_await(struct evict *evict);

/* Each name once, clean start. */
enum evict_result evict_names(struct evict *evict);

/* What is retained of them; `cleared` counts. */
enum evict_result evict_retained(struct evict *evict);

/* The check: no session, no rights, and no way in, by a fresh handshake or a resumed one. */
enum evict_result evict_sessions(struct evict *evict);
enum evict_result evict_fresh(struct evict *evict);
enum evict_result evict_resumed(struct evict *evict);

#endif
