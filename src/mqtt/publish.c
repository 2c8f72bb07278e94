/* SPDX-License-Identifier: MIT */
#include <thimble/topic.h>

#include "mqtt/core.h"

static uint8_t first_byte(const struct th_mqtt_publish *publish)
{
    unsigned first = TH_PUBLISH | (unsigned)publish->qos << 1 | (publish->retain ? 1 : 0);
    first |= TH_VALUE(qos0_publish, 0u, publish->qos == TH_MQTT_QOS0 ? 8u : 0u);
    return (uint8_t)TH_VALUE(dup_only_on_resend, first, first | 8);
}

/* What a source gives only counts here. */
static void write_publish(struct th_writer *writer, const struct th_mqtt *mqtt,
                          const struct th_body *body)
{
    const struct th_publish_out *out = (const struct th_publish_out *)(const void *)body;
    th_write_text(writer, out->topic);
    if ((body->first & 6) != 0 || TH_WRONG(publish_qos0_no_id, true))
        th_write_u16(writer, body->id);
    th_mqtt_write_properties(writer, mqtt, body);
    th_write(writer, out->payload.at, out->payload.len);
    writer->total += out->later;
}

/* Its topic, or the one that its alias stands for. */
static bool topic_valid(const struct th_mqtt_config *config, struct th_publish_out *out)
{
    if (out->publish->alias == 0)
        return !TH_RULE(publish_topic_utf8, !th_topic_name_valid(out->topic));
    return config->aliasing != NULL && config->aliasing->name(config, out);
}

enum th_error th_mqtt_publish_out(const struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                                  struct th_publish_out *out)
{
    const struct th_mqtt_config *config = mqtt->config;
    memset(out, 0, sizeof *out);
    out->body.write = write_publish;
    out->body.properties = publish->properties;
    out->body.property_count = publish->property_count;
    out->body.first = first_byte(publish);
    out->publish = publish;
    out->topic = publish->topic;
    out->payload = publish->payload;
    if (publish->source != NULL) {
        if (config->large == NULL)
            return TH_ERR_INVALID;
        config->large->offer(out);
    }
    /* A length must not overflow where lengths have 32 bits. */
    if (out->payload.len > TH_MQTT_PACKET_MAX)
        return TH_ERR_TOO_LARGE;
    if (publish->qos > TH_MQTT_QOS2 || !topic_valid(config, out))
        return TH_ERR_INVALID;
    return th_mqtt_measure(mqtt, &out->body, &out->total);
}

/* ---- QoS 1 and 2 ---- */

bool th_mqtt_store(const struct th_mqtt *mqtt, const struct th_publish_out *out,
                   enum th_outbox_state state)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    struct th_outbox_entry entry = {.id = out->body.id,
                                    .state = (uint8_t)state,
                                    .qos = (uint8_t)out->publish->qos,
                                    .len = out->total - out->later,
                                    .extra = out->later > 0 ? out->publish : NULL};
    struct th_writer writer = {.sink = outbox->ops->append, .ctx = outbox->ctx};
    if (!outbox->ops->add(outbox->ctx, &entry, TH_SPAN("")))
        return false;
    th_mqtt_write_packet(&writer, mqtt, &out->body);
    return !writer.failed;
}

/* It leaves from the outbox, in its turn: one way for what is new and for what is repeated. */
static enum th_error publish_kept(struct th_mqtt *mqtt, struct th_publish_out *out, uint16_t *id)
{
    if (mqtt->config->outbox.ops == NULL)
        return TH_ERR_NO_OUTBOX;
    out->body.id = th_mqtt_new_id(mqtt);
    if (out->body.id == 0)
        return TH_ERR_OUTBOX_FULL;
    bool left = out->publish->alias != 0 && mqtt->config->aliasing->keep(mqtt, out);
    if (!left && !th_mqtt_store(mqtt, out, TH_OUTBOX_QUEUED))
        return TH_ERR_OUTBOX_FULL;
    if (id != NULL)
        *id = out->body.id;
    if (!left && mqtt->state == TH_MQTT_CONNECTED && !mqtt->todo.pump)
        th_mqtt_pump(mqtt);
    return TH_OK;
}

static TH_APART enum th_error publish_any(struct th_mqtt *mqtt,
                                          const struct th_mqtt_publish *publish, uint16_t *id)
{
    struct th_publish_out out;
    enum th_error error = th_mqtt_publish_out(mqtt, publish, &out);
    if (error != TH_OK)
        return error;
    if (publish->qos > TH_MQTT_QOS0)
        return publish_kept(mqtt, &out, id);
    if (mqtt->state != TH_MQTT_CONNECTED)
        return TH_ERR_NOT_CONNECTED;
    if (publish->source != NULL)
        return mqtt->config->large->begin_sending(mqtt, &out);
    return publish->alias != 0 ? mqtt->config->aliasing->send(mqtt, &out)
                               : th_mqtt_send(mqtt, &out.body);
}

enum th_error th_mqtt_publish(struct th_mqtt *mqtt, const struct th_mqtt_publish *publish,
                              uint16_t *id)
{
    if (TH_FAST_PACKETS && th_mqtt_fast_publish(mqtt, publish, id))
        return TH_OK;
    return publish_any(mqtt, publish, id);
}
