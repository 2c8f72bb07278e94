/* SPDX-License-Identifier: MIT */
/*
 * R5: each operation of the outbox fails once, at every place of a day in a session's life, and
 * then from that place on for ever. Whatever was taken is either done with or still there, nothing
 * is delivered twice at QoS 2, and when the medium works again everything comes through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mqtt_harness.h"

/* ---- an outbox that fails ---- */

struct medium {
    struct th_outbox_ram ram;
    struct th_outbox inner;
    unsigned operations, fails_at; /* counted from 1; 0: never */
    bool for_ever;
};

static bool fails(struct medium *medium)
{
    medium->operations++;
    return medium->fails_at > 0 && (medium->operations == medium->fails_at ||
                                    (medium->for_ever && medium->operations > medium->fails_at));
}

static bool add(void *ctx, const struct th_outbox_entry *entry, struct th_span first)
{
    struct medium *medium = ctx;
    return !fails(medium) && medium->inner.ops->add(medium->inner.ctx, entry, first);
}

/* A record that is not completed is gone. */
static bool append(void *ctx, struct th_span bytes)
{
    struct medium *medium = ctx;
    struct th_outbox_entry entry = {.id = 0};
    uint32_t cursor = 0;
    if (!fails(medium))
        return medium->inner.ops->append(medium->inner.ctx, bytes);
    while (medium->inner.ops->next(medium->inner.ctx, &cursor, &entry))
        continue;
    medium->inner.ops->remove(medium->inner.ctx, entry.id);
    return false;
}

static bool set_state(void *ctx, uint16_t id, enum th_outbox_state state)
{
    struct medium *medium = ctx;
    return !fails(medium) && medium->inner.ops->set_state(medium->inner.ctx, id, state);
}

static bool remove_record(void *ctx, uint16_t id)
{
    struct medium *medium = ctx;
    return !fails(medium) && medium->inner.ops->remove(medium->inner.ctx, id);
}

static const struct th_outbox_entry *find(void *ctx, uint16_t id)
{
    struct medium *medium = ctx;
    return medium->inner.ops->find(medium->inner.ctx, id);
}

static bool next(void *ctx, uint32_t *cursor, struct th_outbox_entry *out)
{
    struct medium *medium = ctx;
    return medium->inner.ops->next(medium->inner.ctx, cursor, out);
}

static size_t read_record(void *ctx, uint16_t id, uint32_t offset, uint8_t *into, size_t room)
{
    struct medium *medium = ctx;
    return fails(medium) ? 0 : medium->inner.ops->read(medium->inner.ctx, id, offset, into, room);
}

static bool inbound(void *ctx, uint16_t id, bool set)
{
    struct medium *medium = ctx;
    return !fails(medium) && medium->inner.ops->inbound(medium->inner.ctx, id, set);
}

static bool inbound_has(void *ctx, uint16_t id)
{
    struct medium *medium = ctx;
    return medium->inner.ops->inbound_has(medium->inner.ctx, id);
}

static bool inbound_clear(void *ctx)
{
    struct medium *medium = ctx;
    return !fails(medium) && medium->inner.ops->inbound_clear(medium->inner.ctx);
}

static uint16_t inbound_room(void *ctx)
{
    struct medium *medium = ctx;
    return medium->inner.ops->inbound_room(medium->inner.ctx);
}

static uint16_t count(void *ctx)
{
    struct medium *medium = ctx;
    return medium->inner.ops->count(medium->inner.ctx);
}

static const struct th_outbox_ops medium_ops = {
    add,         append,  set_state,   remove_record, find,         next,
    read_record, inbound, inbound_has, inbound_clear, inbound_room, count};

/* ---- a broker that keeps its session ---- */

#define MESSAGES 6 /* from the client, at QoS 1 and 2 in turn */
#define OFFERED  4 /* to the client, at QoS 2 */

struct world {
    struct medium medium;
    struct harness_stream stream;
    struct th_mqtt mqtt;
    struct th_mqtt_config config;
    _Alignas(8) uint8_t outbox_at[2048];
    uint16_t inbound[4];
    uint8_t rx[128], tx[512], out[4096], said[4096];
    size_t heard;
    bool v5, known;                /* the broker has a session */
    uint16_t holds[MESSAGES];      /* identifiers of QoS 2 messages it waits to be released */
    unsigned got[MESSAGES + 1];    /* messages it took over, by the number in their payload */
    unsigned offered[OFFERED + 1]; /* 0: owed, 1: PUBREC came, 2: PUBCOMP came */
    unsigned delivered[OFFERED + 1];
    unsigned taken, done; /* calls that said OK, PUBLISHED events */
};

static void say(struct world *world, const uint8_t *bytes, size_t len)
{
    assert_true(world->stream.in.len + len <= sizeof world->said);
    memcpy(world->said + world->stream.in.len, bytes, len);
    world->stream.in.len += len;
}

static void say_ack(struct world *world, uint8_t first, uint16_t id)
{
    uint8_t bytes[4] = {first, 2, (uint8_t)(id >> 8), (uint8_t)id};
    say(world, bytes, sizeof bytes);
}

/* What is owed to the client, again after each CONNECT. */
static void offer(struct world *world)
{
    uint8_t connack[5] = {0x20, world->v5 ? 3 : 2, world->known, 0, 0};
    say(world, connack, world->v5 ? 5 : 4);
    for (uint8_t id = 1; id <= OFFERED; id++) {
        uint8_t publish[9] = {0x34, 7, 0, 1, 'o', 0, id, id, 'x'};
        if (world->v5)
            publish[7] = 0;
        if (world->offered[id] == 0)
            say(world, publish, 9);
        else if (world->offered[id] == 1)
            say_ack(world, 0x62, id);
    }
    world->known = true;
}

static void on_publish(struct world *world, uint8_t first, struct th_span body)
{
    uint16_t id = (uint16_t)(body.at[3] << 8 | body.at[4]);
    uint8_t number = body.at[body.len - 1];
    assert_in_range(number, 1, MESSAGES);
    if ((first & 2) != 0) {
        world->got[number]++;
        say_ack(world, 0x40, id);
        return;
    }
    bool held = false;
    for (size_t i = 0; i < MESSAGES; i++)
        held |= world->holds[i] == id;
    if (!held) {
        world->got[number]++;
        world->holds[number - 1] = id;
    }
    say_ack(world, 0x50, id);
}

static void on_packet(struct world *world, uint8_t first, struct th_span body)
{
    uint16_t id = body.len >= 2 ? (uint16_t)(body.at[0] << 8 | body.at[1]) : 0;
    switch (first >> 4) {
    case 1: offer(world); break;
    case 3: on_publish(world, first, body); break;
    case 5:
        world->offered[id] = 1;
        say_ack(world, 0x62, id);
        break;
    case 6:
        for (size_t i = 0; i < MESSAGES; i++)
            world->holds[i] = world->holds[i] == id ? 0 : world->holds[i];
        say_ack(world, 0x70, id);
        break;
    case 7: world->offered[id] = 2; break;
    default: break;
    }
}

static void hear(struct world *world)
{
    while (world->stream.out_len >= world->heard + 2) {
        const uint8_t *at = world->out + world->heard;
        size_t len = at[1];
        assert_true(len < 0x80);
        if (world->stream.out_len < world->heard + 2 + len)
            return;
        world->heard += 2 + len;
        on_packet(world, at[0], th_span_of(at + 2, len));
    }
}

/* ---- the application ---- */

static void connect(struct world *world)
{
    world->stream =
        (struct harness_stream){.tx_room = sizeof world->tx, .out_room = sizeof world->out};
    world->stream.tx = world->tx;
    world->stream.out = world->out;
    world->stream.in = th_span_of(world->said, 0);
    world->heard = 0;
    assert_int_equal(th_mqtt_connect(&world->mqtt, harness_stream(&world->stream), 0), TH_OK);
}

static void on_event(struct world *world, const struct th_mqtt_event *event)
{
    enum th_error error = event->u.failure.error;
    switch (event->kind) {
    case TH_MQTT_EVENT_MESSAGE: {
        uint8_t id = event->u.message.payload.at[event->u.message.payload.len - 1];
        world->delivered[id == 'x' ? world->mqtt.rx_id : id]++;
        break;
    }
    case TH_MQTT_EVENT_PUBLISHED: world->done++; break;
    case TH_MQTT_EVENT_FAILED:
        assert_true(error == TH_ERR_MQTT_STORE || error == TH_ERR_MEMORY_INBOUND_QOS2);
        break;
    default: break;
    }
}

static void run(struct world *world)
{
    struct th_mqtt_event event;
    for (unsigned turn = 0; turn < 60; turn++) {
        while (th_mqtt_next(&world->mqtt, 0, &event))
            on_event(world, &event);
        if (th_mqtt_state(&world->mqtt) == TH_MQTT_IDLE)
            connect(world);
        hear(world);
    }
}

static void publish(struct world *world, uint8_t number)
{
    const struct th_mqtt_publish message = {.topic = TH_SPAN("t"),
                                            .payload = {&number, 1},
                                            .qos = number % 2 > 0 ? TH_MQTT_QOS1 : TH_MQTT_QOS2};
    enum th_error error = th_mqtt_publish(&world->mqtt, &message, NULL);
    assert_true(error == TH_OK || error == TH_ERR_OUTBOX_FULL);
    world->taken += error == TH_OK;
    world->got[number] += 1000 * (error == TH_OK);
}

static void setup(struct world *world, bool v5, unsigned fails_at, bool for_ever)
{
    *world = (struct world){.v5 = v5};
    world->medium.inner = th_outbox_ram_init(&world->medium.ram, world->outbox_at,
                                             sizeof world->outbox_at, world->inbound, 4);
    world->medium.fails_at = fails_at;
    world->medium.for_ever = for_ever;
    world->config = (struct th_mqtt_config){.version = v5 ? &th_mqtt_v5 : &th_mqtt_v311,
                                            .client_id = TH_SPAN("faults"),
                                            .session_expiry_s = 100,
                                            .rx = world->rx,
                                            .rx_room = sizeof world->rx,
                                            .large = &th_mqtt_large,
                                            .outbox = {&medium_ops, &world->medium}};
    assert_int_equal(th_mqtt_init(&world->mqtt, &world->config), TH_OK);
}

/* One day: messages unconnected, connected, and after a cut. */
static void live(struct world *world)
{
    publish(world, 1);
    publish(world, 2);
    connect(world);
    run(world);
    publish(world, 3);
    publish(world, 4);
    th_mqtt_abandon(&world->mqtt);
    connect(world);
    publish(world, 5);
    run(world);
    publish(world, 6);
    run(world);
}

static void expect_all_came_through(struct world *world)
{
    /* The medium works again. */
    world->medium.fails_at = 0;
    th_mqtt_abandon(&world->mqtt);
    connect(world);
    run(world);
    assert_int_equal(th_mqtt_pending(&world->mqtt), 0);
    assert_int_equal(world->done, world->taken);
    for (unsigned number = 1; number <= MESSAGES; number++) {
        unsigned was_taken = world->got[number] / 1000, times = world->got[number] % 1000;
        assert_true(was_taken ? times >= 1 : times == 0);
        if (number % 2 == 0)
            assert_true(times <= 1);
    }
    for (unsigned id = 1; id <= OFFERED; id++) {
        assert_int_equal(world->offered[id], 2);
        assert_int_equal(world->delivered[id], 1);
    }
}

static unsigned a_day_with_faults(bool v5, bool for_ever)
{
    static struct world world;
    unsigned places = 1;
    setup(&world, v5, 0, false);
    live(&world);
    assert_int_equal(world.taken, MESSAGES);
    expect_all_came_through(&world);
    unsigned operations = world.medium.operations;
    for (; places <= operations; places++) {
        setup(&world, v5, places, for_ever);
        live(&world);
        if (!for_ever)
            assert_true(world.taken >= MESSAGES - 1);
        expect_all_came_through(&world);
    }
    return places;
}

static void each_operation_of_the_outbox_fails_once_in_311(void **state) /* R5 */
{
    (void)state;
    assert_true(a_day_with_faults(false, false) > 30);
}

static void each_operation_of_the_outbox_fails_once_in_5(void **state) /* R5 */
{
    (void)state;
    assert_true(a_day_with_faults(true, false) > 30);
}

static void the_outbox_fails_for_ever_from_each_operation_on_in_311(void **state) /* R5 */
{
    (void)state;
    a_day_with_faults(false, true);
}

static void the_outbox_fails_for_ever_from_each_operation_on_in_5(void **state) /* R5 */
{
    (void)state;
    a_day_with_faults(true, true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_of_the_outbox_fails_once_in_311),
        cmocka_unit_test(each_operation_of_the_outbox_fails_once_in_5),
        cmocka_unit_test(the_outbox_fails_for_ever_from_each_operation_on_in_311),
        cmocka_unit_test(the_outbox_fails_for_ever_from_each_operation_on_in_5),
    };
    return cmocka_run_group_tests_name("an outbox that fails", tests, NULL, NULL);
}
