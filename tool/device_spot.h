/* SPDX-License-Identifier: MIT */
/* Enrolment of a device on the spot: over its page's address or its serial console. */
#ifndef TOOL_DEVICE_SPOT_H
#define TOOL_DEVICE_SPOT_H

#include "device_enrol.h"
#include "spot.h"

struct spot_order {
    struct spot_flags flags;
    const char *ssid, *wifi_pass_file, *server;
    struct words sets; /* NAME=VALUE */
    bool stay;         /* in configuration mode */
};

#define SPOT_ORDER_ROWS (SPOT_ROWS + 5)
void spot_order_options(struct spot_order *order, struct option rows[SPOT_ORDER_ROWS]);

/* Asks the device, answers it, gives it settings, and has it connect. */
int device_spot(struct home *home, const char *name, const struct spot_order *spot_order,
                struct enrol_order *order);

#endif
