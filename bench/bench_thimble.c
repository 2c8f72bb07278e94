/* SPDX-License-Identifier: MIT */
/* Thimble's link over the Linux port: plain, BearSSL or OpenSSL. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thimble/link.h>
#include <thimble/linux.h>
#include <thimble/mqtt.h>
#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>

enum { BUFFER = 16384, OUTBOX = 8192, FRAGMENT = 512 };

/* What all connections of the process share. */
static struct {
    struct bench bench;
    struct th_linux loop;
    struct th_linux_certificates anchors;
    struct th_linux_identity identity;
    struct th_openssl_shared openssl;
    struct th_trust trust;
    struct th_tls_config tls;
    struct th_mqtt_publish message;
    struct th_span scratch; /* lent to one handshake at a time */
    bool lent;
    bool is_bearssl;
} all;

/* One connection, with everything that is its own. */
struct client {
    struct th_linux_net net;
    struct th_board board;
    struct th_broker broker;
    struct th_link link;
    struct th_link_config config;
    struct th_mqtt mqtt;
    struct th_mqtt_config mqtt_config;
    struct th_outbox_ram outbox;
    bool up, subscribed;
    uint32_t sent, done;
};

static struct th_span take(void *ctx, size_t len)
{
    (void)ctx;
    if (all.lent || len > all.scratch.len)
        return (struct th_span){0};
    all.lent = true;
    return all.scratch;
}

static void give_back(void *ctx)
{
    (void)ctx;
    all.lent = false;
}

static const struct th_loan_ops loan_ops = {.take = take, .give_back = give_back};

static void fail(const char *what, const struct th_failure *failure)
{
    char text[256];
    th_failure_text(failure, text, sizeof text);
    bench_fail(what, text);
}

static void *memory(size_t len)
{
    void *at = calloc(1, len);
    if (!at)
        bench_fail("memory", "none");
    return at;
}

static void share(void)
{
    struct th_failure failure;
    const struct bench *b = &all.bench;
    if (!th_linux_init(&all.loop, &failure))
        fail("loop", &failure);
    all.message = (struct th_mqtt_publish){.topic = TH_SPAN(BENCH_TOPIC),
                                           .payload = {b->payload, BENCH_PAYLOAD},
                                           .qos = (enum th_mqtt_qos)b->qos};
    if (!b->ca)
        return;
    if (th_linux_certificates_load(&all.anchors, b->ca, &failure) != TH_OK)
        fail(b->ca, &failure);
    if (th_linux_identity_load(&all.identity, b->cert, b->key, &failure) != TH_OK)
        fail(b->cert, &failure);
    all.is_bearssl = strcmp(b->library, "bearssl") == 0;
    if (!all.is_bearssl && !th_openssl_shared_init(&all.openssl))
        bench_fail("OpenSSL", "cannot be set up");
    all.trust = (struct th_trust){
        .anchors = all.anchors.at,
        .anchor_count = all.anchors.count,
        .clock = {.kind = TH_CLOCK_TRUSTED, .now_s = (int64_t)time(NULL)},
    };
    all.tls = (struct th_tls_config){.trust = &all.trust, .identity = &all.identity.identity};
    all.tls.fragment_length =
        all.is_bearssl && b->mode == BENCH_IDLE ? TH_FRAGMENT_512 : TH_FRAGMENT_16384;
    all.scratch = th_span_of(memory(th_tls_bearssl.scratch_size), th_tls_bearssl.scratch_size);
}

/* Returns the bytes of the connection's own. */
static uint32_t choose_stream(struct client *c)
{
    uint32_t room = all.bench.mode == BENCH_IDLE ? FRAGMENT : BUFFER;
    if (!all.bench.ca) {
        c->config.plaintext = true;
        c->config.plain_rx = memory(room);
        c->config.plain_tx = memory(room);
        c->config.plain_rx_room = c->config.plain_tx_room = room;
        return 2 * room;
    }
    c->config.tls_config = &all.tls;
    c->config.loan.ops = &loan_ops;
    if (all.is_bearssl) {
        uint32_t fragment = all.bench.mode == BENCH_IDLE ? FRAGMENT : 16384;
        struct th_bearssl *tls = memory(sizeof *tls);
        th_bearssl_init(tls, &th_bearssl_host, memory(TH_BEARSSL_IN(fragment)),
                        TH_BEARSSL_IN(fragment), memory(TH_BEARSSL_OUT(room)),
                        TH_BEARSSL_OUT(room));
        c->config.tls = (struct th_tls){&th_tls_bearssl, tls};
        return (uint32_t)sizeof *tls + TH_BEARSSL_IN(fragment) + TH_BEARSSL_OUT(room);
    }
    struct th_openssl *tls = memory(sizeof *tls);
    th_openssl_init(tls, &all.openssl, memory(room), room, memory(room), room);
    c->config.tls = (struct th_tls){&th_tls_openssl, tls};
    return (uint32_t)sizeof *tls + 2 * room;
}

static uint32_t start(struct client *c, uint32_t now_ms)
{
    uint32_t rx = all.bench.mode == BENCH_IDLE ? 128 : 512;
    uint32_t own = (uint32_t)sizeof *c + rx;
    th_linux_net_init(&c->net, &all.loop);
    th_linux_board(&c->net, &c->board);
    c->net.user = c;
    all.tls.board = &c->board;
    c->broker = (struct th_broker){.host = BENCH_HOST, .port = (uint16_t)all.bench.port};
    c->config =
        (struct th_link_config){.board = &c->board, .brokers = &c->broker, .broker_count = 1};
    own += choose_stream(c);
    c->mqtt_config = (struct th_mqtt_config){.version = &th_mqtt_v311,
                                             .clean_start = true,
                                             .keep_alive_s = 600,
                                             .inflight_maximum = BENCH_WINDOW,
                                             .rx = memory(rx),
                                             .rx_room = rx};
    if (all.bench.qos > 0) {
        c->mqtt_config.outbox =
            th_outbox_ram_init(&c->outbox, memory(OUTBOX), OUTBOX, memory(64), 32);
        own += OUTBOX + 64;
    }
    if (th_mqtt_init(&c->mqtt, &c->mqtt_config) != TH_OK ||
        th_link_init(&c->link, &c->config, &c->mqtt) != TH_OK)
        bench_fail("configuration", "refused");
    th_link_start(&c->link, now_ms);
    return own;
}

/* As many messages as the window and the buffers take. */
static void fill(struct client *c)
{
    uint32_t limit = all.bench.count;
    if (all.bench.qos > 0 && limit - c->done > BENCH_WINDOW)
        limit = c->done + BENCH_WINDOW;
    enum th_error error = TH_OK;
    while (c->sent < limit && (error = th_mqtt_publish(&c->mqtt, &all.message, NULL)) == TH_OK)
        c->sent++;
    if (error != TH_OK && error != TH_ERR_AGAIN)
        bench_fail("publish", th_error_text(error));
}

static void on_mqtt(struct client *c, const struct th_mqtt_event *event)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED: c->up = true; break;
    case TH_MQTT_EVENT_SUBSCRIBED: c->subscribed = true; break;
    case TH_MQTT_EVENT_MESSAGE: c->done++; break;
    case TH_MQTT_EVENT_PUBLISHED:
        c->done++;
        fill(c);
        break;
    default: break;
    }
}

static void drain(struct client *c, uint32_t now_ms)
{
    struct th_link_event event;
    while (th_link_next(&c->link, now_ms, &event)) {
        if (event.kind == TH_LINK_EVENT_MQTT)
            on_mqtt(c, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED)
            fail("link", &event.u.failed.failure);
    }
}

static uint32_t turn(struct client *c)
{
    uint32_t now_ms = th_linux_now(&all.loop);
    drain(c, now_ms);
    return now_ms;
}

static void sleep_until_something(struct client *c, uint32_t now_ms)
{
    th_linux_wait(&all.loop, th_link_deadline(&c->link, now_ms));
}

static void connect_one(struct client *c)
{
    for (;;) {
        uint32_t now_ms = turn(c);
        if (c->up)
            return;
        sleep_until_something(c, now_ms);
    }
}

static void publish(struct client *c)
{
    const struct bench *b = &all.bench;
    for (;;) {
        uint32_t before = c->sent;
        fill(c);
        uint32_t now_ms = turn(c);
        if (c->sent == b->count && (b->qos == 0 || c->done == b->count))
            return;
        if (b->qos > 0 || c->sent == before)
            sleep_until_something(c, now_ms);
    }
}

static void receive(struct client *c)
{
    const struct th_mqtt_filter filter = {.filter = TH_SPAN(BENCH_TOPIC)};
    if (th_mqtt_subscribe(&c->mqtt, &filter, 1, NULL, 0, NULL) != TH_OK)
        bench_fail("subscribe", "refused");
    for (bool ready = false;;) {
        uint32_t now_ms = turn(c);
        if (c->subscribed && !ready) {
            ready = true;
            bench_ready();
        }
        if (c->done >= all.bench.count)
            return;
        sleep_until_something(c, now_ms);
    }
}

static void stop(struct client *c)
{
    th_link_stop(&c->link, th_linux_now(&all.loop));
    while (th_link_state(&c->link) != TH_LINK_DOWN) {
        uint32_t now_ms = turn(c);
        if (th_link_state(&c->link) != TH_LINK_DOWN)
            sleep_until_something(c, now_ms);
    }
    th_linux_net_close(&c->net);
}

int main(int argc, char **argv)
{
    struct bench *b = &all.bench;
    uint32_t own = 0;
    bench_options(b, argc, argv);
    share();
    struct client *first = memory(sizeof *first);
    start(first, th_linux_now(&all.loop));
    connect_one(first);
    bench_begin(b);
    if (b->mode == BENCH_PUBLISH)
        publish(first);
    else if (b->mode == BENCH_RECEIVE)
        receive(first);
    for (uint32_t i = 0; b->mode == BENCH_IDLE && i < b->count; i++) {
        struct client *c = memory(sizeof *c);
        own = start(c, th_linux_now(&all.loop));
        connect_one(c);
    }
    bench_end(b);
    if (b->mode != BENCH_IDLE)
        stop(first);
    bench_report(b, own);
    return 0;
}
