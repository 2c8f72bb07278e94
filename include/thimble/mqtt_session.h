/* SPDX-License-Identifier: MIT */
/* The session's fields: visible for their size, private in meaning. Included by mqtt.h. */
#ifndef THIMBLE_MQTT_SESSION_H
#define THIMBLE_MQTT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/stream.h>

#define TH_MQTT_REQUESTS_MAX 4 /* SUBSCRIBE and UNSUBSCRIBE unanswered at a time */

struct th_mqtt_event;

struct th_mqtt {
    /* Stays from connection to connection. What is used most stands first: small machines reach it
     * with short instructions. */
    const struct th_mqtt_config *config;
    uint16_t last_id;  /* the packet identifier given out last */
    uint16_t ids_free; /* so many after it are known to be unused */
    bool session_over; /* the session of the last connection ended with it */

    uint8_t state, stream_state; /* what follows begins anew with each connection */
    uint8_t awaited;             /* an answer is: the error that its absence is; TH_OK: none */
    union {                      /* what is waiting to be sent */
        struct {
            bool connect, part; /* CONNECT; the rest of a packet that is half sent */
            bool pump;          /* the outbox may hold something */
            uint8_t owed;       /* first byte of an acknowledgement */
        };
        uint32_t any;
    } todo;
    bool present;   /* the broker had a session */
    bool resending; /* the walk through the outbox repeats what was sent before */
    bool repeat;    /* the packet half sent gets DUP */
    bool reauth;    /* we began a re-authentication */
    bool more;      /* th_mqtt_next() has work before the stream has */
    uint8_t owed_reason, rx_mode, rx_qos;

    uint16_t inflight; /* PUBLISH above QoS 0 on this connection */
    uint16_t rx_id;    /* of the packet received last: what is owed is owed for that */
    uint16_t out_id;

    /* The stream's lent buffers: where they begin, where we stand, where they end. */
    uint8_t *tx_base, *tx_at, *tx_end;
    const uint8_t *rx_base, *rx_at, *rx_end;
    struct th_stream stream;
    uint32_t tx_largest; /* the most room there ever was: the stream's empty buffer */

    uint32_t now_ms, sent_ms, heard_ms;
    uint32_t since_ms; /* what is awaited is awaited since then */

    /* A packet that leaves in parts: how much has left, where what its source gives begins. */
    uint32_t out_at, out_head;
    const struct th_mqtt_publish *out_publish; /* its source's */
    uint32_t cursor;                           /* the walk through the outbox */
    uint16_t inbound, inbound_acked; /* received ones, and those acknowledged since the last bytes
                                        left */
    uint16_t inbound_maximum;

    /* Receiving: bytes put together in config->rx; of a streamed message, what is still to come and
     * how much came. */
    uint32_t rx_have, rx_left, rx_offset;

    uint32_t inbound_largest; /* the longest packet that the broker may send */
    uint32_t inbound_whole;   /* the longest that the usual way takes in */
    uint32_t aliases_sent;    /* bit i: the broker knows alias i + 1 */
    bool (*closing)(struct th_mqtt *mqtt, struct th_mqtt_event *event); /* DISCONNECT was sent */
    struct th_mqtt_limits limits;
    struct {
        uint16_t id, count; /* id 0: free; the top bit of count marks UNSUBSCRIBE */
    } requests[TH_MQTT_REQUESTS_MAX];
};

#endif
