/* SPDX-License-Identifier: MIT */
/*
 * MQTT over WebSocket (RFC 6455; MQTT 5.0 §6.0): a TLS backend around another one. Its handshake
 * is the inner one's and then the request to upgrade; its stream carries binary frames. The link
 * and the session notice nothing of it.
 *
 *   struct th_tls over = th_websocket_init(&websocket, &options);   ... link_config.tls = over;
 */
#ifndef THIMBLE_WEBSOCKET_H
#define THIMBLE_WEBSOCKET_H

#include <thimble/tls.h>

#define TH_WEBSOCKET_REQUEST 512 /* bytes of the request: host and path together below 256 */
#define TH_WEBSOCKET_ANSWER  8192

/* Everything lives as long as the connection. */
struct th_websocket_options {
    struct th_tls tls;            /* what it runs over */
    const struct th_board *board; /* entropy, for the masks (RFC 6455 §10.3) */
    const char *host, *path;      /* of the request; "/mqtt" is usual */
};

/* Fields private. */
struct th_websocket {
    struct th_websocket_options options;
    struct th_tls_ops ops;
    struct th_stream inner;
    struct th_failure failed;
    char request[TH_WEBSOCKET_REQUEST];
    uint16_t request_len, request_sent;
    char accept[32]; /* what the server must have made of our key */
    char line[128];  /* of the answer; longer ones are cut */
    uint16_t line_len, answer_len;
    uint8_t state, found; /* of the answer's headers */
    /* the frame that is being read */
    uint8_t head[10], head_len, control[125], control_len;
    uint64_t left; /* bytes of its payload that were not taken */
    bool payload, pong, ended;
};

/* The backend to give to the link. Names, hashes and scratch size are the inner one's. */
struct th_tls th_websocket_init(struct th_websocket *websocket,
                                const struct th_websocket_options *options);

#endif
