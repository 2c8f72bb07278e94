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
    mqtt->state = TH_MQTT_CONNECTED;
    mqtt->since_ms = mqtt->now_ms;
    connack->session_present = present;
    connack->resent = th_mqtt_pending(mqtt);
    connack->resent_as_new = !present && connack->resent > 0;
    connack->limits = &mqtt->limits;
    if (present && !TH_WRONG(session_kept, true))
        mqtt->present = true;
    if (connack->resent > 0 && !TH_WRONG(resend_on_reconnect, true)) {
        mqtt->resending = true;
        th_mqtt_pump(mqtt);
    }
    event->kind = TH_MQTT_EVENT_CONNECTED;
}

static unsigned connack_311(uint8_t code, struct th_mqtt_event *event)
{
    event->u.connack = (struct th_mqtt_connack){.resent = 0};
    if (code == 0)
        return TH_STEP_ON;
    if (TH_RULE(connack_code_reserved, code > 5))
        return TH_MALFORMED;
    th_mqtt_failed(&event->u.failure, TH_ERR_CONNACK_REFUSED, code);
    return TH_STEP_FAILED;
}

unsigned th_mqtt_on_connack(struct th_mqtt *mqtt, struct th_reader *reader,
                            struct th_mqtt_event *event)
{
    const struct th_mqtt_config *config = mqtt->config;
    if (TH_RULE(connack_once, mqtt->state != TH_MQTT_CONNECTING))
        return TH_PROTOCOL_ERROR;
    uint8_t flags = th_read_u8(reader);
    uint8_t code = th_read_u8(reader);
    if (reader->failed || TH_RULE(connack_flags_reserved, (flags & 0xFE) != 0))
        return TH_MALFORMED;
    bool present = (flags & 1) != 0;
    if (TH_RULE(session_present_with_refusal, present && code != 0) ||
        TH_RULE(session_present_after_clean, present && config->clean_start) ||
        TH_RULE(session_present_unknown,
                present && (config->client_id.len == 0 || mqtt->session_over)))
        return TH_PROTOCOL_ERROR;
    unsigned step = config->version->connack != NULL
                        ? config->version->connack(mqtt, code, reader, event)
                        : connack_311(code, event);
    if (step != TH_STEP_ON && step != TH_STEP_FAILED)
        return step;
    if (reader->failed || TH_RULE(packet_length, th_read_left(reader) > 0))
        return TH_MALFORMED;
    if (TH_RULE(connack_refusal_closes, step == TH_STEP_FAILED))
        return step;
    if ((mqtt->todo & TH_TODO_CONNECT) != 0)
        return TH_PROTOCOL_ERROR;
    mqtt->session_over = TH_VALUE(session_expiry_replaced, mqtt->limits.session_expiry_s,
                                  config->session_expiry_s) == 0;
    if (!present && !forget_session(mqtt))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    connected(mqtt, present, event);
    return TH_STEP_EVENT;
}
