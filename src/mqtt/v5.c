/* SPDX-License-Identifier: MIT */
/* What 5.0 has and 3.1.1 has not: reason codes, properties, aliases, DISCONNECT and AUTH from the
 * broker. */
#include <string.h>

#include "mqtt/property.h"

/* ---- reason codes (§2.4) ---- */

enum { IN_CONNACK = 1, IN_PUBACK = 2, IN_PUBREL = 4, IN_SUBACK = 8, IN_UNSUBACK = 16, IN_END = 32 };

/* From 0x80 on: in which packets a broker may send it. */
static const uint8_t refusals[] = {
    [0x00] = IN_CONNACK | IN_PUBACK | IN_SUBACK | IN_UNSUBACK | IN_END,
    [0x01] = IN_CONNACK | IN_END,
    [0x02] = IN_CONNACK | IN_END,
    [0x03] = IN_CONNACK | IN_PUBACK | IN_SUBACK | IN_UNSUBACK | IN_END,
    [0x04] = IN_CONNACK,
    [0x05] = IN_CONNACK,
    [0x06] = IN_CONNACK,
    [0x07] = IN_CONNACK | IN_PUBACK | IN_SUBACK | IN_UNSUBACK | IN_END,
    [0x08] = IN_CONNACK,
    [0x09] = IN_CONNACK | IN_END,
    [0x0A] = IN_CONNACK,
    [0x0B] = IN_END,
    [0x0C] = IN_CONNACK | IN_END,
    [0x0D] = IN_END,
    [0x0E] = IN_END,
    [0x0F] = IN_SUBACK | IN_UNSUBACK | IN_END,
    [0x10] = IN_CONNACK | IN_PUBACK | IN_END,
    [0x11] = IN_PUBACK | IN_SUBACK | IN_UNSUBACK,
    [0x12] = IN_PUBREL,
    [0x13] = IN_END,
    [0x14] = IN_END,
    [0x15] = IN_CONNACK | IN_END,
    [0x16] = IN_END,
    [0x17] = IN_CONNACK | IN_PUBACK | IN_SUBACK | IN_END,
    [0x18] = IN_END,
    [0x19] = IN_CONNACK | IN_PUBACK | IN_END,
    [0x1A] = IN_CONNACK | IN_END,
    [0x1B] = IN_CONNACK | IN_END,
    [0x1C] = IN_CONNACK | IN_END,
    [0x1D] = IN_CONNACK | IN_END,
    [0x1E] = IN_SUBACK | IN_END,
    [0x1F] = IN_CONNACK | IN_END,
    [0x20] = IN_END,
    [0x21] = IN_SUBACK | IN_END,
    [0x22] = IN_SUBACK | IN_END,
};

static bool code_valid(uint8_t first, uint8_t code)
{
    static const uint8_t kinds[16] = {
        [2] = IN_CONNACK, [4] = IN_PUBACK, [5] = IN_PUBACK,    [6] = IN_PUBREL,
        [7] = IN_PUBREL,  [9] = IN_SUBACK, [11] = IN_UNSUBACK, [14] = IN_END};
    uint8_t kind = kinds[first >> 4];
    if (code >= 0x80)
        return code - 0x80u < sizeof refusals && (refusals[code - 0x80] & kind) != 0;
    if (first == TH_AUTH)
        return code == 0 || code == 0x18;
    return code == 0 || (kind == IN_SUBACK && code <= 2) || (kind == IN_PUBACK && code == 0x10) ||
           (kind == IN_UNSUBACK && code == 0x11);
}

static uint8_t reason_for(enum th_error error)
{
    switch (error) {
    case TH_ERR_MQTT_MALFORMED: return 0x81;
    case TH_ERR_MQTT_PROTOCOL: return 0x82;
    case TH_ERR_MEMORY_PACKET:
    case TH_ERR_MQTT_STORE: return 0x83;
    case TH_ERR_MQTT_TOPIC_NAME: return 0x90;
    case TH_ERR_MQTT_RECEIVE_MAXIMUM: return 0x93;
    case TH_ERR_MQTT_TOPIC_ALIAS: return 0x94;
    case TH_ERR_MQTT_PACKET_TOO_LARGE: return 0x95;
    case TH_ERR_MEMORY_ALIAS:
    case TH_ERR_MEMORY_INBOUND_QOS2: return 0x97;
    default: return 0;
    }
}

/* ---- properties ---- */

static bool asked_for(const struct th_mqtt *mqtt, enum th_mqtt_property_id id, uint32_t otherwise)
{
    const struct th_mqtt_config *config = mqtt->config;
    const struct th_mqtt_property *given =
        th_property_given(config->properties, config->property_count, id);
    return (given != NULL ? given->number : otherwise) != 0;
}

static unsigned read_properties(const struct th_mqtt *mqtt, struct th_reader *reader,
                                enum th_place place, struct th_span *out)
{
    struct th_mqtt_property property;
    unsigned step = th_property_read(reader, place, out);
    bool quiet = place != TH_PLACE_PUBLISH_IN && place != TH_PLACE_CONNACK &&
                 place != TH_PLACE_DISCONNECT_IN;
    if (step != TH_STEP_ON || out->len == 0 || !quiet ||
        asked_for(mqtt, TH_MQTT_REQUEST_PROBLEM, 1))
        return step;
    bool told = th_mqtt_property_find(*out, TH_MQTT_REASON_STRING, &property) ||
                th_mqtt_property_find(*out, TH_MQTT_USER_PROPERTY, &property);
    return TH_RULE(problem_info_unasked, told) ? TH_PROTOCOL_ERROR : TH_STEP_ON;
}

/* By default as many as find a place for their QoS 2 identifier. */
static void begin(struct th_mqtt *mqtt)
{
    const struct th_mqtt_config *config = mqtt->config;
    const struct th_outbox *outbox = &config->outbox;
    uint16_t maximum = config->receive_maximum;
    if (maximum == 0 && outbox->ops != NULL)
        maximum = outbox->ops->inbound_room(outbox->ctx);
    if (maximum > 0)
        mqtt->inbound_maximum = maximum;
    if (config->maximum_packet_size > 0)
        mqtt->inbound_largest = config->maximum_packet_size;
    mqtt->limits.session_expiry_s = config->session_expiry_s;
}

static void write_own(struct th_writer *writer, enum th_mqtt_property_id id, uint32_t number)
{
    if (number != 0 || TH_WRONG(receive_maximum_zero_sent, id == TH_MQTT_RECEIVE_MAXIMUM) ||
        TH_WRONG(maximum_packet_size_zero_sent, id == TH_MQTT_MAXIMUM_PACKET_SIZE))
        th_property_write_number(writer, (uint8_t)id, number);
}

static void write_announced(struct th_writer *writer, const struct th_mqtt *mqtt)
{
    const struct th_mqtt_config *config = mqtt->config;
    write_own(
        writer, TH_MQTT_SESSION_EXPIRY,
        TH_VALUE(session_expiry_absent, config->session_expiry_s, config->session_expiry_s | 1));
    write_own(writer, TH_MQTT_RECEIVE_MAXIMUM,
              mqtt->inbound_maximum < UINT16_MAX ? mqtt->inbound_maximum : 0);
    write_own(writer, TH_MQTT_MAXIMUM_PACKET_SIZE, config->maximum_packet_size);
    write_own(writer, TH_MQTT_TOPIC_ALIAS_MAXIMUM, config->alias_rx_maximum);
}

/* What the session adds goes first. */
static void write_each(struct th_writer *writer, const struct th_mqtt *mqtt,
                       const struct th_body *body)
{
    if (body->first == TH_CONNECT)
        write_announced(writer, mqtt);
    if (body->more != NULL)
        th_property_write(writer, body->more);
    write_own(writer, TH_MQTT_TOPIC_ALIAS, body->alias);
    for (uint8_t i = 0; i < body->property_count; i++)
        th_property_write(writer, &body->properties[i]);
}

static void write_properties(struct th_writer *writer, const struct th_mqtt *mqtt,
                             const struct th_body *body)
{
    struct th_writer count = {0};
    write_each(&count, mqtt, body);
    if (TH_VALUE(property_length_zero, true, count.total > 0))
        th_write_varint(writer, count.total);
    write_each(writer, mqtt, body);
}

/* ---- what the broker does not offer ---- */

/* The reason against a PUBLISH with that first byte; 0: none. */
static uint8_t unwanted(const struct th_mqtt *mqtt, uint8_t first)
{
    if (TH_RULE(maximum_qos_sent, (first >> 1 & 3) > mqtt->limits.maximum_qos))
        return 0x9B;
    return TH_RULE(retain_unavailable_sent, (first & 1) != 0 && !mqtt->limits.retain_available)
               ? 0x9A
               : 0;
}

static uint8_t refuses(const struct th_mqtt *mqtt, const struct th_outbox_entry *entry)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    const struct th_mqtt_publish *streamed = entry->extra;
    uint32_t total = entry->len + (streamed != NULL ? streamed->source->len : 0);
    uint8_t first = 0;
    if (TH_RULE(packet_too_large_sent, total > mqtt->limits.maximum_packet_size))
        return 0x95;
    outbox->ops->read(outbox->ctx, entry->id, 0, &first, 1);
    return unwanted(mqtt, first);
}

static bool has_wildcard(struct th_span filter)
{
    return memchr(filter.at, '+', filter.len) != NULL || memchr(filter.at, '#', filter.len) != NULL;
}

static enum th_error check_filters(const struct th_mqtt *mqtt, const struct th_body *body)
{
    const struct th_request *request = (const struct th_request *)(const void *)body;
    for (uint16_t i = 0; i < request->count; i++) {
        struct th_span name = request->filters[i].filter;
        bool shared = th_mqtt_filter_shared(name);
        if (!th_mqtt_share_valid(name))
            return TH_ERR_INVALID;
        if (body->first == TH_UNSUBSCRIBE)
            continue;
        if (TH_RULE(no_local_shared, shared && request->filters[i].no_local))
            return TH_ERR_INVALID;
        if (TH_RULE(shared_unavailable_sent, shared && !mqtt->limits.shared_available) ||
            TH_RULE(wildcard_unavailable_sent,
                    !mqtt->limits.wildcard_available && has_wildcard(name)))
            return TH_ERR_NOT_ALLOWED;
    }
    bool with_id =
        th_property_given(body->properties, body->property_count, TH_MQTT_SUBSCRIPTION_ID) != NULL;
    if (TH_RULE(subscription_id_unavailable_sent,
                with_id && !mqtt->limits.subscription_id_available))
        return TH_ERR_NOT_ALLOWED;
    return TH_OK;
}

/* A method is of no use without what takes its steps. */
static enum th_error check(const struct th_mqtt *mqtt, const struct th_body *body)
{
    unsigned place = body->first >> 4;
    if ((place == TH_PLACE_CONNECT && mqtt->config->auth == NULL &&
         th_property_method(mqtt->config) != NULL) ||
        !th_property_allowed((enum th_place)place, body->properties, body->property_count))
        return TH_ERR_INVALID;
    if (place == TH_PLACE_SUBSCRIBE || place == TH_PLACE_UNSUBSCRIBE)
        return check_filters(mqtt, body);
    bool unasked = place == TH_PLACE_PUBLISH && mqtt->state == TH_MQTT_CONNECTED;
    return unasked && unwanted(mqtt, body->first) != 0 ? TH_ERR_NOT_ALLOWED : TH_OK;
}

/* ---- incoming packets ---- */

static unsigned on_message(struct th_mqtt *mqtt, struct th_reader *reader,
                           struct th_mqtt_message *message)
{
    const struct th_mqtt_config *config = mqtt->config;
    unsigned step = read_properties(mqtt, reader, TH_PLACE_PUBLISH_IN, &message->properties);
    if (step != TH_STEP_ON)
        return step;
    if (TH_RULE(receive_maximum_received,
                message->qos > TH_MQTT_QOS0 && mqtt->inbound >= mqtt->inbound_maximum))
        return TH_BROKEN(TH_ERR_MQTT_RECEIVE_MAXIMUM);
    mqtt->inbound += message->qos > TH_MQTT_QOS0;
    uint32_t alias = th_mqtt_property_number(message->properties, TH_MQTT_TOPIC_ALIAS, 0);
    if (alias == 0)
        return TH_RULE(publish_without_topic, message->topic.len == 0) ? TH_PROTOCOL_ERROR
                                                                       : TH_STEP_ON;
    uint32_t maximum = config->alias_rx_maximum - TH_VALUE(alias_accept_all, 0u, 1u);
    if (TH_RULE(alias_not_announced, TH_RULE(alias_too_large_received, alias > maximum)))
        return TH_BROKEN(TH_ERR_MQTT_TOPIC_ALIAS);
    return config->aliasing->resolve(config, alias, message);
}

/* The reason code and properties that acknowledgements, DISCONNECT and AUTH may leave out. */
static unsigned read_reason(const struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                            struct th_mqtt_ack *out)
{
    enum th_place place = (enum th_place)(first >> 4);
    unsigned step = TH_STEP_ON;
    if (first == TH_DISCONNECT)
        place = TH_PLACE_DISCONNECT_IN;
    if (th_read_left(reader) > 0)
        out->reason_code = th_read_u8(reader);
    if (TH_VALUE(ack_short_form, TH_VALUE(disconnect_short_form, th_read_left(reader) > 0, true),
                 true))
        step = read_properties(mqtt, reader, place, &out->properties);
    if (step != TH_STEP_ON)
        return step;
    bool spared =
        TH_WRONG(puback_code, first == TH_PUBACK) || TH_WRONG(pubrec_code, first == TH_PUBREC) ||
        TH_WRONG(pubrel_code, first == TH_PUBREL) || TH_WRONG(pubcomp_code, first == TH_PUBCOMP) ||
        TH_WRONG(disconnect_code, first == TH_DISCONNECT) || TH_WRONG(auth_code, first == TH_AUTH);
    return code_valid(first, out->reason_code) || spared ? TH_STEP_ON : TH_PROTOCOL_ERROR;
}

/* Properties, and the codes that follow. */
static unsigned on_codes(const struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                         struct th_mqtt_ack *out)
{
    unsigned step = read_properties(mqtt, reader, (enum th_place)(first >> 4), &out->properties);
    if (step != TH_STEP_ON || TH_WRONG(suback_code_reserved, first == TH_SUBACK) ||
        TH_WRONG(unsuback_code_reserved, first == TH_UNSUBACK))
        return step;
    for (const uint8_t *at = reader->at; at != reader->end; at++) {
        if (!code_valid(first, *at))
            return TH_PROTOCOL_ERROR;
    }
    return TH_STEP_ON;
}

/* The end with the broker's own words. */
static unsigned refused(enum th_error error, uint8_t code, struct th_span properties,
                        struct th_failure *out)
{
    struct th_mqtt_property said;
    th_mqtt_failed(out, error, code);
    if (th_mqtt_property_find(properties, TH_MQTT_REASON_STRING, &said) ||
        th_mqtt_property_find(properties, TH_MQTT_SERVER_REFERENCE, &said))
        th_failure_name(out, said.text);
    return TH_STEP_FAILED;
}

/* By property: where its number goes. */
#define LIMIT(field) offsetof(struct th_mqtt_limits, field)
static const uint8_t limits[][2] = {
    {TH_MQTT_SESSION_EXPIRY, LIMIT(session_expiry_s)},
    {TH_MQTT_SERVER_KEEP_ALIVE, LIMIT(keep_alive_s)},
    {TH_MQTT_RECEIVE_MAXIMUM, LIMIT(receive_maximum)},
    {TH_MQTT_TOPIC_ALIAS_MAXIMUM, LIMIT(topic_alias_maximum)},
    {TH_MQTT_MAXIMUM_QOS, LIMIT(maximum_qos)},
    {TH_MQTT_RETAIN_AVAILABLE, LIMIT(retain_available)},
    {TH_MQTT_MAXIMUM_PACKET_SIZE, LIMIT(maximum_packet_size)},
    {TH_MQTT_WILDCARD_AVAILABLE, LIMIT(wildcard_available)},
    {TH_MQTT_SUBSCRIPTION_ID_AVAILABLE, LIMIT(subscription_id_available)},
    {TH_MQTT_SHARED_AVAILABLE, LIMIT(shared_available)},
};

static void take_limits(struct th_mqtt *mqtt, struct th_span properties)
{
    const struct th_mqtt_limits ours = mqtt->limits;
    struct th_mqtt_property property;
    size_t at = 0;
    while (th_mqtt_property_next(properties, &at, &property)) {
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            if (limits[i][0] == property.id)
                th_property_store(&property, (uint8_t *)&mqtt->limits + limits[i][1]);
        }
    }
    if (TH_WRONG(send_quota_start, mqtt->limits.receive_maximum < ours.receive_maximum))
        mqtt->limits.receive_maximum++;
    if (mqtt->limits.receive_maximum > ours.receive_maximum)
        mqtt->limits.receive_maximum = ours.receive_maximum;
    if (mqtt->limits.maximum_packet_size > ours.maximum_packet_size)
        mqtt->limits.maximum_packet_size = ours.maximum_packet_size;
    if (TH_WRONG(server_keepalive, true))
        mqtt->limits.keep_alive_s = ours.keep_alive_s;
}

/* The method is the one we named, or there is none. */
static bool method_right(const struct th_mqtt *mqtt, struct th_span properties)
{
    struct th_mqtt_property method;
    if (mqtt->config->auth != NULL)
        return mqtt->config->auth->method_same(mqtt, properties);
    return !th_mqtt_property_find(properties, TH_MQTT_AUTH_METHOD, &method);
}

static unsigned on_connack(struct th_mqtt *mqtt, struct th_reader *reader,
                           struct th_mqtt_event *event)
{
    const struct th_mqtt_config *config = mqtt->config;
    uint8_t code = (uint8_t)mqtt->rx_id;
    struct th_mqtt_property property;
    struct th_span properties;
    unsigned step = read_properties(mqtt, reader, TH_PLACE_CONNACK, &properties);
    if (step != TH_STEP_ON)
        return step;
    if (TH_RULE(connack_code_reserved, !code_valid(TH_CONNACK, code)) ||
        (code == 0 && !method_right(mqtt, properties)) ||
        TH_RULE(response_info_unasked,
                !asked_for(mqtt, TH_MQTT_REQUEST_RESPONSE, 0) &&
                    th_mqtt_property_find(properties, TH_MQTT_RESPONSE_INFORMATION, &property)))
        return TH_PROTOCOL_ERROR;
    if (TH_RULE(connack_refusal_closes, code != 0))
        return refused(TH_ERR_CONNACK_REFUSED, code, properties, &event->u.failure);
    event->u.connack.properties = properties;
    take_limits(mqtt, properties);
    if (th_mqtt_property_find(properties, TH_MQTT_ASSIGNED_CLIENT_ID, &property))
        event->u.connack.client_id = TH_VALUE(assigned_client_id, property.text, TH_SPAN(""));
    bool assigned = event->u.connack.client_id.len > 0;
    if (TH_RULE(assigned_client_id_missing, config->client_id.len == 0 && !assigned))
        return TH_PROTOCOL_ERROR;
    /* They end with their connection [MQTT-3.3.2-7]. */
    if (config->alias_rx_maximum > 0 && TH_VALUE(alias_per_connection, true, false))
        memset(config->alias_rx, 0, 2 * (size_t)config->alias_rx_maximum);
    return TH_STEP_ON;
}

static unsigned on_disconnect(const struct th_mqtt_ack *said, struct th_mqtt_event *event)
{
    unsigned step = refused(TH_ERR_MQTT_SERVER_DISCONNECT, said->reason_code, said->properties,
                            &event->u.failure);
    return TH_VALUE(disconnect_received_closes, TH_VALUE(reauth_failure_closes, step, TH_STEP_ON),
                    TH_STEP_ON);
}

static unsigned on_packet(struct th_mqtt *mqtt, uint8_t first, struct th_reader *reader,
                          struct th_mqtt_event *event)
{
    switch (first & 0xF0) {
    case TH_CONNACK: return on_connack(mqtt, reader, event);
    case TH_PUBLISH: return on_message(mqtt, reader, &event->u.message);
    case TH_SUBACK:
    case TH_UNSUBACK: return on_codes(mqtt, first, reader, &event->u.ack);
    case TH_PINGRESP: return TH_STEP_ON;
    default: break;
    }
    /* Its own struct: DISCONNECT becomes a failure, which lies in the same place. */
    struct th_mqtt_ack said = {.id = 0};
    unsigned step = read_reason(mqtt, first, reader, &said);
    if (step != TH_STEP_ON)
        return step;
    if (first == TH_DISCONNECT)
        return on_disconnect(&said, event);
    event->u.ack = said;
    if (first != TH_AUTH)
        return TH_STEP_ON;
    return mqtt->config->auth != NULL ? mqtt->config->auth->receive(mqtt, event)
                                      : TH_PROTOCOL_ERROR;
}

static void farewell(struct th_mqtt *mqtt, struct th_failure *failure)
{
    uint8_t reason = reason_for(failure->error);
    if (reason == 0)
        return;
    failure->reason_code = reason;
    if (mqtt->state == TH_MQTT_CLOSING || mqtt->todo.part || mqtt->todo.connect ||
        th_mqtt_room(mqtt) < 3)
        return;
    *mqtt->tx_at++ = TH_DISCONNECT;
    *mqtt->tx_at++ = 1;
    *mqtt->tx_at++ = TH_VALUE(violation_reason, reason, 0x80);
}

const struct th_mqtt_version th_mqtt_v5 = {
    .level = 5,
    .packets = 1u << (TH_CONNACK >> 4) | 1u << (TH_PUBLISH >> 4) | 1u << (TH_PUBACK >> 4) |
               1u << (TH_PUBREC >> 4) | 1u << (TH_PUBREL >> 4) | 1u << (TH_PUBCOMP >> 4) |
               1u << (TH_SUBACK >> 4) | 1u << (TH_UNSUBACK >> 4) | 1u << (TH_PINGRESP >> 4) |
               1u << (TH_DISCONNECT >> 4) | 1u << (TH_AUTH >> 4),
    .inflight_maximum = UINT16_MAX,
    .begin = begin,
    .check = check,
    .write = write_properties,
    .packet = on_packet,
    .refuses = refuses,
    .farewell = farewell,
};
