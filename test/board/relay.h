/* SPDX-License-Identifier: MIT */
/* The cable of a board that is a process: it passes connections on to a port of the loopback, and
 * can be pulled. Nobody is told then: what was sent meanwhile arrives when it is back, as TCP does
 * it. */
#ifndef TH_TEST_RELAY_H
#define TH_TEST_RELAY_H

#include <stdbool.h>
#include <sys/types.h>

struct relay {
    pid_t pid; /* 0: not running */
    int port;  /* to connect to */
    int control;
};

/* False when it cannot be started. */
bool relay_start(struct relay *relay, int to_port);
void relay_set(struct relay *relay, bool up);
void relay_stop(struct relay *relay);

#endif
