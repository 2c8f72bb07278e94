/* SPDX-License-Identifier: MIT */
/* The plain stream over a wire that takes and gives bytes as it pleases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mqtt_harness.h"

struct wire {
    enum th_stream_state state;
    uint8_t in[4096], out[4096];
    size_t in_from, in_to, out_len, takes, gives; /* at most so many bytes a call */
    unsigned writes, reads, closes;
    bool orderly;
    size_t bite; /* when not 0: every other call takes so many, the others none */
    bool full;
};

static enum th_stream_state wire_state(void *ctx)
{
    const struct wire *wire = ctx;
    return wire->state;
}

static size_t wire_read(void *ctx, uint8_t *into, size_t room)
{
    struct wire *wire = ctx;
    size_t len = wire->in_to - wire->in_from;
    wire->reads++;
    if (len > room)
        len = room;
    if (len > wire->gives)
        len = wire->gives;
    memcpy(into, wire->in + wire->in_from, len);
    wire->in_from += len;
    return len;
}

static size_t wire_write(void *ctx, const uint8_t *bytes, size_t len, bool more)
{
    struct wire *wire = ctx;
    (void)more;
    wire->writes++;
    if (len > wire->takes)
        len = wire->takes;
    wire->full = wire->bite > 0 && !wire->full;
    if (wire->bite > 0 && len > wire->bite)
        len = wire->full ? wire->bite : 0;
    memcpy(wire->out + wire->out_len, bytes, len);
    wire->out_len += len;
    wire->takes -= len;
    return len;
}

static void wire_close(void *ctx, bool orderly)
{
    struct wire *wire = ctx;
    wire->closes++;
    wire->orderly = orderly;
}

static void wire_failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

struct fixture {
    struct wire wire;
    struct th_plain plain;
    struct th_stream stream;
    uint8_t rx[16], tx[16];
};

static int setup(void **state)
{
    static const struct th_wire_ops ops = {wire_state, wire_read, wire_write, wire_close,
                                           wire_failure};
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->wire.state = TH_STREAM_OPEN;
    fixture->wire.takes = fixture->wire.gives = SIZE_MAX;
    for (size_t i = 0; i < sizeof fixture->wire.in; i++)
        fixture->wire.in[i] = (uint8_t)(i * 7 + i / 256);
    fixture->stream =
        th_plain_init(&fixture->plain, (struct th_wire){&ops, &fixture->wire}, fixture->rx,
                      sizeof fixture->rx, fixture->tx, sizeof fixture->tx);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static enum th_stream_state poll(struct fixture *fixture)
{
    return fixture->stream.ops->poll(fixture->stream.ctx, 0);
}

static struct th_span rx(struct fixture *fixture)
{
    return fixture->stream.ops->rx(fixture->stream.ctx);
}

static void taken(struct fixture *fixture, size_t len)
{
    fixture->stream.ops->rx_taken(fixture->stream.ctx, len);
}

static size_t put(struct fixture *fixture, uint8_t first, size_t len)
{
    size_t room = 0;
    uint8_t *at = fixture->stream.ops->tx(fixture->stream.ctx, &room);
    if (len > room)
        len = room;
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(first + i);
    fixture->stream.ops->tx_put(fixture->stream.ctx, len);
    return len;
}

static size_t room_of(struct fixture *fixture)
{
    size_t room = 1;
    const uint8_t *at = fixture->stream.ops->tx(fixture->stream.ctx, &room);
    assert_true((at == NULL) == (room == 0));
    return room;
}

static void nothing_moves_while_the_wire_opens(void **state)
{
    struct fixture *fixture = *state;
    fixture->wire.state = TH_STREAM_OPENING;
    fixture->wire.in_to = 4;
    assert_int_equal(poll(fixture), TH_STREAM_OPENING);
    assert_int_equal(fixture->wire.reads + fixture->wire.writes, 0);
}

static void what_was_put_leaves_in_one_write(void **state)
{
    struct fixture *fixture = *state;
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(put(fixture, (uint8_t)(i * 3), 3), 3);
    assert_int_equal(fixture->wire.writes, 0);
    poll(fixture);
    assert_int_equal(fixture->wire.writes, 1);
    assert_int_equal(fixture->wire.out_len, 15);
    assert_int_equal(room_of(fixture), 16);
    poll(fixture);
    assert_int_equal(fixture->wire.writes, 1);
}

static void a_wire_that_takes_little_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t next = 0;
    for (unsigned turn = 0; turn < 500; turn++) {
        fixture->wire.takes = turn % 6;
        next = (uint8_t)(next + put(fixture, next, 1 + turn % 9));
        poll(fixture);
        assert_true(fixture->wire.out_len < 3000);
    }
    for (size_t i = 0; i < fixture->wire.out_len; i++)
        assert_int_equal(fixture->wire.out[i], (uint8_t)i);
    assert_true(fixture->wire.out_len > 1000);
}

static void a_full_buffer_lends_no_room_until_something_left(void **state)
{
    struct fixture *fixture = *state;
    fixture->wire.takes = 0;
    assert_int_equal(put(fixture, 0, 99), 16);
    assert_int_equal(room_of(fixture), 0);
    poll(fixture);
    assert_int_equal(room_of(fixture), 0);
    fixture->wire.takes = 5;
    poll(fixture);
    assert_int_equal(room_of(fixture), 5);
}

static void bytes_come_in_order_however_little_is_taken(void **state)
{
    struct fixture *fixture = *state;
    size_t seen = 0;
    fixture->wire.in_to = sizeof fixture->wire.in;
    for (unsigned turn = 0; seen < sizeof fixture->wire.in; turn++) {
        fixture->wire.gives = 1 + turn % 20;
        poll(fixture);
        struct th_span bytes = rx(fixture);
        size_t len = turn % 3 == 0 ? bytes.len : bytes.len / 2;
        for (size_t i = 0; i < bytes.len; i++)
            assert_int_equal(bytes.at[i], fixture->wire.in[seen + i]);
        taken(fixture, len);
        seen += len;
        assert_true(turn < 20000);
    }
}

static void bytes_stay_where_they_are_until_they_are_taken(void **state)
{
    struct fixture *fixture = *state;
    fixture->wire.in_to = 10;
    poll(fixture);
    struct th_span bytes = rx(fixture);
    taken(fixture, 4);
    assert_ptr_equal(rx(fixture).at, bytes.at + 4);
    assert_int_equal(rx(fixture).len, 6);
}

static void what_came_before_the_end_can_still_be_read(void **state)
{
    struct fixture *fixture = *state;
    static const enum th_stream_state ends[] = {TH_STREAM_ENDED, TH_STREAM_FAILED};
    for (size_t i = 0; i < 2; i++) {
        fixture->wire.state = ends[i];
        fixture->wire.in_to = fixture->wire.in_from + 3;
        put(fixture, 0, 4);
        unsigned writes = fixture->wire.writes;
        assert_int_equal(poll(fixture), ends[i]);
        assert_int_equal(fixture->wire.writes, writes);
        assert_int_equal(rx(fixture).len, 3);
        taken(fixture, 3);
        assert_int_equal(rx(fixture).len, 0);
    }
    struct th_failure failure;
    fixture->stream.ops->failure(fixture->stream.ctx, &failure);
    assert_int_equal(failure.error, TH_ERR_TCP_RESET);
}

static void an_orderly_close_sends_what_was_put(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, 0, 7);
    fixture->stream.ops->close(fixture->stream.ctx, true);
    assert_int_equal(fixture->wire.out_len, 7);
    assert_true(fixture->wire.orderly);
    put(fixture, 0, 7);
    fixture->stream.ops->close(fixture->stream.ctx, false);
    assert_int_equal(fixture->wire.out_len, 7);
    assert_int_equal(fixture->wire.closes, 2);
}

/* An application that answers with what it was just shown, while the wire takes little: what the
 * stream's buffer holds must not move under the call. */
static void what_an_event_shows_can_be_published_as_it_lies(void **state)
{
    struct fixture *fixture = *state;
    struct wire *wire = &fixture->wire;
    uint8_t rx_at[24], tx_at[24], packet_rx[64], expected[256];
    size_t expected_len = 0;
    unsigned shown = 0, refused = 0;
    struct th_mqtt mqtt;
    struct th_mqtt_event event;
    const struct th_mqtt_config config = {.version = &th_mqtt_v311,
                                          .client_id = TH_SPAN("e"),
                                          .rx = packet_rx,
                                          .rx_room = sizeof packet_rx};
    memcpy(wire->in, "\x20\x02\0\0", 4);
    for (uint8_t i = 0; i < 60; i++)
        memcpy(wire->in + 4 + i * 6, (uint8_t[]){0x30, 4, 0, 1, 'a', i}, 6);
    struct th_stream stream = th_plain_init(&fixture->plain, fixture->plain.wire, rx_at,
                                            sizeof rx_at, tx_at, sizeof tx_at);
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_OK);
    assert_int_equal(th_mqtt_connect(&mqtt, stream, 0), TH_OK);
    for (unsigned turn = 0; turn < 1000; turn++) {
        wire->bite = 6 + turn % 8;
        wire->in_to = wire->out_len > 0 ? 4 + 60 * 6 : 0;
        while (th_mqtt_next(&mqtt, 0, &event)) {
            if (event.kind != TH_MQTT_EVENT_MESSAGE)
                continue;
            uint8_t value = event.u.message.payload.at[0];
            assert_int_equal(value, shown++);
            const struct th_mqtt_publish echo = {.topic = TH_SPAN("b"),
                                                 .payload = event.u.message.payload};
            enum th_error error = th_mqtt_publish(&mqtt, &echo, NULL);
            assert_true(error == TH_OK || error == TH_ERR_AGAIN);
            refused += error == TH_ERR_AGAIN;
            if (error == TH_OK)
                expected[expected_len++] = value;
        }
    }
    assert_int_equal(shown, 60);
    size_t connect_len = wire->out[1] + 2u;
    assert_int_equal(wire->out_len, connect_len + 6 * expected_len);
    for (size_t i = 0; i < expected_len; i++)
        assert_int_equal(wire->out[connect_len + 6 * i + 5], expected[i]);
    assert_true(refused > 0 && expected_len > 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        CASE(nothing_moves_while_the_wire_opens),
        CASE(what_was_put_leaves_in_one_write),
        CASE(a_wire_that_takes_little_loses_nothing),
        CASE(a_full_buffer_lends_no_room_until_something_left),
        CASE(bytes_come_in_order_however_little_is_taken),
        CASE(bytes_stay_where_they_are_until_they_are_taken),
        CASE(what_came_before_the_end_can_still_be_read),
        CASE(an_orderly_close_sends_what_was_put),
        CASE(what_an_event_shows_can_be_published_as_it_lies),
    };
    return cmocka_run_group_tests_name("the plain stream", tests, NULL, NULL);
}
