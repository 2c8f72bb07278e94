/* SPDX-License-Identifier: MIT */
/*
 * Payloads far larger than any buffer, both ways: 256 MB less what a packet's head takes, through
 * buffers of 512 bytes; CONNECT and SUBSCRIBE against small rooms; sources that falter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mqtt_harness.h"

#define ROOM    512
#define LARGEST (268435455u - 5u) /* behind topic "abc" */

/* Byte `at` of the payload: no two blocks of a buffer are alike. */
static uint8_t pattern(uint32_t at)
{
    return (uint8_t)(at ^ at >> 9 ^ at >> 17);
}

/* ---- a broker that sends a head, then the pattern, and reads everything ---- */

struct broker {
    uint8_t head[32];
    size_t head_len;
    uint64_t said, says; /* bytes, head and payload */
    uint8_t rx[ROOM], tx[ROOM];
    size_t rx_from, rx_to, held;
    uint64_t heard;
    bool wrong;
    uint64_t payload_at; /* what is heard from there on must be the pattern */
};

static uint8_t said_byte(const struct broker *broker, uint64_t at)
{
    return at < broker->head_len ? broker->head[at] : pattern((uint32_t)(at - broker->head_len));
}

static enum th_stream_state poll(void *ctx, uint32_t now_ms)
{
    struct broker *broker = ctx;
    (void)now_ms;
    for (size_t i = 0; i < broker->held; i++, broker->heard++) {
        if (broker->heard >= broker->payload_at)
            broker->wrong |=
                broker->tx[i] != pattern((uint32_t)(broker->heard - broker->payload_at));
    }
    broker->held = 0;
    if (broker->rx_from == broker->rx_to && broker->heard > 0) {
        broker->rx_from = broker->rx_to = 0;
        /* Never aligned with the session's own buffer. */
        while (broker->rx_to < ROOM - 7 && broker->said < broker->says)
            broker->rx[broker->rx_to++] = said_byte(broker, broker->said++);
    }
    return TH_STREAM_OPEN;
}

static struct th_span rx(void *ctx)
{
    const struct broker *broker = ctx;
    return th_span_of(broker->rx + broker->rx_from, broker->rx_to - broker->rx_from);
}

static void rx_taken(void *ctx, size_t len)
{
    struct broker *broker = ctx;
    broker->rx_from += len;
}

static uint8_t *tx(void *ctx, size_t *room)
{
    struct broker *broker = ctx;
    *room = ROOM - broker->held;
    return *room > 0 ? broker->tx + broker->held : NULL;
}

static void tx_put(void *ctx, size_t len)
{
    struct broker *broker = ctx;
    broker->held += len;
}

static void close(void *ctx, bool orderly)
{
    (void)ctx;
    (void)orderly;
}

static void failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

static const struct th_stream_ops broker_ops = {poll, rx, rx_taken, tx, tx_put, close, failure};

/* ---- the session ---- */

struct client {
    struct broker broker;
    struct th_mqtt mqtt;
    struct th_mqtt_config config;
    struct th_outbox_ram outbox;
    _Alignas(8) uint8_t outbox_at[512];
    uint16_t inbound[2];
    uint8_t rx[ROOM];
    struct th_mqtt_event event;
};

static void start(struct client *client)
{
    client->config = (struct th_mqtt_config){.version = &th_mqtt_v311,
                                             .client_id = TH_SPAN("large"),
                                             .keep_alive_s = TH_MQTT_KEEP_ALIVE_OFF,
                                             .rx = client->rx,
                                             .rx_room = sizeof client->rx,
                                             .large = &th_mqtt_large};
    client->config.outbox = th_outbox_ram_init(&client->outbox, client->outbox_at,
                                               sizeof client->outbox_at, client->inbound, 2);
    client->broker.payload_at = UINT64_MAX;
    assert_int_equal(th_mqtt_init(&client->mqtt, &client->config), TH_OK);
}

static void connect(struct client *client, const char *behind_connack)
{
    struct broker *broker = &client->broker;
    broker->head_len = harness_hex("20 02 01 00", broker->head, sizeof broker->head);
    broker->head_len += harness_hex(behind_connack, broker->head + 4, sizeof broker->head - 4);
    broker->says = broker->head_len;
    broker->said = broker->heard = 0;
    broker->rx_from = broker->rx_to = broker->held = 0;
    assert_int_equal(th_mqtt_connect(&client->mqtt, (struct th_stream){&broker_ops, broker}, 0),
                     TH_OK);
}

static bool next(struct client *client)
{
    for (unsigned turn = 0; turn < 200; turn++) {
        if (th_mqtt_next(&client->mqtt, 0, &client->event))
            return true;
    }
    return false;
}

static void expect(struct client *client, enum th_mqtt_event_kind kind)
{
    assert_true(next(client));
    assert_int_equal(client->event.kind, kind);
}

static void the_largest_message_comes_in_through_512_bytes(void **state)
{
    (void)state;
    static struct client client;
    start(&client);
    connect(&client, "34 FF FF FF 7F 0003 'abc' 0007");
    client.broker.says += LARGEST - 2;
    expect(&client, TH_MQTT_EVENT_CONNECTED);
    expect(&client, TH_MQTT_EVENT_BEGIN);
    assert_int_equal(client.event.u.message.payload_len, LARGEST - 2);
    uint32_t came = 0;
    for (expect(&client, TH_MQTT_EVENT_CHUNK); client.event.kind == TH_MQTT_EVENT_CHUNK;
         next(&client)) {
        const struct th_mqtt_chunk *chunk = &client.event.u.chunk;
        assert_int_equal(chunk->offset, came);
        for (size_t i = 0; i < chunk->bytes.len; i++) {
            if (chunk->bytes.at[i] != pattern(came + (uint32_t)i))
                fail_msg("byte %u", came + (uint32_t)i);
        }
        came += (uint32_t)chunk->bytes.len;
    }
    assert_int_equal(client.event.kind, TH_MQTT_EVENT_END);
    assert_int_equal(came, LARGEST - 2);
}

struct source {
    struct th_mqtt_source source;
    unsigned pace; /* every so manieth call has nothing, once */
    uint32_t breaks_at;
    unsigned calls;
};

static size_t source_read(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    struct source *source = user;
    if (source->breaks_at > 0 && offset >= source->breaks_at)
        return TH_MQTT_SOURCE_BROKEN;
    if (source->pace > 0 && ++source->calls % source->pace == 0)
        return 0;
    size_t len = source->pace > 0 && room > 3 ? room / 2 : room;
    for (size_t i = 0; i < len; i++)
        into[i] = pattern(offset + (uint32_t)i);
    return len;
}

static struct source source_of(uint32_t len)
{
    return (struct source){.source = {.read = source_read, .len = len}};
}

/* How long CONNECT is, and so where a message behind it begins. */
static uint64_t connected_at(struct client *client)
{
    connect(client, "");
    expect(client, TH_MQTT_EVENT_CONNECTED);
    assert_false(next(client));
    return client->broker.heard;
}

static void the_largest_message_goes_out_through_512_bytes(void **state)
{
    (void)state;
    static struct client client;
    struct source source = source_of(LARGEST);
    source.source.user = &source;
    const struct th_mqtt_publish publish = {.topic = TH_SPAN("abc"), .source = &source.source};
    start(&client);
    uint64_t at = connected_at(&client);
    client.broker.payload_at = at + 10;
    assert_int_equal(th_mqtt_publish(&client.mqtt, &publish, NULL), TH_OK);
    assert_int_equal(th_mqtt_publish(&client.mqtt, &publish, NULL), TH_ERR_AGAIN);
    for (unsigned turn = 0; !th_mqtt_next(&client.mqtt, 0, &client.event); turn++)
        assert_true(turn < 100000);
    assert_int_equal(client.event.kind, TH_MQTT_EVENT_SENT);
    assert_false(next(&client));
    assert_int_equal(client.broker.heard, at + 10 + LARGEST);
    assert_false(client.broker.wrong);
    source.source.len++;
    assert_int_equal(th_mqtt_publish(&client.mqtt, &publish, NULL), TH_ERR_TOO_LARGE);
}

static void a_source_that_falters_is_asked_again(void **state)
{
    (void)state;
    static struct client client;
    struct source source = source_of(100000);
    source.source.user = &source;
    source.pace = 3;
    const struct th_mqtt_publish publish = {.topic = TH_SPAN("abc"), .source = &source.source};
    start(&client);
    uint64_t at = connected_at(&client);
    client.broker.payload_at = at + 9;
    assert_int_equal(th_mqtt_publish(&client.mqtt, &publish, NULL), TH_OK);
    while (!th_mqtt_next(&client.mqtt, 0, &client.event))
        assert_true(source.calls < 100000);
    assert_int_equal(client.event.kind, TH_MQTT_EVENT_SENT);
    assert_false(next(&client));
    assert_int_equal(client.broker.heard, at + 9 + 100000);
    assert_false(client.broker.wrong);
}

static void a_source_that_breaks_ends_the_connection(void **state)
{
    (void)state;
    static struct client client;
    struct source source = source_of(100000);
    source.source.user = &source;
    source.breaks_at = 5000;
    const struct th_mqtt_publish publish = {.topic = TH_SPAN("abc"), .source = &source.source};
    start(&client);
    connected_at(&client);
    assert_int_equal(th_mqtt_publish(&client.mqtt, &publish, NULL), TH_OK);
    expect(&client, TH_MQTT_EVENT_FAILED);
    assert_int_equal(client.event.u.failure.error, TH_ERR_MQTT_SOURCE);
    assert_int_equal(th_mqtt_state(&client.mqtt), TH_MQTT_IDLE);
}

static void a_streamed_message_at_qos_1_is_read_again_after_a_reconnection(void **state)
{
    (void)state;
    static struct client client;
    struct source source = source_of(50000);
    source.source.user = &source;
    struct th_mqtt_publish publish = {
        .topic = TH_SPAN("abc"), .source = &source.source, .qos = TH_MQTT_QOS1};
    uint16_t id = 0;
    start(&client);
    uint64_t at = connected_at(&client);
    assert_int_equal(th_mqtt_publish(&client.mqtt, &publish, &id), TH_OK);
    /* Cut at many places on its way, then let through. */
    for (unsigned services = 1; services < 40; services++) {
        client.broker.payload_at = at + 11;
        th_mqtt_next(&client.mqtt, 0, &client.event);
        assert_false(client.broker.wrong);
        assert_true(client.broker.heard > at);
        th_mqtt_abandon(&client.mqtt);
        client.broker.payload_at = UINT64_MAX;
        connect(&client, "");
        expect(&client, TH_MQTT_EVENT_CONNECTED);
        assert_int_equal(client.event.u.connack.resent, 1);
    }
    client.broker.payload_at = at + 11;
    while (client.broker.heard < at + 11 + 50000)
        assert_false(th_mqtt_next(&client.mqtt, 0, &client.event));
    assert_false(client.broker.wrong);
    client.broker.says += 4;
    client.broker.head_len += harness_hex("40 02", client.broker.head + 4, 2);
    client.broker.head[6] = (uint8_t)(id >> 8);
    client.broker.head[7] = (uint8_t)id;
    client.broker.head_len = 8;
    expect(&client, TH_MQTT_EVENT_PUBLISHED);
    assert_int_equal(client.event.u.ack.id, id);
    assert_int_equal(th_mqtt_pending(&client.mqtt), 0);
}

/* ---- packets larger than the stream's room ---- */

static void a_connect_of_any_size_leaves_through_a_room_of_any_size(void **state)
{
    (void)state;
    static uint8_t large[65535], sent[400000], again[400000], small[300];
    static uint8_t rx_at[64];
    memset(large, 'w', sizeof large);
    const struct th_mqtt_property user = {
        .id = TH_MQTT_USER_PROPERTY, .text = {large, sizeof large}, .value = {large, 1000}};
    const struct th_mqtt_will will = {.topic = {large, 3000},
                                      .payload = {large, sizeof large},
                                      .properties = &user,
                                      .property_count = 1};
    const struct th_mqtt_config config = {.version = &th_mqtt_v5,
                                          .client_id = {large, 100},
                                          .clean_start = true,
                                          .fields = &th_mqtt_connect_fields,
                                          .user_set = true,
                                          .password_set = true,
                                          .user = {large, sizeof large},
                                          .password = {large, sizeof large},
                                          .will = &will,
                                          .properties = &user,
                                          .property_count = 1,
                                          .rx = rx_at,
                                          .rx_room = sizeof rx_at};
    size_t whole = 0;
    for (size_t room = 300; room > 15; room = room > 40 ? room - 71 : room - 3) {
        struct harness_stream stream = {.tx = small, .tx_room = room, .out_room = sizeof sent};
        struct th_mqtt mqtt;
        struct th_mqtt_event event;
        stream.out = whole == 0 ? sent : again;
        assert_int_equal(th_mqtt_init(&mqtt, &config), TH_OK);
        assert_int_equal(th_mqtt_connect(&mqtt, harness_stream(&stream), 0), TH_OK);
        for (unsigned turn = 0; turn < 5000; turn++)
            assert_false(th_mqtt_next(&mqtt, 0, &event));
        if (whole == 0)
            whole = stream.out_len;
        assert_int_equal(stream.out_len, whole);
        assert_memory_equal(stream.out, sent, whole);
    }
    /* One varint of remaining length, and what the fields take. */
    assert_int_equal(sent[0], 0x10);
    size_t remaining =
        (size_t)(sent[1] & 0x7F) | (size_t)(sent[2] & 0x7F) << 7 | (size_t)sent[3] << 14;
    assert_int_equal(whole, remaining + 4);
    assert_true(whole > 4 * sizeof large);
}

static void a_subscribe_that_never_fits_is_refused_and_one_that_will_fit_waits(void **state)
{
    (void)state;
    static uint8_t tx_at[64], rx_at[64], in[4], name[80];
    struct harness_stream stream = {.tx = tx_at, .tx_room = sizeof tx_at};
    const struct th_mqtt_config config = {
        .version = &th_mqtt_v311, .client_id = TH_SPAN("c"), .rx = rx_at, .rx_room = sizeof rx_at};
    struct th_mqtt mqtt;
    struct th_mqtt_event event;
    memset(name, 'n', sizeof name);
    stream.in = th_span_of(in, harness_hex("20 02 00 00", in, sizeof in));
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_OK);
    assert_int_equal(th_mqtt_connect(&mqtt, harness_stream(&stream), 0), TH_OK);
    assert_true(th_mqtt_next(&mqtt, 0, &event));
    assert_false(th_mqtt_next(&mqtt, 0, &event));
    struct th_mqtt_filter filter = {.filter = {name, 58}};
    assert_int_equal(th_mqtt_subscribe(&mqtt, &filter, 1, NULL, 0, NULL), TH_ERR_TOO_LARGE);
    filter.filter.len = 57;
    stream.tx_drain = 1;
    assert_int_equal(th_mqtt_subscribe(&mqtt, &filter, 1, NULL, 0, NULL), TH_OK);
    assert_int_equal(th_mqtt_subscribe(&mqtt, &filter, 1, NULL, 0, NULL), TH_ERR_AGAIN);
    stream.tx_drain = 0;
    assert_false(th_mqtt_next(&mqtt, 0, &event));
    assert_int_equal(th_mqtt_subscribe(&mqtt, &filter, 1, NULL, 0, NULL), TH_OK);
}

static size_t nothing(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    (void)user, (void)offset, (void)into, (void)room;
    return 0;
}

/* th_mqtt_large is linked by who names it: without it a message is whole or an error, never cut. */
static void without_large_messages_what_does_not_fit_ends_the_connection(void **state)
{
    (void)state;
    static const struct th_mqtt_version *const versions[] = {&th_mqtt_v311, &th_mqtt_v5};
    for (size_t v = 0; v < 2; v++) {
        uint8_t tx_at[64], rx_at[64], in[140] = {0x20, 2, 0, 0};
        struct harness_stream stream = {.tx = tx_at, .tx_room = sizeof tx_at, .tx_drain = 1};
        const struct th_mqtt_config config = {
            .version = versions[v], .client_id = TH_SPAN("c"), .rx = rx_at, .rx_room = 64};
        const struct th_mqtt_source source = {.read = nothing, .len = 1};
        const struct th_mqtt_publish publish = {.topic = TH_SPAN("t"), .source = &source};
        struct th_mqtt mqtt;
        struct th_mqtt_event event;
        size_t at = 4 + v;
        in[1] = (uint8_t)(2 + v);
        for (uint8_t remaining = 62; remaining <= 63; remaining++) {
            const uint8_t header[] = {0x30, remaining, 0, 1, 't'};
            memcpy(in + at, header, sizeof header);
            at += 2u + remaining;
        }
        stream.in = th_span_of(in, at);
        assert_int_equal(th_mqtt_init(&mqtt, &config), TH_OK);
        assert_int_equal(th_mqtt_connect(&mqtt, harness_stream(&stream), 0), TH_OK);
        assert_true(th_mqtt_next(&mqtt, 0, &event));
        assert_int_equal(event.kind, TH_MQTT_EVENT_CONNECTED);
        assert_int_equal(th_mqtt_publish(&mqtt, &publish, NULL), TH_ERR_INVALID);
        assert_true(th_mqtt_next(&mqtt, 0, &event));
        assert_int_equal(event.kind, TH_MQTT_EVENT_MESSAGE);
        assert_int_equal(event.u.message.payload_len, 59 - v);
        assert_true(th_mqtt_next(&mqtt, 0, &event));
        assert_int_equal(event.kind, TH_MQTT_EVENT_FAILED);
        assert_int_equal(event.u.failure.error, TH_ERR_MEMORY_PACKET);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_message_comes_in_through_512_bytes),
        cmocka_unit_test(the_largest_message_goes_out_through_512_bytes),
        cmocka_unit_test(a_source_that_falters_is_asked_again),
        cmocka_unit_test(a_source_that_breaks_ends_the_connection),
        cmocka_unit_test(a_streamed_message_at_qos_1_is_read_again_after_a_reconnection),
        cmocka_unit_test(a_connect_of_any_size_leaves_through_a_room_of_any_size),
        cmocka_unit_test(a_subscribe_that_never_fits_is_refused_and_one_that_will_fit_waits),
        cmocka_unit_test(without_large_messages_what_does_not_fit_ends_the_connection),
    };
    return cmocka_run_group_tests_name("large packets", tests, NULL, NULL);
}
