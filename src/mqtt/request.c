/* SPDX-License-Identifier: MIT */
/* SUBSCRIBE and UNSUBSCRIBE (3.1.1 and 5.0 §3.8, §3.10). */
#include <thimble/topic.h>

#include "mqtt/core.h"

struct request {
    struct th_body body;
    const struct th_mqtt_filter *filters;
    uint16_t count;
    bool subscribe;
};

static uint8_t options(const struct th_mqtt_filter *filter)
{
    unsigned options = (unsigned)filter->qos | (filter->no_local ? 4u : 0) |
                       (filter->retain_as_published ? 8u : 0) |
                       (unsigned)filter->retain_handling << 4;
    return (uint8_t)TH_VALUE(subscribe_options_reserved, options, options | 0xC0);
}

static void write_request(struct th_writer *writer, const struct th_mqtt *mqtt,
                          const struct th_body *body)
{
    const struct request *request = (const struct request *)(const void *)body;
    th_write_u16(writer, body->id);
    th_mqtt_write_properties(writer, mqtt, body);
    for (uint16_t i = 0; i < request->count; i++) {
        th_write_text(writer, request->filters[i].filter);
        if (request->subscribe)
            th_write_u8(writer, options(&request->filters[i]));
    }
}

/* 3.1.1 knows no option but QoS. At QoS 2 we must be able to remember identifiers. */
static enum th_error check_options(const struct th_mqtt *mqtt, const struct th_mqtt_filter *filter)
{
    if (TH_RULE(subscribe_options_value,
                filter->qos > TH_MQTT_QOS2 ||
                    filter->retain_handling > TH_MQTT_RETAINED_DO_NOT_SEND) ||
        (options(filter) > TH_MQTT_QOS2 && !th_mqtt_is_5(mqtt)))
        return TH_ERR_INVALID;
    return filter->qos == TH_MQTT_QOS2 && mqtt->config->outbox.ops == NULL ? TH_ERR_NO_OUTBOX
                                                                           : TH_OK;
}

static enum th_error check_request(const struct th_mqtt *mqtt, const struct request *request)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    enum th_error error = TH_OK;
    if (TH_RULE(subscribe_empty, TH_RULE(unsubscribe_empty, request->count == 0)) ||
        request->count > 0x7FFF)
        return TH_ERR_INVALID;
    for (uint16_t i = 0; i < request->count && error == TH_OK; i++) {
        const struct th_mqtt_filter *filter = &request->filters[i];
        if (TH_RULE(subscribe_filter_utf8,
                    TH_RULE(unsubscribe_filter_utf8, !th_topic_filter_valid(filter->filter))))
            return TH_ERR_INVALID;
        if (request->subscribe)
            error = check_options(mqtt, filter);
    }
    if (error == TH_OK && request->subscribe && version->subscribe != NULL)
        error = version->subscribe(mqtt, request->filters, request->count, &request->body);
    return error;
}

static enum th_error send(struct th_mqtt *mqtt, struct request *request, uint16_t *id)
{
    size_t slot = 0;
    if (!th_mqtt_properties_allowed(mqtt,
                                    request->subscribe ? TH_PLACE_SUBSCRIBE : TH_PLACE_UNSUBSCRIBE,
                                    request->body.properties, request->body.property_count))
        return TH_ERR_INVALID;
    enum th_error error = check_request(mqtt, request);
    if (error != TH_OK)
        return error;
    if (TH_RULE(connect_first, TH_RULE(auth_holds_sending, mqtt->state != TH_MQTT_CONNECTED)))
        return TH_ERR_NOT_CONNECTED;
    if (TH_WRONG(receive_maximum_holds_publish_only,
                 mqtt->inflight >= mqtt->limits.receive_maximum))
        return TH_ERR_AGAIN;
    while (slot < TH_MQTT_REQUESTS_MAX && mqtt->requests[slot].id != 0)
        slot++;
    if (slot == TH_MQTT_REQUESTS_MAX)
        return TH_ERR_QUOTA;
    request->body.id = th_mqtt_new_id(mqtt);
    if (request->body.id == 0)
        return TH_ERR_QUOTA;
    error = th_mqtt_send(mqtt, &request->body);
    if (error != TH_OK)
        return error;
    mqtt->requests[slot].id = request->body.id;
    mqtt->requests[slot].count = request->count | (request->subscribe ? 0 : 0x8000);
    if (id != NULL)
        *id = request->body.id;
    return TH_OK;
}

enum th_error th_mqtt_subscribe(struct th_mqtt *mqtt, const struct th_mqtt_filter *filters,
                                uint16_t count, const struct th_mqtt_property *properties,
                                uint8_t property_count, uint16_t *id)
{
    struct request request = {.body = {.write = write_request,
                                       .properties = properties,
                                       .property_count = property_count,
                                       .first = TH_VALUE(subscribe_flags, TH_SUBSCRIBE, 0x80)},
                              .filters = filters,
                              .count = count,
                              .subscribe = true};
    return send(mqtt, &request, id);
}

enum th_error th_mqtt_unsubscribe(struct th_mqtt *mqtt, const struct th_mqtt_filter *filters,
                                  uint16_t count, const struct th_mqtt_property *properties,
                                  uint8_t property_count, uint16_t *id)
{
    struct request request = {.body = {.write = write_request,
                                       .properties = properties,
                                       .property_count = property_count,
                                       .first = TH_VALUE(unsubscribe_flags, TH_UNSUBSCRIBE, 0xA0)},
                              .filters = filters,
                              .count = count};
    return send(mqtt, &request, id);
}
