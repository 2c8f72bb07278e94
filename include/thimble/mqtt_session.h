/* SPDX-License-Identifier: MIT */
/* The session's fields: visible for their size, private in meaning. Included by mqtt.h. */
#ifndef THIMBLE_MQTT_SESSION_H
#define THIMBLE_MQTT_SESSION_H

#include <stdint.h>

#include <thimble/stream.h>

struct th_mqtt {
    const struct th_mqtt_config *config;
    struct th_stream stream;
    uint8_t state;
};

#endif
