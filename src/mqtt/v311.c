/* SPDX-License-Identifier: MIT */
#include "mqtt/core.h"

const struct th_mqtt_version th_mqtt_v311 = {
    .level = 4,
    .packets = 1u << (TH_CONNACK >> 4) | 1u << (TH_PUBLISH >> 4) | 1u << (TH_PUBACK >> 4) |
               1u << (TH_PUBREC >> 4) | 1u << (TH_PUBREL >> 4) | 1u << (TH_PUBCOMP >> 4) |
               1u << (TH_SUBACK >> 4) | 1u << (TH_UNSUBACK >> 4) | 1u << (TH_PINGRESP >> 4),
    .inflight_maximum = TH_MQTT_INFLIGHT_311,
};
