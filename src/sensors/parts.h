/* SPDX-License-Identifier: MIT */
#ifndef TH_SENSORS_PARTS_H
#define TH_SENSORS_PARTS_H

#include <thimble/sensors.h>

/* A sensor was read, or could not be: decides whether that is worth saying. */
void sensors_judge(struct th_sensors *sensors, uint8_t sensor, bool ok, int32_t value);

/* Queues a reading; the oldest gives way when there is no room. */
void sensors_queue(struct th_sensors *sensors, const struct th_sensor_reading *reading);

#endif
