/* SPDX-License-Identifier: MIT */
#include "mqtt/core.h"

/* A call to th_mqtt_next() lets the stream work at most so often; then the caller has its turn. */
#define SERVICES_MAX 16

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

/* What we announce: by default so many that each QoS 2 identifier finds its place. */
static uint16_t receive_maximum(const struct th_mqtt_config *config)
{
    const struct th_outbox *outbox = &config->outbox;
    uint16_t maximum = config->receive_maximum;
    if (maximum == 0 && outbox->ops != NULL)
        maximum = outbox->ops->inbound_room(outbox->ctx);
    return maximum > 0 && config->version->level == 5 ? maximum : UINT16_MAX;
}

enum th_error th_mqtt_connect(struct th_mqtt *mqtt, struct th_stream stream, uint32_t now_ms)
{
    if (TH_RULE(connect_once, mqtt->state != TH_MQTT_IDLE))
        return TH_ERR_BAD_STATE;
    const struct th_mqtt_config *config = mqtt->config;
    uint16_t keep_alive_s = config->keep_alive_s;
    if (keep_alive_s == 0)
        keep_alive_s = TH_MQTT_KEEP_ALIVE_DEFAULT_S;
    *mqtt = (struct th_mqtt){
        .config = config,
        .last_id = mqtt->last_id,
        .ids_free = mqtt->ids_free,
        .session_over = mqtt->session_over,
        .stream = stream,
        .now_ms = now_ms,
        .sent_ms = now_ms,
        .heard_ms = now_ms,
        .since_ms = now_ms,
        .packet_maximum = UINT32_MAX,
        .keep_alive_s = keep_alive_s == TH_MQTT_KEEP_ALIVE_OFF ? 0 : keep_alive_s,
        .inflight = TH_VALUE(send_quota_per_connection, 0, mqtt->inflight),
        .inflight_maximum = config->inflight_maximum,
        .state = TH_MQTT_CONNECTING,
        .todo = TH_TODO_CONNECT,
        .offers =
            2 | TH_OFFER_RETAIN | TH_OFFER_WILDCARD | TH_OFFER_SUBSCRIPTION_ID | TH_OFFER_SHARED,
    };
    if (mqtt->inflight_maximum == 0)
        mqtt->inflight_maximum = th_mqtt_is_5(mqtt)
                                     ? TH_VALUE(receive_maximum_default, UINT16_MAX, 20)
                                     : TH_MQTT_INFLIGHT_311;
    mqtt->inbound_maximum = receive_maximum(config);
    mqtt->inbound_largest = UINT32_MAX;
    if (th_mqtt_is_5(mqtt) && config->maximum_packet_size > 0)
        mqtt->inbound_largest = config->maximum_packet_size;
    mqtt->inbound_whole =
        mqtt->inbound_largest < config->rx_room ? mqtt->inbound_largest : (uint32_t)config->rx_room;
    return TH_OK;
}

void th_mqtt_abandon(struct th_mqtt *mqtt)
{
    mqtt->state = TH_MQTT_IDLE;
    mqtt->todo = 0;
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

static uint32_t answer_timeout(const struct th_mqtt *mqtt)
{
    uint32_t ms = mqtt->config->answer_timeout_ms;
    return ms > 0 ? ms : TH_MQTT_ANSWER_TIMEOUT_MS;
}

/* Silence counts, not the missing PINGRESP alone: behind a large message it may be long on its
 * way. */
static uint32_t answer_due(const struct th_mqtt *mqtt)
{
    uint32_t from = mqtt->since_ms;
    if (mqtt->state == TH_MQTT_CONNECTED && th_time_reached(mqtt->heard_ms, from))
        from = mqtt->heard_ms;
    return from + answer_timeout(mqtt);
}

/* [MQTT-3.1.2-20] asks for the sending side only; asking after silence as well notices a half-open
 * connection that we keep sending into. */
static uint32_t ping_due(const struct th_mqtt *mqtt)
{
    uint32_t from = th_time_reached(mqtt->sent_ms, mqtt->heard_ms) ? mqtt->heard_ms : mqtt->sent_ms;
    return from + mqtt->keep_alive_s * 1000u;
}

static bool can_ping(const struct th_mqtt *mqtt)
{
    return th_mqtt_room(mqtt) >= 2 && (mqtt->todo & TH_TODO_PART) == 0;
}

/* When a connection that takes nothing more is given up. */
static uint32_t stuck_due(const struct th_mqtt *mqtt)
{
    return mqtt->sent_ms + mqtt->keep_alive_s * 1000u + answer_timeout(mqtt);
}

uint32_t th_mqtt_deadline(const struct th_mqtt *mqtt, uint32_t now_ms)
{
    if (mqtt->state == TH_MQTT_IDLE)
        return TH_FOREVER;
    /* Not yet begun, or something to do. A stream without room is neither: it waits for the peer.
     */
    if (mqtt->tx_largest == 0 || mqtt->tx_at != mqtt->tx_base || (mqtt->flags & TH_FLAG_MORE) != 0)
        return 0;
    if (mqtt->state != TH_MQTT_CONNECTED || (mqtt->flags & TH_FLAG_PINGED) != 0)
        return th_time_until(now_ms, answer_due(mqtt));
    if (mqtt->keep_alive_s == 0)
        return TH_FOREVER;
    return th_time_until(now_ms, can_ping(mqtt) ? ping_due(mqtt) : stuck_due(mqtt));
}

static unsigned watch_ping(struct th_mqtt *mqtt)
{
    if ((mqtt->flags & TH_FLAG_PINGED) != 0) {
        bool late = th_time_reached(mqtt->now_ms, answer_due(mqtt));
        return TH_RULE(pingresp_timeout, late) ? TH_BROKEN(TH_ERR_KEEP_ALIVE_TIMEOUT) : TH_STEP_ON;
    }
    if (TH_VALUE(keepalive_zero, mqtt->keep_alive_s == 0, false) ||
        !th_time_reached(mqtt->now_ms, ping_due(mqtt)))
        return TH_STEP_ON;
    if (can_ping(mqtt)) {
        *mqtt->tx_at++ = TH_PINGREQ;
        *mqtt->tx_at++ = 0;
        if (TH_VALUE(keepalive_pingreq, false, true))
            mqtt->tx_at -= 2;
        mqtt->flags |= TH_FLAG_PINGED;
        mqtt->since_ms = mqtt->now_ms;
        return TH_STEP_ON;
    }
    return th_time_reached(mqtt->now_ms, stuck_due(mqtt)) ? TH_BROKEN(TH_ERR_KEEP_ALIVE_WRITE)
                                                          : TH_STEP_ON;
}

static unsigned watch_clock(struct th_mqtt *mqtt)
{
    if (mqtt->state == TH_MQTT_CONNECTED)
        return watch_ping(mqtt);
    bool late = th_time_reached(mqtt->now_ms, answer_due(mqtt));
    if (mqtt->state == TH_MQTT_CLOSING)
        return late ? TH_BROKEN(TH_ERR_KEEP_ALIVE_WRITE) : TH_STEP_ON;
    return TH_RULE(connack_timeout, late) ? TH_BROKEN(TH_ERR_CONNACK_TIMEOUT) : TH_STEP_ON;
}

/* ---- the end ---- */

/* Tells a 5.0 broker why, where a whole packet can still be put. */
static void tell_reason(struct th_mqtt *mqtt, struct th_failure *failure)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    uint8_t reason = version->reason != NULL ? version->reason(failure->error) : 0;
    if (reason == 0)
        return;
    failure->reason_code = reason;
    if (mqtt->state == TH_MQTT_CLOSING || (mqtt->todo & (TH_TODO_PART | TH_TODO_CONNECT)) != 0 ||
        th_mqtt_room(mqtt) < 3)
        return;
    *mqtt->tx_at++ = TH_DISCONNECT;
    *mqtt->tx_at++ = 1;
    *mqtt->tx_at++ = TH_VALUE(violation_reason, reason, 0x80);
}

static void finish(struct th_mqtt *mqtt, bool orderly)
{
    if (!TH_WRONG(disconnect_closes, mqtt->state == TH_MQTT_CLOSING) &&
        !TH_WRONG(violation_closes, mqtt->state != TH_MQTT_CLOSING))
        mqtt->stream.ops->close(mqtt->stream.ctx, orderly);
    th_mqtt_abandon(mqtt);
}

static bool end_broken(struct th_mqtt *mqtt, unsigned step, struct th_mqtt_event *event)
{
    event->kind = TH_MQTT_EVENT_FAILED;
    if (step != TH_STEP_FAILED) {
        th_mqtt_failed(&event->u.failure, (enum th_error)step, TH_NO_REASON_CODE);
        tell_reason(mqtt, &event->u.failure);
        th_mqtt_service(mqtt);
    }
    finish(mqtt, true);
    return true;
}

/* The stream ended or failed, and all it had received has been read. */
static bool end_of_stream(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    bool connecting = mqtt->state == TH_MQTT_CONNECTING;
    bool closing = mqtt->state == TH_MQTT_CLOSING;
    event->kind = TH_MQTT_EVENT_FAILED;
    if (mqtt->stream_state == TH_STREAM_FAILED)
        mqtt->stream.ops->failure(mqtt->stream.ctx, &event->u.failure);
    else if (closing)
        event->kind = TH_MQTT_EVENT_CLOSED;
    else
        th_mqtt_failed(&event->u.failure, connecting ? TH_ERR_CONNACK_CLOSED : TH_ERR_MQTT_CLOSED,
                       TH_NO_REASON_CODE);
    finish(mqtt, closing);
    return true;
}

/* ---- the loop ---- */

static unsigned step(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    unsigned step = TH_STEP_ON;
    if (mqtt->state == TH_MQTT_CLOSING) {
        /* Nothing is answered any more [MQTT-3.14.4-2]. */
        mqtt->rx_at = mqtt->rx_end;
        return TH_STEP_WAIT;
    }
    if (mqtt->todo != 0)
        step = th_mqtt_send_step(mqtt, event);
    return step == TH_STEP_ON ? th_mqtt_receive(mqtt, event) : step;
}

bool th_mqtt_next_any(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    mqtt->flags &= (uint8_t)~TH_FLAG_MORE;
    if (mqtt->state == TH_MQTT_IDLE)
        return false;
    for (unsigned services = 0; services < SERVICES_MAX;) {
        unsigned came = step(mqtt, event);
        if (came == TH_STEP_ON)
            continue;
        if (came == TH_STEP_EVENT)
            return true;
        if (came == TH_STEP_WAIT)
            came = watch_clock(mqtt);
        if (came != TH_STEP_ON)
            return end_broken(mqtt, came, event);
        size_t unread = (size_t)(mqtt->rx_end - mqtt->rx_at), room = th_mqtt_room(mqtt);
        th_mqtt_service(mqtt);
        services++;
        bool all_left = th_mqtt_room(mqtt) == mqtt->tx_largest;
        if (mqtt->state == TH_MQTT_CLOSING && all_left && mqtt->tx_largest > 0) {
            event->kind = TH_MQTT_EVENT_CLOSED;
            finish(mqtt, true);
            return true;
        }
        /* Bytes that lie unread because an answer finds no room are no reason to go on: only the
         * peer can change that. */
        bool heard = (size_t)(mqtt->rx_end - mqtt->rx_at) > unread;
        bool freed = (mqtt->todo & TH_TODO_BLOCKED) != 0 && th_mqtt_room(mqtt) > room;
        bool ended = mqtt->stream_state > TH_STREAM_OPEN;
        bool unread_at_end = ended && mqtt->rx_at != mqtt->rx_end;
        if (heard || unread_at_end || (freed && !ended))
            continue;
        return mqtt->stream_state > TH_STREAM_OPEN && end_of_stream(mqtt, event);
    }
    mqtt->flags |= TH_FLAG_MORE;
    return false;
}

bool th_mqtt_next(struct th_mqtt *mqtt, uint32_t now_ms, struct th_mqtt_event *event)
{
    mqtt->now_ms = now_ms;
    return TH_FAST_PACKETS ? th_mqtt_fast_next(mqtt, event) : th_mqtt_next_any(mqtt, event);
}
