/* SPDX-License-Identifier: MIT */
/* The cast of the demo: a device that measures and obeys, a user who watches and asks, and the
 * ledger that counts what one sent and the other got. */
#ifndef TOOL_DEMO_PARTS_H
#define TOOL_DEMO_PARTS_H

#include "actor.h"

#define DEMO_DEVICE "lamp"
#define DEMO_USER   "alice"
#define DEMO_FRIEND "bob" /* whose certificate --stay lends out */
#define LEDGER_MAX  4096

struct ledger {
    uint32_t sent[3];           /* by QoS */
    uint8_t got[3][LEDGER_MAX]; /* how often each number arrived */
};

struct ledger_sum {
    uint32_t sent, lost, doubled;
};

struct ledger_sum ledger_sum(const struct ledger *ledger, int qos);

/* ---- the device ---- */

struct demo_device {
    struct actor actor;
    struct ledger *ledger;
    bool lamp_on;
    uint32_t started_ms, answered;
    bool measuring; /* telemetry once a second */
    uint32_t measure_at_ms;
};

int demo_device_start(struct demo_device *device, struct th_linux *loop, const char *dir,
                      uint16_t port, const char *backend, struct ledger *ledger);
void demo_device_step(struct demo_device *device);

/* One numbered message at QoS 1 and one at QoS 2; into the outbox when there is no connection.
 * False when that is full. */
bool demo_device_measure(struct demo_device *device);

/* ---- the user ---- */

struct demo_user {
    struct actor actor;
    struct ledger *ledger;
    bool show; /* prints the telemetry that arrives */
    bool subscribed;
    uint32_t shown;
    char answer[512];
    bool answered;
};

int demo_user_start(struct demo_user *user, struct th_linux *loop, const char *dir, uint16_t port,
                    struct ledger *ledger);

/* Asks the device; the answer comes into `answer`. */
bool demo_user_ask(struct demo_user *user, const char *request);

#endif
