/* SPDX-License-Identifier: MIT */
/*
 * The legacy front: requests of older sketches, answered as they were (docs/legacy.md). Off unless
 * the setting legacy.enable is on. Text in, text out, whatever they came over; as a service of the
 * device it takes them on mqtt_rx_<mac>, answers on mqtt_tx_<mac>, and takes "<zone> <seconds>" on
 * irrigation/zone/on. Whoever may publish there, by the broker's ACL, may do what stands here and
 * no more: the role `legacy`.
 */
#ifndef THIMBLE_LEGACY_H
#define THIMBLE_LEGACY_H

#include <thimble/device.h>
#include <thimble/http.h>
#include <thimble/local.h>
#include <thimble/sensor_service.h>
#include <thimble/zone_service.h>

#define TH_LEGACY_ANSWER_MAX 384 /* bytes hold every answer */
#define TH_LEGACY_QUEUE      4   /* answers that wait for the session; more requests are dropped */

enum th_legacy_request {
    TH_LEGACY_INVALID,
    TH_LEGACY_GET_SENSORS, /* its answer is application/json; all others are text */
    TH_LEGACY_LED_ON,
    TH_LEGACY_LED_OFF,
    TH_LEGACY_MQTT_SSL_ON,
    TH_LEGACY_MQTT_ON, /* always refused: nothing here speaks MQTT without TLS */
    TH_LEGACY_HTTP_ON,
    TH_LEGACY_RESET,
};

/* What it works on; all of it may be NULL or 0. Lives as long as the device. */
struct th_legacy_config {
    struct th_zone_service *zones;     /* irrigation/zone/on */
    struct th_sensor_service *sensors; /* Ain0 to Ain7 are those of that name */
    uint32_t (*heap)(void *ctx);       /* SYS_Heap: bytes that are free */
    void *heap_ctx;
};

/* Fields private. */
struct th_legacy {
    struct th_legacy_config config;
    struct th_device *device;
    const char *fault; /* of the settings */
    uint32_t started_ms, restart_at_ms;
    uint16_t dropped;
    uint8_t waiting[TH_LEGACY_QUEUE]; /* what is to be answered */
    uint8_t waiting_count;
    bool enabled, subscribe, restart, has_led;
    uint8_t led;
    char mac[13];
};

void th_legacy_init(struct th_legacy *legacy, const struct th_legacy_config *config);

/* For the device's configuration, behind zones and sensors. */
struct th_service th_legacy_service(struct th_legacy *legacy);

/* legacy.enable is on. Where it is not, a front answers as if there were no such request. */
bool th_legacy_enabled(const struct th_legacy *legacy);

/* What a text such as "/?request=LedOn" asks for; what stands before the '?' counts for nothing. */
enum th_legacy_request th_legacy_read(struct th_span text);

/* True for all but GET_SENSORS and what is never done: over HTTP it needs the session, or the
 * set-up code. */
bool th_legacy_acts(enum th_legacy_request request);

/* Acts, and writes the answer into `into` (TH_LEGACY_ANSWER_MAX bytes), which it returns. A change
 * of mode and a restart wait until the answer has had its time to leave. */
struct th_span th_legacy_answer(struct th_legacy *legacy, enum th_legacy_request request,
                                uint32_t now_ms, char *into, size_t room);

/* ---- over HTTP, in configuration mode ---- */

struct th_legacy_http {
    struct th_legacy *legacy;
    struct th_local_session *session; /* counts wrong codes */
};

/* GET /?request=…, and &code=… with what acts: for th_config_mode_options.legacy. `ctx` is a struct
 * th_legacy_http. False: this is no such request. */
bool th_legacy_http(void *ctx, const struct th_http_request *request, struct th_http_answer *answer,
                    char *text, size_t room, uint32_t now_ms);

/* POST /rpc with the set-up code in Authorization, as the npm package mongoose-os-rpc can send it:
 * for th_config_mode_options.legacy_rpc. Empty: this is none, or legacy.enable is off. */
struct th_span th_legacy_rpc(void *ctx, const struct th_http_request *request,
                             struct th_rpc_moment now, uint8_t *into, size_t room);

#endif
