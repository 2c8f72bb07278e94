/* SPDX-License-Identifier: MIT */
#include "mqtt/core.h"

void th_mqtt_failed(struct th_failure *out, enum th_error error, uint8_t reason_code)
{
    memset(out, 0, sizeof *out);
    out->error = error;
    out->alert = TH_NO_ALERT;
    out->reason_code = reason_code;
}

void th_mqtt_service(struct th_mqtt *mqtt)
{
    const struct th_stream_ops *ops = mqtt->stream.ops;
    void *ctx = mqtt->stream.ctx;
    size_t unread = (size_t)(mqtt->rx_end - mqtt->rx_at);
    if (mqtt->rx_at != mqtt->rx_base)
        ops->rx_taken(ctx, (size_t)(mqtt->rx_at - mqtt->rx_base));
    if (mqtt->tx_at != mqtt->tx_base) {
        ops->tx_put(ctx, (size_t)(mqtt->tx_at - mqtt->tx_base));
        mqtt->sent_ms = mqtt->now_ms;
        mqtt->inbound -= mqtt->inbound_acked;
        mqtt->inbound_acked = 0;
    }
    mqtt->stream_state = (uint8_t)ops->poll(ctx, mqtt->now_ms);
    size_t room = 0;
    mqtt->tx_base = ops->tx(ctx, &room);
    mqtt->tx_at = mqtt->tx_base;
    mqtt->tx_end = room > 0 ? mqtt->tx_base + room : mqtt->tx_base;
    if (room > mqtt->tx_largest)
        mqtt->tx_largest = (uint32_t)room;
    struct th_span rx = ops->rx(ctx);
    mqtt->rx_base = rx.at;
    mqtt->rx_at = rx.at;
    mqtt->rx_end = rx.len > 0 ? rx.at + rx.len : rx.at;
    if (rx.len > unread)
        mqtt->heard_ms = mqtt->now_ms;
}

/* What does not stay from connection to connection begins with its stream. */
enum th_error th_mqtt_connect(struct th_mqtt *mqtt, struct th_stream stream, uint32_t now_ms)
{
    if (TH_RULE(connect_once, mqtt->state != TH_MQTT_IDLE))
        return TH_ERR_BAD_STATE;
    const struct th_mqtt_config *config = mqtt->config;
    const struct th_mqtt_version *version = config->version;
    struct th_mqtt_limits *limits = &mqtt->limits;
    uint16_t inflight = TH_VALUE(send_quota_per_connection, 0, mqtt->inflight);
    memset(&mqtt->state, 0, sizeof *mqtt - offsetof(struct th_mqtt, state));
    mqtt->inflight = inflight;
    mqtt->stream = stream;
    mqtt->now_ms = mqtt->sent_ms = mqtt->heard_ms = mqtt->since_ms = now_ms;
    mqtt->state = TH_MQTT_CONNECTING;
    mqtt->todo.connect = true;
    mqtt->awaited = TH_ERR_CONNACK_TIMEOUT;
    mqtt->more = true;
    mqtt->inbound_largest = UINT32_MAX;
    mqtt->inbound_maximum = UINT16_MAX;
    *limits =
        (struct th_mqtt_limits){TH_MQTT_PACKET_MAX, UINT32_MAX, 0, 0, 0, 2, true, true, true, true};
    limits->receive_maximum = config->inflight_maximum;
    if (limits->receive_maximum == 0)
        limits->receive_maximum =
            TH_VALUE(receive_maximum_default, version->inflight_maximum, TH_MQTT_INFLIGHT_311);
    if (config->keep_alive_s != TH_MQTT_KEEP_ALIVE_OFF)
        limits->keep_alive_s =
            config->keep_alive_s > 0 ? config->keep_alive_s : TH_MQTT_KEEP_ALIVE_DEFAULT_S;
    if (version->begin != NULL)
        version->begin(mqtt);
    if (TH_FAST_PACKETS)
        mqtt->inbound_whole = mqtt->inbound_largest < config->rx_room ? mqtt->inbound_largest
                                                                      : (uint32_t)config->rx_room;
    return TH_OK;
}

void th_mqtt_abandon(struct th_mqtt *mqtt)
{
    mqtt->state = TH_MQTT_IDLE;
    mqtt->todo.any = 0;
    mqtt->limits.maximum_packet_size = TH_MQTT_PACKET_MAX;
}

enum th_mqtt_state th_mqtt_state(const struct th_mqtt *mqtt)
{
    return (enum th_mqtt_state)mqtt->state;
}

uint16_t th_mqtt_pending(const struct th_mqtt *mqtt)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    return outbox->ops != NULL ? outbox->ops->count(outbox->ctx) : 0;
}

/* ---- time ---- */

#define NEVER 0xFF /* no error has this number */

/* Silence counts, not the missing PINGRESP alone: behind a large message it may be long on its
 * way. Asking after silence as well as after sending nothing [MQTT-3.1.2-20] notices a half-open
 * connection that we keep sending into. Returns what it means when `*due` comes: the end for one of
 * these reasons, or TH_OK: a ping. NEVER when there is nothing to wait for. */
static uint8_t next_due(const struct th_mqtt *mqtt, uint32_t *due)
{
    uint32_t answer_ms = mqtt->config->answer_timeout_ms;
    uint32_t wait_ms = TH_VALUE(keepalive_zero, mqtt->limits.keep_alive_s, 1) * 1000u;
    uint32_t from_ms = mqtt->sent_ms;
    uint8_t late = mqtt->awaited;
    if (answer_ms == 0)
        answer_ms = TH_MQTT_ANSWER_TIMEOUT_MS;
    if (late != TH_OK) {
        wait_ms = answer_ms;
        from_ms = mqtt->since_ms;
        if (late == TH_ERR_KEEP_ALIVE_TIMEOUT && th_time_reached(mqtt->heard_ms, from_ms))
            from_ms = mqtt->heard_ms;
    } else if (wait_ms == 0) {
        late = NEVER;
    } else if (th_mqtt_room(mqtt) < 2 || mqtt->todo.part) {
        /* A connection that takes nothing more is given up. */
        late = TH_ERR_KEEP_ALIVE_WRITE;
        wait_ms += answer_ms;
    } else if (th_time_reached(from_ms, mqtt->heard_ms)) {
        from_ms = mqtt->heard_ms;
    }
    *due = from_ms + wait_ms;
    return late;
}

uint32_t th_mqtt_deadline(const struct th_mqtt *mqtt, uint32_t now_ms)
{
    uint32_t due;
    if (mqtt->state == TH_MQTT_IDLE)
        return TH_FOREVER;
    /* A stream without room is nothing to do: it waits for the peer. */
    if (mqtt->tx_at != mqtt->tx_base || mqtt->more)
        return 0;
    return next_due(mqtt, &due) != NEVER ? th_time_until(now_ms, due) : TH_FOREVER;
}

unsigned th_mqtt_watch_clock(struct th_mqtt *mqtt)
{
    uint32_t due;
    uint8_t late = next_due(mqtt, &due);
    if (late == NEVER || !th_time_reached(mqtt->now_ms, due) ||
        TH_WRONG(connack_timeout, late == TH_ERR_CONNACK_TIMEOUT) ||
        TH_WRONG(pingresp_timeout, late == TH_ERR_KEEP_ALIVE_TIMEOUT))
        return TH_STEP_ON;
    if (late != TH_OK)
        return TH_BROKEN(late);
    *mqtt->tx_at++ = TH_PINGREQ;
    *mqtt->tx_at++ = 0;
    if (TH_VALUE(keepalive_pingreq, false, true))
        mqtt->tx_at -= 2;
    mqtt->awaited = TH_ERR_KEEP_ALIVE_TIMEOUT;
    mqtt->since_ms = mqtt->now_ms;
    return TH_STEP_ON;
}

/* ---- the end ---- */

bool th_mqtt_finish(struct th_mqtt *mqtt, enum th_mqtt_event_kind kind, bool orderly,
                    struct th_mqtt_event *event)
{
    event->kind = kind;
    if (!TH_WRONG(disconnect_closes, mqtt->state == TH_MQTT_CLOSING) &&
        !TH_WRONG(violation_closes, mqtt->state != TH_MQTT_CLOSING))
        mqtt->stream.ops->close(mqtt->stream.ctx, orderly);
    th_mqtt_abandon(mqtt);
    return true;
}

bool th_mqtt_end_broken(struct th_mqtt *mqtt, unsigned step, struct th_mqtt_event *event)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    if (step != TH_STEP_FAILED) {
        th_mqtt_failed(&event->u.failure, (enum th_error)step, TH_NO_REASON_CODE);
        if (version->farewell != NULL)
            version->farewell(mqtt, &event->u.failure);
        th_mqtt_service(mqtt);
    }
    return th_mqtt_finish(mqtt, TH_MQTT_EVENT_FAILED, true, event);
}

/* The stream ended or failed, and all it had received has been read. */
static bool end_of_stream(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    bool connecting = mqtt->state == TH_MQTT_CONNECTING;
    if (mqtt->stream_state == TH_STREAM_FAILED)
        mqtt->stream.ops->failure(mqtt->stream.ctx, &event->u.failure);
    else
        th_mqtt_failed(&event->u.failure, connecting ? TH_ERR_CONNACK_CLOSED : TH_ERR_MQTT_CLOSED,
                       TH_NO_REASON_CODE);
    return th_mqtt_finish(mqtt, TH_MQTT_EVENT_FAILED, false, event);
}

/* ---- the loop ---- */

static unsigned step(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    unsigned step = TH_STEP_ON;
    if (mqtt->todo.any != 0)
        step = th_mqtt_send_step(mqtt, event);
    return step == TH_STEP_ON ? th_mqtt_receive(mqtt, event) : step;
}

bool th_mqtt_next_any(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    mqtt->more = false;
    if (mqtt->state == TH_MQTT_IDLE)
        return false;
    if (mqtt->closing != NULL)
        return mqtt->closing(mqtt, event);
    for (unsigned services = 0; services < TH_SERVICES_MAX;) {
        unsigned came = step(mqtt, event);
        if (came == TH_STEP_ON)
            continue;
        if (came == TH_STEP_EVENT)
            return true;
        if (came == TH_STEP_WAIT)
            came = th_mqtt_watch_clock(mqtt);
        if (came != TH_STEP_ON)
            return th_mqtt_end_broken(mqtt, came, event);
        size_t unread = (size_t)(mqtt->rx_end - mqtt->rx_at), room = th_mqtt_room(mqtt);
        th_mqtt_service(mqtt);
        services++;
        size_t left = (size_t)(mqtt->rx_end - mqtt->rx_at);
        bool ended = mqtt->stream_state > TH_STREAM_OPEN;
        /* Bytes that lie unread because an answer finds no room are no reason to go on: only the
         * peer can change that. */
        bool freed = mqtt->todo.any != 0 && th_mqtt_room(mqtt) > room;
        if (left <= unread && !(ended ? left > 0 : freed))
            return ended && end_of_stream(mqtt, event);
    }
    mqtt->more = true;
    return false;
}

bool th_mqtt_next(struct th_mqtt *mqtt, uint32_t now_ms, struct th_mqtt_event *event)
{
    mqtt->now_ms = now_ms;
    return TH_FAST_PACKETS ? th_mqtt_fast_next(mqtt, event) : th_mqtt_next_any(mqtt, event);
}
