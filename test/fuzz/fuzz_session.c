/* SPDX-License-Identifier: MIT */
/*
 * An application and a broker that both do anything, over an outbox that fails now and then: the
 * input is a script of calls, bytes, cuts and waits. Nothing crashes, hangs or breaks the session's
 * own promises: identifiers are never given out twice, what was taken stays until it is done with.
 */
#include <stdlib.h>

#include "mqtt_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

struct script {
    const uint8_t *at, *end;
};

static uint8_t take(struct script *script)
{
    return script->at < script->end ? *script->at++ : 0;
}

struct world {
    struct script script;
    struct harness_stream stream;
    struct th_mqtt mqtt;
    struct th_mqtt_config config;
    struct th_outbox_ram ram;
    struct th_outbox_ops ops; /* of the outbox in memory, but for those that fail */
    const struct th_outbox_ops *ram_ops;
    unsigned fails_in; /* operations until one fails; 0: none does */
    _Alignas(8) uint8_t outbox_at[512];
    uint16_t inbound[3];
    uint8_t rx[80], alias_rx[24], tx[96], said[2048];
    uint8_t pending[65536 / 8]; /* a bit for each identifier taken and not done with */
    struct th_mqtt_source source;
    struct th_mqtt_publish streamed;
    bool streaming;
    uint32_t now_ms;
};

static bool fails(struct world *world)
{
    return world->fails_in > 0 && --world->fails_in == 0;
}

static bool add(void *ctx, const struct th_outbox_entry *entry, struct th_span first)
{
    struct world *world = ctx;
    return !fails(world) && world->ram_ops->add(&world->ram, entry, first);
}

static bool append(void *ctx, struct th_span bytes)
{
    struct world *world = ctx;
    return world->ram_ops->append(&world->ram, bytes);
}

static bool set_state(void *ctx, uint16_t id, enum th_outbox_state state)
{
    struct world *world = ctx;
    return !fails(world) && world->ram_ops->set_state(&world->ram, id, state);
}

static bool remove_record(void *ctx, uint16_t id)
{
    struct world *world = ctx;
    return !fails(world) && world->ram_ops->remove(&world->ram, id);
}

static const struct th_outbox_entry *find(void *ctx, uint16_t id)
{
    struct world *world = ctx;
    return world->ram_ops->find(&world->ram, id);
}

static bool next(void *ctx, uint32_t *cursor, struct th_outbox_entry *out)
{
    struct world *world = ctx;
    return world->ram_ops->next(&world->ram, cursor, out);
}

static size_t read_record(void *ctx, uint16_t id, uint32_t offset, uint8_t *into, size_t room)
{
    struct world *world = ctx;
    return fails(world) ? 0 : world->ram_ops->read(&world->ram, id, offset, into, room);
}

static bool inbound(void *ctx, uint16_t id, bool set)
{
    struct world *world = ctx;
    return !fails(world) && world->ram_ops->inbound(&world->ram, id, set);
}

static bool inbound_has(void *ctx, uint16_t id)
{
    struct world *world = ctx;
    return world->ram_ops->inbound_has(&world->ram, id);
}

static bool inbound_clear(void *ctx)
{
    struct world *world = ctx;
    return !fails(world) && world->ram_ops->inbound_clear(&world->ram);
}

static uint16_t inbound_room(void *ctx)
{
    struct world *world = ctx;
    return world->ram_ops->inbound_room(&world->ram);
}

static uint16_t count(void *ctx)
{
    struct world *world = ctx;
    return world->ram_ops->count(&world->ram);
}

static size_t source_read(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    struct world *world = user;
    check(room > 0 && offset + room <= world->source.len);
    uint8_t way = take(&world->script);
    if (way == 255)
        return TH_MQTT_SOURCE_BROKEN;
    size_t len = way % 4 == 0 ? 0 : way % 4 == 1 ? 1 : room;
    memset(into, 's', len);
    return len;
}

static void begin(struct world *world, uint8_t kind)
{
    static const struct th_outbox_ops ops = {
        add,         append,  set_state,   remove_record, find,         next,
        read_record, inbound, inbound_has, inbound_clear, inbound_room, count};
    static const struct th_mqtt_alias aliases[] = {{{(const uint8_t *)"alias/one", 9}},
                                                   {{(const uint8_t *)"2", 1}}};
    struct th_outbox ram = th_outbox_ram_init(&world->ram, world->outbox_at,
                                              sizeof world->outbox_at, world->inbound, 3);
    world->ram_ops = ram.ops;
    world->config =
        (struct th_mqtt_config){.version = (kind & 1) != 0 ? &th_mqtt_v5 : &th_mqtt_v311,
                                .client_id = TH_SPAN("f"),
                                .session_expiry_s = (kind & 2) != 0 ? 9 : 0,
                                .receive_maximum = (kind & 4) != 0 ? 2 : 0,
                                .inflight_maximum = (kind & 8) != 0 ? 2 : 0,
                                .rx = world->rx,
                                .rx_room = sizeof world->rx,
                                .large = &th_mqtt_large,
                                .outbox = {&ops, world},
                                .aliases = aliases,
                                .alias_count = 2,
                                .aliasing = &th_mqtt_aliasing,
                                .auth = &th_mqtt_auth_steps,
                                .alias_rx = world->alias_rx,
                                .alias_rx_room = sizeof world->alias_rx,
                                .alias_rx_maximum = 2};
    check(th_mqtt_init(&world->mqtt, &world->config) == TH_OK);
}

static void connect(struct world *world)
{
    if (th_mqtt_state(&world->mqtt) != TH_MQTT_IDLE)
        return;
    world->stream = (struct harness_stream){.grain = take(&world->script) % 16,
                                            .tx_drain = take(&world->script) % 32};
    world->stream.tx = world->tx;
    world->stream.tx_room = 16 + take(&world->script) % 80u;
    world->stream.in = th_span_of(world->said, 0);
    check(th_mqtt_connect(&world->mqtt, harness_stream(&world->stream), world->now_ms) == TH_OK);
}

static void say(struct world *world)
{
    size_t len = take(&world->script) % 64;
    for (size_t i = 0; i < len && world->stream.in.len < sizeof world->said; i++)
        world->said[world->stream.in.len++] = take(&world->script);
}

/* The usual answers, so that scripts get further than noise would. */
static void say_usual(struct world *world)
{
    static const uint8_t firsts[] = {0x20, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0x32};
    uint8_t choice = take(&world->script);
    uint8_t *at = world->said + world->stream.in.len;
    bool v5 = world->config.version == &th_mqtt_v5;
    if (world->stream.in.len + 16 > sizeof world->said)
        return;
    uint8_t first = firsts[choice & 7];
    uint8_t len = 2;
    at[0] = first;
    at[2] = 0;
    at[3] = choice >> 3;
    if (first == 0x20) {
        at[2] = choice >> 7;
        at[3] = 0;
        at[4] = 0;
        len = v5 ? 3 : 2;
    } else if (first >= 0x90 && first <= 0xB0) {
        at[4] = 0;
        at[5] = 0;
        len = v5 ? 4 : first == 0x90 ? 3 : 2;
    } else if (first == 0x32) {
        at[0] = choice > 127 ? 0x34 : 0x32;
        at[3] = 1;
        at[4] = 'm';
        at[5] = 0;
        at[6] = (choice >> 3 & 7) + 1;
        at[7] = 0;
        len = 6;
    }
    at[1] = len;
    world->stream.in.len += len + 2u;
}

static void publish(struct world *world)
{
    uint8_t choice = take(&world->script);
    uint8_t payload[200] = {0};
    struct th_mqtt_publish message = {.topic = TH_SPAN("topic"),
                                      .payload = {payload, take(&world->script) % sizeof payload},
                                      .qos = (enum th_mqtt_qos)(choice & 3),
                                      .retain = (choice & 4) != 0,
                                      .alias = choice >> 3 & 3};
    struct th_mqtt_publish *given = &message;
    if ((choice & 64) != 0 && !world->streaming) {
        world->source = (struct th_mqtt_source){source_read, world, 1 + message.payload.len};
        message.source = &world->source;
        world->streamed = message;
        given = &world->streamed;
    }
    uint16_t id = 0;
    if (th_mqtt_publish(&world->mqtt, given, &id) != TH_OK)
        return;
    world->streaming |= given == &world->streamed;
    if (given->qos == TH_MQTT_QOS0)
        return;
    check(id != 0 && (world->pending[id / 8] >> id % 8 & 1) == 0);
    world->pending[id / 8] |= (uint8_t)(1 << id % 8);
}

static void on_event(struct world *world, const struct th_mqtt_event *event)
{
    uint16_t id = event->u.ack.id;
    switch (event->kind) {
    case TH_MQTT_EVENT_PUBLISHED:
        check((world->pending[id / 8] >> id % 8 & 1) != 0);
        world->pending[id / 8] &= (uint8_t) ~(1 << id % 8);
        break;
    case TH_MQTT_EVENT_MESSAGE: check(th_mqtt_state(&world->mqtt) == TH_MQTT_CONNECTED); break;
    case TH_MQTT_EVENT_FAILED:
    case TH_MQTT_EVENT_CLOSED: check(th_mqtt_state(&world->mqtt) == TH_MQTT_IDLE); break;
    default: break;
    }
}

static void run(struct world *world)
{
    struct th_mqtt_event event;
    unsigned events = 0;
    while (th_mqtt_next(&world->mqtt, world->now_ms, &event)) {
        on_event(world, &event);
        check(++events < 10000);
    }
    check(world->mqtt.tx_at >= world->mqtt.tx_base && world->mqtt.tx_at <= world->mqtt.tx_end);
}

static void act(struct world *world)
{
    static const struct th_mqtt_filter filter = {.filter = {(const uint8_t *)"a", 1}};
    switch (take(&world->script) % 12) {
    case 0: connect(world); break;
    case 1:
    case 2: say_usual(world); break;
    case 3: say(world); break;
    case 4:
    case 5: publish(world); break;
    case 6: th_mqtt_subscribe(&world->mqtt, &filter, 1, NULL, 0, NULL); break;
    case 7: th_mqtt_unsubscribe(&world->mqtt, &filter, 1, NULL, 0, NULL); break;
    case 8: world->now_ms += take(&world->script) * 400u; break;
    case 9: world->fails_in = take(&world->script) % 8; break;
    case 10: th_mqtt_abandon(&world->mqtt); break;
    default:
        if (take(&world->script) % 4 == 0)
            th_mqtt_disconnect(&world->mqtt, 0, NULL, 0);
        break;
    }
    run(world);
    if (world->streaming && world->mqtt.out_publish != &world->streamed &&
        th_mqtt_pending(&world->mqtt) == 0)
        world->streaming = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    if (size < 2)
        return 0;
    memset(&world, 0, sizeof world);
    world.script = (struct script){data + 1, data + size};
    begin(&world, data[0]);
    connect(&world);
    while (world.script.at < world.script.end)
        act(&world);
    return 0;
}
