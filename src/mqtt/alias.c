/* SPDX-License-Identifier: MIT */
/* Topic aliases (5.0 §3.3.2.3.4), in both directions: configured by name, and linked by it. */
#include <thimble/topic.h>

#include "mqtt/core.h"

/* ---- in ---- */

/* Topics stand in config->alias_rx one behind the other in the order of their aliases, each behind
 * two bytes of length; 0 is an alias not given yet. */
static uint8_t *alias_at(const struct th_mqtt_config *config, uint32_t alias)
{
    uint8_t *at = config->alias_rx;
    while (--alias > 0)
        at += 2 + (at[0] << 8 | at[1]);
    return at;
}

static unsigned store_alias(const struct th_mqtt_config *config, uint32_t alias,
                            struct th_span topic)
{
    uint8_t *at = alias_at(config, alias);
    uint8_t *end = alias_at(config, config->alias_rx_maximum + 1u);
    size_t before = (size_t)(at[0] << 8 | at[1]);
    size_t used = (size_t)(end - config->alias_rx);
    if (used - before + topic.len > config->alias_rx_room)
        return TH_BROKEN(TH_ERR_MEMORY_ALIAS);
    memmove(at + 2 + topic.len, at + 2 + before, (size_t)(end - at) - 2 - before);
    at[0] = (uint8_t)(topic.len >> 8);
    at[1] = (uint8_t)topic.len;
    memcpy(at + 2, topic.at, topic.len);
    return TH_STEP_ON;
}

static unsigned resolve(const struct th_mqtt_config *config, uint32_t alias,
                        struct th_mqtt_message *message)
{
    if (message->topic.len > 0)
        return store_alias(config, alias, message->topic);
    const uint8_t *at = alias_at(config, alias);
    message->topic = (struct th_span){at + 2, (size_t)(at[0] << 8 | at[1])};
    return TH_RULE(alias_unknown, message->topic.len == 0) ? TH_PROTOCOL_ERROR : TH_STEP_ON;
}

/* ---- out ---- */

static bool valid(const struct th_mqtt_config *config)
{
    if (config->alias_count > 32 || (config->alias_count > 0 && config->aliases == NULL))
        return false;
    for (uint8_t i = 0; i < config->alias_count; i++) {
        if (!th_topic_name_valid(config->aliases[i].topic))
            return false;
    }
    return config->alias_rx_room >= 2 * (size_t)config->alias_rx_maximum;
}

static bool name(const struct th_mqtt_config *config, struct th_publish_out *out)
{
    uint8_t alias = out->publish->alias;
    if (alias > config->alias_count)
        return false;
    out->topic = config->aliases[alias - 1].topic;
    return true;
}

/* Leaves the topic out where the broker knows it, as it will when the packet has left. */
static void shorten(struct th_mqtt *mqtt, struct th_publish_out *out)
{
    uint8_t alias = out->publish->alias;
    if (TH_RULE(alias_too_large_sent,
                TH_RULE(alias_unavailable_sent, alias > mqtt->limits.topic_alias_maximum)))
        return;
    uint32_t bit = (uint32_t)1 << (alias - 1);
    out->body.alias = alias;
    if ((mqtt->aliases_sent & bit) != 0)
        out->topic.len = 0;
    mqtt->aliases_sent |= bit;
}

static enum th_error send(struct th_mqtt *mqtt, struct th_publish_out *out)
{
    uint32_t before = mqtt->aliases_sent;
    shorten(mqtt, out);
    enum th_error error = th_mqtt_send(mqtt, &out->body);
    if (error != TH_OK)
        mqtt->aliases_sent = before;
    return error;
}

/* Only where nothing goes before it, and there is room, with an alias too. */
static bool keep(struct th_mqtt *mqtt, struct th_publish_out *out)
{
    if (mqtt->state != TH_MQTT_CONNECTED || mqtt->todo.pump || out->publish->source != NULL ||
        mqtt->inflight >= mqtt->limits.receive_maximum ||
        th_mqtt_make_room(mqtt, out->total + 3) != TH_OK ||
        !th_mqtt_store(mqtt, out, TH_OUTBOX_PUBLISHED))
        return false;
    shorten(mqtt, out);
    th_mqtt_put_whole(mqtt, &out->body);
    mqtt->inflight++;
    return true;
}

const struct th_mqtt_aliasing th_mqtt_aliasing = {
    .valid = valid, .name = name, .send = send, .keep = keep, .resolve = resolve};
