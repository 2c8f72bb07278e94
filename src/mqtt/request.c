/* SPDX-License-Identifier: MIT */
/* SUBSCRIBE and UNSUBSCRIBE (3.1.1 and 5.0 §3.8, §3.10). */
#include <thimble/topic.h>

#include "mqtt/core.h"

struct request {
    struct th_body body;
    const struct th_mqtt_filter *filters; /* SUBSCRIBE */
    const struct th_span *names;          /* UNSUBSCRIBE */
    uint16_t count;
};

static uint8_t options(const struct th_mqtt *mqtt, const struct th_mqtt_filter *filter)
{
    unsigned options = (unsigned)filter->qos;
    if (th_mqtt_is_5(mqtt))
        options |= (filter->no_local ? 4u : 0) | (filter->retain_as_published ? 8u : 0) |
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
        bool subscribe = request->filters != NULL;
        th_write_text(writer, subscribe ? request->filters[i].filter : request->names[i]);
        if (subscribe)
            th_write_u8(writer, options(mqtt, &request->filters[i]));
    }
}

/* At QoS 2 we must be able to remember identifiers. */
static enum th_error check_filter(const struct th_mqtt *mqtt, const struct th_mqtt_filter *filter)
{
    bool options = filter->no_local || filter->retain_as_published || filter->retain_handling != 0;
    if (TH_RULE(subscribe_filter_utf8, !th_topic_filter_valid(filter->filter)) ||
        TH_RULE(subscribe_options_value,
                filter->qos > TH_MQTT_QOS2 ||
                    filter->retain_handling > TH_MQTT_RETAINED_DO_NOT_SEND) ||
        (options && !th_mqtt_is_5(mqtt)))
        return TH_ERR_INVALID;
    return filter->qos == TH_MQTT_QOS2 && mqtt->config->outbox.ops == NULL ? TH_ERR_NO_OUTBOX
                                                                           : TH_OK;
}

static enum th_error check_subscribe(const struct th_mqtt *mqtt, const struct request *request)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    for (uint16_t i = 0; i < request->count; i++) {
        enum th_error error = check_filter(mqtt, &request->filters[i]);
        if (error != TH_OK)
            return error;
    }
    return version->subscribe == NULL
               ? TH_OK
               : version->subscribe(mqtt, request->filters, request->count, &request->body);
}

static enum th_error send(struct th_mqtt *mqtt, struct request *request, uint16_t *id)
{
    size_t slot = 0;
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
    enum th_error error = th_mqtt_send(mqtt, &request->body);
    if (error != TH_OK)
        return error;
    mqtt->requests[slot].id = request->body.id;
    mqtt->requests[slot].count = request->count | (request->names != NULL ? 0x8000 : 0);
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
                              .count = count};
    if (TH_RULE(subscribe_empty, count == 0) || count > 0x7FFF ||
        !th_mqtt_properties_allowed(mqtt, TH_PLACE_SUBSCRIBE, properties, property_count))
        return TH_ERR_INVALID;
    enum th_error error = check_subscribe(mqtt, &request);
    return error == TH_OK ? send(mqtt, &request, id) : error;
}

enum th_error th_mqtt_unsubscribe(struct th_mqtt *mqtt, const struct th_span *filters,
                                  uint16_t count, const struct th_mqtt_property *properties,
                                  uint8_t property_count, uint16_t *id)
{
    struct request request = {.body = {.write = write_request,
                                       .properties = properties,
                                       .property_count = property_count,
                                       .first = TH_VALUE(unsubscribe_flags, TH_UNSUBSCRIBE, 0xA0)},
                              .names = filters,
                              .count = count};
    if (TH_RULE(unsubscribe_empty, count == 0) || count > 0x7FFF ||
        !th_mqtt_properties_allowed(mqtt, TH_PLACE_UNSUBSCRIBE, properties, property_count))
        return TH_ERR_INVALID;
    for (uint16_t i = 0; i < count; i++) {
        if (TH_RULE(unsubscribe_filter_utf8, !th_topic_filter_valid(filters[i])))
            return TH_ERR_INVALID;
    }
    return send(mqtt, &request, id);
}
