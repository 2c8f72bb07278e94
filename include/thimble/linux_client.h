/* SPDX-License-Identifier: MIT */
/*
 * One client on Linux, put together from files: loop, network, credentials, session and link in one
 * struct. For programs with one connection; with many, use the parts (linux.h, link.h).
 */
#ifndef THIMBLE_LINUX_CLIENT_H
#define THIMBLE_LINUX_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/link.h>
#include <thimble/linux.h>

#define TH_LINUX_CLIENT_RX 4096 /* a message up to this size is one event */

/* Lives as long as the client. */
struct th_linux_client_options {
    const char *host;
    uint16_t port;           /* 0: 8883 */
    const char *ca;          /* file of the certificates the broker is trusted by */
    const char *certificate; /* ours, with its chain; NULL: none */
    const char *key;
    const char *client_id;   /* NULL: the broker assigns one */
    struct th_tls tls;       /* a backend and its context */
    struct th_outbox outbox; /* {NULL, NULL}: QoS 0 only */
};

/* Fields are private but for mqtt and link, whose calls may be used freely. */
struct th_linux_client {
    struct th_mqtt mqtt;
    struct th_link link;
    struct th_linux loop;
    struct th_linux_net net;
    struct th_board board;
    struct th_linux_certificates ca;
    struct th_linux_identity us;
    struct th_trust trust;
    struct th_tls_config tls;
    struct th_broker broker;
    struct th_link_config config;
    struct th_mqtt_config session;
    uint8_t rx[TH_LINUX_CLIENT_RX];
    uint8_t *scratch;
};

/* Loads the files and starts the link; the struct must not move afterwards. On an error nothing is
 * left open and `failure` says which file or setting is at fault. Dates are judged by this
 * machine's clock. MQTT 5.0, a clean start without outbox, else a session kept for a day. */
enum th_error th_linux_client_open(struct th_linux_client *client,
                                   const struct th_linux_client_options *options,
                                   struct th_failure *failure);

/* The next event, waiting for it at most `timeout_ms` (TH_FOREVER: as long as it takes); false when
 * that is over. */
bool th_linux_client_next(struct th_linux_client *client, uint32_t timeout_ms,
                          struct th_link_event *event);

/* Ends the connection in good order; go on with th_linux_client_next() until STOPPED. */
void th_linux_client_stop(struct th_linux_client *client);

/* Frees everything, wipes the key. */
void th_linux_client_close(struct th_linux_client *client);

#endif
