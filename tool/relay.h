/* SPDX-License-Identifier: MIT */
/* A small TCP relay in a child process, by which the demo plays bad network: it can cut every
 * connection, or lead new ones elsewhere. */
#ifndef TOOL_RELAY_H
#define TOOL_RELAY_H

#include <stdint.h>
#include <sys/types.h>

struct relay {
    pid_t pid; /* 0: none */
    int control;
    uint16_t port; /* on 127.0.0.1 */
};

/* Leads to 127.0.0.1:`target`. EXIT_OK, or an error that was printed. */
int relay_start(struct relay *relay, uint16_t target);

/* Cuts what is connected, without a word, and leads the next connections to `target`. */
void relay_cut(struct relay *relay, uint16_t target);
void relay_stop(struct relay *relay);

#endif
