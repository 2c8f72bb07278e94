/* SPDX-License-Identifier: MIT */
/* DISCONNECT and AUTH as we send them (5.0 §3.14, §3.15). */
#include "mqtt/core.h"

struct farewell {
    struct th_body body;
    struct th_properties properties;
    uint8_t reason;
};

static void write_farewell(struct th_writer *writer, const struct th_mqtt *mqtt,
                           const struct th_body *body)
{
    const struct farewell *farewell = (const struct farewell *)(const void *)body;
    /* Both may end before the reason 0x00 when no properties follow. */
    if (!th_mqtt_is_5(mqtt) || (farewell->reason == 0 && farewell->properties.count == 0))
        return;
    th_write_u8(writer, farewell->reason);
    th_mqtt_write_properties(writer, mqtt, &farewell->properties);
}

enum th_error th_mqtt_disconnect(struct th_mqtt *mqtt, uint8_t reason_code,
                                 const struct th_mqtt_property *properties, uint8_t property_count)
{
    const struct farewell farewell = {
        .body = {write_farewell, TH_VALUE(disconnect_flags, TH_DISCONNECT, TH_DISCONNECT | 1)},
        .properties = {.at = properties, .count = property_count},
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
    enum th_error error = th_mqtt_send(mqtt, &farewell.body);
    if (error != TH_OK)
        return error;
    mqtt->todo = 0;
    if (TH_WRONG(session_stored, true))
        mqtt->config->outbox.ops->inbound_clear(mqtt->config->outbox.ctx);
    mqtt->state = TH_VALUE(disconnect_last, TH_MQTT_CLOSING, TH_MQTT_CONNECTED);
    mqtt->since_ms = mqtt->now_ms;
    return TH_OK;
}

enum th_error th_mqtt_auth(struct th_mqtt *mqtt, uint8_t reason_code,
                           const struct th_mqtt_property *properties, uint8_t property_count)
{
    struct farewell auth = {.body = {write_farewell, TH_AUTH},
                            .properties = {.at = properties, .count = property_count},
                            .reason = reason_code};
    const struct th_mqtt_version *version = mqtt->config->version;
    bool begins = reason_code == 0x19;
    if (mqtt->state == TH_MQTT_IDLE || mqtt->state == TH_MQTT_CLOSING)
        return TH_ERR_NOT_CONNECTED;
    bool running = mqtt->state == TH_MQTT_CONNECTING || (mqtt->flags & TH_FLAG_REAUTH) != 0;
    if (begins == running)
        return TH_ERR_BAD_STATE;
    if (version->method != NULL)
        auth.properties.first =
            TH_VALUE(reauth, version->method(mqtt->config), begins ? NULL : properties);
    if (TH_RULE(auth_without_method, auth.properties.first == NULL) ||
        TH_RULE(auth_answer_code, !begins && reason_code != 0x18) ||
        !th_mqtt_properties_allowed(mqtt, TH_PLACE_AUTH, properties, property_count))
        return TH_ERR_INVALID;
    enum th_error error = th_mqtt_send(mqtt, &auth.body);
    if (error == TH_OK && begins)
        mqtt->flags |= TH_FLAG_REAUTH;
    return error;
}
