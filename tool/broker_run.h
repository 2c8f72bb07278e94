/* SPDX-License-Identifier: MIT */
#ifndef TOOL_BROKER_RUN_H
#define TOOL_BROKER_RUN_H

/* thimble broker run: mosquitto in the foreground, with a log a person can read. */
int broker_run(int argc, char **argv);

#endif
