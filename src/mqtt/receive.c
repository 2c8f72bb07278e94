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
                              struct th_mqtt_event *event)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    struct th_mqtt_message *message = &event->u.message;
    unsigned qos = first >> 1 & 3;
    message->qos = (enum th_mqtt_qos)qos;
    message->dup = (first & 8) != 0;
    message->retain = (first & 1) != 0;
    th_read_text(reader, &message->topic);
    mqtt->rx_id = qos > 0 ? th_read_u16(reader) : 1;
    if (reader->failed || TH_RULE(publish_qos_3, qos == 3) ||
        TH_RULE(dup_qos0, (first & 0x0E) == 8))
        return TH_MALFORMED;
    if (TH_RULE(publish_id_zero_received, mqtt->rx_id == 0))
        return TH_PROTOCOL_ERROR;
    if (TH_WRONG(utf8_bom_kept, message->topic.len > 3 && *message->topic.at == 0xEF))
        message->topic = th_span_of(message->topic.at + 3, message->topic.len - 3);
    if (version->packet != NULL) {
        unsigned step = version->packet(mqtt, first, reader, event);
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

/* An acknowledgement of the packet received last. */
static unsigned owe(struct th_mqtt *mqtt, uint8_t first, uint8_t reason)
{
    mqtt->todo.owed = first;
    mqtt->owed_reason = reason;
    if (TH_WRONG(puback_order, first == TH_PUBACK) || TH_WRONG(pubrec_order, first == TH_PUBREC) ||
        TH_WRONG(pubrel_order, first == TH_PUBREL))
        mqtt->rx_id ^= 1;
    return TH_STEP_ON;
}

unsigned th_mqtt_accept_whole(struct th_mqtt *mqtt, unsigned qos)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    bool once = qos == 2 || TH_WRONG(qos1_receiver, qos == 1);
    if (once && (outbox->ops == NULL || !outbox->ops->inbound(outbox->ctx, mqtt->rx_id, true)))
        return TH_VALUE(transient_error_closes, TH_BROKEN(TH_ERR_MEMORY_INBOUND_QOS2), TH_STEP_ON);
    if (qos == 0 || TH_WRONG(publish_answer, qos == 2) || TH_WRONG(ack_unwanted, qos == 1))
        return TH_STEP_ON;
    return owe(mqtt, qos == 1 ? TH_PUBACK : TH_PUBREC, TH_VALUE(pubrec_success_only, 0, 0x80));
}

static unsigned on_publish(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                           struct th_mqtt_event *event)
{
    struct th_mqtt_message *message = &event->u.message;
    unsigned step = th_mqtt_read_publish(mqtt, first, reader, event);
    if (step != TH_STEP_ON)
        return step;
    event->kind = TH_MQTT_EVENT_MESSAGE;
    th_read(reader, th_read_left(reader), &message->payload);
    message->payload_len = (uint32_t)message->payload.len;
    if (TH_WRONG(qos2_received_expiry, message->qos > 0 && message->properties.len > 0))
        return TH_STEP_ON;
    bool once = message->qos == TH_MQTT_QOS2 || TH_WRONG(qos1_receiver, message->qos > 0);
    if (once && TH_VALUE(qos2_receiver, th_mqtt_inbound_known(mqtt), false))
        return owe(mqtt, TH_PUBREC, 0);
    step = th_mqtt_accept_whole(mqtt, message->qos);
    return step == TH_STEP_ON ? TH_STEP_EVENT : step;
}

/* ---- acknowledgements ---- */

static unsigned done_with(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    event->u.ack.id = mqtt->rx_id;
    if (!outbox->ops->remove(outbox->ctx, mqtt->rx_id))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    if (TH_RULE(send_quota_bounded, mqtt->inflight > 0))
        mqtt->inflight -= TH_VALUE(send_quota_returned, 1, 0);
    event->kind = TH_MQTT_EVENT_PUBLISHED;
    return TH_STEP_EVENT;
}

static unsigned on_pubrec(struct th_mqtt *mqtt, uint8_t state)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    if (state == TH_OUTBOX_PUBLISHED && !TH_WRONG(qos2_sender, true) &&
        !outbox->ops->set_state(outbox->ctx, mqtt->rx_id, TH_OUTBOX_RELEASED))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    return TH_WRONG(qos2_pubrel, true) ? TH_STEP_ON : owe(mqtt, TH_PUBREL, 0);
}

/* An answer to something we published. One for an identifier that is not in use does no harm; one
 * that does not fit its QoS or its turn is a violation, as is one to what is not sent yet. */
static unsigned on_answer(struct th_mqtt *mqtt, uint8_t first, struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    const struct th_outbox_entry *entry = NULL;
    bool refused = event->u.ack.reason_code >= 0x80;
    bool received = first == TH_PUBREC && !refused;
    if (outbox->ops != NULL)
        entry = outbox->ops->find(outbox->ctx, mqtt->rx_id);
    if (entry == NULL || entry->state == TH_OUTBOX_QUEUED) {
        if (TH_WRONG(qos2_unknown_id, true))
            return TH_PROTOCOL_ERROR;
        return received ? owe(mqtt, TH_PUBREL, 0x92) : TH_STEP_ON;
    }
    if (TH_WRONG(ack_error_acknowledges, refused))
        return TH_STEP_ON;
    if (TH_RULE(ack_other_qos, entry->qos != (first == TH_PUBACK ? 1 : 2)) ||
        TH_RULE(ack_out_of_turn, first == TH_PUBCOMP && entry->state != TH_OUTBOX_RELEASED) ||
        (mqtt->todo.part && mqtt->out_id == mqtt->rx_id))
        return TH_PROTOCOL_ERROR;
    if (received)
        return on_pubrec(mqtt, entry->state);
    /* The broker took the message over with PUBREC. 0x92 says that it was done with it before the
     * last connection ended, and is no refusal (5.0 §3.7.2.1). */
    if (first == TH_PUBCOMP)
        event->u.ack.reason_code = 0;
    return done_with(mqtt, event);
}

static unsigned on_pubrel(struct th_mqtt *mqtt)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    bool known = th_mqtt_inbound_known(mqtt);
    if (known && !TH_WRONG(pubcomp_frees_id, true) &&
        !outbox->ops->inbound(outbox->ctx, mqtt->rx_id, false))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    return TH_WRONG(qos2_pubcomp, true) ? TH_STEP_ON : owe(mqtt, TH_PUBCOMP, known ? 0 : 0x92);
}

/* ---- SUBACK, UNSUBACK ---- */

/* 5.0 has judged its codes already; 3.1.1 has none in UNSUBACK. */
static bool codes_valid(const struct th_mqtt *mqtt, struct th_span codes)
{
    if (mqtt->config->version->packet != NULL)
        return true;
    for (const uint8_t *at = codes.at, *end = at + codes.len; at != end; at++) {
        if (TH_RULE(suback_code_reserved, *at > 2 && *at != 0x80))
            return false;
    }
    return true;
}

static unsigned on_suback(struct th_mqtt *mqtt, bool unsubscribe, struct th_mqtt_event *event)
{
    struct th_mqtt_ack *ack = &event->u.ack;
    size_t at = 0;
    ack->id = mqtt->rx_id;
    while (mqtt->requests[at].id != ack->id || mqtt->requests[at].count >> 15 != unsubscribe) {
        if (++at == TH_MQTT_REQUESTS_MAX)
            return TH_VALUE(ack_unknown_id, TH_PROTOCOL_ERROR, TH_STEP_ON);
    }
    size_t count = mqtt->requests[at].count & 0x7FFF;
    if (unsubscribe && mqtt->config->version->packet == NULL)
        count = 0;
    if (!codes_valid(mqtt, ack->codes) ||
        TH_RULE(suback_count, TH_RULE(unsuback_count, ack->codes.len != count)))
        return TH_PROTOCOL_ERROR;
    if (TH_WRONG(suback_order, true))
        ack->codes.at++;
    mqtt->requests[at].id = 0;
    event->kind = unsubscribe ? TH_MQTT_EVENT_UNSUBSCRIBED : TH_MQTT_EVENT_SUBSCRIBED;
    return TH_STEP_EVENT;
}

/* ---- one packet ---- */

static unsigned on_pingresp(struct th_mqtt *mqtt)
{
    mqtt->awaited = TH_OK;
    if (TH_WRONG(session_while_connected, true))
        mqtt->config->outbox.ops->inbound_clear(mqtt->config->outbox.ctx);
    return TH_STEP_ON;
}

/* All of it is read: what follows from it. */
static unsigned act_on(struct th_mqtt *mqtt, uint8_t first, struct th_mqtt_event *event)
{
    switch (first & 0xF0) {
    case TH_PINGRESP: return on_pingresp(mqtt);
    case TH_CONNACK: return th_mqtt_on_connack(mqtt, event);
    default: break;
    }
    if (TH_RULE(packet_id_zero, mqtt->rx_id == 0))
        return TH_PROTOCOL_ERROR;
    switch (first & 0xF0) {
    case TH_SUBACK:
    case TH_UNSUBACK: return on_suback(mqtt, (first & 0xF0) == TH_UNSUBACK, event);
    case TH_PUBREL & 0xF0: return on_pubrel(mqtt);
    default: return on_answer(mqtt, first, event);
    }
}

static unsigned dispatch(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                         struct th_mqtt_event *event)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    unsigned type = first >> 4;
    unsigned step;
    memset(event, 0, sizeof *event);
    if (type == TH_PUBLISH >> 4)
        return on_publish(mqtt, first, reader, event);
    bool known = (version->packets >> type & 1) != 0;
    if (TH_WRONG(packet_type_reserved, !known))
        return TH_STEP_ON;
    if (TH_WRONG(packet_type_direction, !known))
        return TH_STEP_ON;
    if (type < TH_PINGRESP >> 4)
        mqtt->rx_id = th_read_u16(reader);
    step = type == TH_CONNACK >> 4 ? th_mqtt_judge_connack(mqtt) : TH_STEP_ON;
    if (step != TH_STEP_ON)
        return step;
    if (version->packet != NULL)
        step = version->packet(mqtt, first, reader, event);
    if (type == TH_SUBACK >> 4 || type == TH_UNSUBACK >> 4)
        th_read(reader, th_read_left(reader), &event->u.ack.codes);
    if (reader->failed || TH_RULE(packet_length, th_read_left(reader) > 0))
        return TH_MALFORMED;
    return step == TH_STEP_ON ? act_on(mqtt, first, event) : step;
}

/* What the fixed header alone shows to be wrong. */
static unsigned check_header(const struct th_mqtt *mqtt, uint8_t first, uint32_t len)
{
    /* The types whose flags are 2. */
    const unsigned two =
        1u << (TH_PUBREL >> 4) | 1u << (TH_SUBSCRIBE >> 4) | 1u << (TH_UNSUBSCRIBE >> 4);
    unsigned type = first >> 4;
    unsigned expected = 1u << (TH_CONNACK >> 4) | 1u << (TH_AUTH >> 4);
    if (TH_RULE(packet_too_large_received, len > mqtt->inbound_largest))
        return TH_BROKEN(TH_ERR_MQTT_PACKET_TOO_LARGE);
    bool wrong = type != TH_PUBLISH >> 4 && (first & 0x0F) != (two >> type & 1) << 1;
    if (TH_RULE(fixed_flags_received, TH_RULE(disconnect_flags, TH_RULE(auth_flags, wrong))))
        return TH_MALFORMED;
    if (mqtt->state == TH_MQTT_CONNECTED)
        expected = ~(1u << (TH_CONNACK >> 4));
    expected &= mqtt->config->version->packets;
    bool unexpected = (expected >> type & 1) == 0;
    if (TH_RULE(connack_first, TH_RULE(connack_once, TH_RULE(disconnect_before_connack,
                                                             TH_RULE(packet_type_reserved,
                                                                     TH_RULE(packet_type_direction,
                                                                             unexpected))))))
        return type == 0 ? TH_MALFORMED : TH_PROTOCOL_ERROR;
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

/* A packet whose fixed header is known; a step. */
static unsigned begin(struct th_mqtt *mqtt, const uint8_t *at, uint32_t header, uint32_t len,
                      struct th_mqtt_event *event)
{
    const struct th_mqtt_config *config = mqtt->config;
    bool in_place = TH_FAST && at != config->rx;
    uint32_t total = header + len;
    if (TH_RULE(varint_shortest, header > 2 && at[header - 1] == 0) && th_mqtt_is_5(mqtt))
        return TH_MALFORMED;
    unsigned step = check_header(mqtt, at[0], total);
    if (step != TH_STEP_ON)
        return step;
    if (in_place) {
        mqtt->rx_at += total;
    } else {
        if (total > config->rx_room)
            return config->large != NULL && at[0] >> 4 == TH_PUBLISH >> 4
                       ? config->large->begin(mqtt, header, total, event)
                       : TH_BROKEN(TH_ERR_MEMORY_PACKET);
        if (!th_mqtt_gather(mqtt, total))
            return TH_STEP_WAIT;
        mqtt->rx_have = 0;
    }
    struct th_reader reader = {at + header, at + total, false};
    return dispatch(mqtt, at[0], &reader, event);
}

/* The length of the fixed header of a whole packet that fits and lies in the stream's buffer; 0
 * when there is none. A large machine reads it there; a small one saves the code. */
static uint32_t header_in_place(const struct th_mqtt *mqtt, uint32_t *len)
{
    const uint8_t *at = mqtt->rx_at;
    size_t there = (size_t)(mqtt->rx_end - at);
    *len = 0;
    for (uint32_t i = 1; i < there && i < 5; i++) {
        *len |= (uint32_t)(at[i] & 0x7F) << (7 * (i - 1));
        if ((at[i] & 0x80) == 0) {
            uint32_t total = i + 1 + *len;
            return total <= there && total <= mqtt->config->rx_room ? i + 1 : 0;
        }
    }
    return 0;
}

unsigned th_mqtt_receive(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    const struct th_mqtt_config *config = mqtt->config;
    uint32_t header = 1, len = 0;
    if (mqtt->rx_mode != TH_RX_PACKET)
        return config->large->receive(mqtt, event);
    if (TH_FAST && mqtt->rx_have == 0) {
        uint32_t there = header_in_place(mqtt, &len);
        if (there > 0)
            return begin(mqtt, mqtt->rx_at, there, len, event);
        len = 0;
    }
    uint8_t byte;
    do {
        if (TH_RULE(remaining_length_5_bytes, header == 5))
            return TH_MALFORMED;
        if (!th_mqtt_gather(mqtt, header + 1))
            return TH_STEP_WAIT;
        byte = config->rx[header];
        len |= (uint32_t)(byte & 0x7F) << (7 * (header++ - 1) & 31);
    } while ((byte & 0x80) != 0);
    return begin(mqtt, config->rx, header, len, event);
}
