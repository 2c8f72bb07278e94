/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "ports/sim/sim_broker_parts.h"
#include "ports/sim/sim_parts.h"

#define INFLIGHT_DEFAULT 20

/* ---- answers ---- */

static void send_answer(struct sim_connection *connection, enum sim_packet type, uint16_t id,
                        uint8_t reason, unsigned ends)
{
    bool twice =
        th_sim_chance(connection->broker->sim, 100) < connection->broker->options.repeat_percent;
    for (int i = 0; i < (twice ? 2 : 1); i++) {
        struct sim_out packet = {NULL, 0, 0};
        sim_out_u16(&packet, id);
        if (reason != 0)
            sim_out_u8(&packet, reason);
        sim_out_packet(&packet, 0, type, type == SIM_PUBREL ? 2 : 0);
        sim_send(connection, &packet, i == 0 ? ends : 0);
    }
}

/* ---- CONNECT ---- */

static void property_u16(struct sim_out *out, uint8_t id, uint16_t value)
{
    if (value == 0)
        return;
    sim_out_u8(out, id);
    sim_out_u16(out, value);
}

static void send_connack(struct sim_connection *connection, bool present, uint8_t code)
{
    const struct th_sim_broker_options *options = &connection->broker->options;
    struct sim_out packet = {NULL, 0, 0}, properties = {NULL, 0, 0};
    sim_out_u8(&packet, present ? 1 : 0);
    sim_out_u8(&packet, code);
    if (connection->version == 5) {
        property_u16(&properties, 0x21, options->receive_maximum);
        property_u16(&properties, 0x22, options->alias_maximum);
        sim_out_u8(&packet, (uint8_t)properties.len);
        sim_out_bytes(&packet, th_span_of(properties.bytes, properties.len));
        free(properties.bytes);
    }
    sim_out_packet(&packet, 0, SIM_CONNACK, 0);
    sim_send(connection, &packet, 0);
}

struct connect {
    uint8_t version, flags;
    struct th_span client_id, will_topic, will_payload;
    uint32_t will_delay_s;
    struct sim_properties properties;
};

static bool read_connect(struct sim_connection *connection, struct sim_in *in, struct connect *out)
{
    struct th_span protocol = sim_in_text(in);
    out->version = sim_in_u8(in);
    out->flags = sim_in_u8(in);
    sim_in_u16(in); /* keep alive */
    if (!th_span_equal(protocol, TH_SPAN("MQTT")) || (out->version != 4 && out->version != 5))
        return sim_violation(connection, "CONNECT of another protocol");
    if ((out->flags & 1) != 0)
        return sim_violation(connection, "CONNECT with its reserved flag set");
    if (out->version == 5)
        out->properties = sim_in_properties(in);
    out->client_id = sim_in_text(in);
    if ((out->flags & 4) != 0) {
        if (out->version == 5)
            out->will_delay_s = sim_in_properties(in).will_delay_s;
        out->will_topic = sim_in_text(in);
        out->will_payload = sim_in_text(in);
    }
    if ((out->flags & 0x80) != 0)
        sim_in_text(in);
    if ((out->flags & 0x40) != 0)
        sim_in_text(in);
    if (in->bad || in->len > 0 || out->client_id.len == 0 || out->client_id.len > 63)
        return sim_violation(connection, "CONNECT that does not add up");
    return true;
}

static uint16_t smaller_limit(uint16_t a, uint16_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void keep_will(struct sim_connection *connection, const struct connect *connect,
                      const char *client_id)
{
    struct sim_kept *will = sim_kept_new(connection->broker, connect->will_topic,
                                         connect->will_payload, connect->flags >> 3 & 3);
    will->retain = (connect->flags & 0x20) != 0;
    will->delay_s = connect->will_delay_s;
    memcpy(will->client_id, client_id, sizeof will->client_id);
    connection->will = will;
}

static bool on_connect(struct sim_connection *connection, struct sim_in *in)
{
    struct th_sim_broker *broker = connection->broker;
    struct connect connect = {0};
    if (connection->session != NULL)
        return sim_violation(connection, "a second CONNECT");
    if (!read_connect(connection, in, &connect))
        return false;
    broker->stats.connects++;
    connection->version = connect.version;
    if (broker->options.mute)
        return true;
    if (broker->options.connack_code != 0) {
        send_connack(connection, false, broker->options.connack_code);
        return true; /* the client closes */
    }
    char client_id[64] = "";
    for (size_t i = 0; i < connect.client_id.len; i++)
        client_id[i] = (char)connect.client_id.at[i];
    bool clean = (connect.flags & 2) != 0;
    bool present = sim_enter_session(connection, client_id, clean);
    uint16_t most = broker->options.inflight_max;
    connection->inflight_max =
        smaller_limit(most != 0 ? most : INFLIGHT_DEFAULT, connect.properties.receive_maximum);
    connection->session->lasts =
        connect.version == 4 ? !clean : connect.properties.session_expiry_s > 0;
    if ((connect.flags & 4) != 0)
        keep_will(connection, &connect, client_id);
    broker->stats.connacks++;
    send_connack(connection, present, 0);
    sim_resend(connection->session);
    if (broker->options.kicks)
        sim_close_later(connection, broker->options.kick_after_ms);
    return true;
}

/* ---- PUBLISH ---- */

/* 5.0 §3.3.2.3.4: an alias stands for the topic it came with before on this connection. */
static bool resolve_alias(struct sim_connection *connection, uint16_t alias, struct th_span *topic)
{
    if (alias == 0)
        return true;
    if (alias > connection->broker->options.alias_maximum || alias > SIM_ALIASES_MAX)
        return sim_violation(connection, "a topic alias above the maximum");
    struct th_span *known = &connection->aliases[alias];
    if (topic->len > 0) {
        uint8_t *copy = th_sim_room(NULL, topic->len);
        memcpy(copy, topic->at, topic->len);
        free((void *)(uintptr_t)known->at);
        *known = (struct th_span){copy, topic->len};
    }
    *topic = *known;
    return known->len > 0 || sim_violation(connection, "a topic alias that stands for nothing");
}

static void take_message(struct sim_connection *connection, struct th_span topic,
                         struct th_span payload, uint8_t flags)
{
    struct th_sim_broker *broker = connection->broker;
    uint8_t qos = flags >> 1 & 3;
    if ((flags & 1) != 0)
        sim_retain(broker, topic, payload, qos);
    broker->stats.publishes++;
    if (broker->options.message != NULL)
        broker->options.message(broker->options.ctx, connection->session->client_id, topic, payload,
                                qos);
    sim_route(broker, topic, payload, qos);
}

static bool within_receive_maximum(struct sim_connection *connection)
{
    uint16_t most = connection->broker->options.receive_maximum;
    connection->unanswered++;
    if (connection->version == 5 && most != 0 && connection->unanswered > most)
        return sim_violation(connection, "more than the Receive Maximum");
    return true;
}

static bool on_publish_2(struct sim_connection *connection, uint8_t flags, uint16_t id,
                         struct th_span topic, struct th_span payload)
{
    struct sim_session *session = connection->session;
    bool known = sim_session_inbound(session, id) >= 0;
    if (known && (flags & 8) == 0)
        return sim_violation(connection, "an identifier in use for another message");
    if (!known) {
        sim_session_inbound_add(session, id);
        take_message(connection, topic, payload, flags);
    }
    send_answer(connection, SIM_PUBREC, id, 0, 0);
    return true;
}

static bool on_publish(struct sim_connection *connection, uint8_t flags, struct sim_in *in)
{
    struct th_span topic = sim_in_text(in);
    uint8_t qos = flags >> 1 & 3;
    uint16_t id = qos > 0 ? sim_in_u16(in) : 0;
    struct sim_properties properties = {.alias = 0};
    if (connection->version == 5)
        properties = sim_in_properties(in);
    if (in->bad || qos == 3 || (qos > 0 && id == 0) || (qos == 0 && (flags & 8) != 0))
        return sim_violation(connection, "PUBLISH that does not add up");
    if (!resolve_alias(connection, properties.alias, &topic))
        return false;
    if (topic.len == 0 || memchr(topic.at, '+', topic.len) || memchr(topic.at, '#', topic.len))
        return sim_violation(connection, "PUBLISH to no topic");
    struct th_span payload = {in->at, in->len};
    if (qos > 0 && !within_receive_maximum(connection))
        return false;
    if (qos == 2)
        return on_publish_2(connection, flags, id, topic, payload);
    take_message(connection, topic, payload, flags);
    if (qos == 1)
        send_answer(connection, SIM_PUBACK, id, 0, 1);
    return true;
}

static bool on_pubrel(struct sim_connection *connection, uint16_t id)
{
    struct sim_session *session = connection->session;
    int at = sim_session_inbound(session, id);
    if (at > 0 && !connection->broker->options.pubrel_in_any_order) /* [MQTT-4.6.0-4] */
        return sim_violation(connection, "PUBREL out of order");
    if (at >= 0) {
        sim_session_inbound_remove(session, at);
        /* After a reconnect PUBREL can come without its PUBLISH. */
        send_answer(connection, SIM_PUBCOMP, id, 0, connection->unanswered > 0 ? 1 : 0);
    } else {
        send_answer(connection, SIM_PUBCOMP, id, connection->version == 5 ? 0x92 : 0, 0);
    }
    return true;
}

/* ---- answers of the client ---- */

static bool on_answer(struct sim_connection *connection, enum sim_packet type, uint16_t id)
{
    static const struct {
        uint8_t qos, state;
        const char *wrong;
    } expects[] = {
        [SIM_PUBACK] = {1, SIM_SENT, "PUBACK for nothing, or out of order"},
        [SIM_PUBREC] = {2, SIM_SENT, "PUBREC for nothing, or out of order"},
        [SIM_PUBCOMP] = {2, SIM_RELEASED, "PUBCOMP for nothing, or out of order"},
    };
    struct sim_session *session = connection->session;
    struct sim_message *oldest =
        sim_session_oldest(session, expects[type].qos, (enum sim_message_state)expects[type].state);
    if (oldest == NULL || oldest->id != id)
        return connection->broker->options.repeat_percent > 0 ||
               sim_violation(connection, expects[type].wrong);
    if (type == SIM_PUBREC) {
        oldest->state = SIM_RELEASED;
        send_answer(connection, SIM_PUBREL, id, 0, 0);
        return true;
    }
    sim_session_remove(session, oldest);
    sim_pump(session);
    return true;
}

/* ---- SUBSCRIBE ---- */

static bool on_subscribe(struct sim_connection *connection, struct sim_in *in, bool subscribe)
{
    struct sim_out packet = {NULL, 0, 0};
    uint16_t id = sim_in_u16(in);
    sim_out_u16(&packet, id);
    if (connection->version == 5) {
        sim_in_properties(in);
        sim_out_u8(&packet, 0);
    }
    struct sim_in filters = *in;
    bool any = in->len > 0;
    while (in->len > 0 && !in->bad) {
        struct th_span filter = sim_in_text(in);
        if (subscribe) {
            uint8_t qos = sim_in_u8(in) & 3;
            sim_session_subscribe(connection->session, filter, qos);
            sim_out_u8(&packet, qos);
        } else {
            bool had = sim_session_unsubscribe(connection->session, filter);
            if (connection->version == 5)
                sim_out_u8(&packet, had ? 0 : 0x11);
        }
    }
    sim_out_packet(&packet, 0, subscribe ? SIM_SUBACK : SIM_UNSUBACK, 0);
    sim_send(connection, &packet, 0);
    if (in->bad || !any || id == 0)
        return sim_violation(connection, "SUBSCRIBE or UNSUBSCRIBE that does not add up");
    while (subscribe && filters.len > 0) {
        struct th_span filter = sim_in_text(&filters);
        sim_send_retained(connection, filter, sim_in_u8(&filters) & 3);
    }
    return true;
}

/* ---- all ---- */

bool sim_handle(struct sim_connection *connection, uint8_t first, struct th_span body)
{
    struct sim_in in = {body.at, body.len, false};
    enum sim_packet type = (enum sim_packet)(first >> 4);
    uint8_t flags = first & 15;
    bool two = type == SIM_PUBREL || type == SIM_SUBSCRIBE || type == SIM_UNSUBSCRIBE;
    if (type != SIM_CONNECT && connection->session == NULL)
        return connection->broker->options.mute ||
               sim_violation(connection, "something before CONNECT");
    if (type != SIM_PUBLISH && flags != (two ? 2 : 0))
        return sim_violation(connection, "reserved flags of a fixed header");
    switch (type) {
    case SIM_CONNECT: return on_connect(connection, &in);
    case SIM_PUBLISH: return on_publish(connection, flags, &in);
    case SIM_PUBREL: return on_pubrel(connection, sim_in_u16(&in));
    case SIM_PUBACK:
    case SIM_PUBREC:
    case SIM_PUBCOMP: return on_answer(connection, type, sim_in_u16(&in));
    case SIM_SUBSCRIBE: return on_subscribe(connection, &in, true);
    case SIM_UNSUBSCRIBE: return on_subscribe(connection, &in, false);
    case SIM_PINGREQ: {
        struct sim_out packet = {NULL, 0, 0};
        sim_out_packet(&packet, 0, SIM_PINGRESP, 0);
        sim_send(connection, &packet, 0);
        return true;
    }
    case SIM_DISCONNECT:
        if (in.len == 0 || sim_in_u8(&in) != 4) { /* 5.0: disconnect with will message */
            free(connection->will);
            connection->will = NULL;
        }
        return false;
    default: return sim_violation(connection, "a packet that only a server sends");
    }
}
