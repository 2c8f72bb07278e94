/* SPDX-License-Identifier: MIT */
/*
 * Home Assistant finds the device by itself: one retained message on
 * homeassistant/device/<device>/config (its device-based discovery) with a valve or switch for each
 * zone and a sensor for each reading, sent on each connection where the setting ha.caller names the
 * user Home Assistant connects as. docs/home-assistant.md shows it.
 */
#ifndef THIMBLE_DISCOVERY_H
#define THIMBLE_DISCOVERY_H

#include <thimble/device.h>
#include <thimble/sensor_service.h>
#include <thimble/zone_service.h>

/* Fields private. */
struct th_discovery {
    struct th_device *device;
    const struct th_zone_service *zones;
    const struct th_sensor_service *sensors;
    struct th_mqtt_source source;
    struct th_mqtt_publish publish; /* lives while it is on its way */
    char caller[TH_CALLER_MAX + 1], topic[72];
    bool valves;   /* zones are valves; else switches */
    bool was_told; /* and must be taken back when the setting is emptied */
    bool due, sending;
};

/* `zones` and `sensors` may be NULL; they live as long as the device. */
void th_discovery_init(struct th_discovery *discovery, const struct th_zone_service *zones,
                       const struct th_sensor_service *sensors);

/* For the device's configuration, behind zones and sensors. */
struct th_service th_discovery_service(struct th_discovery *discovery);

/* Writes the message from `offset` on, up to `room` bytes; returns how many. With `into` NULL it
 * gives the length of the whole. */
size_t th_discovery_read(const struct th_discovery *discovery, uint32_t offset, uint8_t *into,
                         size_t room);

#endif
