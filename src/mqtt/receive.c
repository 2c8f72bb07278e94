/* SPDX-License-Identifier: MIT */
/*
 * Taking packets in. One that lies whole in the stream's buffer is read where it lies; one that
 * comes in pieces is put together in config->rx; one that is larger than config->rx streams. Which
 * of the three never shows in the events, whatever the fragmentation: what counts is the packet's
 * length alone.
 */
#include <thimble/topic.h>

#include "mqtt/core.h"

/* ---- PUBLISH ---- */

unsigned th_mqtt_read_publish(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                              struct th_mqtt_message *message)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    unsigned qos = first >> 1 & 3;
    message->qos = (enum th_mqtt_qos)qos;
    message->dup = (first & 8) != 0;
    message->retain = (first & 1) != 0;
    message->topic = th_read_text(reader);
    message->properties = (struct th_span){NULL, 0};
    mqtt->rx_id = qos > 0 ? th_read_u16(reader) : 0;
    if (reader->failed || TH_RULE(publish_qos_3, qos == 3) ||
        TH_RULE(dup_qos0, (first & 0x0E) == 8))
        return TH_MALFORMED;
    if (TH_RULE(publish_id_zero_received, qos > 0 && mqtt->rx_id == 0))
        return TH_PROTOCOL_ERROR;
    if (TH_WRONG(utf8_bom_kept, message->topic.len > 3 && *message->topic.at == 0xEF))
        message->topic = th_span_of(message->topic.at + 3, message->topic.len - 3);
    if (version->message != NULL) {
        unsigned step = version->message(mqtt, reader, message);
        if (step != TH_STEP_ON)
            return step;
    }
    if (th_topic_name_valid(message->topic))
        return TH_STEP_ON;
    return th_utf8_valid(message->topic) ? TH_BROKEN(TH_ERR_MQTT_TOPIC_NAME) : TH_MALFORMED;
}

bool th_mqtt_inbound_known(const struct th_mqtt *mqtt)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    return outbox->ops != NULL && outbox->ops->inbound_has(outbox->ctx, mqtt->rx_id);
}

static void owe(struct th_mqtt *mqtt, uint8_t first, uint16_t id, uint8_t reason)
{
    mqtt->owed = first;
    mqtt->owed_id = TH_VALUE(ack_same_id, id, id + 1);
    if (TH_WRONG(puback_order, first == TH_PUBACK) || TH_WRONG(pubrec_order, first == TH_PUBREC) ||
        TH_WRONG(pubrel_order, first == TH_PUBREL))
        mqtt->owed_id ^= 1;
    mqtt->owed_reason = reason;
    mqtt->todo |= TH_TODO_OWED;
}

unsigned th_mqtt_accept_whole(struct th_mqtt *mqtt, unsigned qos)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    bool once = qos == 2 || TH_WRONG(qos1_receiver, qos == 1);
    if (once && (outbox->ops == NULL || !outbox->ops->inbound(outbox->ctx, mqtt->rx_id, true)))
        return TH_VALUE(transient_error_closes, TH_BROKEN(TH_ERR_MEMORY_INBOUND_QOS2), TH_STEP_ON);
    if (qos > 0 && !TH_WRONG(publish_answer, qos == 2) && !TH_WRONG(ack_unwanted, qos == 1))
        owe(mqtt, qos == 1 ? TH_PUBACK : TH_PUBREC, mqtt->rx_id,
            TH_VALUE(pubrec_success_only, 0, 0x80));
    return TH_STEP_ON;
}

static unsigned on_publish(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                           struct th_mqtt_event *event)
{
    struct th_mqtt_message *message = &event->u.message;
    unsigned step = th_mqtt_read_publish(mqtt, first, reader, message);
    if (step != TH_STEP_ON)
        return step;
    event->kind = TH_MQTT_EVENT_MESSAGE;
    message->payload = th_read(reader, th_read_left(reader));
    message->payload_len = (uint32_t)message->payload.len;
    if (message->qos == TH_MQTT_QOS0)
        return TH_STEP_EVENT;
    if (TH_WRONG(qos2_received_expiry, message->properties.len > 0))
        return TH_STEP_ON;
    bool once = message->qos == TH_MQTT_QOS2 || TH_WRONG(qos1_receiver, true);
    if (once && TH_VALUE(qos2_receiver, th_mqtt_inbound_known(mqtt), false)) {
        owe(mqtt, TH_PUBREC, mqtt->rx_id, 0);
        return TH_STEP_ON;
    }
    step = th_mqtt_accept_whole(mqtt, message->qos);
    return step == TH_STEP_ON ? TH_STEP_EVENT : step;
}

/* ---- acknowledgements ---- */

static unsigned done_with(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    uint16_t id = event->u.ack.id;
    if ((mqtt->todo & TH_TODO_PART) != 0 && mqtt->out_id == id)
        return TH_PROTOCOL_ERROR;
    if (!outbox->ops->remove(outbox->ctx, id))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    if (TH_RULE(send_quota_bounded, mqtt->inflight > 0))
        mqtt->inflight -= TH_VALUE(send_quota_returned, 1, 0);
    event->kind = TH_MQTT_EVENT_PUBLISHED;
    return TH_STEP_EVENT;
}

static unsigned on_pubrec(struct th_mqtt *mqtt, const struct th_outbox_entry *entry,
                          struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    if (event->u.ack.reason_code >= 0x80)
        return done_with(mqtt, event);
    if ((mqtt->todo & TH_TODO_PART) != 0 && mqtt->out_id == entry->id)
        return TH_PROTOCOL_ERROR;
    if (entry->state == TH_OUTBOX_PUBLISHED && !TH_WRONG(qos2_sender, true) &&
        !outbox->ops->set_state(outbox->ctx, entry->id, TH_OUTBOX_RELEASED))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    if (!TH_WRONG(qos2_pubrel, true))
        owe(mqtt, TH_PUBREL, entry->id, 0);
    return TH_STEP_ON;
}

/* An answer to something we published. One for an identifier that is not in use does no harm; one
 * that does not fit its QoS or its turn is a violation. */
static unsigned on_answer(struct th_mqtt *mqtt, uint8_t first, struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    struct th_outbox_entry entry;
    uint16_t id = event->u.ack.id;
    bool known = outbox->ops != NULL && outbox->ops->find(outbox->ctx, id, &entry) &&
                 entry.state != TH_OUTBOX_QUEUED;
    if (!known) {
        if (first == TH_PUBREC && event->u.ack.reason_code < 0x80)
            owe(mqtt, TH_PUBREL, id, 0x92);
        return TH_VALUE(qos2_unknown_id, TH_STEP_ON, TH_PROTOCOL_ERROR);
    }
    if (TH_WRONG(ack_error_acknowledges, event->u.ack.reason_code >= 0x80))
        return TH_STEP_ON;
    if (TH_RULE(ack_other_qos, entry.qos != (first == TH_PUBACK ? 1 : 2)))
        return TH_PROTOCOL_ERROR;
    if (first == TH_PUBREC)
        return on_pubrec(mqtt, &entry, event);
    if (TH_RULE(ack_out_of_turn, first == TH_PUBCOMP && entry.state != TH_OUTBOX_RELEASED))
        return TH_PROTOCOL_ERROR;
    /* The broker took the message over with PUBREC. 0x92 says that it was done with it before the
     * last connection ended, and is no refusal (5.0 §3.7.2.1). */
    if (first == TH_PUBCOMP)
        event->u.ack.reason_code = 0;
    return done_with(mqtt, event);
}

static unsigned on_pubrel(struct th_mqtt *mqtt, uint16_t id)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    mqtt->rx_id = id;
    bool known = th_mqtt_inbound_known(mqtt);
    if (known && !TH_WRONG(pubcomp_frees_id, true) && !outbox->ops->inbound(outbox->ctx, id, false))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    if (!TH_WRONG(qos2_pubcomp, true))
        owe(mqtt, TH_PUBCOMP, id, known ? 0 : 0x92);
    return TH_STEP_ON;
}

static unsigned on_ack(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                       struct th_mqtt_event *event)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    event->u.ack = (struct th_mqtt_ack){.id = th_read_u16(reader)};
    unsigned step = TH_STEP_ON;
    if (version->ack != NULL && th_read_left(reader) > 0)
        step = version->ack(mqtt, first, reader, &event->u.ack);
    if (reader->failed || TH_RULE(packet_length, th_read_left(reader) > 0))
        return TH_MALFORMED;
    if (step != TH_STEP_ON)
        return step;
    if (TH_RULE(packet_id_zero, event->u.ack.id == 0))
        return TH_PROTOCOL_ERROR;
    return first == TH_PUBREL ? on_pubrel(mqtt, event->u.ack.id) : on_answer(mqtt, first, event);
}

/* ---- SUBACK, UNSUBACK ---- */

static bool code_valid(const struct th_mqtt *mqtt, uint8_t first, uint8_t code)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    return version->code != NULL ? version->code(first, code) : code <= 2 || code == 0x80;
}

static bool codes_valid(const struct th_mqtt *mqtt, uint8_t first, struct th_span codes)
{
    for (size_t i = 0; i < codes.len; i++) {
        if (!code_valid(mqtt, first, codes.at[i]) &&
            !TH_WRONG(suback_code_reserved, first == TH_SUBACK) &&
            !TH_WRONG(unsuback_code_reserved, first == TH_UNSUBACK))
            return false;
    }
    return true;
}

/* The slot of the request, or TH_MQTT_REQUESTS_MAX. */
static size_t request_of(const struct th_mqtt *mqtt, uint8_t first, uint16_t id)
{
    bool unsubscribe = first == TH_UNSUBACK;
    size_t i = 0;
    while (i < TH_MQTT_REQUESTS_MAX &&
           (mqtt->requests[i].id != id || mqtt->requests[i].count >> 15 != unsubscribe))
        i++;
    return i;
}

static unsigned on_suback(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                          struct th_mqtt_event *event)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    bool subscribe = first == TH_SUBACK;
    struct th_mqtt_ack *ack = &event->u.ack;
    *ack = (struct th_mqtt_ack){.id = th_read_u16(reader)};
    if (version->read != NULL) {
        unsigned step = version->read(mqtt, reader, (enum th_place)(first >> 4), &ack->properties);
        if (step != TH_STEP_ON)
            return step;
    }
    ack->codes = th_read(reader, th_read_left(reader));
    if (reader->failed)
        return TH_MALFORMED;
    size_t at = request_of(mqtt, first, ack->id);
    if (at == TH_MQTT_REQUESTS_MAX)
        return TH_VALUE(ack_unknown_id, TH_PROTOCOL_ERROR, TH_STEP_ON);
    if (!codes_valid(mqtt, first, ack->codes) || ack->id == 0)
        return TH_PROTOCOL_ERROR;
    size_t count = mqtt->requests[at].count & 0x7FFF;
    if (!subscribe && version->read == NULL)
        count = 0;
    if (TH_RULE(suback_count, TH_RULE(unsuback_count, ack->codes.len != count)))
        return TH_PROTOCOL_ERROR;
    if (TH_WRONG(suback_order, true))
        ack->codes.at++;
    mqtt->requests[at].id = 0;
    event->kind = subscribe ? TH_MQTT_EVENT_SUBSCRIBED : TH_MQTT_EVENT_UNSUBSCRIBED;
    return TH_STEP_EVENT;
}

/* ---- one packet ---- */

static unsigned on_pingresp(struct th_mqtt *mqtt, size_t len)
{
    if (TH_RULE(packet_length, len > 0))
        return TH_MALFORMED;
    mqtt->pinged = false;
    if (TH_WRONG(session_while_connected, true))
        mqtt->config->outbox.ops->inbound_clear(mqtt->config->outbox.ctx);
    return TH_STEP_ON;
}

static unsigned dispatch(struct th_mqtt *mqtt, uint8_t first, struct th_span body,
                         struct th_mqtt_event *event)
{
    struct th_reader reader = th_reader_of(body);
    if (first >> 4 == TH_PUBLISH >> 4)
        return on_publish(mqtt, first, &reader, event);
    switch (first) {
    case TH_CONNACK: return th_mqtt_on_connack(mqtt, &reader, event);
    case TH_PUBACK:
    case TH_PUBREC:
    case TH_PUBREL:
    case TH_PUBCOMP: return on_ack(mqtt, first, &reader, event);
    case TH_SUBACK:
    case TH_UNSUBACK: return on_suback(mqtt, first, &reader, event);
    case TH_PINGRESP: return on_pingresp(mqtt, body.len);
    default:
        if (TH_WRONG(packet_type_reserved, first < 0x10 || first >= 0xF0) ||
            TH_WRONG(packet_type_direction, first >= 0x10) ||
            TH_WRONG(fixed_flags_received, (first & 0x0F) != 0))
            return TH_STEP_ON;
        return mqtt->config->version->other(mqtt, first, &reader, event);
    }
}

/* What the fixed header alone shows to be wrong. */
static unsigned check_header(const struct th_mqtt *mqtt, uint8_t first, uint32_t len)
{
    /* By packet type: the flags it must have, 0xFF where a broker must not send it. PUBLISH is
     * looked at on its own. */
    static const uint8_t flags[16] = {0xFF, 0xFF, 0,    0, 0,    0, 2, 0,
                                      0xFF, 0,    0xFF, 0, 0xFF, 0, 0, 0};
    uint8_t type = first >> 4;
    if (TH_RULE(packet_too_large_received, mqtt->config->maximum_packet_size > 0 &&
                                               th_mqtt_is_5(mqtt) &&
                                               len > mqtt->config->maximum_packet_size))
        return TH_BROKEN(TH_ERR_MQTT_PACKET_TOO_LARGE);
    if (type == TH_PUBLISH >> 4)
        return mqtt->state == TH_MQTT_CONNECTED ? TH_STEP_ON : TH_PROTOCOL_ERROR;
    bool ours = flags[type] == 0xFF || (type >= 14 && mqtt->config->version->other == NULL);
    if (TH_RULE(packet_type_reserved, TH_RULE(packet_type_direction, ours)))
        return type == 0 ? TH_MALFORMED : TH_PROTOCOL_ERROR;
    bool wrong = !ours && (first & 0x0F) != flags[type];
    if (TH_RULE(fixed_flags_received, TH_RULE(disconnect_flags, TH_RULE(auth_flags, wrong))))
        return TH_MALFORMED;
    bool early = mqtt->state != TH_MQTT_CONNECTED && first != TH_CONNACK && first != TH_AUTH;
    if (TH_RULE(connack_first, TH_RULE(disconnect_before_connack, early)))
        return TH_PROTOCOL_ERROR;
    return TH_STEP_ON;
}

/* ---- pieces ---- */

bool th_mqtt_gather(struct th_mqtt *mqtt, uint32_t want)
{
    size_t there = (size_t)(mqtt->rx_end - mqtt->rx_at);
    size_t len = want > mqtt->rx_have ? want - mqtt->rx_have : 0;
    if (len > there)
        len = there;
    if (len > 0) {
        memcpy(mqtt->config->rx + mqtt->rx_have, mqtt->rx_at, len);
        mqtt->rx_at += len;
        mqtt->rx_have += (uint32_t)len;
    }
    return mqtt->rx_have >= want;
}

/* Reads the remaining length at `at`, of which `have` bytes are there. Returns the length of the
 * fixed header, 0 while it is incomplete, 6 when it has too many bytes. */
static uint32_t read_header(const uint8_t *at, size_t have, uint32_t *body_len)
{
    uint32_t value = 0;
    for (uint32_t i = 1; i < have; i++) {
        value |= (uint32_t)(at[i] & 0x7F) << (7 * (i - 1));
        if ((at[i] & 0x80) == 0) {
            *body_len = value;
            return i + 1;
        }
        if (TH_RULE(remaining_length_5_bytes, i == 4))
            return 6;
    }
    return 0;
}

unsigned th_mqtt_receive(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    const struct th_mqtt_config *config = mqtt->config;
    const uint8_t *at = mqtt->rx_at;
    size_t there = (size_t)(mqtt->rx_end - at);
    uint32_t len = 0;
    if (mqtt->rx_mode != TH_RX_PACKET)
        return config->large->receive(mqtt, event);
    uint32_t header = read_header(at, there, &len);
    /* A whole packet that fits is read where it lies. */
    bool whole = mqtt->rx_have == 0 && header != 0 && header + len <= there &&
                 header + len <= config->rx_room;
    if (!whole) {
        at = config->rx;
        header = 0;
        for (uint32_t want = 2; header == 0; want++) {
            if (!th_mqtt_gather(mqtt, want))
                return TH_STEP_WAIT;
            header = read_header(at, mqtt->rx_have, &len);
        }
    }
    if (TH_RULE(remaining_length_5_bytes, header > 5) ||
        (TH_RULE(varint_shortest, header > 2 && at[header - 1] == 0) && th_mqtt_is_5(mqtt)))
        return TH_MALFORMED;
    unsigned step = check_header(mqtt, at[0], header + len);
    if (step != TH_STEP_ON)
        return step;
    if (whole) {
        mqtt->rx_at += header + len;
    } else {
        if (header + len > config->rx_room)
            return config->large != NULL && at[0] >> 4 == TH_PUBLISH >> 4
                       ? config->large->begin(mqtt, header, header + len, event)
                       : TH_BROKEN(TH_ERR_MEMORY_PACKET);
        if (!th_mqtt_gather(mqtt, header + len))
            return TH_STEP_WAIT;
        mqtt->rx_have = 0;
    }
    return dispatch(mqtt, at[0], th_span_of(at + header, len), event);
}
