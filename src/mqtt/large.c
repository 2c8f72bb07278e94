/* SPDX-License-Identifier: MIT */
/* Messages larger than any buffer, in both directions: configured by name, and linked by it. */
#include "mqtt/core.h"

/* ---- in ---- */

/* How many bytes of a PUBLISH must be there to tell how many come before its payload; when as many
 * are there, that is the answer. */
static uint32_t publish_head(const struct th_mqtt *mqtt, uint8_t first, const uint8_t *body,
                             uint32_t have)
{
    uint32_t need = 2;
    if (have < need)
        return need;
    need += (uint32_t)(body[0] << 8 | body[1]) + ((first & 6) != 0 ? 2 : 0);
    if (!th_mqtt_is_5(mqtt))
        return need;
    uint32_t properties = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        if (have < ++need)
            return need;
        properties |= (uint32_t)(body[need - 1] & 0x7F) << shift;
        if ((body[need - 1] & 0x80) == 0)
            break;
    }
    return need + properties;
}

static unsigned begin_large(struct th_mqtt *mqtt, uint32_t header, uint32_t total,
                            struct th_mqtt_event *event)
{
    const uint8_t *at = mqtt->config->rx;
    for (;;) {
        uint32_t need = header + publish_head(mqtt, at[0], at + header, mqtt->rx_have - header);
        if (need > total)
            return TH_MALFORMED;
        if (need > mqtt->config->rx_room)
            return TH_BROKEN(TH_ERR_MEMORY_PACKET);
        if (need <= mqtt->rx_have)
            break;
        if (!th_mqtt_gather(mqtt, need))
            return TH_STEP_WAIT;
    }
    struct th_reader reader = th_reader_of(th_span_of(at + header, mqtt->rx_have - header));
    struct th_mqtt_message *message = &event->u.message;
    memset(event, 0, sizeof *event);
    unsigned step = th_mqtt_read_publish(mqtt, at[0], &reader, event);
    if (step != TH_STEP_ON)
        return step;
    mqtt->rx_left = total - mqtt->rx_have;
    mqtt->rx_have = 0;
    mqtt->rx_offset = 0;
    mqtt->rx_qos = (uint8_t)message->qos;
    bool repeated = message->qos == TH_MQTT_QOS2 && th_mqtt_inbound_known(mqtt);
    mqtt->rx_mode = repeated ? TH_RX_SKIP : TH_RX_PAYLOAD;
    event->kind = TH_MQTT_EVENT_BEGIN;
    message->payload_len = mqtt->rx_left;
    return repeated ? TH_STEP_ON : TH_STEP_EVENT;
}

static unsigned end_large(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    bool repeated = mqtt->rx_mode == TH_RX_SKIP;
    mqtt->rx_mode = TH_RX_PACKET;
    unsigned step = th_mqtt_accept_whole(mqtt, mqtt->rx_qos);
    event->kind = TH_MQTT_EVENT_END;
    return step == TH_STEP_ON && !repeated ? TH_STEP_EVENT : step;
}

/* The next chunk of a streamed payload: as long as config->rx, but for the last. */
static unsigned receive_payload(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    size_t there = (size_t)(mqtt->rx_end - mqtt->rx_at);
    uint32_t want = mqtt->rx_left;
    if (want == 0)
        return end_large(mqtt, event);
    if (mqtt->rx_mode == TH_RX_SKIP) {
        if (there == 0)
            return TH_STEP_WAIT;
        uint32_t len = there < want ? (uint32_t)there : want;
        mqtt->rx_at += len;
        mqtt->rx_left -= len;
        return TH_STEP_ON;
    }
    if (want > mqtt->config->rx_room)
        want = (uint32_t)mqtt->config->rx_room;
    const uint8_t *at = mqtt->config->rx;
    if (TH_FAST && mqtt->rx_have == 0 && there >= want) {
        at = mqtt->rx_at;
        mqtt->rx_at += want;
    } else if (!th_mqtt_gather(mqtt, want)) {
        return TH_STEP_WAIT;
    }
    event->kind = TH_MQTT_EVENT_CHUNK;
    event->u.chunk = (struct th_mqtt_chunk){{at, want}, mqtt->rx_offset};
    mqtt->rx_have = 0;
    mqtt->rx_offset += want;
    mqtt->rx_left -= want;
    return TH_STEP_EVENT;
}

/* ---- out ---- */

static void offer(struct th_publish_out *out)
{
    uint32_t len = out->publish->source->len;
    out->payload.len = 0;
    out->later = len < TH_MQTT_PACKET_MAX ? len : TH_MQTT_PACKET_MAX;
}

static enum th_error begin_sending(struct th_mqtt *mqtt, const struct th_publish_out *out)
{
    if (mqtt->todo.part)
        return TH_ERR_AGAIN;
    mqtt->out_publish = out->publish;
    mqtt->out_id = 0;
    mqtt->out_at = 0;
    mqtt->out_head = out->total - out->later;
    mqtt->todo.part = true;
    return TH_OK;
}

static unsigned send_source(struct th_mqtt *mqtt, uint32_t total)
{
    const struct th_mqtt_source *source = mqtt->out_publish->source;
    size_t room = th_mqtt_room(mqtt);
    if (room > total - mqtt->out_at)
        room = total - mqtt->out_at;
    size_t done = source->read(source->user, mqtt->out_at - mqtt->out_head, mqtt->tx_at, room);
    if (done > room)
        return TH_BROKEN(TH_ERR_MQTT_SOURCE);
    mqtt->out_at += (uint32_t)done;
    mqtt->tx_at += done;
    return done > 0 ? TH_STEP_ON : TH_STEP_WAIT;
}

static unsigned send_large(struct th_mqtt *mqtt, struct th_mqtt_event *event)
{
    uint32_t total = mqtt->out_head + mqtt->out_publish->source->len;
    while (mqtt->out_at < total) {
        unsigned step = TH_STEP_ON;
        if (th_mqtt_room(mqtt) == 0)
            return TH_STEP_ON;
        if (mqtt->out_at >= mqtt->out_head) {
            step = send_source(mqtt, total);
        } else {
            struct th_publish_out out;
            th_mqtt_publish_out(mqtt, mqtt->out_publish, &out);
            th_mqtt_put(mqtt, &out.body, &mqtt->out_at);
        }
        if (step != TH_STEP_ON)
            return step == TH_STEP_WAIT ? TH_STEP_ON : step;
    }
    mqtt->todo.part = false;
    if (mqtt->out_id != 0)
        return TH_STEP_ON;
    event->kind = TH_MQTT_EVENT_SENT;
    event->u.ack = (struct th_mqtt_ack){.id = 0};
    return TH_STEP_EVENT;
}

const struct th_mqtt_large th_mqtt_large = {
    .begin = begin_large,
    .receive = receive_payload,
    .offer = offer,
    .begin_sending = begin_sending,
    .send = send_large,
};
