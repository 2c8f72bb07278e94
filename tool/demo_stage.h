/* SPDX-License-Identifier: MIT */
/* Where the demo plays: a temporary directory with authorities and brokers made by the very
 * commands a user types, real mosquittos on free ports, the relay, and one loop for the cast. */
#ifndef TOOL_DEMO_STAGE_H
#define TOOL_DEMO_STAGE_H

#include "demo_parts.h"
#include "process.h"
#include "relay.h"

struct demo_broker {
    char dir[512]; /* its state directory */
    uint16_t port, user_port;
    struct process process;
    FILE *log;
    bool ready;
};

struct stage {
    char dir[256];
    struct demo_broker home, impostor;
    struct relay relay;
    struct th_linux loop;
    bool loop_open;
    struct th_linux_watch signals;
    bool signals_open, interrupted;
    struct demo_device device;
    struct demo_user user;
    struct ledger ledger;
};

int stage_open(struct stage *stage);

/* Ends every child, closes everything, removes the directory. */
void stage_close(struct stage *stage);

/* Runs a command of the tool without its output; NULL ends the words. */
int stage_command(int (*command)(int argc, char **argv), const char *const *words);

/* Authorities and a broker for localhost, not started; `name` is in the CAs' subjects. */
int stage_make_broker(struct stage *stage, struct demo_broker *broker, const char *folder,
                      const char *name);
int stage_start_broker(struct stage *stage, struct demo_broker *broker);
void stage_end_broker(struct stage *stage, struct demo_broker *broker);

/* Runs the cast until `happened` says so. False when `limit_ms` is over or a signal came. */
bool stage_until(struct stage *stage, bool (*happened)(struct stage *stage), uint32_t limit_ms);

/* The same for so long. */
void stage_play(struct stage *stage, uint32_t ms);

#endif
