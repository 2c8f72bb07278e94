/* SPDX-License-Identifier: MIT */
/* All that leaves: whole packets, acknowledgements, packets in parts, the walk through the outbox.
 */
#include "mqtt/core.h"

void th_mqtt_write_properties(struct th_writer *writer, const struct th_mqtt *mqtt,
                              const struct th_body *body)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    if (version->write != NULL)
        version->write(writer, mqtt, body);
}

enum th_error th_mqtt_check(const struct th_mqtt *mqtt, const struct th_body *body)
{
    const struct th_mqtt_version *version = mqtt->config->version;
    if (version->check != NULL)
        return version->check(mqtt, body);
    return body->property_count == 0 ? TH_OK : TH_ERR_INVALID;
}

/* ---- whole packets ---- */

uint32_t th_mqtt_write_packet(struct th_writer *writer, const struct th_mqtt *mqtt,
                              const struct th_body *body)
{
    struct th_writer count = {0};
    body->write(&count, mqtt, body);
    th_write_u8(writer, body->first);
    th_write_varint(writer, count.total);
    body->write(writer, mqtt, body);
    return writer->total;
}

enum th_error th_mqtt_measure(const struct th_mqtt *mqtt, const struct th_body *body, uint32_t *len)
{
    struct th_writer count = {0};
    enum th_error error = th_mqtt_check(mqtt, body);
    if (error != TH_OK)
        return error;
    *len = th_mqtt_write_packet(&count, mqtt, body);
    return TH_RULE(remaining_length_max,
                   TH_RULE(packet_too_large_sent, *len > mqtt->limits.maximum_packet_size))
               ? TH_ERR_TOO_LARGE
               : TH_OK;
}

enum th_error th_mqtt_make_room(struct th_mqtt *mqtt, uint32_t len)
{
    if (mqtt->todo.part)
        return TH_ERR_AGAIN;
    /* The stream may work only while it shows nothing of which an event told: that may be what is
     * being published. Small machines move what they show into config->rx. */
    if (th_mqtt_room(mqtt) < len && (!TH_FAST || mqtt->rx_at == mqtt->rx_base))
        th_mqtt_service(mqtt);
    if (th_mqtt_room(mqtt) >= len)
        return TH_OK;
    return len > mqtt->tx_largest ? TH_ERR_TOO_LARGE : TH_ERR_AGAIN;
}

uint32_t th_mqtt_put(struct th_mqtt *mqtt, const struct th_body *body, uint32_t *from)
{
    struct th_writer writer = {.at = mqtt->tx_at, .end = mqtt->tx_end, .skip = *from};
    uint32_t len = th_mqtt_write_packet(&writer, mqtt, body);
    *from += (uint32_t)(writer.at - mqtt->tx_at);
    mqtt->tx_at = writer.at;
    return len;
}

enum th_error th_mqtt_send(struct th_mqtt *mqtt, const struct th_body *body)
{
    uint32_t len;
    enum th_error error = th_mqtt_measure(mqtt, body, &len);
    if (error == TH_OK)
        error = th_mqtt_make_room(mqtt, len);
    if (error == TH_OK)
        th_mqtt_put_whole(mqtt, body);
    return error;
}

/* CONNECT may be larger than the stream's room: it leaves window by window. */
static unsigned send_connect(struct th_mqtt *mqtt)
{
    struct th_body body;
    th_mqtt_connect_body(mqtt->config, &body);
    if (th_mqtt_put(mqtt, &body, &mqtt->out_at) <= mqtt->out_at)
        mqtt->todo.connect = false;
    return TH_STEP_ON;
}

/* ---- acknowledgements ---- */

static bool send_ack(struct th_mqtt *mqtt, uint8_t first, uint16_t id, uint8_t reason)
{
    uint8_t *at = mqtt->tx_at;
    if (th_mqtt_room(mqtt) < 5)
        return false;
    bool says = reason != 0 && th_mqtt_is_5(mqtt);
    at[0] = TH_VALUE(fixed_flags_sent, TH_VALUE(pubrel_flags, first, first & 0xF0), first | 1);
    at[1] = TH_VALUE(ack_properties, says ? 3 : 2, 10);
    at[2] = (uint8_t)(id >> 8);
    at[3] = (uint8_t)id;
    at[4] = reason;
    mqtt->tx_at = at + 2 + at[1];
    return true;
}

bool th_mqtt_send_owed(struct th_mqtt *mqtt)
{
    uint8_t owed = mqtt->todo.owed;
    if (!send_ack(mqtt, owed, TH_VALUE(ack_same_id, mqtt->rx_id, mqtt->rx_id + 1),
                  mqtt->owed_reason))
        return false;
    mqtt->todo.owed = 0;
    /* PUBACK and PUBCOMP give back the broker's quota, but not before they have left. */
    if ((owed == TH_PUBACK || owed == TH_PUBCOMP) && mqtt->inbound_acked < mqtt->inbound)
        mqtt->inbound_acked++;
    return true;
}

/* ---- a packet in parts ---- */

/* The next bytes of a record, as many as there is room for; a source's go behind it. */
static unsigned send_part(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    uint8_t *at = mqtt->tx_at;
    if (mqtt->out_id != 0 && mqtt->out_at < mqtt->out_head) {
        if (at == mqtt->tx_end)
            return TH_STEP_ON;
        size_t done =
            outbox->ops->read(outbox->ctx, mqtt->out_id, mqtt->out_at, at, th_mqtt_room(mqtt));
        if (done == 0)
            return TH_BROKEN(TH_ERR_MQTT_STORE);
        if (mqtt->out_at == 0 && mqtt->repeat) {
            *at |= 0x08;
            if (TH_WRONG(resend_same_id, true))
                at[5 + at[3]] ^= 0x40;
        }
        mqtt->out_at += (uint32_t)done;
        mqtt->tx_at = at + done;
        if (mqtt->out_at < mqtt->out_head)
            return TH_STEP_ON;
    }
    if (mqtt->out_publish != NULL)
        return mqtt->config->large->send(mqtt, event);
    mqtt->todo.part = false;
    return TH_STEP_ON;
}

/* ---- the walk through the outbox ---- */

void th_mqtt_pump(struct th_mqtt *mqtt)
{
    mqtt->todo.pump = true;
    mqtt->more = true;
    mqtt->cursor = 0;
}

/* A record that is done with without the broker's word. */
static unsigned give_up(struct th_mqtt *mqtt, uint16_t id, uint8_t reason,
                        struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    if (!outbox->ops->remove(outbox->ctx, id))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    event->kind = TH_MQTT_EVENT_PUBLISHED;
    event->u.ack = (struct th_mqtt_ack){.id = id, .reason_code = reason};
    return TH_STEP_EVENT;
}

static unsigned send_record(struct th_mqtt *mqtt, const struct th_outbox_entry *entry,
                            struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    mqtt->out_publish = entry->extra;
    mqtt->out_id = entry->id;
    mqtt->out_at = 0;
    mqtt->out_head = entry->len;
    const struct th_mqtt_version *version = mqtt->config->version;
    uint8_t reason = version->refuses != NULL ? version->refuses(mqtt, entry) : 0;
    if (reason != 0)
        return give_up(mqtt, entry->id, reason, event);
    bool repeat = entry->state == TH_OUTBOX_PUBLISHED && mqtt->present;
    mqtt->repeat = TH_VALUE(dup_on_resend, repeat, false) || TH_WRONG(dup_only_on_resend, true);
    if (entry->state == TH_OUTBOX_QUEUED &&
        !outbox->ops->set_state(outbox->ctx, entry->id, TH_OUTBOX_PUBLISHED))
        return TH_BROKEN(TH_ERR_MQTT_STORE);
    mqtt->inflight++;
    mqtt->todo.part = true;
    return send_part(mqtt, event);
}

/* One record further. Repeating: in the order of first sending, PUBLISH or PUBREL as far as each
 * got [MQTT-4.4.0-1], [MQTT-4.6.0-1]; what was never sent follows. */
static unsigned pump(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    struct th_outbox_entry entry;
    uint32_t before = mqtt->cursor;
    bool resending = mqtt->resending;
    if (!outbox->ops->next(outbox->ctx, &mqtt->cursor, &entry)) {
        mqtt->todo.pump = false;
        mqtt->resending = false;
        return TH_STEP_ON;
    }
    if (!resending && entry.state != TH_OUTBOX_QUEUED)
        return TH_STEP_ON;
    if (TH_WRONG(qos1_sender, resending && entry.qos == 1) ||
        TH_WRONG(qos2_until_pubrec, resending && entry.state == TH_OUTBOX_PUBLISHED) ||
        TH_WRONG(qos2_until_pubcomp, resending && entry.state == TH_OUTBOX_RELEASED) ||
        TH_WRONG(qos2_sent_expiry, resending && th_mqtt_is_5(mqtt)))
        return TH_STEP_ON;
    if (TH_WRONG(resend_order, resending && entry.id > 1) &&
        outbox->ops->find(outbox->ctx, entry.id ^ 1) != NULL)
        entry = *outbox->ops->find(outbox->ctx, entry.id ^ 1);
    if (entry.state != TH_OUTBOX_RELEASED) {
        if (!TH_RULE(receive_maximum_sent, mqtt->inflight >= mqtt->limits.receive_maximum))
            return send_record(mqtt, &entry, event);
        mqtt->cursor = before;
        return TH_STEP_WAIT;
    }
    if (!mqtt->present)
        return give_up(mqtt, entry.id, 0, event);
    if (!send_ack(mqtt, TH_PUBREL, entry.id, 0)) {
        mqtt->cursor = before;
        return TH_STEP_WAIT;
    }
    mqtt->inflight++;
    return TH_STEP_ON;
}

unsigned th_mqtt_send_step(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    if (mqtt->todo.connect)
        return send_connect(mqtt);
    if (mqtt->todo.part) {
        unsigned step = send_part(mqtt, event);
        if (step != TH_STEP_ON)
            return step;
    }
    /* While an acknowledgement is owed nothing more is received: the broker waits with us. Once the
     * stream has ended it is owed no more, so that all that arrived before is still shown; the
     * broker asks again on the next connection. */
    if (mqtt->todo.owed != 0 && (mqtt->todo.part || !th_mqtt_send_owed(mqtt))) {
        if (mqtt->stream_state <= TH_STREAM_OPEN)
            return TH_STEP_WAIT;
        mqtt->todo.owed = 0;
    }
    unsigned step = TH_STEP_ON;
    while (step == TH_STEP_ON && mqtt->todo.pump && !mqtt->todo.part)
        step = pump(mqtt, event);
    return step == TH_STEP_WAIT ? TH_STEP_ON : step;
}

/* ---- packet identifiers ---- */

static bool in_use(const struct th_mqtt *mqtt, uint16_t id)
{
    const struct th_outbox *outbox = &mqtt->config->outbox;
    for (size_t i = 0; i < TH_MQTT_REQUESTS_MAX; i++) {
        if (TH_VALUE(packet_id_zero, true, id != 0) && mqtt->requests[i].id == id)
            return true;
    }
    return outbox->ops != NULL && outbox->ops->find(outbox->ctx, id) != NULL;
}

uint16_t th_mqtt_new_id(struct th_mqtt *mqtt)
{
    if (TH_FAST_PACKETS)
        return th_mqtt_fast_new_id(mqtt);
    if (th_mqtt_pending(mqtt) >= UINT16_MAX - TH_MQTT_REQUESTS_MAX)
        return 0;
    do {
        mqtt->last_id++;
    } while (TH_RULE(packet_id_zero, mqtt->last_id == 0) ||
             TH_RULE(packet_id_in_use, in_use(mqtt, mqtt->last_id)));
    return mqtt->last_id;
}
