/* SPDX-License-Identifier: MIT */
#include "mqtt/core.h"

const struct th_mqtt_version th_mqtt_v311 = {.level = 4, .inflight_maximum = TH_MQTT_INFLIGHT_311};
