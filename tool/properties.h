/* SPDX-License-Identifier: MIT */
/* -D PACKET NAME VALUE, as mosquitto_pub and mosquitto_sub take MQTT 5 properties. */
#ifndef TOOL_PROPERTIES_H
#define TOOL_PROPERTIES_H

#include <stdint.h>

#include <thimble/mqtt_property.h>

#define PROPERTIES_MAX 16

enum properties_packet {
    PROPERTIES_CONNECT,
    PROPERTIES_WILL,
    PROPERTIES_PUBLISH,
    PROPERTIES_SUBSCRIBE,
    PROPERTIES_DISCONNECT,
    PROPERTIES_PACKETS
};

struct properties {
    struct th_mqtt_property at[PROPERTIES_MAX];
    uint8_t count;
};

struct properties_flags {
    struct properties of[PROPERTIES_PACKETS];
};

/* The `take` of a struct option_call; `user` is a struct properties_flags, and the words must stay
 * where they are. */
int properties_take(void *user, int argc, char **argv);

#endif
