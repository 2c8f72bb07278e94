/* SPDX-License-Identifier: MIT */
/*
 * The service that runs a device's zones: configured by the settings zones.*, commanded by the
 * methods Zone.On, Zone.Off and Zone.Status (docs/rpc.md), told on <device>/zone/<n>
 * (docs/zones.md). Outputs are driven off first of all at the start, before a restart, and when the
 * settings change what is wired where; they work in every mode, safe mode included, without a
 * network.
 */
#ifndef THIMBLE_ZONE_SERVICE_H
#define THIMBLE_ZONE_SERVICE_H

#include <thimble/device.h>
#include <thimble/rpc.h>
#include <thimble/zones.h>

/* Fields private. */
struct th_zone_service {
    struct th_zones zones;
    struct th_outputs_gpio gpio;
    struct th_outputs_spi spi;
    struct th_device *device;
    struct th_rpc_set set;
    uint32_t digest;            /* of the settings in use */
    uint8_t said[TH_ZONES_MAX]; /* of each zone, in the log: its cause and whether it is on */
    uint16_t to_tell;           /* bit n: the status of zone n has not left yet */
    bool ready;                 /* the settings make zones, and the outputs obey */
    const char *fault;
};

/* Lives as long as the device. */
void th_zone_service_init(struct th_zone_service *service);

/* For the device's configuration; before services that command zones. */
struct th_service th_zone_service(struct th_zone_service *service);

/* Zone.On, Zone.Off, Zone.Status; for th_requests_add(). */
const struct th_rpc_set *th_zone_methods(struct th_zone_service *service);

#endif
