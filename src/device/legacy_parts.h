/* SPDX-License-Identifier: MIT */
/* What the files of the legacy front share: legacy.c has requests and answers, legacy_service.c
 * settings, topics and zones. */
#ifndef TH_DEVICE_LEGACY_PARTS_H
#define TH_DEVICE_LEGACY_PARTS_H

#include <thimble/legacy.h>

#include "device/parts.h"

#define LEGACY_ANSWER_MS 1000 /* so long an answer has to leave before the device restarts */

enum legacy_answer {
    LEGACY_INVALID,
    LEGACY_SENSORS,
    LEGACY_LED_ON,
    LEGACY_LED_OFF,
    LEGACY_SSL_ON,
    LEGACY_HTTP_ON,
    LEGACY_PLAINTEXT,
    LEGACY_RESET,
    LEGACY_BUSY,
};

enum legacy_answer th_legacy_act(struct th_legacy *legacy, enum th_legacy_request request,
                                 uint32_t now_ms);
struct th_span th_legacy_write(const struct th_legacy *legacy, enum legacy_answer answer,
                               uint32_t now_ms, char *into, size_t room);

#endif
