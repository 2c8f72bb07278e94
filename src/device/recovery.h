/* SPDX-License-Identifier: MIT */
/* How the device reaches recovery without linking it. Private to src/device. */
#ifndef TH_DEVICE_RECOVERY_H
#define TH_DEVICE_RECOVERY_H

#include <thimble/json.h>
#include <thimble/recovery.h>

#include "device/parts.h"

struct th_recovery_ops {
    /* There is a recovery listener, and nothing that forbids to turn to it. */
    bool (*possible)(const struct th_device *device);
    /* FAILED has asked for a turn. */
    void (*turn)(struct th_device *device, uint32_t now_ms);
    /* What the session with the recovery listener says. */
    void (*event)(struct th_device *device, const struct th_mqtt_event *event, uint32_t now_ms);
    void (*step)(struct th_device *device, uint32_t now_ms);
    uint32_t (*deadline)(const struct th_device *device, uint32_t now_ms);
};

#endif
