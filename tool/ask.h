/* SPDX-License-Identifier: MIT */
/* One request to one device, from the connection to the answer: what call and zone stand on. */
#ifndef TOOL_ASK_H
#define TOOL_ASK_H

#include <thimble/json.h>

#include "requester.h"

struct ask {
    struct peer_flags flags; /* peer_flags_init() first; requester_user() has filled in who */
    const char *device, *method, *params;
    long wait_s;
    /* The frame that carries the result; gives back the exit code. */
    int (*show)(const struct ask *ask, const struct th_json *frame);
    const void *user;
};

/* The exit code; errors are printed. */
int ask_run(const struct ask *ask);

/* Prints why the device refuses, out of an answer with an error. */
int ask_refused(const char *device, const char *method, const struct th_json *frame);

#endif
