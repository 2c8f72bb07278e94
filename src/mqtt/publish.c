/* SPDX-License-Identifier: MIT */
#include <thimble/topic.h>

#include "mqtt/core.h"

static uint8_t first_byte(const struct th_mqtt_publish *publish)
{
    unsigned first = TH_PUBLISH | (unsigned)publish->qos << 1 | (publish->retain ? 1 : 0);
    first |= TH_VALUE(qos0_publish, 0u, publish->qos == TH_MQTT_QOS0 ? 8u : 0u);
    return (uint8_t)TH_VALUE(dup_only_on_resend, first, first | 8);
}

static size_t payload_len(const struct th_mqtt_publish *publish)
{
    size_t len = publish->source != NULL ? publish->source->len : publish->payload.len;
    return len <= TH_REMAINING_MAX ? len : TH_REMAINING_MAX + 1;
}

/* What a source gives only counts here. */
static void write_publish(struct th_writer *writer, const struct th_mqtt *mqtt,
                          const struct th_body *body)
{
    const struct th_publish_out *out = (const struct th_publish_out *)(const void *)body;
    const struct th_mqtt_publish *publish = out->publish;
    size_t len = payload_len(publish);
    th_write_text(writer, out->topic);
    if (publish->qos > TH_MQTT_QOS0 || TH_WRONG(publish_qos0_no_id, true))
        th_write_u16(writer, body->id);
    th_mqtt_write_properties(writer, mqtt, body);
    if (publish->source != NULL)
        writer->total += (uint32_t)len;
    else
        th_write(writer, publish->payload.at, len);
}

enum th_error th_mqtt_publish_out(const struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                                  struct th_publish_out *out)
{
    const struct th_mqtt_config *config = mqtt->config;
    out->body.write = write_publish;
    out->body.properties = publish->properties;
    out->body.more = NULL;
    out->body.property_count = publish->property_count;
    out->body.first = first_byte(publish);
    out->body.alias = 0;
    out->body.id = 0;
    out->publish = publish;
    out->topic = publish->topic;
    if (publish->qos > TH_MQTT_QOS2 || publish->alias > config->alias_count ||
        (publish->source != NULL && config->large == NULL))
        return TH_ERR_INVALID;
    if (publish->alias != 0)
        out->topic = config->aliases[publish->alias - 1].topic;
    else if (TH_RULE(publish_topic_utf8, !th_topic_name_valid(publish->topic)))
        return TH_ERR_INVALID;
    if (!th_mqtt_properties_allowed(mqtt, TH_PLACE_PUBLISH, publish->properties,
                                    publish->property_count))
        return TH_ERR_INVALID;
    out->total = th_mqtt_measure(mqtt, &out->body);
    return out->total > 0 ? TH_OK : TH_ERR_TOO_LARGE;
}

static void shorten(struct th_mqtt *mqtt, struct th_publish_out *out)
{
    if (mqtt->config->aliasing != NULL)
        mqtt->config->aliasing->shorten(mqtt, out);
}

static enum th_error publish_once(struct th_mqtt *mqtt, struct th_publish_out *out)
{
    if (mqtt->state != TH_MQTT_CONNECTED)
        return TH_ERR_NOT_CONNECTED;
    if (out->publish->source != NULL)
        return mqtt->config->large->begin_sending(mqtt, out);
    uint32_t before = mqtt->aliases_sent;
    shorten(mqtt, out);
    enum th_error error = th_mqtt_send(mqtt, &out->body);
    if (error != TH_OK)
        mqtt->aliases_sent = before;
    return error;
}

/* ---- QoS 1 and 2 ---- */

/* Into the outbox, field by field, with its topic in full. */
static bool store(struct th_mqtt *mqtt, const struct th_publish_out *out,
                  enum th_outbox_state state)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    const struct th_mqtt_publish *publish = out->publish;
    struct th_outbox_entry entry = {.id = out->body.id,
                                    .state = (uint8_t)state,
                                    .qos = (uint8_t)publish->qos,
                                    .len = out->total};
    struct th_writer writer = {.sink = outbox->ops->append, .ctx = outbox->ctx};
    if (publish->source != NULL) {
        entry.len -= publish->source->len;
        entry.extra = publish;
    }
    if (!outbox->ops->add(outbox->ctx, &entry, TH_SPAN("")))
        return false;
    th_mqtt_write_packet(&writer, mqtt, &out->body);
    return !writer.failed;
}

/* True when this message may leave at once: nothing goes before it, and there is room, with an
 * alias too. */
static bool may_leave(struct th_mqtt *mqtt, const struct th_publish_out *out)
{
    return mqtt->state == TH_MQTT_CONNECTED && (mqtt->todo & TH_TODO_PUMP) == 0 &&
           out->publish->source == NULL &&
           !TH_RULE(receive_maximum_sent, mqtt->inflight >= mqtt->limits.receive_maximum) &&
           th_mqtt_make_room(mqtt, out->total + 3) == TH_OK;
}

static enum th_error publish_kept(struct th_mqtt *mqtt, struct th_publish_out *out, uint16_t *id)
{
    if (mqtt->config->outbox.ops == NULL)
        return TH_ERR_NO_OUTBOX;
    out->body.id = th_mqtt_new_id(mqtt);
    bool leaves = may_leave(mqtt, out);
    if (out->body.id == 0 || !store(mqtt, out, leaves ? TH_OUTBOX_PUBLISHED : TH_OUTBOX_QUEUED))
        return TH_ERR_OUTBOX_FULL;
    if (id != NULL)
        *id = out->body.id;
    if (leaves) {
        shorten(mqtt, out);
        th_mqtt_put_whole(mqtt, &out->body);
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
        uint8_t reason = version->refuses(mqtt, out.body.first, out.total);
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
