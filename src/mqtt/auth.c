/* SPDX-License-Identifier: MIT */
/* Enhanced authentication (5.0 §3.15, §4.12): configured by name, and linked by it. */
#include "mqtt/property.h"

/* ---- out ---- */

enum th_error th_mqtt_auth(struct th_mqtt *mqtt, uint8_t reason_code,
                           const struct th_mqtt_property *properties, uint8_t property_count)
{
    struct th_body body = {.write = th_mqtt_write_farewell,
                           .properties = properties,
                           .property_count = property_count,
                           .first = TH_AUTH,
                           .reason = reason_code};
    bool begins = reason_code == 0x19;
    if (mqtt->state == TH_MQTT_IDLE || mqtt->state == TH_MQTT_CLOSING)
        return TH_ERR_NOT_CONNECTED;
    bool running = mqtt->state == TH_MQTT_CONNECTING || mqtt->reauth;
    if (begins == running)
        return TH_ERR_BAD_STATE;
    const struct th_mqtt_property *method =
        TH_VALUE(reauth, th_property_method(mqtt->config), begins ? NULL : properties);
    body.more = method;
    if (!th_mqtt_is_5(mqtt) || TH_RULE(auth_without_method, method == NULL) ||
        TH_RULE(auth_answer_code, !begins && reason_code != 0x18) ||
        th_mqtt_check(mqtt, &body) != TH_OK)
        return TH_ERR_INVALID;
    enum th_error error = th_mqtt_send(mqtt, &body);
    if (error == TH_OK && begins)
        mqtt->reauth = true;
    return error;
}

/* ---- in ---- */

/* What the broker says is what CONNECT named: the same method, or none. */
static bool method_same(const struct th_mqtt *mqtt, struct th_span properties)
{
    const struct th_mqtt_property *ours = th_property_method(mqtt->config);
    struct th_mqtt_property theirs;
    bool named = th_mqtt_property_find(properties, TH_MQTT_AUTH_METHOD, &theirs);
    if (ours == NULL)
        return !TH_RULE(auth_unasked, named);
    if (!named)
        return TH_VALUE(auth_method_missing, false, true);
    return !TH_RULE(auth_method_same, !th_span_equal(ours->text, theirs.text));
}

static unsigned receive(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    const struct th_mqtt_ack *ack = &event->u.ack;
    bool connecting = mqtt->state == TH_MQTT_CONNECTING;
    bool asked = connecting || mqtt->reauth;
    if (TH_RULE(auth_unasked, th_property_method(mqtt->config) == NULL) ||
        TH_RULE(reauth_by_server, !asked) ||
        TH_RULE(auth_code, connecting && ack->reason_code == 0) ||
        !method_same(mqtt, ack->properties))
        return TH_PROTOCOL_ERROR;
    if (ack->reason_code == 0)
        mqtt->reauth = false;
    mqtt->since_ms = connecting ? mqtt->now_ms : mqtt->since_ms;
    event->kind = TH_MQTT_EVENT_AUTH;
    return TH_STEP_EVENT;
}

const struct th_mqtt_auth_steps th_mqtt_auth_steps = {.method_same = method_same,
                                                      .receive = receive};
