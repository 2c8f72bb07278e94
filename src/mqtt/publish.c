/* SPDX-License-Identifier: MIT */
#include <thimble/topic.h>

#include "mqtt/core.h"

static void properties_of(const struct th_publish_out *out, struct th_properties *properties)
{
    properties->first = NULL;
    properties->at = out->publish->properties;
    properties->count = out->publish->property_count;
    properties->own_count = 0;
    if (out->alias != 0) {
        properties->own[0].id = TH_MQTT_TOPIC_ALIAS;
        properties->own[0].number = out->alias;
        properties->own_count = 1;
    }
}

static uint8_t first_byte(const struct th_mqtt_publish *publish)
{
    unsigned first = TH_PUBLISH | (unsigned)publish->qos << 1 | (publish->retain ? 1 : 0);
    first |= TH_VALUE(qos0_publish, 0u, publish->qos == TH_MQTT_QOS0 ? 8u : 0u);
    return (uint8_t)TH_VALUE(dup_only_on_resend, first, first | 8);
}

/* Behind the remaining length, up to the payload. */
static void write_head(struct th_writer *writer, const struct th_mqtt *mqtt,
                       const struct th_publish_out *out)
{
    struct th_properties properties;
    properties_of(out, &properties);
    th_write_text(writer, out->topic);
    if (out->publish->qos > TH_MQTT_QOS0 || TH_WRONG(publish_qos0_no_id, true))
        th_write_u16(writer, out->id);
    th_mqtt_write_properties(writer, mqtt, &properties);
}

void th_mqtt_write_publish(struct th_writer *writer, const struct th_mqtt *mqtt,
                           const struct th_publish_out *out)
{
    th_write_u8(writer, first_byte(out->publish));
    th_write_varint(writer, out->remaining);
    write_head(writer, mqtt, out);
}

/* Sets out->remaining and out->head; false when the packet is longer than any may be. */
static bool measure(const struct th_mqtt *mqtt, struct th_publish_out *out)
{
    struct th_writer count = {0};
    write_head(&count, mqtt, out);
    out->remaining = count.total + out->payload;
    th_write_varint(&count, out->remaining);
    out->head = count.total + 1;
    return !TH_RULE(remaining_length_max, out->remaining > TH_REMAINING_MAX);
}

enum th_error th_mqtt_publish_out(const struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                                  struct th_publish_out *out)
{
    const struct th_mqtt_config *config = mqtt->config;
    out->publish = publish;
    out->topic = publish->topic;
    out->id = 0;
    out->alias = 0;
    if (publish->qos > TH_MQTT_QOS2)
        return TH_ERR_INVALID;
    if (publish->alias != 0) {
        if (publish->alias > config->alias_count)
            return TH_ERR_INVALID;
        out->topic = config->aliases[publish->alias - 1].topic;
    } else if (TH_RULE(publish_topic_utf8, !th_topic_name_valid(publish->topic))) {
        return TH_ERR_INVALID;
    }
    if (publish->property_count > 0 &&
        !th_mqtt_properties_allowed(mqtt, TH_PLACE_PUBLISH, publish->properties,
                                    publish->property_count))
        return TH_ERR_INVALID;
    size_t len = publish->source != NULL ? publish->source->len : publish->payload.len;
    out->payload = len <= TH_REMAINING_MAX ? (uint32_t)len : TH_REMAINING_MAX + 1;
    return measure(mqtt, out) ? TH_OK : TH_ERR_TOO_LARGE;
}

/* Puts the alias in where the broker allows it, and leaves the topic out where it knows it. */
static void shorten(struct th_mqtt *mqtt, struct th_publish_out *out)
{
    uint8_t alias = out->publish->alias;
    if (alias == 0 ||
        TH_RULE(alias_too_large_sent, TH_RULE(alias_unavailable_sent, alias > mqtt->alias_maximum)))
        return;
    out->alias = alias;
    if ((mqtt->aliases_sent >> (alias - 1) & 1) != 0)
        out->topic.len = 0;
    measure(mqtt, out);
}

/* All of it into room that is there. */
static void put_whole(struct th_mqtt *mqtt, const struct th_publish_out *out)
{
    struct th_writer writer = {.at = mqtt->tx_at, .end = mqtt->tx_end};
    th_mqtt_write_publish(&writer, mqtt, out);
    th_write(&writer, out->publish->payload.at, out->payload);
    mqtt->tx_at = writer.at;
    if (out->alias != 0)
        mqtt->aliases_sent |= (uint32_t)1 << (out->alias - 1);
}

static enum th_error publish_source(struct th_mqtt *mqtt, const struct th_publish_out *out)
{
    if ((mqtt->todo & TH_TODO_PART) != 0)
        return TH_ERR_AGAIN;
    mqtt->out_publish = out->publish;
    mqtt->out_id = 0;
    mqtt->out_at = 0;
    mqtt->out_head = out->head;
    mqtt->out_total = out->head + out->payload;
    mqtt->todo |= TH_TODO_PART;
    return TH_OK;
}

static enum th_error publish_once(struct th_mqtt *mqtt, struct th_publish_out *out)
{
    if (mqtt->state != TH_MQTT_CONNECTED)
        return TH_ERR_NOT_CONNECTED;
    if (out->publish->source != NULL)
        return publish_source(mqtt, out);
    if (out->publish->alias != 0)
        shorten(mqtt, out);
    enum th_error error = th_mqtt_make_room(mqtt, out->head + out->payload);
    if (error == TH_OK)
        put_whole(mqtt, out);
    return error;
}

/* ---- QoS 1 and 2 ---- */

#define PIECE 64 /* of a head, on the stack on its way into the outbox */

/* Into the outbox, piece by piece, with its topic in full. */
static bool store(struct th_mqtt *mqtt, const struct th_publish_out *out,
                  enum th_outbox_state state)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    bool streamed = out->publish->source != NULL;
    const struct th_outbox_entry entry = {.id = out->id,
                                          .state = (uint8_t)state,
                                          .qos = (uint8_t)out->publish->qos,
                                          .len = out->head + (streamed ? 0 : out->payload),
                                          .extra = streamed ? out->publish : NULL};
    uint8_t piece[PIECE];
    for (uint32_t done = 0; done < out->head;) {
        struct th_writer writer = {.at = piece, .end = piece + sizeof piece, .skip = done};
        th_mqtt_write_publish(&writer, mqtt, out);
        struct th_span bytes = {piece, (size_t)(writer.at - piece)};
        if (!(done == 0 ? outbox->ops->add(outbox->ctx, &entry, bytes)
                        : outbox->ops->append(outbox->ctx, bytes)))
            return false;
        done += (uint32_t)bytes.len;
    }
    return streamed || out->payload == 0 || outbox->ops->append(outbox->ctx, out->publish->payload);
}

/* True when this message may leave at once: nothing goes before it, and there is room, with an
 * alias too. */
static bool may_leave(struct th_mqtt *mqtt, const struct th_publish_out *out)
{
    return mqtt->state == TH_MQTT_CONNECTED && (mqtt->todo & TH_TODO_PUMP) == 0 &&
           out->publish->source == NULL &&
           !TH_RULE(receive_maximum_sent, mqtt->inflight >= mqtt->inflight_maximum) &&
           th_mqtt_make_room(mqtt, out->head + out->payload + 3) == TH_OK;
}

static enum th_error publish_kept(struct th_mqtt *mqtt, struct th_publish_out *out, uint16_t *id)
{
    if (mqtt->config->outbox.ops == NULL)
        return TH_ERR_NO_OUTBOX;
    out->id = th_mqtt_new_id(mqtt);
    bool leaves = may_leave(mqtt, out);
    if (out->id == 0 || !store(mqtt, out, leaves ? TH_OUTBOX_PUBLISHED : TH_OUTBOX_QUEUED))
        return TH_ERR_OUTBOX_FULL;
    if (id != NULL)
        *id = out->id;
    if (leaves) {
        shorten(mqtt, out);
        put_whole(mqtt, out);
        mqtt->inflight++;
    } else if (mqtt->state == TH_MQTT_CONNECTED && (mqtt->todo & TH_TODO_PUMP) == 0) {
        th_mqtt_pump(mqtt);
    }
    return TH_OK;
}

static TH_APART enum th_error publish_any(struct th_mqtt *mqtt,
                                          const struct th_mqtt_publish *publish, uint16_t *id)
{
    struct th_publish_out out;
    enum th_error error = th_mqtt_publish_out(mqtt, publish, &out);
    const struct th_mqtt_version *version = mqtt->config->version;
    if (error == TH_OK && version->refuses != NULL && mqtt->state == TH_MQTT_CONNECTED) {
        uint8_t reason =
            version->refuses(mqtt, (unsigned)publish->qos, publish->retain, out.head + out.payload);
        if (reason != 0)
            error = reason == 0x95 ? TH_ERR_TOO_LARGE : TH_ERR_NOT_ALLOWED;
    }
    if (error != TH_OK)
        return error;
    return publish->qos == TH_MQTT_QOS0 ? publish_once(mqtt, &out) : publish_kept(mqtt, &out, id);
}

enum th_error th_mqtt_publish(struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                              uint16_t *id)
{
    if (TH_FAST_PACKETS && th_mqtt_fast_publish(mqtt, publish, id))
        return TH_OK;
    return publish_any(mqtt, publish, id);
}
