/* SPDX-License-Identifier: MIT */
/* The mosquitto that is installed: where it is, which version, where its plugins are. */
#ifndef TOOL_MOSQUITTO_PROGRAM_H
#define TOOL_MOSQUITTO_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

struct mosquitto_version {
    int major, minor;
    char text[32]; /* "2.0.11" */
};

/* $THIMBLE_MOSQUITTO where it is set, else the one of $PATH or the system's sbin directories.
 * EXIT_MISSING, printed, when there is none. */
int mosquitto_program(char *into, size_t room);

/* What it says of itself. EXIT_MISSING when there is none, EXIT_FAILED when it says nothing that
 * can be understood, EXIT_INPUT before 2.0: there the client id cannot be bound. Printed. */
int mosquitto_version(struct mosquitto_version *version);

/* The directory of mosquitto 2.1's plugins for rights and passwords; false when it is not found. */
bool mosquitto_plugins(char *into, size_t room);

/* "… mosquitto version 2.0.11 running": its listeners are open. 2.1 says earlier as whom it runs.
 */
bool mosquitto_is_up(const char *line);

#endif
