/* SPDX-License-Identifier: MIT */
/* SUBSCRIBE and UNSUBSCRIBE (3.1.1 and 5.0 §3.8, §3.10). */
#include <thimble/topic.h>

#include "mqtt/core.h"

static unsigned options(const struct th_mqtt_filter *filter)
{
    return (unsigned)filter->qos | (filter->no_local ? 4u : 0) |
           (filter->retain_as_published ? 8u : 0) | (unsigned)filter->retain_handling << 4;
}

/* Which of the two it is, is an argument all the way down: where only one is linked, so is only
 * what that one needs. */
static void write_filters(struct th_writer *writer, const struct th_mqtt *mqtt,
                          const struct th_body *body, bool subscribe)
{
    const struct th_request *request = (const struct th_request *)(const void *)body;
    const struct th_mqtt_filter *filter = request->filters;
    th_write_u16(writer, body->id);
    th_mqtt_write_properties(writer, mqtt, body);
    for (uint16_t left = request->count; left > 0; left--, filter++) {
        th_write_text(writer, filter->filter);
        if (subscribe)
            th_write_u8(writer, (uint8_t)TH_VALUE(subscribe_options_reserved, options(filter),
                                                  options(filter) | 0xC0));
    }
}

static void write_subscribe(struct th_writer *writer, const struct th_mqtt *mqtt,
                            const struct th_body *body)
{
    write_filters(writer, mqtt, body, true);
}

static void write_unsubscribe(struct th_writer *writer, const struct th_mqtt *mqtt,
                              const struct th_body *body)
{
    write_filters(writer, mqtt, body, false);
}

/* 3.1.1 knows no option but QoS. At QoS 2 we must be able to remember identifiers. */
static enum th_error check_options(const struct th_mqtt *mqtt, const struct th_mqtt_filter *filter)
{
    unsigned most = th_mqtt_is_5(mqtt) ? 0x2E : TH_MQTT_QOS2;
    if (TH_RULE(subscribe_options_value, filter->qos > TH_MQTT_QOS2 || options(filter) > most))
        return TH_ERR_INVALID;
    return filter->qos == TH_MQTT_QOS2 && mqtt->config->outbox.ops == NULL ? TH_ERR_NO_OUTBOX
                                                                           : TH_OK;
}

static enum th_error check_filters(const struct th_mqtt *mqtt, const struct th_request *request,
                                   bool subscribe)
{
    const struct th_mqtt_filter *filter = request->filters;
    enum th_error error = TH_OK;
    if (TH_RULE(subscribe_empty, TH_RULE(unsubscribe_empty, request->count == 0)) ||
        request->count > 0x7FFF)
        return TH_ERR_INVALID;
    for (uint16_t left = request->count; left > 0 && error == TH_OK; left--, filter++) {
        if (TH_RULE(subscribe_filter_utf8,
                    TH_RULE(unsubscribe_filter_utf8, !th_mqtt_filter_valid(filter->filter))))
            error = TH_ERR_INVALID;
        else if (subscribe)
            error = check_options(mqtt, filter);
    }
    return error;
}

static enum th_error send(struct th_mqtt *mqtt, struct th_request *request, bool subscribe,
                          uint16_t *id)
{
    size_t slot = 0;
    enum th_error error = check_filters(mqtt, request, subscribe);
    if (error == TH_OK)
        error = th_mqtt_check(mqtt, &request->body);
    if (error != TH_OK)
        return error;
    if (TH_RULE(connect_first, TH_RULE(auth_holds_sending, mqtt->state != TH_MQTT_CONNECTED)))
        return TH_ERR_NOT_CONNECTED;
    if (TH_WRONG(receive_maximum_holds_publish_only,
                 mqtt->inflight >= mqtt->limits.receive_maximum))
        return TH_ERR_AGAIN;
    while (slot < TH_MQTT_REQUESTS_MAX && mqtt->requests[slot].id != 0)
        slot++;
    if (slot < TH_MQTT_REQUESTS_MAX)
        request->body.id = th_mqtt_new_id(mqtt);
    if (request->body.id == 0)
        return TH_ERR_QUOTA;
    error = th_mqtt_send(mqtt, &request->body);
    if (error != TH_OK)
        return error;
    mqtt->requests[slot].id = request->body.id;
    mqtt->requests[slot].count = request->count | (subscribe ? 0 : 0x8000);
    if (id != NULL)
        *id = request->body.id;
    return TH_OK;
}

enum th_error th_mqtt_subscribe(struct th_mqtt *mqtt, const struct th_mqtt_filter *filters,
                                uint16_t count, const struct th_mqtt_property *properties,
                                uint8_t property_count, uint16_t *id)
{
    struct th_request request = {.body = {.write = write_subscribe,
                                          .properties = properties,
                                          .property_count = property_count,
                                          .first = TH_VALUE(subscribe_flags, TH_SUBSCRIBE, 0x80)},
                                 .filters = filters,
                                 .count = count};
    return send(mqtt, &request, true, id);
}

enum th_error th_mqtt_unsubscribe(struct th_mqtt *mqtt, const struct th_mqtt_filter *filters,
                                  uint16_t count, const struct th_mqtt_property *properties,
                                  uint8_t property_count, uint16_t *id)
{
    struct th_request request = {
        .body = {.write = write_unsubscribe,
                 .properties = properties,
                 .property_count = property_count,
                 .first = TH_VALUE(unsubscribe_flags, TH_UNSUBSCRIBE, 0xA0)},
        .filters = filters,
        .count = count};
    return send(mqtt, &request, false, id);
}
