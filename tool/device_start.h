/* SPDX-License-Identifier: MIT */
/* thimble device run: thimble-device as a process, and what is seen of it. */
#ifndef TOOL_DEVICE_START_H
#define TOOL_DEVICE_START_H

#include <stdbool.h>

/* The command. */
int device_start(int argc, char **argv);

/* What is to be shown, and of which file. */
struct pins_order {
    char *const *argv; /* of the device, its path first; NULL: it runs already */
    const char *file;  /* of its virtual pins */
    bool json;
};

/* Shows and drives the pins until the person leaves or the device ends. The device's exit code, or
 * EXIT_OK when it was ended from here. */
int pins_run(const struct pins_order *order);

#endif
