/* SPDX-License-Identifier: MIT */
/*
 * The service that measures: the board's analog sensors and the digital inputs of the settings,
 * by the rules telemetry.* (docs/telemetry.md), told on <device>/telemetry/<name> and by the method
 * Sensor.Read. Readings go on and wait in every mode, without a network.
 */
#ifndef THIMBLE_SENSOR_SERVICE_H
#define THIMBLE_SENSOR_SERVICE_H

#include <thimble/device.h>
#include <thimble/rpc.h>
#include <thimble/sensors.h>

#define TH_SENSOR_INPUTS 8 /* digital ones, of the settings */

struct th_sensor_service_config {
    const struct th_sensor *fixed; /* what the board measures; lives as long */
    uint8_t fixed_count;           /* at most TH_SENSORS_MAX - TH_SENSOR_INPUTS */
    uint8_t mux_pins[3];
    struct th_sensor_reading *queue; /* what waits for the network; lives as long */
    uint16_t queue_room;             /* at least 1 */
};

/* Fields private. */
struct th_sensor_service {
    struct th_sensor_service_config config;
    struct th_sensors sensors;
    struct th_sensor table[TH_SENSORS_MAX];
    struct th_sensor_rule rules[TH_SENSORS_MAX];
    struct th_device *device;
    struct th_rpc_set set;
    uint8_t count;
    const char *fault; /* of the settings */
};

void th_sensor_service_init(struct th_sensor_service *service,
                            const struct th_sensor_service_config *config);
struct th_service th_sensor_service(struct th_sensor_service *service);

/* Sensor.Read; for th_requests_add(). */
const struct th_rpc_set *th_sensor_methods(struct th_sensor_service *service);

/* Reads thresholds such as "Ain0<100, load>2.50" into the rules of the sensors named. NULL, or what
 * is wrong with them; `rules` may be changed all the same. */
const char *th_sensor_alarms(const char *text, const struct th_sensor *table, uint8_t count,
                             struct th_sensor_rule *rules);

#endif
