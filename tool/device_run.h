/* SPDX-License-Identifier: MIT */
/* A production run: many devices' requests answered, in the order of a table or a directory. */
#ifndef TOOL_DEVICE_RUN_H
#define TOOL_DEVICE_RUN_H

#include "device_enrol.h"

/* Answers at most `count` requests that have no answer yet (0: all). It ends at the first one that
 * is refused; what was answered stays, and run again it goes on behind that. */
int device_run(struct home *home, const char *manifest, long count,
               const struct enrol_order *order);

#endif
