/* SPDX-License-Identifier: MIT */
/*
 * MQTT 5.0 properties (§2.2.2.2). Outbound they are an array of values, checked against the packet
 * they go into; inbound they are a validated span that is read on demand.
 */
#ifndef THIMBLE_MQTT_PROPERTY_H
#define THIMBLE_MQTT_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

enum th_mqtt_property_id {
    TH_MQTT_PAYLOAD_FORMAT = 0x01,
    TH_MQTT_MESSAGE_EXPIRY = 0x02,
    TH_MQTT_CONTENT_TYPE = 0x03,
    TH_MQTT_RESPONSE_TOPIC = 0x08,
    TH_MQTT_CORRELATION_DATA = 0x09,
    TH_MQTT_SUBSCRIPTION_ID = 0x0B,
    TH_MQTT_SESSION_EXPIRY = 0x11,
    TH_MQTT_ASSIGNED_CLIENT_ID = 0x12,
    TH_MQTT_SERVER_KEEP_ALIVE = 0x13,
    TH_MQTT_AUTH_METHOD = 0x15,
    TH_MQTT_AUTH_DATA = 0x16,
    TH_MQTT_REQUEST_PROBLEM = 0x17,
    TH_MQTT_WILL_DELAY = 0x18,
    TH_MQTT_REQUEST_RESPONSE = 0x19,
    TH_MQTT_RESPONSE_INFORMATION = 0x1A,
    TH_MQTT_SERVER_REFERENCE = 0x1C,
    TH_MQTT_REASON_STRING = 0x1F,
    TH_MQTT_RECEIVE_MAXIMUM = 0x21,
    TH_MQTT_TOPIC_ALIAS_MAXIMUM = 0x22,
    TH_MQTT_TOPIC_ALIAS = 0x23,
    TH_MQTT_MAXIMUM_QOS = 0x24,
    TH_MQTT_RETAIN_AVAILABLE = 0x25,
    TH_MQTT_USER_PROPERTY = 0x26,
    TH_MQTT_MAXIMUM_PACKET_SIZE = 0x27,
    TH_MQTT_WILDCARD_AVAILABLE = 0x28,
    TH_MQTT_SUBSCRIPTION_ID_AVAILABLE = 0x29,
    TH_MQTT_SHARED_AVAILABLE = 0x2A,
};

/* Which member counts follows from the identifier's type in §2.2.2.2. */
struct th_mqtt_property {
    enum th_mqtt_property_id id;
    uint32_t number;     /* byte, two byte, four byte and variable byte integers */
    struct th_span text; /* UTF-8 strings and binary data, 0..65535 bytes; a user property's name */
    struct th_span value; /* a user property's value */
};

/* Walks a span from an event: set `*at` to 0, call until false. */
bool th_mqtt_property_next(struct th_span properties, size_t *at, struct th_mqtt_property *out);

/* The first of that identifier; false when there is none. */
bool th_mqtt_property_find(struct th_span properties, enum th_mqtt_property_id id,
                           struct th_mqtt_property *out);

/* The number of that identifier, or `otherwise`. */
uint32_t th_mqtt_property_number(struct th_span properties, enum th_mqtt_property_id id,
                                 uint32_t otherwise);

#endif
