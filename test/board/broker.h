/* SPDX-License-Identifier: MIT */
/* A mosquitto with mutual TLS (broker.sh) and one client of it, for tests of boards. Like qemu.h, a
 * failure of the rig ends the test. */
#ifndef TH_TEST_BROKER_H
#define TH_TEST_BROKER_H

#include <stdbool.h>
#include <sys/types.h>

struct broker {
    char folder[256]; /* has device/{ca,cert,key}.der */
    pid_t script;     /* 0: not running */
    int port;
    const char *kind; /* the script's name */
};

/* `folder` exists and is the caller's; certificates are made there at the first start. */
void broker_start(struct broker *broker, const char *folder);
/* The broker that `thimble` sets up and runs, with the device "board" enrolled. It has no user
 * "host", so no client_open(). */
void broker_start_thimble(struct broker *broker, const char *folder);
void broker_stop(struct broker *broker);
/* Again, on the same port. */
void broker_restart(struct broker *broker);

struct client;

/* Connects as "host" and follows `filter` until client_close(). */
struct client *client_open(const struct broker *broker, const char *filter);
void client_close(struct client *client);
void client_publish(struct client *client, const char *topic, const char *payload);

/* The next message on `topic` (others are passed over): its payload, valid until the next call;
 * NULL when time is up. */
const char *client_expect(struct client *client, const char *topic, int timeout_ms);

#endif
