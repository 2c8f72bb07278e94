/* SPDX-License-Identifier: MIT */
/* Enrolment of a device that runs, by somebody who has proved the set-up code. */
#include <thimble/enrol.h>

#include "device/parts.h"

static struct th_enrol enrol_of(struct th_device *device)
{
    const struct th_device_config *config = device->config;

    return (struct th_enrol){.crypto = config->crypto,
                             .board = &device->board,
                             .factory = &device->factory,
                             .identity = &device->identity,
                             .product = config->product,
                             .hardware = config->hardware,
                             .allow_development = config->development};
}

enum th_error th_device_enrol_request(struct th_device *device, struct th_span name, uint8_t *into,
                                      size_t room, size_t *len)
{
    struct th_enrol enrol = enrol_of(device);

    return th_enrol_request(&enrol, name, into, room, len);
}

static OFF_THE_STACK void take_name(struct th_device *device)
{
    struct th_identity_report report;

    th_identity_report(&device->identity, &report);
    memcpy(device->id, report.name, sizeof device->id);
}

enum th_error th_device_enrol_take(struct th_device *device, struct th_span bundle, uint32_t now_ms)
{
    struct th_enrol enrol = enrol_of(device);
    struct th_enrolled enrolled;
    enum th_error error = th_enrol_take(&enrol, bundle, &enrolled);

    if (error != TH_OK)
        return error;
    take_name(device);
    th_device_raise_floor(device, enrolled.manifest.time_s, now_ms);
    th_clock_set(&device->clock, TH_CLOCK_HINT, enrolled.time_s * 1000, now_ms);
    return TH_OK;
}
