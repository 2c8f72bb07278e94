/* SPDX-License-Identifier: MIT */
/* AUTH as we send it (5.0 §3.15). */
#include "mqtt/property.h"

enum th_error th_mqtt_auth(struct th_mqtt *mqtt, uint8_t reason_code,
                           const struct th_mqtt_property *properties, uint8_t property_count)
{
    const struct th_body body = {.write = th_mqtt_write_farewell,
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
    if (!th_mqtt_is_5(mqtt) || TH_RULE(auth_without_method, method == NULL) ||
        TH_RULE(auth_answer_code, !begins && reason_code != 0x18) ||
        !th_mqtt_properties_allowed(mqtt, TH_PLACE_AUTH, properties, property_count))
        return TH_ERR_INVALID;
    enum th_error error = th_mqtt_send(mqtt, &body);
    if (error == TH_OK && begins)
        mqtt->reauth = true;
    return error;
}
