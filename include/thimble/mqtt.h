/* SPDX-License-Identifier: MIT */
/*
 * The MQTT client session: 3.1.1 and 5.0, sans-I/O. It stands on a `struct th_stream`, encodes
 * straight into the room that stream lends and parses where the bytes lie. Time is an argument,
 * events are pulled, memory is the caller's, nothing is allocated.
 *
 * Life of a session:
 *   th_mqtt_init → [ th_mqtt_connect over a fresh stream → th_mqtt_next … → failure or end ] repeat
 * What survives between two connections (outbox, inbound QoS 2 identifiers) is in the outbox.
 *
 * The application normally uses `th_link`, which makes streams and reconnects; this header is what
 * both stand on. docs/mqtt-conformance.md lists each clause with its test.
 */
#ifndef THIMBLE_MQTT_H
#define THIMBLE_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/failure.h>
#include <thimble/mqtt_property.h>
#include <thimble/outbox.h>
#include <thimble/span.h>
#include <thimble/stream.h>
#include <thimble/time.h>

/* ---- protocol version: a const table; naming one links it ---- */

struct th_mqtt_version;
extern const struct th_mqtt_version th_mqtt_v311;
extern const struct th_mqtt_version th_mqtt_v5;

/* ---- will, user name and password in CONNECT; naming it links it ---- */

struct th_mqtt_connect_fields;
extern const struct th_mqtt_connect_fields th_mqtt_connect_fields;

/* ---- messages larger than any buffer, in both directions; naming it links it ---- */

struct th_mqtt_large;
extern const struct th_mqtt_large th_mqtt_large;

/* ---- likewise, of 5.0: topic aliases in both directions, enhanced authentication ---- */

struct th_mqtt_aliasing;
extern const struct th_mqtt_aliasing th_mqtt_aliasing;
struct th_mqtt_auth_steps;
extern const struct th_mqtt_auth_steps th_mqtt_auth_steps;

/* ---- configuration: lives and stays unchanged as long as the session ---- */

#define TH_MQTT_KEEP_ALIVE_DEFAULT_S  60
#define TH_MQTT_KEEP_ALIVE_OFF        UINT16_MAX /* half-open connections are then never noticed */
#define TH_MQTT_ANSWER_TIMEOUT_MS     20000      /* default for CONNACK and PINGRESP */
#define TH_MQTT_SESSION_NEVER_EXPIRES UINT32_MAX
#define TH_MQTT_PACKET_MAX            268435460 /* what a fixed header of 5 bytes can announce */
#define TH_MQTT_INFLIGHT_311          20 /* mosquitto drops QoS 2 messages beyond its own limit */

enum th_mqtt_qos { TH_MQTT_QOS0, TH_MQTT_QOS1, TH_MQTT_QOS2 };

struct th_mqtt_will {
    struct th_span topic;   /* a topic name, 1..65535 bytes */
    struct th_span payload; /* 0..65535 bytes */
    enum th_mqtt_qos qos;
    bool retain;
    const struct th_mqtt_property *properties; /* 5.0: will delay, expiry, content type ... */
    uint8_t property_count;
};

/* One topic the session may shorten to an alias (5.0), in order of alias: the first is alias 1. */
struct th_mqtt_alias {
    struct th_span topic;
};

struct th_mqtt_config {
    const struct th_mqtt_version *version;
    uint8_t *rx;    /* where packets are put together that arrive in pieces */
    size_t rx_room; /* at least 64. A message whose packet is at most this long is one event */
    /* &th_mqtt_large: a larger one comes as BEGIN, CHUNK…, END, each chunk rx_room long but the
     * last, and payloads may come from a source. NULL: it ends the connection with MEMORY_PACKET.
     */
    const struct th_mqtt_large *large;
    struct th_outbox outbox; /* {NULL, NULL}: QoS 0 only, inbound QoS 2 refused at subscription */

    struct th_span client_id; /* 0..65535 bytes of UTF-8; empty: the broker assigns one (3.1.1
                                 then needs clean_start) */
    bool clean_start;         /* 3.1.1: clean session */
    /* &th_mqtt_connect_fields, where any of the following is set (else CONFIG). */
    const struct th_mqtt_connect_fields *fields;
    bool user_set, password_set; /* an empty user name or password is something else than none */
    struct th_span user, password;
    const struct th_mqtt_will *will; /* NULL: none */
    uint16_t keep_alive_s;           /* 0: TH_MQTT_KEEP_ALIVE_DEFAULT_S; or ..._OFF */
    uint32_t answer_timeout_ms;      /* 0: TH_MQTT_ANSWER_TIMEOUT_MS */
    uint32_t session_expiry_s;       /* 5.0; 3.1.1 keeps for ever unless clean_start */
    uint16_t receive_maximum;        /* 5.0: inbound QoS 1 and 2 unacknowledged; 0: as many inbound
                                        QoS 2 identifiers as the outbox holds */
    uint16_t inflight_maximum;       /* outbound QoS 1 and 2 unacknowledged; 0: 65535 in 5.0, where
                                        the broker's Receive Maximum tells; TH_MQTT_INFLIGHT_311 in
                                        3.1.1, where it cannot. The smaller of both holds */
    uint32_t maximum_packet_size; /* 5.0: announced, enforced; 0: none announced. Inbound payloads
                                     stream, so it need not be as small as the buffer */
    const struct th_mqtt_property *properties; /* 5.0: further CONNECT properties: user properties,
                                        request/response information, authentication */
    uint8_t property_count;

    /* &th_mqtt_auth_steps where `properties` name an authentication method (else INVALID). NULL: a
     * broker that asks for a step breaks the protocol. */
    const struct th_mqtt_auth_steps *auth;

    const struct th_mqtt_aliasing *aliasing; /* &th_mqtt_aliasing, where any of these are set */
    const struct th_mqtt_alias *aliases;     /* 5.0, outbound; the broker may allow fewer */
    uint8_t alias_count;                     /* at most 32 */
    uint8_t *alias_rx;         /* 5.0, inbound: memory for the topics of the aliases */
    size_t alias_rx_room;      /* the sum of (topic length + 2) it can hold */
    uint16_t alias_rx_maximum; /* announced Topic Alias Maximum; 0: none */
};

/* ---- what the broker allows, in force on a connection ---- */

struct th_mqtt_limits {           /* 3.1.1 brokers do not say: the most that the protocol allows */
    uint32_t maximum_packet_size; /* that it takes; TH_MQTT_PACKET_MAX where it names no limit */
    uint32_t session_expiry_s;    /* its own when it sent one */
    uint16_t receive_maximum;     /* for what we send */
    uint16_t keep_alive_s;        /* its own when it sent one; 0: off */
    uint16_t topic_alias_maximum;
    uint8_t maximum_qos;
    bool retain_available, wildcard_available, subscription_id_available, shared_available;
};

/* ---- session: fields private, size public ---- */

enum th_mqtt_state {
    TH_MQTT_IDLE,       /* no connection */
    TH_MQTT_CONNECTING, /* CONNECT is on its way */
    TH_MQTT_CONNECTED,
    TH_MQTT_CLOSING, /* DISCONNECT is on its way */
};

/* th_mqtt_session.h shows the fields for their size; read them through the calls below. */
#include <thimble/mqtt_session.h>

/* TH_ERR_INVALID or TH_ERR_CONFIG when the configuration breaks a rule (client id, user, will,
 * properties not allowed in CONNECT, QoS 1/2 will is fine without outbox). Sends nothing. */
enum th_error th_mqtt_init(struct th_mqtt *mqtt, const struct th_mqtt_config *config);

/* Starts a connection over an OPEN stream that has carried nothing yet and lives until the session
 * is IDLE again. CONNECT leaves with the next th_mqtt_next(). BAD_STATE when not IDLE. */
enum th_error th_mqtt_connect(struct th_mqtt *mqtt, struct th_stream stream, uint32_t now_ms);

/* The stream is gone or is being taken away: back to IDLE. Nothing is sent. Outbox and inbound QoS
 * 2 identifiers stay. Safe in any state. */
void th_mqtt_abandon(struct th_mqtt *mqtt);

enum th_mqtt_state th_mqtt_state(const struct th_mqtt *mqtt);

/* Milliseconds until th_mqtt_next() must be called even if no byte moves; TH_FOREVER when never. */
uint32_t th_mqtt_deadline(const struct th_mqtt *mqtt, uint32_t now_ms);

/* ---- events ---- */

enum th_mqtt_event_kind {
    TH_MQTT_EVENT_CONNECTED, /* CONNACK accepted: `connack` */
    TH_MQTT_EVENT_MESSAGE,   /* one whole message: `message` */
    TH_MQTT_EVENT_BEGIN,     /* a message too large for the buffer: `message` without payload */
    TH_MQTT_EVENT_CHUNK,     /* its next bytes: `chunk` */
    TH_MQTT_EVENT_END,       /* it is whole. Cut connections give no END: forget what came */
    TH_MQTT_EVENT_PUBLISHED, /* a QoS 1 or 2 message is done with: `ack` */
    TH_MQTT_EVENT_SENT, /* the last byte of a streamed QoS 0 message is with the stream: `ack` */
    TH_MQTT_EVENT_SUBSCRIBED,   /* `ack`, a code for each filter in the order asked */
    TH_MQTT_EVENT_UNSUBSCRIBED, /* `ack`; codes only in 5.0 */
    TH_MQTT_EVENT_AUTH,   /* 5.0: the broker wants the next step: `ack`; th_mqtt_auth() answers */
    TH_MQTT_EVENT_FAILED, /* the connection is dead: `failure`; the session is IDLE now and has
                             closed the stream. Where the protocol asks for it, DISCONNECT with the
                             reason was sent */
    TH_MQTT_EVENT_CLOSED, /* the end asked for with th_mqtt_disconnect(): all was sent, the stream
                             is closed in good order, the session is IDLE */
};

struct th_mqtt_message {
    struct th_span topic;   /* the full name, aliases resolved */
    struct th_span payload; /* BEGIN: empty */
    uint32_t payload_len;   /* BEGIN: of the whole payload; else as payload.len */
    enum th_mqtt_qos qos;
    bool retain, dup;
    struct th_span properties; /* 5.0: validated; read with th_mqtt_property_*(). Else empty */
};

struct th_mqtt_chunk {
    struct th_span bytes;
    uint32_t offset; /* of its first byte in the payload */
};

struct th_mqtt_connack {
    bool session_present;
    uint16_t resent;    /* stored messages that will now be sent again */
    bool resent_as_new; /* session_present was 0: they go as new messages, without DUP; a QoS 1
                           message or a QoS 2 message before PUBREC may arrive twice */
    const struct th_mqtt_limits *limits; /* as long as the connection */
    struct th_span client_id; /* assigned by the broker, else empty. Keep a copy and configure it to
                                 come back to this session */
    struct th_span properties;
};

struct th_mqtt_ack {
    uint16_t id;          /* what the call gave; 0 for AUTH */
    uint8_t reason_code;  /* PUBLISHED, AUTH; 0 in 3.1.1. 0x80 and above: refused by the broker */
    struct th_span codes; /* SUBSCRIBED, UNSUBSCRIBED: one byte for each filter */
    struct th_span properties;
};

struct th_mqtt_event {
    enum th_mqtt_event_kind kind;
    union {
        struct th_mqtt_connack connack;
        struct th_mqtt_message message;
        struct th_mqtt_chunk chunk;
        struct th_mqtt_ack ack;
        struct th_failure failure;
    } u;
};

/* Sends what is to be sent, takes in what has arrived, watches the clock, and gives the next event;
 * false when there is none now. Spans in the event live until the next call of th_mqtt_next() or
 * th_mqtt_abandon(): what they show can be published as it lies. A message's acknowledgement is
 * sent when that next call (or th_mqtt_disconnect()) shows that the application is done with it;
 * inbound QoS 2 identifiers are stored before delivery. */
bool th_mqtt_next(struct th_mqtt *mqtt, uint32_t now_ms, struct th_mqtt_event *event);

/* ---- publishing ---- */

#define TH_MQTT_SOURCE_BROKEN SIZE_MAX

/* Where a large payload comes from. `read` copies up to `room` bytes from `offset` and returns how
 * many (0: none now, asked again at the next th_mqtt_next; TH_MQTT_SOURCE_BROKEN: there will never
 * be more, which ends the connection with MQTT_SOURCE, as half a message cannot be taken back). It
 * may be asked for any offset again, at QoS > 0 also after a reconnect. It must not call the
 * session. Lives until SENT or PUBLISHED. */
struct th_mqtt_source {
    size_t (*read)(void *user, uint32_t offset, uint8_t *into, size_t room);
    void *user;
    uint32_t len; /* of the whole payload, at most 268,435,455 less topic and header */
};

struct th_mqtt_publish {
    struct th_span topic;   /* 1..65535 bytes, no wildcards; ignored where `alias` is set */
    struct th_span payload; /* copied before the call returns */
    const struct th_mqtt_source *source; /* instead of payload, where `large` is configured (else
                                            INVALID); the whole struct then lives until
                                            SENT or PUBLISHED (or, at QoS 0, FAILED). One source at
                                            a time is on its way */
    enum th_mqtt_qos qos;
    bool retain;
    uint8_t alias; /* 1..alias_count: that configured topic, shortened where the broker
                      allows it; 0: `topic` */
    const struct th_mqtt_property *properties; /* 5.0 */
    uint8_t property_count;
};

/* TH_OK: encoded, stored at QoS > 0 (`*id`, may be NULL, then names it until PUBLISHED). Errors,
 * all below the fence, nothing was sent or stored: AGAIN (QoS 0, no room: poll, call again),
 * INVALID, TOO_LARGE (for the stream's empty buffer, QoS 0 only, or for the broker), NOT_CONNECTED
 * (QoS 0 only), OUTBOX_FULL (no room, or its medium failed), NOT_ALLOWED (maximum QoS, retain),
 * NO_OUTBOX.
 * QoS 1 and 2 are also taken while unconnected, while the quota is used up and while there is no
 * room; they wait in the outbox and leave in order. One that a later broker does not take (too
 * large, or above its QoS) comes back as PUBLISHED with reason 0x95 or 0x9B. */
enum th_error th_mqtt_publish(struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                              uint16_t *id);

/* ---- subscribing ---- */

enum th_mqtt_retain_handling { /* 5.0 §3.8.3.1 */
                               TH_MQTT_RETAINED_SEND,
                               TH_MQTT_RETAINED_SEND_IF_NEW,
                               TH_MQTT_RETAINED_DO_NOT_SEND,
};

struct th_mqtt_filter {
    struct th_span filter; /* a topic filter; "$share/group/…" in 5.0 */
    enum th_mqtt_qos qos;
    bool no_local, retain_as_published;           /* 5.0 */
    enum th_mqtt_retain_handling retain_handling; /* 5.0 */
};

/* Copied before they return; `*id` as above. Errors: AGAIN, INVALID, TOO_LARGE (the packet must fit
 * the stream's empty buffer), NOT_CONNECTED, QUOTA (TH_MQTT_REQUESTS_MAX), NOT_ALLOWED. */
enum th_error th_mqtt_subscribe(struct th_mqtt *mqtt, const struct th_mqtt_filter *filters,
                                uint16_t count, const struct th_mqtt_property *properties,
                                uint8_t property_count, uint16_t *id);
/* Of each filter only its name counts. */
enum th_error th_mqtt_unsubscribe(struct th_mqtt *mqtt, const struct th_mqtt_filter *filters,
                                  uint16_t count, const struct th_mqtt_property *properties,
                                  uint8_t property_count, uint16_t *id);

/* ---- the rest ---- */

/* Enhanced authentication (5.0): the next step (0x18) or re-authentication (0x19). The method is
 * the one in the configuration's properties and is added here. */
enum th_error th_mqtt_auth(struct th_mqtt *mqtt, uint8_t reason_code,
                           const struct th_mqtt_property *properties, uint8_t property_count);

/* The orderly end: DISCONNECT, then CLOSED. `reason_code` 0x00, or 0x04 to have the will
 * sent; 3.1.1 knows only 0x00. AGAIN while a message published before has not left, and the broker
 * still takes one. */
enum th_error th_mqtt_disconnect(struct th_mqtt *mqtt, uint8_t reason_code,
                                 const struct th_mqtt_property *properties, uint8_t property_count);

/* Messages in the outbox that are not done with. */
uint16_t th_mqtt_pending(const struct th_mqtt *mqtt);

#endif
