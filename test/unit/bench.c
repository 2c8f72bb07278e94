/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the stream: two arrays ---- */

static enum th_stream_state stream_poll(void *ctx, uint32_t now_ms)
{
    (void)now_ms;
    return ((struct bench *)ctx)->stream_state;
}

static struct th_span stream_rx(void *ctx)
{
    struct bench *bench = ctx;
    return th_span_of(bench->to_client + bench->in_from, bench->in_to - bench->in_from);
}

static void stream_rx_taken(void *ctx, size_t len)
{
    struct bench *bench = ctx;
    assert_true(len <= bench->in_to - bench->in_from);
    bench->in_from += len;
}

static uint8_t *stream_tx(void *ctx, size_t *room)
{
    struct bench *bench = ctx;
    /* One that has ended takes no more. */
    *room = bench->stream_state == TH_STREAM_OPEN ? BENCH_ROOM : 0;
    return *room > 0 ? bench->tx : NULL;
}

static void stream_tx_put(void *ctx, size_t len)
{
    struct bench *bench = ctx;
    assert_false(bench->closed);
    assert_true(len <= BENCH_BYTES - bench->out_to);
    memcpy(bench->to_broker + bench->out_to, bench->tx, len);
    bench->out_to += len;
}

static void stream_close(void *ctx, bool orderly)
{
    struct bench *bench = ctx;
    (void)orderly;
    bench->closed = true;
    bench->stream_state = TH_STREAM_ENDED;
}

static void stream_failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

static const struct th_stream_ops stream_ops = {
    .poll = stream_poll,
    .rx = stream_rx,
    .rx_taken = stream_rx_taken,
    .tx = stream_tx,
    .tx_put = stream_tx_put,
    .close = stream_close,
    .failure = stream_failure,
};

/* ---- setting up ---- */

static void fill(struct bench *bench, bool v5)
{
    memset(bench, 0, sizeof *bench);
    bench->v5 = v5;
    bench->now_ms = UINT32_MAX - 3000; /* so that every test crosses the wrap */
    bench->config.version = v5 ? &th_mqtt_v5 : &th_mqtt_v311;
    bench->config.client_id = TH_SPAN("me");
    bench->config.keep_alive_s = 60;
    bench->config.session_expiry_s = 3600;
    bench->config.rx = bench->rx;
    bench->config.rx_room = sizeof bench->rx;
    bench->config.large = &th_mqtt_large;
    bench->config.fields = &th_mqtt_connect_fields;
    bench->config.aliasing = &th_mqtt_aliasing;
    bench->config.auth = &th_mqtt_auth_steps;
    bench->config.outbox =
        th_outbox_ram_init(&bench->outbox, bench->outbox_at, sizeof bench->outbox_at,
                           bench->inbound, sizeof bench->inbound / sizeof bench->inbound[0]);
}

static int setup(void **state, bool v5, bool byte_by_byte)
{
    struct bench *bench = malloc(sizeof *bench);
    if (bench == NULL)
        return -1;
    fill(bench, v5);
    bench->byte_by_byte = byte_by_byte;
    *state = bench;
    return 0;
}

int bench_setup_311(void **state)
{
    return setup(state, false, false);
}

int bench_setup_5(void **state)
{
    return setup(state, true, false);
}

int bench_setup_311_bytes(void **state)
{
    return setup(state, false, true);
}

int bench_setup_5_bytes(void **state)
{
    return setup(state, true, true);
}

int bench_teardown(void **state)
{
    free(*state);
    return 0;
}

void bench_again(struct bench *bench)
{
    struct th_mqtt_config config = bench->config;
    bool byte_by_byte = bench->byte_by_byte;
    fill(bench, bench->v5);
    bench->byte_by_byte = byte_by_byte;
    config.outbox = bench->config.outbox;
    bench->config = config;
}

void bench_open(struct bench *bench)
{
    struct th_stream stream = {&stream_ops, bench};
    if (!bench->initialised)
        assert_int_equal(th_mqtt_init(&bench->mqtt, &bench->config), TH_OK);
    bench->initialised = true;
    bench->stream_state = TH_STREAM_OPEN;
    bench->closed = false;
    bench->in_from = bench->in_to = bench->out_seen = bench->out_to = 0;
    assert_int_equal(th_mqtt_connect(&bench->mqtt, stream, bench->now_ms), TH_OK);
}

void bench_start(struct bench *bench)
{
    bench_open(bench);
    bench_run(bench);
}

void bench_connect(struct bench *bench, bool session_present, const char *properties)
{
    bench_start(bench);
    assert_int_equal(next_sent(bench).first, 0x10);
    broker_accepts(bench, session_present, properties);
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
}

void bench_cut(struct bench *bench)
{
    bench->stream_state = TH_STREAM_FAILED;
    bench_run(bench);
    th_mqtt_abandon(&bench->mqtt);
    bench->event_seen = bench->event_count = 0;
}

/* ---- events ---- */

static size_t copy(char *into, struct th_span from)
{
    size_t len = from.len < BENCH_TEXT - 1 ? from.len : BENCH_TEXT - 1;
    if (len > 0)
        memcpy(into, from.at, len);
    into[len] = '\0';
    return from.len;
}

static void copy_ack(struct bench_event *out, const struct th_mqtt_ack *ack)
{
    out->id = ack->id;
    out->reason_code = ack->reason_code;
    out->code_count = (uint8_t)ack->codes.len;
    assert_true(ack->codes.len <= sizeof out->codes);
    if (ack->codes.len > 0)
        memcpy(out->codes, ack->codes.at, ack->codes.len);
}

static void copy_event(struct bench_event *out, const struct th_mqtt_event *event)
{
    memset(out, 0, sizeof *out);
    out->kind = event->kind;
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED:
        out->connack = event->u.connack;
        out->topic_len = copy(out->topic, event->u.connack.client_id);
        break;
    case TH_MQTT_EVENT_MESSAGE:
    case TH_MQTT_EVENT_BEGIN:
        out->topic_len = copy(out->topic, event->u.message.topic);
        out->payload_len = copy(out->payload, event->u.message.payload);
        break;
    case TH_MQTT_EVENT_FAILED: out->failure = event->u.failure; break;
    case TH_MQTT_EVENT_CHUNK:
    case TH_MQTT_EVENT_END:
    case TH_MQTT_EVENT_CLOSED: break;
    default: copy_ack(out, &event->u.ack); break;
    }
}

void bench_run(struct bench *bench)
{
    struct th_mqtt_event event;
    while (th_mqtt_next(&bench->mqtt, bench->now_ms, &event)) {
        assert_true(bench->event_count < sizeof bench->events / sizeof bench->events[0]);
        copy_event(&bench->events[bench->event_count++], &event);
    }
}

void bench_wait(struct bench *bench, uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        bench->now_ms += 1000;
        bench_run(bench);
    }
}

const struct bench_event *expect_event(struct bench *bench, enum th_mqtt_event_kind kind)
{
    if (bench->event_seen == bench->event_count)
        fail_msg("no event, expected kind %d", (int)kind);
    const struct bench_event *event = &bench->events[bench->event_seen++];
    if (event->kind == TH_MQTT_EVENT_FAILED && kind != TH_MQTT_EVENT_FAILED)
        fail_msg("failed: %s", th_error_text(event->failure.error));
    assert_int_equal(event->kind, kind);
    return event;
}

const struct bench_event *expect_message(struct bench *bench, const char *topic,
                                         const char *payload)
{
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_MESSAGE);
    assert_string_equal(event->topic, topic);
    assert_string_equal(event->payload, payload);
    return event;
}

void expect_no_event(struct bench *bench)
{
    if (bench->event_seen < bench->event_count)
        fail_msg("unexpected event of kind %d", (int)bench->events[bench->event_seen].kind);
}

/* ---- the broker's side ---- */

static size_t put_hex(uint8_t *into, const char *hex)
{
    size_t len = 0;
    for (const char *at = hex; *at != '\0';) {
        if (*at == ' ') {
            at++;
        } else if (*at == '\'') {
            for (at++; *at != '\''; at++)
                into[len++] = (uint8_t)*at;
            at++;
        } else {
            char digits[3] = {at[0], at[1], '\0'};
            into[len++] = (uint8_t)strtoul(digits, NULL, 16);
            at += 2;
        }
    }
    return len;
}

static void queue_bytes(struct bench *bench, const uint8_t *bytes, size_t len)
{
    assert_true(len <= BENCH_BYTES - bench->in_to);
    memcpy(bench->to_client + bench->in_to, bytes, len);
    bench->in_to += len;
}

void broker_queues(struct bench *bench, const char *hex)
{
    uint8_t bytes[BENCH_BYTES];
    queue_bytes(bench, bytes, put_hex(bytes, hex));
}

static void sends_bytes(struct bench *bench, const uint8_t *bytes, size_t len)
{
    size_t step = bench->byte_by_byte ? 1 : len;
    for (size_t done = 0; done < len; done += step) {
        queue_bytes(bench, bytes + done, step);
        bench_run(bench);
    }
    if (bench->in_from == bench->in_to)
        bench->in_from = bench->in_to = 0;
}

void broker_sends(struct bench *bench, const char *hex)
{
    uint8_t bytes[BENCH_BYTES];
    sends_bytes(bench, bytes, put_hex(bytes, hex));
}

static size_t put_u16(uint8_t *into, uint16_t value)
{
    into[0] = (uint8_t)(value >> 8);
    into[1] = (uint8_t)value;
    return 2;
}

/* `body` behind a fixed header of one length byte: every packet the tests make by parts is short.
 */
static void sends_packet(struct bench *bench, uint8_t first, const uint8_t *body, size_t len)
{
    uint8_t bytes[2 + 127] = {first, (uint8_t)len};
    assert_true(len <= 127);
    memcpy(bytes + 2, body, len);
    sends_bytes(bench, bytes, 2 + len);
}

static void publishes(struct bench *bench, uint8_t flags, uint16_t id, const char *topic,
                      const char *properties, const char *payload)
{
    uint8_t body[256];
    size_t len = put_u16(body, (uint16_t)strlen(topic));
    memcpy(body + len, topic, strlen(topic));
    len += strlen(topic);
    if ((flags & 0x06) != 0)
        len += put_u16(body + len, id);
    if (bench->v5) {
        size_t property_len = put_hex(body + len + 1, properties);
        body[len] = (uint8_t)property_len;
        len += 1 + property_len;
    }
    memcpy(body + len, payload, strlen(payload));
    sends_packet(bench, (uint8_t)(0x30 | flags), body, len + strlen(payload));
}

void broker_publishes(struct bench *bench, uint8_t flags, uint16_t id, const char *topic,
                      const char *payload)
{
    publishes(bench, flags, id, topic, "", payload);
}

void broker_publishes_with(struct bench *bench, uint8_t flags, uint16_t id, const char *topic,
                           const char *properties)
{
    publishes(bench, flags, id, topic, properties, "x");
}

void broker_accepts(struct bench *bench, bool session_present, const char *properties)
{
    uint8_t body[128] = {session_present, 0};
    size_t len = 2;
    if (bench->v5) {
        size_t property_len = put_hex(body + 3, properties);
        body[2] = (uint8_t)property_len;
        len = 3 + property_len;
    }
    sends_packet(bench, 0x20, body, len);
}

void broker_acks(struct bench *bench, uint8_t first, uint16_t id)
{
    uint8_t body[2];
    sends_packet(bench, first, body, put_u16(body, id));
}

/* ---- what the client did ---- */

static uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static struct th_span cut_off(struct th_span *from, size_t len)
{
    assert_true(len <= from->len);
    struct th_span piece = th_span_of(from->at, len);
    *from = th_span_of(from->at + len, from->len - len);
    return piece;
}

static struct th_span cut_off_text(struct th_span *from)
{
    size_t len = get_u16(cut_off(from, 2).at);
    return cut_off(from, len);
}

static size_t cut_off_varint(struct th_span *from)
{
    size_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        uint8_t byte = *cut_off(from, 1).at;
        value |= (size_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    fail_msg("a variable byte integer of more than four bytes was sent");
    return 0;
}

struct bench_packet next_sent(struct bench *bench)
{
    const uint8_t *start = bench->to_broker + bench->out_seen;
    struct th_span left = th_span_of(start, bench->out_to - bench->out_seen);
    if (left.len == 0)
        fail_msg("nothing was sent");
    struct bench_packet packet = {.first = *cut_off(&left, 1).at};
    size_t len = cut_off_varint(&left);
    packet.body = cut_off(&left, len);
    packet.all = th_span_of(start, (size_t)(left.at - start));
    bench->out_seen = bench->out_to - left.len;
    return packet;
}

void expect_sent(struct bench *bench, const char *hex)
{
    uint8_t bytes[BENCH_BYTES];
    size_t len = put_hex(bytes, hex);
    struct bench_packet packet = next_sent(bench);
    assert_int_equal(packet.all.len, len);
    assert_memory_equal(packet.all.at, bytes, len);
}

void expect_ack_sent(struct bench *bench, uint8_t first, uint16_t id)
{
    struct bench_packet packet = next_sent(bench);
    assert_int_equal(packet.first, first);
    assert_true(packet.body.len >= 2);
    assert_int_equal(get_u16(packet.body.at), id);
    if (packet.body.len > 2)
        assert_int_equal(packet.body.at[2], 0);
}

void expect_nothing_sent(struct bench *bench)
{
    if (bench->out_seen < bench->out_to)
        fail_msg("sent, although nothing was due: first byte 0x%02X",
                 bench->to_broker[bench->out_seen]);
}

struct bench_publish next_publish(struct bench *bench)
{
    struct bench_packet packet = next_sent(bench);
    struct bench_publish out = {.first = packet.first};
    assert_int_equal(packet.first & 0xF0, 0x30);
    out.topic = cut_off_text(&packet.body);
    if ((packet.first & 0x06) != 0)
        out.id = get_u16(cut_off(&packet.body, 2).at);
    if (bench->v5)
        out.properties = cut_off(&packet.body, cut_off_varint(&packet.body));
    out.payload = packet.body;
    return out;
}

void expect_publish_sent(struct bench *bench, uint8_t first, uint16_t id, const char *topic)
{
    struct bench_publish sent = next_publish(bench);
    assert_int_equal(sent.first, first);
    assert_int_equal(sent.id, id);
    assert_true(span_is(sent.topic, topic));
}

struct bench_connect next_connect(struct bench *bench)
{
    struct bench_packet packet = next_sent(bench);
    struct th_span *left = &packet.body;
    struct bench_connect out = {0};
    assert_int_equal(packet.first, 0x10);
    out.name = cut_off_text(left);
    out.level = *cut_off(left, 1).at;
    out.flags = *cut_off(left, 1).at;
    out.keep_alive_s = get_u16(cut_off(left, 2).at);
    if (bench->v5)
        out.properties = cut_off(left, cut_off_varint(left));
    out.client_id = cut_off_text(left);
    if ((out.flags & 0x04) != 0) {
        if (bench->v5)
            out.will_properties = cut_off(left, cut_off_varint(left));
        out.will_topic = cut_off_text(left);
        out.will_payload = cut_off_text(left);
    }
    if ((out.flags & 0x80) != 0)
        out.user = cut_off_text(left);
    if ((out.flags & 0x40) != 0)
        out.password = cut_off_text(left);
    assert_int_equal(left->len, 0);
    return out;
}

void expect_violation(struct bench *bench, enum th_error error, uint8_t reason)
{
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_FAILED);
    assert_true(bench->closed);
    assert_int_equal(th_mqtt_state(&bench->mqtt), TH_MQTT_IDLE);
    assert_int_equal(th_error_layer(event->failure.error), TH_LAYER_PROTOCOL);
    if (bench->v5) {
        assert_string_equal(th_error_name(event->failure.error), th_error_name(error));
        struct bench_packet packet = next_sent(bench);
        assert_int_equal(packet.first, 0xE0);
        assert_true(packet.body.len >= 1);
        assert_int_equal(packet.body.at[0], reason);
    }
    expect_nothing_sent(bench);
}

void expect_still_connected(struct bench *bench)
{
    expect_no_event(bench);
    expect_nothing_sent(bench);
    assert_false(bench->closed);
    assert_int_equal(th_mqtt_state(&bench->mqtt), TH_MQTT_CONNECTED);
}

/* ---- shorthand for calls ---- */

enum th_error publish_with(struct bench *bench, enum th_mqtt_qos qos, const char *topic,
                           const struct th_mqtt_property *property, uint16_t *id)
{
    struct th_mqtt_publish request = {
        .topic = th_span_str(topic),
        .payload = TH_SPAN("x"),
        .qos = qos,
        .properties = property,
        .property_count = property != NULL,
    };
    enum th_error error = th_mqtt_publish(&bench->mqtt, &request, id);
    bench_run(bench);
    return error;
}

enum th_error publish(struct bench *bench, enum th_mqtt_qos qos, const char *topic,
                      const char *payload, uint16_t *id)
{
    struct th_mqtt_publish request = {
        .topic = th_span_str(topic), .payload = th_span_str(payload), .qos = qos};
    enum th_error error = th_mqtt_publish(&bench->mqtt, &request, id);
    bench_run(bench);
    return error;
}

enum th_error subscribe(struct bench *bench, enum th_mqtt_qos qos, const char *filter, uint16_t *id)
{
    struct th_mqtt_filter one = {.filter = th_span_str(filter), .qos = qos};
    enum th_error error = th_mqtt_subscribe(&bench->mqtt, &one, 1, NULL, 0, id);
    bench_run(bench);
    return error;
}

enum th_error unsubscribe(struct bench *bench, const char *filter, uint16_t *id)
{
    struct th_mqtt_filter one = {.filter = th_span_str(filter)};
    enum th_error error = th_mqtt_unsubscribe(&bench->mqtt, &one, 1, NULL, 0, id);
    bench_run(bench);
    return error;
}

bool span_is(struct th_span span, const char *text)
{
    return th_span_equal(span, th_span_str(text));
}
