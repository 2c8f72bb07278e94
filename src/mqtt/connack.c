/* SPDX-License-Identifier: MIT */
/* CONNACK: whether a connection stands, and which session goes on with it (§3.2). */
#include "mqtt/core.h"

/* The broker's half of the session is gone: what we know of it is worthless. Messages of ours that
 * it has not taken over are sent again as new ones; those are no part of the old session. */
static bool forget_session(struct th_mqtt *mqtt)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    return outbox->ops == NULL || TH_WRONG(session_lost_discards, !mqtt->config->clean_start) ||
           TH_WRONG(clean_discards_state, mqtt->config->clean_start) ||
           outbox->ops->inbound_clear(outbox->ctx);
}

static void connected(struct th_mqtt *mqtt, bool present, struct th_mqtt_event *event)
{
    struct th_mqtt_connack *connack = &event->u.connack;
    uint16_t pending = th_mqtt_pending(mqtt);
    event->kind = TH_MQTT_EVENT_CONNECTED;
    connack->limits = &mqtt->limits;
    connack->resent = pending;
    connack->session_present = present;
    mqtt->state = TH_MQTT_CONNECTED;
    mqtt->awaited = TH_OK;
    mqtt->present = present && !TH_WRONG(session_kept, true);
    if (pending == 0 || TH_WRONG(resend_on_reconnect, true))
        return;
    connack->resent_as_new = !present;
    mqtt->resending = true;
    th_mqtt_pump(mqtt);
}

/* The first byte stands in the upper half of rx_id, the code in the lower. */
unsigned th_mqtt_judge_connack(const struct th_mqtt *mqtt)
{
    const struct th_mqtt_config *config = mqtt->config;
    if (TH_RULE(connack_flags_reserved, mqtt->rx_id >= 0x200))
        return TH_MALFORMED;
    bool present = (mqtt->rx_id & 0x100) != 0;
    bool wrong = TH_RULE(session_present_with_refusal, (uint8_t)mqtt->rx_id != 0) ||
                 TH_RULE(session_present_after_clean, config->clean_start) ||
                 TH_RULE(session_present_unknown, config->client_id.len == 0 || mqtt->session_over);
    return present && wrong ? TH_PROTOCOL_ERROR : TH_STEP_ON;
}

static unsigned refused(uint8_t code, struct th_mqtt_event *event)
{
    if (TH_RULE(connack_code_reserved, code > 5))
        return TH_MALFORMED;
    th_mqtt_failed(&event->u.failure, TH_ERR_CONNACK_REFUSED, code);
    return TH_STEP_FAILED;
}

unsigned th_mqtt_on_connack(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    bool present = (mqtt->rx_id & 0x100) != 0;
    /* 5.0 has judged the code with the rest. */
    if (TH_RULE(connack_refusal_closes, (uint8_t)mqtt->rx_id != 0))
        return refused((uint8_t)mqtt->rx_id, event);
    if (mqtt->todo.connect)
        return TH_PROTOCOL_ERROR;
    mqtt->session_over = TH_VALUE(session_expiry_replaced, mqtt->limits.session_expiry_s,
                                  mqtt->config->session_expiry_s) == 0;
    if (!present && !forget_session(mqtt))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    connected(mqtt, present, event);
    return TH_STEP_EVENT;
}
