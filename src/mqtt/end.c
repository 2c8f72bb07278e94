/* SPDX-License-Identifier: MIT */
/* DISCONNECT as we send it (5.0 §3.14). */
#include "mqtt/core.h"

void th_mqtt_write_farewell(struct th_writer *writer, const struct th_mqtt *mqtt,
                            const struct th_body *body)
{
    /* Both may end before the reason 0x00 when no properties follow. */
    if (!th_mqtt_is_5(mqtt) || (body->reason == 0 && body->property_count == 0))
        return;
    th_write_u8(writer, body->reason);
    th_mqtt_write_properties(writer, mqtt, body);
}

/* The session's th_mqtt_next() from then on. Nothing is answered any more [MQTT-3.14.4-2]. */
static bool closing(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    for (unsigned services = 0; services < TH_SERVICES_MAX; services++) {
        mqtt->rx_at = mqtt->rx_end;
        unsigned came = th_mqtt_watch_clock(mqtt);
        if (came != TH_STEP_ON)
            return th_mqtt_end_broken(mqtt, came, event);
        th_mqtt_service(mqtt);
        bool all_left = th_mqtt_room(mqtt) == mqtt->tx_largest && mqtt->tx_largest > 0;
        if (all_left || mqtt->stream_state == TH_STREAM_ENDED)
            return th_mqtt_finish(mqtt, TH_MQTT_EVENT_CLOSED, true, event);
        if (mqtt->rx_at != mqtt->rx_end)
            continue;
        if (mqtt->stream_state <= TH_STREAM_OPEN)
            return false;
        mqtt->stream.ops->failure(mqtt->stream.ctx, &event->u.failure);
        return th_mqtt_finish(mqtt, TH_MQTT_EVENT_FAILED, true, event);
    }
    mqtt->more = true;
    return false;
}

enum th_error th_mqtt_disconnect(struct th_mqtt *mqtt, uint8_t reason_code,
                                 const struct th_mqtt_property *properties, uint8_t property_count)
{
    const struct th_body body = {.write = th_mqtt_write_farewell,
                                 .properties = properties,
                                 .property_count = property_count,
                                 .first =
                                     TH_VALUE(disconnect_flags, TH_DISCONNECT, TH_DISCONNECT | 1),
                                 .reason = reason_code};
    if (mqtt->state != TH_MQTT_CONNECTED)
        return TH_ERR_BAD_STATE;
    bool allowed = reason_code == 0 || (th_mqtt_is_5(mqtt) && reason_code == 4);
    if (TH_RULE(disconnect_code_sent, !allowed) || th_mqtt_check(mqtt, &body) != TH_OK)
        return TH_ERR_INVALID;
    for (uint8_t i = 0; i < property_count; i++) {
        if (TH_RULE(disconnect_expiry_raised, properties[i].id == TH_MQTT_SESSION_EXPIRY &&
                                                  properties[i].number > 0 &&
                                                  mqtt->config->session_expiry_s == 0))
            return TH_ERR_INVALID;
    }
    /* What was published before leaves before, as far as the broker takes it. */
    if (mqtt->todo.pump && mqtt->inflight < mqtt->limits.receive_maximum &&
        mqtt->stream_state == TH_STREAM_OPEN)
        return TH_ERR_AGAIN;
    /* The application is done with what it was shown last. */
    if (mqtt->todo.owed != 0 && !mqtt->todo.part && !th_mqtt_send_owed(mqtt))
        return TH_ERR_AGAIN;
    enum th_error error = th_mqtt_send(mqtt, &body);
    if (error != TH_OK)
        return error;
    mqtt->todo.any = 0;
    if (TH_WRONG(session_stored, true))
        mqtt->config->outbox.ops->inbound_clear(mqtt->config->outbox.ctx);
    mqtt->state = TH_VALUE(disconnect_last, TH_MQTT_CLOSING, TH_MQTT_CONNECTED);
    mqtt->closing = TH_VALUE(disconnect_last, closing, NULL);
    mqtt->awaited = TH_VALUE(disconnect_last, TH_ERR_KEEP_ALIVE_WRITE, TH_OK);
    mqtt->since_ms = mqtt->now_ms;
    return TH_OK;
}
