/* SPDX-License-Identifier: MIT */
#ifndef TOOL_PROVE_H
#define TOOL_PROVE_H

#include "home.h"

/* Proves the broker of `home`, which must be locked, and prints the table (with --json a document):
 * EXIT_OK, EXIT_PROOF when a row fails, or another error. `init`: the files alone, whatever broker
 * is running, and of the table only what fails. */
int prove_broker(struct home *home, bool init, const char *restart);

int broker_prove(int argc, char **argv);

#endif
