/* SPDX-License-Identifier: MIT */
/* The table of properties (5.0 §2.2.2.2), for both directions. */
#ifndef TH_MQTT_PROPERTY_PRIVATE_H
#define TH_MQTT_PROPERTY_PRIVATE_H

#include "mqtt/core.h"

/* May these go out there: known, allowed in that place, not twice, and with valid values? */
bool th_property_allowed(enum th_place place, const struct th_mqtt_property *at, uint8_t count);

/* One with a number, one as the application gives it. */
void th_property_write_number(struct th_writer *writer, uint8_t id, uint32_t number);
void th_property_write(struct th_writer *writer, const struct th_mqtt_property *property);

/* Its number, as wide as its type. */
void th_property_store(const struct th_mqtt_property *property, uint8_t *into);

/* Takes property length and properties, and checks them as above; a step. */
unsigned th_property_read(struct th_reader *reader, enum th_place place, struct th_span *out);

/* The application's first property of that identifier, NULL when there is none. */
const struct th_mqtt_property *th_property_given(const struct th_mqtt_property *at, uint8_t count,
                                                 enum th_mqtt_property_id id);

/* The authentication method that CONNECT names, NULL when there is none. */
const struct th_mqtt_property *th_property_method(const struct th_mqtt_config *config);

#endif
