/* SPDX-License-Identifier: MIT */
/*
 * Configuration mode as a service of the device: the HTTP server with the page, and the frames of
 * whoever has proved the set-up code, over HTTP and the serial console. docs/config-mode.md.
 * F1 to F5, F12.
 *
 * It listens in configuration mode alone, and its memory is used then alone: it may be that of the
 * TLS engine, which has none then.
 */
#ifndef THIMBLE_CONFIG_MODE_H
#define THIMBLE_CONFIG_MODE_H

#include <thimble/http.h>
#include <thimble/local.h>
#include <thimble/page.h>
#include <thimble/requests.h>

/* Of a request: the largest frame, and 1,168 bytes of head, twice what browsers send; a longer head
 * leaves less for the frame. */
#define TH_CONFIG_MODE_HTTP 2704

/* Private: what is in the lent memory. */
struct th_config_mode_arena {
    struct th_http http;
    struct th_http_request asked;
    uint8_t request[TH_CONFIG_MODE_HTTP], answer[TH_LOCAL_ANSWER_MAX];
};

#define TH_CONFIG_MODE_ROOM sizeof(struct th_config_mode_arena)

/* Without a session it closes after so long. */
#define TH_CONFIG_MODE_ENROLLED_MS 900000u
#define TH_CONFIG_MODE_BLANK_MS    3600000u

/* A connection that has not sent a whole request gives way to one that waits. */
#define TH_CONFIG_MODE_IDLE_MS 250u
#define TH_CONFIG_MODE_SLOW_MS 3000u

struct th_config_mode_options {
    struct th_requests *requests;
    struct th_config_mode_arena *arena;
    const struct th_page *page; /* NULL: this build has none */
    struct {
        uint8_t *at;
        size_t room;
    } bundle;      /* of an enrolment; NULL: that of the requests */
    uint8_t ap[4]; /* our address on the access point; zeros: none */
    /* Answers GET /?request=… of older sketches; false: there is no such request. `answer` is
     * zeros, and points into `text` or what lives for ever. NULL: none. */
    bool (*legacy)(void *ctx, const struct th_http_request *request, struct th_http_answer *answer,
                   char *text, size_t room, uint32_t now_ms);
    /* A frame of POST /rpc with Authorization, from a client that has no session; empty: it is
     * none. NULL: none. */
    struct th_span (*legacy_rpc)(void *ctx, const struct th_http_request *request,
                                 struct th_rpc_moment now, uint8_t *into, size_t room);
    void *legacy_ctx;
};

/* Fields private. */
struct th_config_mode {
    struct th_config_mode_options options;
    struct th_device *device;
    struct th_local_session_config session_config;
    struct th_local_session session;
    struct th_rpc_set sets[2];
    struct th_wire wire;
    struct th_address local; /* of ours, that the connection came to */
    uint32_t open_ms;        /* since when nobody has a session */
    uint32_t wire_ms;        /* the connection's last byte */
    bool open, wanted, connected, over, scanned;
    size_t bundle_len, bundle_total; /* of an enrolment, in pieces */
};

/* Adds its methods to the requests. `options->arena` lives as long as the device. */
void th_config_mode_init(struct th_config_mode *mode, const struct th_config_mode_options *options);

/* For the device's configuration, behind that of the requests. */
struct th_service th_config_mode_service(struct th_config_mode *mode);

/* For frames from the serial console, in every mode. Lives as long as `mode`. */
struct th_local_session *th_config_mode_session(struct th_config_mode *mode);

/* Network services are open. */
bool th_config_mode_open(const struct th_config_mode *mode);

#endif
