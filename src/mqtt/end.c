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
    if (TH_RULE(disconnect_code_sent, !allowed) ||
        !th_mqtt_properties_allowed(mqtt, TH_PLACE_DISCONNECT, properties, property_count))
        return TH_ERR_INVALID;
    for (uint8_t i = 0; i < property_count; i++) {
        if (TH_RULE(disconnect_expiry_raised, properties[i].id == TH_MQTT_SESSION_EXPIRY &&
                                                  properties[i].number > 0 &&
                                                  mqtt->config->session_expiry_s == 0))
            return TH_ERR_INVALID;
    }
    /* The application is done with what it was shown last. */
    if ((mqtt->todo & (TH_TODO_OWED | TH_TODO_PART)) == TH_TODO_OWED && !th_mqtt_send_owed(mqtt))
        return TH_ERR_AGAIN;
    enum th_error error = th_mqtt_send(mqtt, &body);
    if (error != TH_OK)
        return error;
    mqtt->todo = 0;
    if (TH_WRONG(session_stored, true))
        mqtt->config->outbox.ops->inbound_clear(mqtt->config->outbox.ctx);
    mqtt->state = TH_VALUE(disconnect_last, TH_MQTT_CLOSING, TH_MQTT_CONNECTED);
    mqtt->since_ms = mqtt->now_ms;
    return TH_OK;
}
