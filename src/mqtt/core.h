/* SPDX-License-Identifier: MIT */
/* What the files of the session share. The application sees include/thimble/mqtt.h. */
#ifndef TH_MQTT_CORE_H
#define TH_MQTT_CORE_H

#include <thimble/mqtt.h>

#include "base/fast.h"
#include "base/reader.h"
#include "base/rule.h"
#include "base/writer.h"

/* Packet types (§2.1.2) as they stand in the upper half of a packet's first byte, with the flags
 * that belong to them. */
enum th_packet {
    TH_CONNECT = 0x10,
    TH_CONNACK = 0x20,
    TH_PUBLISH = 0x30,
    TH_PUBACK = 0x40,
    TH_PUBREC = 0x50,
    TH_PUBREL = 0x62,
    TH_PUBCOMP = 0x70,
    TH_SUBSCRIBE = 0x82,
    TH_SUBACK = 0x90,
    TH_UNSUBSCRIBE = 0xA2,
    TH_UNSUBACK = 0xB0,
    TH_PINGREQ = 0xC0,
    TH_PINGRESP = 0xD0,
    TH_DISCONNECT = 0xE0,
    TH_AUTH = 0xF0,
};

#define TH_REMAINING_MAX (TH_MQTT_PACKET_MAX - 5u)

/* A call to th_mqtt_next() lets the stream work at most so often; then the caller has its turn. */
#define TH_SERVICES_MAX 16

enum { TH_RX_PACKET, TH_RX_PAYLOAD, TH_RX_SKIP }; /* th_mqtt.rx_mode */

/* What a step of the session came to: one of these, or from TH_STEP_BROKEN up the end of the
 * connection. */
enum {
    TH_STEP_ON,     /* go on */
    TH_STEP_EVENT,  /* an event was filled in */
    TH_STEP_WAIT,   /* nothing more without the stream */
    TH_STEP_FAILED, /* dead, the failure was filled in, nothing is to be sent */
    TH_STEP_BROKEN = TH_ERR_FENCE
};

/* The end of the connection as a step: its error. Which reason goes into DISCONNECT follows from
 * it. */
#define TH_BROKEN(error)  ((unsigned)(error))
#define TH_MALFORMED      TH_BROKEN(TH_ERR_MQTT_MALFORMED)
#define TH_PROTOCOL_ERROR TH_BROKEN(TH_ERR_MQTT_PROTOCOL)

/* A packet on its way out. What it holds stands behind, where its writer knows it. */
struct th_body {
    /* Writes the packet behind its remaining length. */
    void (*write)(struct th_writer *writer, const struct th_mqtt *mqtt, const struct th_body *body);
    const struct th_mqtt_property *properties; /* the application's; the session adds its own */
    const struct th_mqtt_property *more;       /* AUTH: the method, before them */
    uint8_t property_count;
    uint8_t first;  /* byte of the packet; 0: a will's properties */
    uint8_t alias;  /* PUBLISH: names it; 0: none */
    uint8_t reason; /* DISCONNECT, AUTH */
    uint16_t id;
};

/* Places where properties stand, as bits of the property table: a packet type by its number, and
 * those that differ by direction or are no packet. Outbound it is always the packet type. */
enum th_place {
    TH_PLACE_WILL = 0,
    TH_PLACE_CONNECT = 1,
    TH_PLACE_CONNACK = 2,
    TH_PLACE_PUBLISH = 3,
    TH_PLACE_SUBSCRIBE = 8,
    TH_PLACE_UNSUBSCRIBE = 10,
    TH_PLACE_PUBLISH_IN = 12,
    TH_PLACE_DISCONNECT_IN = 13,
    TH_PLACE_DISCONNECT = 14,
    TH_PLACE_AUTH = 15,
};

struct th_publish_out;

/* What differs between the versions. 3.1.1 has nothing but its numbers: naming only that table
 * links nothing of 5.0. */
struct th_mqtt_version {
    uint8_t level;
    uint16_t packets;          /* the types that a broker may send, a bit for each */
    uint16_t inflight_maximum; /* where neither side names one */
    /* A connection begins: what the configuration announces is in force. */
    void (*begin)(struct th_mqtt *mqtt);
    /* May this packet go out, with its properties and what it asks for? */
    enum th_error (*check)(const struct th_mqtt *mqtt, const struct th_body *body);
    /* Property length and properties. */
    void (*write)(struct th_writer *writer, const struct th_mqtt *mqtt, const struct th_body *body);
    /* Takes and judges what stands behind the head of a packet: behind a PUBLISH's topic and
     * identifier, behind the first two bytes of CONNACK and of acknowledgements. Reason code and
     * properties go into the event. SUBACK's codes stay unread. The whole of DISCONNECT and AUTH. A
     * step. */
    unsigned (*packet)(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                       struct th_mqtt_event *event);
    /* Why the broker does not take a record that was stored before it was known; 0: it does. */
    uint8_t (*refuses)(const struct th_mqtt *mqtt, const struct th_outbox_entry *entry);
    /* Tells the broker why this is the end, where it is its fault. */
    void (*farewell)(struct th_mqtt *mqtt, struct th_failure *failure);
};

/* What messages larger than any buffer need. */
struct th_mqtt_large {
    /* A PUBLISH of `total` bytes begins, whose fixed header stands in config->rx; a step. */
    unsigned (*begin)(struct th_mqtt *mqtt, uint32_t header, uint32_t total,
                      struct th_mqtt_event *event);
    /* Goes on with it; a step. */
    unsigned (*receive)(struct th_mqtt *mqtt, struct th_mqtt_event *event);
    /* Fills in how much its source gives. */
    void (*offer)(struct th_publish_out *out);
    /* One with a source at QoS 0. */
    enum th_error (*begin_sending)(struct th_mqtt *mqtt, const struct th_publish_out *out);
    /* The next bytes of the one half sent, as many as there are and there is room for; a step. */
    unsigned (*send)(struct th_mqtt *mqtt, struct th_mqtt_event *event);
};

/* What will, user name and password need. */
struct th_mqtt_connect_fields {
    bool (*valid)(const struct th_mqtt *mqtt);
    uint8_t (*flags)(const struct th_mqtt_config *config);
    void (*write)(struct th_writer *writer, const struct th_mqtt *mqtt);
};

/* What aliases need. */
struct th_mqtt_aliasing {
    /* The configuration's part of it. */
    bool (*valid)(const struct th_mqtt_config *config);
    /* Puts the topic in full in; false: there is no such alias. */
    bool (*name)(const struct th_mqtt_config *config, struct th_publish_out *out);
    /* Sends a message at QoS 0, shortened where the broker allows it. */
    enum th_error (*send)(struct th_mqtt *mqtt, struct th_publish_out *out);
    /* Stores one above QoS 0 and sends it at once, shortened; false: one or the other does not go,
     * and nothing was done. */
    bool (*keep)(struct th_mqtt *mqtt, struct th_publish_out *out);
    /* Learns message->topic as that alias of the broker, or fills it in from there; a step. */
    unsigned (*resolve)(const struct th_mqtt_config *config, uint32_t alias,
                        struct th_mqtt_message *message);
};

/* What enhanced authentication needs. */
struct th_mqtt_auth_steps {
    /* What the broker says is what CONNECT named: the same method, or none. */
    bool (*method_same)(const struct th_mqtt *mqtt, struct th_span properties);
    /* AUTH from the broker; a step. */
    unsigned (*receive)(struct th_mqtt *mqtt, struct th_mqtt_event *event);
};

static inline bool th_mqtt_is_5(const struct th_mqtt *mqtt)
{
    return mqtt->config->version->level == 5;
}

static inline size_t th_mqtt_room(const struct th_mqtt *mqtt)
{
    return (size_t)(mqtt->tx_end - mqtt->tx_at);
}

/* ---- session.c ---- */

/* A failure with nothing known but its error and reason code, filled in where it stands. */
void th_mqtt_failed(struct th_failure *out, enum th_error error, uint8_t reason_code);

/* Gives the stream what was written and read, lets it work, and borrows its buffers anew. */
void th_mqtt_service(struct th_mqtt *mqtt);
/* th_mqtt_next() for whatever comes, at mqtt->now_ms. */
bool th_mqtt_next_any(struct th_mqtt *mqtt, struct th_mqtt_event *event);
/* What the time asks for; a step. */
unsigned th_mqtt_watch_clock(struct th_mqtt *mqtt);
/* Ends the connection, with that step as the failure; true. */
bool th_mqtt_end_broken(struct th_mqtt *mqtt, unsigned step, struct th_mqtt_event *event);
/* Closes the stream; true. */
bool th_mqtt_finish(struct th_mqtt *mqtt, enum th_mqtt_event_kind kind, bool orderly,
                    struct th_mqtt_event *event);

/* ---- fast.c ---- */

/* th_mqtt_new_id() for many messages under way: it counts how many unused ones follow. */
uint16_t th_mqtt_fast_new_id(struct th_mqtt *mqtt);
/* True when that was all; false when nothing was done. */
bool th_mqtt_fast_publish(struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                          uint16_t *id);
/* The next event: in the usual way, or else by th_mqtt_next_any(), which it ends in so that nothing
 * is to be kept for afterwards. */
bool th_mqtt_fast_next(struct th_mqtt *mqtt, struct th_mqtt_event *event);

/* ---- send.c ---- */

/* The packet's properties, where there are any. */
void th_mqtt_write_properties(struct th_writer *writer, const struct th_mqtt *mqtt,
                              const struct th_body *body);
/* The whole packet through the writer; returns its length. */
uint32_t th_mqtt_write_packet(struct th_writer *writer, const struct th_mqtt *mqtt,
                              const struct th_body *body);
/* May it go out, as far as its version is concerned? 3.1.1 knows no properties. */
enum th_error th_mqtt_check(const struct th_mqtt *mqtt, const struct th_body *body);
/* That, and its length. */
enum th_error th_mqtt_measure(const struct th_mqtt *mqtt, const struct th_body *body,
                              uint32_t *len);
/* As much of it as there is room for, from `*from` on, which moves on; returns its whole length. */
uint32_t th_mqtt_put(struct th_mqtt *mqtt, const struct th_body *body, uint32_t *from);

/* All of it into room that is there. */
static inline void th_mqtt_put_whole(struct th_mqtt *mqtt, const struct th_body *body)
{
    uint32_t from = 0;
    th_mqtt_put(mqtt, body, &from);
}

/* All of it into the stream's room, or an error and nothing. */
enum th_error th_mqtt_send(struct th_mqtt *mqtt, const struct th_body *body);
/* Makes room for `len` bytes in one piece: AGAIN, or TOO_LARGE when there never is so much. */
enum th_error th_mqtt_make_room(struct th_mqtt *mqtt, uint32_t len);
/* The acknowledgement owed, where there is room for it. */
bool th_mqtt_send_owed(struct th_mqtt *mqtt);
/* Works on mqtt->todo; a step. */
unsigned th_mqtt_send_step(struct th_mqtt *mqtt, struct th_mqtt_event *event);
/* The walk through the outbox begins anew. */
void th_mqtt_pump(struct th_mqtt *mqtt);
/* A fresh packet identifier; 0 when all are taken. */
uint16_t th_mqtt_new_id(struct th_mqtt *mqtt);

/* ---- connect.c ---- */

/* CONNECT as this configuration has it. */
void th_mqtt_connect_body(const struct th_mqtt_config *config, struct th_body *out);

/* ---- connack.c ---- */

/* What a CONNACK says of the session, before anything else of it is read; a step. */
unsigned th_mqtt_judge_connack(const struct th_mqtt *mqtt);
/* The rest; a step. */
unsigned th_mqtt_on_connack(struct th_mqtt *mqtt, struct th_mqtt_event *event);

/* ---- end.c ---- */

/* DISCONNECT or AUTH. */
void th_mqtt_write_farewell(struct th_writer *writer, const struct th_mqtt *mqtt,
                            const struct th_body *body);

/* ---- receive.c ---- */

/* Takes the next thing from what the stream shows; a step. */
unsigned th_mqtt_receive(struct th_mqtt *mqtt, struct th_mqtt_event *event);

/* Topic, identifier and properties of a PUBLISH; the payload follows. A step. */
unsigned th_mqtt_read_publish(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                              struct th_mqtt_event *event);
/* The inbound QoS 2 identifier in hand is stored. */
bool th_mqtt_inbound_known(const struct th_mqtt *mqtt);
/* The message is whole: at QoS 2 its identifier is stored before it is delivered, so that a
 * repetition is known even if we are restarted in between [MQTT-4.3.3-2]. */
unsigned th_mqtt_accept_whole(struct th_mqtt *mqtt, unsigned qos);
/* Moves bytes into config->rx until `want` of them stand there. */
bool th_mqtt_gather(struct th_mqtt *mqtt, uint32_t want);

/* ---- topic.c ---- */

/* It begins with "$share/". */
bool th_mqtt_filter_shared(struct th_span filter);
/* Then it has a share name, and a filter behind it (5.0 §4.8.2). */
bool th_mqtt_share_valid(struct th_span filter);
/* All else that makes a filter. */
bool th_mqtt_filter_valid(struct th_span filter);

/* ---- request.c ---- */

/* A SUBSCRIBE or UNSUBSCRIBE on its way out. */
struct th_request {
    struct th_body body;
    const struct th_mqtt_filter *filters;
    uint16_t count;
};

/* ---- publish.c ---- */

/* A PUBLISH on its way out. */
struct th_publish_out {
    struct th_body body;
    const struct th_mqtt_publish *publish;
    struct th_span topic, payload;
    uint32_t later; /* bytes of payload that a source gives */
    uint32_t total; /* length of the packet */
};

/* Fills in everything but identifier and alias. */
enum th_error th_mqtt_publish_out(const struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                                  struct th_publish_out *out);
/* Into the outbox, field by field, with its topic in full. */
bool th_mqtt_store(const struct th_mqtt *mqtt, const struct th_publish_out *out,
                   enum th_outbox_state state);

#endif
