/* SPDX-License-Identifier: MIT */
/*
 * Usual packets on large machines: a PUBLISH without properties, and the acknowledgements that are
 * nothing but an identifier. Each of these functions does all of its work or none of it: whatever
 * is not usual, and every check that fails, is left to the code that handles all cases. So nothing
 * is decided here; docs/mqtt-conformance.md is about that other code, and the same tests run with
 * and without this.
 */
#include <thimble/topic.h>

#include "base/utf8.h"
#include "mqtt/core.h"

/* ---- out ---- */

static inline uint8_t *put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

/* Writes the packet at `at`, where there is room for it. */
static inline void put_publish(uint8_t *at, const struct th_mqtt_publish *publish, size_t remaining,
                               uint16_t id, bool v5)
{
    unsigned first = TH_PUBLISH | (unsigned)publish->qos << 1 | (publish->retain ? 1 : 0);
    *at++ = (uint8_t)first;
    *at++ = (uint8_t)(remaining < 0x80 ? remaining : remaining | 0x80);
    if (remaining >= 0x80)
        *at++ = (uint8_t)(remaining >> 7);
    at = put_u16(at, publish->topic.len);
    memcpy(at, publish->topic.at, publish->topic.len);
    at += publish->topic.len;
    if (publish->qos > TH_MQTT_QOS0)
        at = put_u16(at, id);
    if (v5)
        *at++ = 0;
    if (publish->payload.len > 0)
        memcpy(at, publish->payload.at, publish->payload.len);
}

/* How far behind `from` the next used identifier lies, 1..65536. */
static uint32_t distance(const struct th_mqtt *mqtt, uint16_t from)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    struct th_outbox_entry entry;
    uint32_t cursor = 0;
    uint32_t nearest = 65536;
    uint32_t away;
    for (size_t i = 0; i < TH_MQTT_REQUESTS_MAX; i++) {
        away = (uint16_t)(mqtt->requests[i].id - from);
        if (mqtt->requests[i].id != 0 && away != 0 && away < nearest)
            nearest = away;
    }
    while (outbox->ops != NULL && outbox->ops->next(outbox->ctx, &cursor, &entry)) {
        away = (uint16_t)(entry.id - from);
        if (away != 0 && away < nearest)
            nearest = away;
    }
    return nearest;
}

/* Counts how many unused identifiers follow the last; false when all are taken. */
static bool find_free(struct th_mqtt *mqtt)
{
    if (th_mqtt_pending(mqtt) >= UINT16_MAX - TH_MQTT_REQUESTS_MAX)
        return false;
    for (;;) {
        mqtt->ids_free = (uint16_t)(distance(mqtt, mqtt->last_id) - 1);
        if (mqtt->ids_free > 0)
            return true;
        mqtt->last_id++;
    }
}

uint16_t th_mqtt_fast_new_id(struct th_mqtt *mqtt)
{
    do {
        if (mqtt->ids_free == 0 && !find_free(mqtt))
            return 0;
        mqtt->ids_free--;
        mqtt->last_id++;
    } while (mqtt->last_id == 0);
    return mqtt->last_id;
}

/* Into the outbox as well; false leaves all as it was. */
static inline bool keep(struct th_mqtt *mqtt, const struct th_mqtt_publish *publish, size_t total,
                        uint16_t id)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    const struct th_outbox_entry entry = {.id = id,
                                          .state = TH_OUTBOX_PUBLISHED,
                                          .qos = (uint8_t)publish->qos,
                                          .len = (uint32_t)total};
    if (!outbox->ops->add(outbox->ctx, &entry, th_span_of(mqtt->tx_at, total)))
        return false;
    mqtt->last_id = id;
    mqtt->ids_free--;
    mqtt->inflight++;
    return true;
}

bool th_mqtt_fast_publish(struct th_mqtt *mqtt, const struct th_mqtt_publish *publish, uint16_t *id)
{
    const struct th_mqtt_config *config = mqtt->config;
    unsigned qos = (unsigned)publish->qos;
    size_t topic_len = publish->topic.len, payload_len = publish->payload.len;
    if (mqtt->state != TH_MQTT_CONNECTED || publish->source != NULL || publish->alias != 0 ||
        publish->property_count != 0 || qos > mqtt->limits.maximum_qos || publish->retain ||
        mqtt->todo.part || mqtt->todo.pump || topic_len > 0x1000 || payload_len > 0x2000)
        return false;
    bool v5 = config->version->level == 5;
    size_t remaining = 2 + topic_len + payload_len + (qos > 0 ? 2 : 0) + v5;
    size_t total = remaining + (remaining < 0x80 ? 2 : 3);
    if (total > th_mqtt_room(mqtt) || total > mqtt->limits.maximum_packet_size ||
        !th_utf8_common(publish->topic))
        return false;
    uint16_t fresh = 0;
    if (qos > 0) {
        fresh = (uint16_t)(mqtt->last_id + 1);
        if (config->outbox.ops == NULL || mqtt->ids_free == 0 || fresh == 0 ||
            mqtt->inflight >= mqtt->limits.receive_maximum)
            return false;
    }
    put_publish(mqtt->tx_at, publish, remaining, fresh, v5);
    if (qos > 0) {
        if (!keep(mqtt, publish, total, fresh))
            return false;
        if (id != NULL)
            *id = fresh;
    }
    mqtt->tx_at += total;
    return true;
}

/* ---- in ---- */

/* A PUBLISH at QoS 0 or 1, `body` of it behind its fixed header. */
static inline bool take_publish(struct th_mqtt *mqtt, uint8_t first, struct th_span body,
                                struct th_mqtt_event *event)
{
    struct th_mqtt_message *message = &event->u.message;
    bool kept = (first & 2) != 0;
    /* 30, 31; 32, 33, 3A, 3B: no QoS 2, and DUP only above QoS 0. */
    if ((first & 4) != 0 || (!kept && (first & 8) != 0) || body.len < 2)
        return false;
    size_t topic_len = (size_t)(body.at[0] << 8 | body.at[1]);
    size_t head = 2 + topic_len + (kept ? 2 : 0);
    bool v5 = mqtt->config->version->level == 5;
    struct th_span topic = {body.at + 2, topic_len};
    if (head + v5 > body.len || (v5 && body.at[head] != 0) || !th_utf8_common(topic))
        return false;
    if (kept) {
        uint16_t id = (uint16_t)(body.at[head - 2] << 8 | body.at[head - 1]);
        if (id == 0 || mqtt->inbound >= mqtt->inbound_maximum)
            return false;
        mqtt->inbound++;
        mqtt->todo.owed = TH_PUBACK;
        mqtt->rx_id = id;
        mqtt->owed_reason = 0;
    }
    head += v5;
    event->kind = TH_MQTT_EVENT_MESSAGE;
    message->topic = topic;
    message->payload = (struct th_span){body.at + head, body.len - head};
    message->payload_len = (uint32_t)(body.len - head);
    message->qos = kept ? TH_MQTT_QOS1 : TH_MQTT_QOS0;
    message->retain = (first & 1) != 0;
    message->dup = (first & 8) != 0;
    message->properties = (struct th_span){NULL, 0};
    return true;
}

static inline void put_ack(struct th_mqtt *mqtt, uint8_t first, uint16_t id)
{
    mqtt->tx_at[0] = first;
    mqtt->tx_at[1] = 2;
    put_u16(mqtt->tx_at + 2, id);
    mqtt->tx_at += 4;
}

/* PUBACK, PUBREC or PUBCOMP in its turn. *done: an event was filled in. */
static inline bool take_ack(struct th_mqtt *mqtt, uint8_t first, const uint8_t *body,
                            struct th_mqtt_event *event, bool *done)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    uint16_t id = (uint16_t)(body[0] << 8 | body[1]);
    if (outbox->ops == NULL || id == 0)
        return false;
    const struct th_outbox_entry *entry = outbox->ops->find(outbox->ctx, id);
    if (entry == NULL)
        return false;
    uint8_t state = first == TH_PUBCOMP ? TH_OUTBOX_RELEASED : TH_OUTBOX_PUBLISHED;
    if (entry->qos != (first == TH_PUBACK ? 1 : 2) || entry->state != state || mqtt->inflight == 0)
        return false;
    if (first == TH_PUBREC) {
        if (th_mqtt_room(mqtt) < 4 || !outbox->ops->set_state(outbox->ctx, id, TH_OUTBOX_RELEASED))
            return false;
        put_ack(mqtt, TH_PUBREL, id);
        return true;
    }
    if (!outbox->ops->remove(outbox->ctx, id))
        return false;
    mqtt->inflight--;
    event->kind = TH_MQTT_EVENT_PUBLISHED;
    event->u.ack = (struct th_mqtt_ack){.id = id};
    *done = true;
    return true;
}

/* The acknowledgement owed, before anything else is taken; false when more than that is to do. */
static inline bool settle(struct th_mqtt *mqtt)
{
    if (mqtt->todo.any == 0)
        return true;
    if (mqtt->todo.connect || mqtt->todo.part || mqtt->todo.pump || mqtt->todo.owed != TH_PUBACK ||
        th_mqtt_room(mqtt) < 4)
        return false;
    put_ack(mqtt, TH_PUBACK, mqtt->rx_id);
    mqtt->todo.any = 0;
    mqtt->inbound_acked += mqtt->inbound_acked < mqtt->inbound;
    return true;
}

/* Acknowledgements, up to the first that gives an event. */
static TH_APART bool take_acks(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    for (;;) {
        const uint8_t *at = mqtt->rx_at;
        if (mqtt->rx_end - at < 4 || !settle(mqtt) || at[1] != 2 || mqtt->inbound_whole < 4 ||
            (at[0] != TH_PUBACK && at[0] != TH_PUBREC && at[0] != TH_PUBCOMP))
            return th_mqtt_next_any(mqtt, event);
        bool done = false;
        if (!take_ack(mqtt, at[0], at + 2, event, &done))
            return th_mqtt_next_any(mqtt, event);
        mqtt->rx_at = at + 4;
        if (done)
            return true;
    }
}

bool th_mqtt_fast_next(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    if (mqtt->state != TH_MQTT_CONNECTED || mqtt->rx_mode != TH_RX_PACKET || mqtt->rx_have > 0)
        return th_mqtt_next_any(mqtt, event);
    const uint8_t *at = mqtt->rx_at;
    size_t there = (size_t)(mqtt->rx_end - at);
    if (there < 4)
        return th_mqtt_next_any(mqtt, event);
    if (at[0] >> 4 != TH_PUBLISH >> 4)
        return take_acks(mqtt, event);
    size_t header = 2;
    size_t len = at[1];
    if (len > 0x7F) {
        header = 3;
        len = (len & 0x7F) | (size_t)at[2] << 7;
        if (at[2] == 0 || at[2] > 0x7F)
            return th_mqtt_next_any(mqtt, event);
    }
    if (header + len > there || header + len > mqtt->inbound_whole || !settle(mqtt) ||
        !take_publish(mqtt, at[0], (struct th_span){at + header, len}, event))
        return th_mqtt_next_any(mqtt, event);
    mqtt->rx_at = at + header + len;
    return true;
}
