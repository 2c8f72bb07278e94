/* SPDX-License-Identifier: MIT */
/*
 * What one session encodes another reads back as the same: random messages, with properties in 5.0,
 * sent whole, from the outbox, repeated and streamed. PUBLISH is the one packet both sides send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mqtt_harness.h"

#define PROPERTIES_MAX 7

struct peer {
    struct harness_stream stream;
    struct th_mqtt mqtt;
    struct th_mqtt_config config;
    struct th_outbox_ram outbox;
    _Alignas(8) uint8_t outbox_at[4096];
    uint16_t inbound[8];
    uint8_t tx[2048], rx[1024], in[4096], out[4096];
};

struct message {
    struct th_mqtt_publish publish;
    struct th_mqtt_property properties[PROPERTIES_MAX];
    uint8_t topic[60], payload[200], text[8][40];
};

static void begin(struct peer *peer, bool v5, size_t room, struct th_span behind_connack)
{
    *peer = (struct peer){.stream = {.tx_room = room, .out_room = sizeof peer->out}};
    peer->stream.tx = peer->tx;
    peer->stream.out = peer->out;
    peer->config = (struct th_mqtt_config){.version = v5 ? &th_mqtt_v5 : &th_mqtt_v311,
                                           .client_id = TH_SPAN("peer"),
                                           .session_expiry_s = 100,
                                           .rx = peer->rx,
                                           .rx_room = sizeof peer->rx,
                                           .large = &th_mqtt_large};
    peer->config.outbox = th_outbox_ram_init(&peer->outbox, peer->outbox_at, sizeof peer->outbox_at,
                                             peer->inbound, 8);
    size_t len = harness_hex(v5 ? "20 03 00 00 00" : "20 02 00 00", peer->in, sizeof peer->in);
    if (behind_connack.len > 0)
        memcpy(peer->in + len, behind_connack.at, behind_connack.len);
    peer->stream.in = th_span_of(peer->in, len + behind_connack.len);
    assert_int_equal(th_mqtt_init(&peer->mqtt, &peer->config), TH_OK);
    assert_int_equal(th_mqtt_connect(&peer->mqtt, harness_stream(&peer->stream), 0), TH_OK);
}

static bool next(struct peer *peer, struct th_mqtt_event *event)
{
    return th_mqtt_next(&peer->mqtt, 0, event);
}

/* Text of one to four bytes a character, without wildcards. */
static struct th_span random_text(uint64_t *seed, uint8_t *into, size_t room, size_t least)
{
    static const char *const letters[] = {
        "a", "/", "$", "~", "\x01", "\xC3\xA9", "\xE2\x82\xAC", "\xEF\xBB\xBF", "\xF0\x9F\x8C\xB1"};
    size_t want = least + harness_below(seed, (uint32_t)(room - 4 - least));
    size_t len = 0;
    while (len < want) {
        const char *letter = letters[harness_below(seed, 9)];
        memcpy(into + len, letter, strlen(letter));
        len += strlen(letter);
    }
    return th_span_of(into, len);
}

static void random_properties(uint64_t *seed, struct message *message)
{
    struct th_mqtt_property *at = message->properties;
    if (harness_below(seed, 2) > 0)
        *at++ = (struct th_mqtt_property){.id = TH_MQTT_PAYLOAD_FORMAT,
                                          .number = harness_below(seed, 2)};
    if (harness_below(seed, 2) > 0)
        *at++ =
            (struct th_mqtt_property){.id = TH_MQTT_MESSAGE_EXPIRY, .number = harness_random(seed)};
    static const enum th_mqtt_property_id texts[] = {TH_MQTT_CONTENT_TYPE, TH_MQTT_RESPONSE_TOPIC,
                                                     TH_MQTT_CORRELATION_DATA};
    for (unsigned i = 0; i < 3; i++) {
        if (harness_below(seed, 2) > 0)
            *at++ = (struct th_mqtt_property){.id = texts[i],
                                              .text = random_text(seed, message->text[i], 40, 1)};
    }
    for (unsigned i = 3; i < 7 && harness_below(seed, 2) > 0 && i < 5; i++)
        *at++ = (struct th_mqtt_property){.id = TH_MQTT_USER_PROPERTY,
                                          .text = random_text(seed, message->text[i], 40, 0),
                                          .value = random_text(seed, message->text[i + 2], 40, 0)};
    message->publish.properties = message->properties;
    message->publish.property_count = (uint8_t)(at - message->properties);
}

static void random_message(uint64_t *seed, bool v5, struct message *message)
{
    *message = (struct message){.publish = {.retain = harness_below(seed, 2) > 0}};
    message->publish.topic = random_text(seed, message->topic, sizeof message->topic, 1);
    message->publish.qos = (enum th_mqtt_qos)harness_below(seed, 3);
    size_t len = harness_below(seed, sizeof message->payload);
    for (size_t i = 0; i < len; i++)
        message->payload[i] = (uint8_t)harness_random(seed);
    message->publish.payload = th_span_of(message->payload, len);
    if (v5)
        random_properties(seed, message);
}

static void expect_properties(const struct message *sent, struct th_span came)
{
    struct th_mqtt_property property;
    size_t at = 0;
    for (uint8_t i = 0; i < sent->publish.property_count; i++) {
        assert_true(th_mqtt_property_next(came, &at, &property));
        assert_int_equal(property.id, sent->properties[i].id);
        assert_int_equal(property.number, sent->properties[i].number);
        assert_true(th_span_equal(property.text, sent->properties[i].text));
        assert_true(th_span_equal(property.value, sent->properties[i].value));
    }
    assert_false(th_mqtt_property_next(came, &at, &property));
}

static void expect_message(const struct message *sent, const struct th_mqtt_event *event, bool dup)
{
    assert_int_equal(event->kind, TH_MQTT_EVENT_MESSAGE);
    const struct th_mqtt_message *came = &event->u.message;
    assert_true(th_span_equal(came->topic, sent->publish.topic));
    assert_true(th_span_equal(came->payload, sent->publish.payload));
    assert_int_equal(came->qos, sent->publish.qos);
    assert_int_equal(came->retain, sent->publish.retain);
    assert_int_equal(came->dup, dup);
    expect_properties(sent, came->properties);
}

/* What the peer has sent behind CONNECT. */
static struct th_span sent_behind(const struct peer *peer, size_t connect_len)
{
    return th_span_of(peer->out + connect_len, peer->stream.out_len - connect_len);
}

static size_t read_out(struct peer *peer)
{
    struct th_mqtt_event event;
    while (next(peer, &event))
        assert_int_equal(event.kind, TH_MQTT_EVENT_CONNECTED);
    return peer->stream.out_len;
}

static void what_is_sent_is_what_is_received(bool v5, uint64_t seed)
{
    static struct peer sender, receiver;
    struct message message;
    struct th_mqtt_event event;
    for (unsigned i = 0; i < 4000; i++) {
        random_message(&seed, v5, &message);
        begin(&sender, v5, sizeof sender.tx, th_span_of(NULL, 0));
        size_t connect_len = read_out(&sender);
        assert_int_equal(th_mqtt_publish(&sender.mqtt, &message.publish, NULL), TH_OK);
        read_out(&sender);
        begin(&receiver, v5, sizeof receiver.tx, sent_behind(&sender, connect_len));
        assert_true(next(&receiver, &event) && event.kind == TH_MQTT_EVENT_CONNECTED);
        assert_true(next(&receiver, &event));
        expect_message(&message, &event, false);
        assert_false(next(&receiver, &event));
    }
}

static void random_messages_read_back_the_same_in_311(void **state)
{
    (void)state;
    what_is_sent_is_what_is_received(false, harness_seed(7));
}

static void random_messages_read_back_the_same_in_5(void **state)
{
    (void)state;
    what_is_sent_is_what_is_received(true, harness_seed(8));
}

/* Published unconnected, so out of the outbox; then cut and repeated. */
static void messages_out_of_the_outbox_are_the_same_as_sent_at_once(void **state)
{
    (void)state;
    static struct peer sender, receiver;
    struct message message;
    struct th_mqtt_event event;
    uint64_t seed = harness_seed(9);
    for (unsigned i = 0; i < 4000; i++) {
        bool v5 = i % 2 > 0;
        bool again = i % 4 > 1;
        random_message(&seed, v5, &message);
        message.publish.qos = (enum th_mqtt_qos)(1 + i % 3 % 2);
        begin(&sender, v5, sizeof sender.tx, th_span_of(NULL, 0));
        read_out(&sender);
        th_mqtt_abandon(&sender.mqtt);
        assert_int_equal(th_mqtt_publish(&sender.mqtt, &message.publish, NULL), TH_OK);
        size_t connect_len = sender.stream.out_len;
        for (unsigned turn = 0; turn <= again; turn++) {
            sender.in[2] = 1; /* session present */
            sender.stream.out_len = sender.stream.in_at = sender.stream.shown = 0;
            sender.stream.tx_held = 0;
            assert_int_equal(th_mqtt_connect(&sender.mqtt, harness_stream(&sender.stream), 0),
                             TH_OK);
            read_out(&sender);
            th_mqtt_abandon(&sender.mqtt);
        }
        begin(&receiver, v5, sizeof receiver.tx, sent_behind(&sender, connect_len));
        assert_true(next(&receiver, &event) && event.kind == TH_MQTT_EVENT_CONNECTED);
        assert_true(next(&receiver, &event));
        expect_message(&message, &event, again);
    }
}

static size_t source_read(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    const struct th_span *payload = user;
    size_t len = payload->len - offset < room ? payload->len - offset : room;
    memcpy(into, payload->at + offset, len);
    return len;
}

static void streamed_messages_are_the_same_as_whole_ones(void **state)
{
    (void)state;
    static struct peer sender, receiver;
    struct message message;
    struct th_mqtt_event event;
    uint64_t seed = harness_seed(10);
    for (unsigned i = 0; i < 4000; i++) {
        bool v5 = i % 2 > 0;
        random_message(&seed, v5, &message);
        struct th_span payload = message.publish.payload;
        const struct th_mqtt_source source = {source_read, &payload, (uint32_t)payload.len};
        struct th_mqtt_publish publish = message.publish;
        publish.source = &source;
        begin(&sender, v5, 16 + i % 40, th_span_of(NULL, 0));
        size_t connect_len = read_out(&sender);
        assert_int_equal(th_mqtt_publish(&sender.mqtt, &publish, NULL), TH_OK);
        bool sent = false;
        for (unsigned turn = 0; turn < 60; turn++)
            sent |= next(&sender, &event) && event.kind == TH_MQTT_EVENT_SENT;
        assert_int_equal(sent, publish.qos == TH_MQTT_QOS0);
        begin(&receiver, v5, sizeof receiver.tx, sent_behind(&sender, connect_len));
        assert_true(next(&receiver, &event) && event.kind == TH_MQTT_EVENT_CONNECTED);
        assert_true(next(&receiver, &event));
        expect_message(&message, &event, false);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_messages_read_back_the_same_in_311),
        cmocka_unit_test(random_messages_read_back_the_same_in_5),
        cmocka_unit_test(messages_out_of_the_outbox_are_the_same_as_sent_at_once),
        cmocka_unit_test(streamed_messages_are_the_same_as_whole_ones),
    };
    return cmocka_run_group_tests_name("what is encoded is read back", tests, NULL, NULL);
}
