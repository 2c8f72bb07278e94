/* SPDX-License-Identifier: MIT */
#include "device_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FLASH_BYTES (128u * 1024)
#define HANDSHAKE   300 /* bytes of an anchor */

/* ---- a model of TLS over the plain stream ---- */

static struct world_server *server_of(struct device_world *world, const char *name)
{
    for (int i = 0; i < WORLD_SERVERS; i++) {
        if (strcmp(world->servers[i].name, name) == 0)
            return &world->servers[i];
    }
    return NULL;
}

static void anchor_bytes(uint8_t number, uint8_t into[HANDSHAKE])
{
    memset(into, number, HANDSHAKE);
    into[0] = 0x30;
}

static bool trusts(const struct th_trust *trust, uint8_t anchor)
{
    uint8_t bytes[HANDSHAKE];

    anchor_bytes(anchor, bytes);
    for (uint8_t i = 0; i < trust->anchor_count; i++) {
        if (th_span_equal(trust->anchors[i], th_span_of(bytes, sizeof bytes)))
            return true;
    }
    return false;
}

/* The next LDevID's chain of world_enrol() begins with another byte. */
static bool is_next(const struct th_identity *us)
{
    return us && us->chain_count > 0 && us->chain[0].at[8] == 'n';
}

/* What is no certificate has no dates. */
static bool in_time(struct device_world *world, const struct th_identity *us)
{
    const struct th_hash_ops *sha256 = th_crypto_openssl.hashes->sha256;
    int64_t now_s = sim_time_now(&world->times) / 1000;
    struct th_certificate ours;

    return !world->checks_us || !us || us->chain_count == 0 ||
           !th_certificate_read(us->chain[0], sha256, &ours) ||
           (now_s >= ours.not_before_s && now_s <= ours.not_after_s);
}

static bool begins_as(const struct th_identity *us, const char *text)
{
    return us && us->chain_count > 0 && us->chain[0].len == 10 &&
           memcmp(us->chain[0].at + 2, text, strlen(text)) == 0;
}

static enum th_error judge(struct device_world *world)
{
    const struct th_trust *trust = world->start_copy.config->trust;
    const struct th_identity *us = world->start_copy.config->identity;
    const struct world_server *server = world->server;

    if (!server || !trusts(trust, server->anchor))
        return TH_ERR_TRUST_UNKNOWN_CA;
    if (!in_time(world, us) || server->refuses_us || (server->refuses_next && is_next(us)))
        return TH_ERR_TRUST_WE_ARE_REFUSED;
    if (server->births != begins_as(us, "birth"))
        return TH_ERR_TRUST_WE_ARE_UNKNOWN;
    if (server->refuses_old && begins_as(us, "chain-o"))
        return TH_ERR_TRUST_WE_ARE_EXPIRED;
    switch (th_trust_date(&trust->clock, server->not_before_s, server->not_after_s)) {
    case TH_DATE_EXPIRED: return TH_ERR_DATE_EXPIRED;
    case TH_DATE_NOT_YET: return TH_ERR_DATE_NOT_YET;
    case TH_DATE_VALID:
    case TH_DATE_PROVISIONAL:
    case TH_DATE_DOUBTFUL: break;
    }
    return TH_OK;
}

static enum th_stream_state tls_poll(void *ctx, uint32_t now_ms)
{
    struct device_world *world = ctx;

    if (world->tls_open)
        return world->below.ops->poll(world->below.ctx, now_ms);
    if (!world->tls_resumed)
        world->tls_error = judge(world);
    if (world->tls_error != TH_OK)
        return TH_STREAM_FAILED;
    world->tls_open = true;
    if (world->tls_resumed)
        world->server->resumed++;
    else
        world->server->full++;
    return TH_STREAM_OPEN;
}

static struct th_span tls_rx(void *ctx)
{
    struct device_world *world = ctx;
    return world->below.ops->rx(world->below.ctx);
}

static void tls_rx_taken(void *ctx, size_t len)
{
    struct device_world *world = ctx;
    world->below.ops->rx_taken(world->below.ctx, len);
}

static uint8_t *tls_tx(void *ctx, size_t *room)
{
    struct device_world *world = ctx;
    return world->below.ops->tx(world->below.ctx, room);
}

static void tls_tx_put(void *ctx, size_t len)
{
    struct device_world *world = ctx;
    world->below.ops->tx_put(world->below.ctx, len);
}

static void tls_close(void *ctx, bool orderly)
{
    struct device_world *world = ctx;
    world->below.ops->close(world->below.ctx, orderly);
}

static void tls_failure(void *ctx, struct th_failure *out)
{
    const struct device_world *world = ctx;
    *out = th_failure_of(world->tls_error);
}

static const struct th_stream_ops stream_ops = {tls_poll,   tls_rx,    tls_rx_taken, tls_tx,
                                                tls_tx_put, tls_close, tls_failure};

static struct th_stream tls_start(void *ctx, const struct th_tls_start *start, uint32_t now_ms)
{
    struct device_world *world = ctx;

    (void)now_ms;
    world->start_copy = *start;
    world->server = server_of(world, start->server_name);
    world->below = th_plain_init(&world->plain, start->wire, world->tls_rx, sizeof world->tls_rx,
                                 world->tls_tx, sizeof world->tls_tx);
    world->tls_open = false;
    world->tls_error = TH_OK;
    world->tls_resumed =
        start->session.len > 0 && world->server && world->server->remembers == start->session.at[1];
    return (struct th_stream){&stream_ops, world};
}

static size_t tls_session(void *ctx, uint8_t *into, size_t room)
{
    struct device_world *world = ctx;

    if (room < 48)
        return 0;
    if (!world->tls_resumed)
        world->server->remembers = (uint8_t)(world->server->full % 200 + 1);
    memset(into, 'S', 48);
    into[1] = world->server->remembers;
    return 48;
}

static void tls_info(void *ctx, struct th_tls_info *out)
{
    const struct device_world *world = ctx;
    const struct world_server *server = world->server;

    *out = (struct th_tls_info){
        .version = 0x0303, .suite_name = "MODEL", .resumed = world->tls_resumed};
    snprintf(out->server.subject, sizeof out->server.subject, "%s", server->name);
    out->server.not_before_s = server->not_before_s;
    out->server.not_after_s = server->not_after_s;
    out->server.floor_s = server->not_before_s;
    out->server.dates = th_trust_date(&world->start_copy.config->trust->clock, server->not_before_s,
                                      server->not_after_s);
}

static struct th_tls_ops tls_ops = {.name = "model",
                                    .scratch_size = 1000,
                                    .start = tls_start,
                                    .session = tls_session,
                                    .info = tls_info};

/* ---- the board ---- */

static enum th_reset_reason reset_reason(void *ctx)
{
    return ((struct device_world *)ctx)->reset;
}

static void feed(void *ctx)
{
    ((struct device_world *)ctx)->feeds++;
}

static void restart(void *ctx)
{
    ((struct device_world *)ctx)->restarts = true;
}

static bool crash_place(void *ctx, struct th_crash_place *out)
{
    (void)ctx;
    *out = (struct th_crash_place){.pc = 0x40201234, .cause = 29, .uptime_ms = 77};
    return true;
}

static const struct th_system_ops system_ops = {reset_reason, feed, restart, crash_place};

static bool rtc_read(void *ctx, uint8_t into[TH_RTC_BYTES])
{
    memcpy(into, ((struct device_world *)ctx)->rtc, TH_RTC_BYTES);
    return true;
}

static bool rtc_write(void *ctx, const uint8_t from[TH_RTC_BYTES])
{
    memcpy(((struct device_world *)ctx)->rtc, from, TH_RTC_BYTES);
    return true;
}

static const struct th_rtc_ops rtc_ops = {rtc_read, rtc_write};

static void say(void *user, const char *line)
{
    struct device_world *world = user;

    snprintf(world->lines[world->line_count++ % WORLD_LINES], WORLD_LINE, "%s", line);
    if (getenv("WORLD_LOUD"))
        fprintf(stderr, "%10llu  %s\n", (unsigned long long)th_sim_elapsed_ms(world->sim), line);
}

/* ---- who answers ---- */

static void answer(struct device_world *world, const char *caller, struct th_span request)
{
    char topic[80], text[160], method[32], nonce[40];
    struct th_json frame;
    int64_t id;
    size_t at;

    assert_int_equal(th_json_parse(request, &frame, &at), TH_OK);
    if (!th_json_string(th_json_member(frame, "method"), method, sizeof method))
        return;
    assert_true(th_json_integer(th_json_member(frame, "id"), &id));
    assert_true(th_json_string(th_json_member(th_json_member(frame, "params"), "nonce"), nonce,
                               sizeof nonce));
    if (strcmp(method, "Cert.Renew") == 0) {
        if (world->on_renewal)
            world->on_renewal(world->renewal_ctx, id, nonce, th_json_member(frame, "params"));
        return;
    }
    if (strcmp(method, "Trial.Prove") == 0)
        world->proofs++;
    else
        world->times_asked++;
    snprintf(text, sizeof text, "{\"id\":%lld,\"result\":{\"nonce\":\"%s\",\"time_ms\":%lld}}",
             (long long)id, nonce, (long long)(sim_time_now(&world->times) + world->agent_off_ms));
    snprintf(topic, sizeof topic, "lamp/from/%s/rpc", caller);
    for (int i = 0; i < WORLD_SERVERS; i++)
        th_sim_broker_publish(world->servers[i].broker, th_span_str(topic), th_span_str(text), 1);
}

static bool topic_is(struct th_span topic, const char *name)
{
    return th_span_equal(topic, th_span_str(name));
}

static void on_message(void *ctx, const char *client_id, struct th_span topic,
                       struct th_span payload, uint8_t qos)
{
    struct device_world *world = ctx;

    (void)client_id;
    (void)qos;
    if (topic_is(topic, "lamp/to/agent/rpc") && !world->agent_silent)
        answer(world, "agent", payload);
    else if (topic_is(topic, "lamp/to/alice/rpc") && !world->user_silent)
        answer(world, "alice", payload);
    else if (topic_is(topic, "recover/lamp/request") && world->asked)
        world->asked(world, payload);
    else if (topic_is(topic, "lamp/log"))
        snprintf(world->logs[world->log_count++ % WORLD_LINES], WORLD_LINE * 2, "%.*s",
                 (int)payload.len, (const char *)payload.at);
}

/* ---- running ---- */

static void wake(void *ctx)
{
    struct device_world *world = ctx;
    uint32_t now = th_sim_now_ms(world->sim);

    sim_time_now(&world->times);
    world->node.network = sim_radio_up(&world->radio);
    if (!world->device.config || world->restarts || world->flash.dead)
        return;
    /* Its loop is held in some call: it comes to this later. */
    if (world->busy) {
        world->again = true;
        return;
    }
    world->busy = true;
    world->again = false;
    th_device_step(&world->device, now);
    world->busy = false;
    uint32_t wait = th_device_deadline(&world->device, th_sim_now_ms(world->sim));
    th_sim_node_wake_in(&world->node, wait > 0 && !world->again ? wait : 1);
}

void world_start(struct device_world *world, enum th_reset_reason reason)
{
    uint32_t fail_from = world->flash.fail_from, fail_to = world->flash.fail_to;

    th_sim_node_crash(&world->node, false);
    if (world->recovers)
        th_recovery_init(&world->recovery);
    sim_flash_power_on(&world->flash, world->flash.seed * 1664525 + 1013904223);
    world->flash.fail_from = fail_from;
    world->flash.fail_to = fail_to;
    world->reset = reason;
    world->restarts = false;
    world->radio.status = TH_WIFI_IDLE;
    world->radio.ap_open = false;
    if (reason == TH_RESET_POWER_ON)
        memset(world->rtc, 0, sizeof world->rtc);
    world->config.outbox = th_outbox_ram_init(&world->outbox, (uint8_t *)world->outbox_bytes,
                                              sizeof world->outbox_bytes, world->inbound,
                                              sizeof world->inbound / sizeof world->inbound[0]);
    assert_int_equal(th_device_start(&world->device, &world->config, th_sim_now_ms(world->sim)),
                     TH_OK);
    th_sim_node_wake_in(&world->node, 0);
}

void world_run(struct device_world *world, uint64_t for_ms)
{
    uint64_t end = th_sim_elapsed_ms(world->sim) + for_ms;

    while (th_sim_elapsed_ms(world->sim) < end) {
        uint64_t left = end - th_sim_elapsed_ms(world->sim);

        if (world->flash.dead)
            world_start(world, TH_RESET_POWER_ON);
        else if (world->restarts)
            world_start(world, TH_RESET_REQUESTED);
        th_sim_run(world->sim, left < 1000 ? left : 1000);
    }
}

/* ---- beginning ---- */

static void add_server(struct device_world *world, int n, const char *name)
{
    struct world_server *server = &world->servers[n];

    *server = (struct world_server){.name = name,
                                    .anchor = 1,
                                    .not_before_s = WORLD_NOW_S - 30 * 86400,
                                    .not_after_s = WORLD_NOW_S + 10 * WORLD_YEAR_S,
                                    .at = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 8883}};
    server->at.bytes[3] = (uint8_t)(n + 1);
    server->broker = th_sim_broker_new(world->sim, &server->at);
    th_sim_broker_options(server->broker)->message = on_message;
    th_sim_broker_options(server->broker)->ctx = world;
    th_sim_name(world->sim, name, &server->at, 1, 20, TH_OK);
}

static void set_board(struct device_world *world)
{
    world->board = world->node.board;
    world->board.flash.ops = world->without_flash ? NULL : &sim_flash_ops;
    world->board.flash.ctx = &world->flash;
    world->board.rtc.ops = &rtc_ops;
    world->board.rtc.ctx = world;
    world->board.system.ops = &system_ops;
    world->board.system.ctx = world;
    world->board.wifi.ops = &sim_radio_ops;
    world->board.wifi.ctx = &world->radio;
    world->board.udp.ops = &sim_time_ops;
    world->board.udp.ctx = &world->times;
}

static void set_config(struct device_world *world)
{
    tls_ops.hashes = th_crypto_openssl.hashes;
    world->crypto = (struct th_crypto){&th_crypto_openssl, NULL};
    world->config = (struct th_device_config){
        .board = &world->board,
        .map = &th_flash_map_sim,
        .crypto = &world->crypto,
        .tls = {&tls_ops, world},
        .scratch = {world->scratch, sizeof world->scratch},
        .session = world->session,
        .session_room = sizeof world->session,
        .trust = world->trust,
        .trust_room = sizeof world->trust,
        .chain = world->chain,
        .chain_room = sizeof world->chain,
        .work = world->work,
        .work_room = sizeof world->work,
        .rx = world->rx,
        .rx_room = sizeof world->rx,
        .v311 = &th_mqtt_v311,
        .v5 = &th_mqtt_v5,
        .product = "thimble",
        .version = "1.0",
        .hardware = 1,
        .built_s = WORLD_BUILT_S,
        .say = say,
        .user = world,
    };
}

void world_begin(struct device_world *world, uint64_t seed, uint32_t start_ms)
{
    memset(world, 0, sizeof *world);
    world->sim = th_sim_new(seed, start_ms);
    th_sim_path(world->sim, &(struct th_sim_path){.latency_min_ms = 5, .latency_max_ms = 20});
    th_sim_node_init(&world->node, world->sim, wake, world);
    uint8_t *cells = malloc(FLASH_BYTES), *weak = malloc(FLASH_BYTES);
    sim_flash_init(&world->flash, (struct th_flash_geometry){FLASH_BYTES, 1024, 4}, cells, weak,
                   (uint32_t)seed);
    snprintf(world->radio.ssid, sizeof world->radio.ssid, "garden");
    snprintf(world->radio.pass, sizeof world->radio.pass, "secret words");
    set_board(world);
    world->times.board = &world->board;
    world->times.at_ms = start_ms;
    world->times.true_ms = WORLD_NOW_S * 1000;
    world->times.servers[0].name = "pool.ntp.org";
    add_server(world, 0, "one.example");
    add_server(world, 1, "two.example");
    add_server(world, 2, "recovery.example");
    world->servers[2].births = true;
    set_config(world);
}

void world_end(struct device_world *world)
{
    free(world->flash.cells);
    free(world->flash.weak);
    for (int i = 0; i < WORLD_SERVERS; i++)
        th_sim_broker_free(world->servers[i].broker);
    th_sim_free(world->sim);
}

/* ---- bundles and enrolment ---- */

static const uint8_t update_secret[TH_P256_SECRET] = {1, 2, 3, 4};
static const uint8_t stranger_secret[TH_P256_SECRET] = {5, 6, 7, 8};

static void add_item(uint8_t *set, size_t *len, const struct th_trust_item *item)
{
    assert_int_equal(th_trust_set_add(set, TH_TRUST_SET_MAX, len, item), TH_OK);
}

static size_t fill_set(struct device_world *world, const struct world_bundle *bundle, uint8_t *set)
{
    struct th_trust_item key = {.kind = TH_ITEM_UPDATE_KEY,
                                .key = {.components = 1 << TH_COMPONENT_TRUST}};
    uint8_t anchor[HANDSHAKE];
    size_t len = 0;

    anchor_bytes(bundle->anchor ? bundle->anchor : 1, anchor);
    add_item(set, &len,
             &(struct th_trust_item){.kind = TH_ITEM_ANCHOR,
                                     .bytes = th_span_of(anchor, sizeof anchor)});
    add_item(set, &len,
             &(struct th_trust_item){
                 .kind = TH_ITEM_BROKER,
                 .port = 8883,
                 .bytes = th_span_str(bundle->broker ? bundle->broker : "one.example")});
    if (world->recovers)
        add_item(set, &len,
                 &(struct th_trust_item){
                     .kind = TH_ITEM_RECOVERY, .port = 8883, .bytes = TH_SPAN("recovery.example")});
    assert_true(th_crypto_openssl.p256_public(world->crypto.ctx, update_secret, key.key.point));
    add_item(set, &len, &key);
    add_item(set, &len,
             &(struct th_trust_item){
                 .kind = TH_ITEM_ROLE, .role = TH_ROLE_ADMIN, .bytes = TH_SPAN("alice")});
    if (bundle->agent)
        add_item(set, &len,
                 &(struct th_trust_item){
                     .kind = TH_ITEM_ROLE, .role = TH_ROLE_AGENT, .bytes = TH_SPAN("agent")});
    return len;
}

static void sha256(struct th_span bytes, uint8_t digest[TH_SHA256_BYTES])
{
    const struct th_hash_ops *hash = th_crypto_openssl.hashes->sha256;
    union th_hash_state state;

    hash->init(&state);
    hash->update(&state, bytes.at, bytes.len);
    hash->out(&state, digest);
}

size_t world_bundle(struct device_world *world, const struct world_bundle *bundle, uint8_t *into)
{
    const uint8_t *secret = bundle->stranger ? stranger_secret : update_secret;
    uint8_t digest[TH_SHA256_BYTES], signature[TH_P256_SIGNATURE], point[TH_P256_POINT];
    struct th_span set = {into + TH_MANIFEST_BYTES, 0};
    struct th_manifest manifest = {.component = TH_COMPONENT_TRUST,
                                   .sequence = bundle->sequence,
                                   .time_s = bundle->time_s ? bundle->time_s : WORLD_BUILT_S,
                                   .product = "thimble",
                                   .hardware_max = 9,
                                   .block_size = 8192};

    set.len = fill_set(world, bundle, into + TH_MANIFEST_BYTES);
    manifest.size = (uint32_t)set.len;
    sha256(set, manifest.sha256);
    sha256(th_span_of(manifest.sha256, sizeof manifest.sha256), manifest.blocks);
    assert_true(th_crypto_openssl.p256_public(NULL, secret, point));
    th_key_id(th_crypto_openssl.hashes->sha256, point, manifest.key_id);
    assert_int_equal(th_manifest_encode(&manifest, into), TH_OK);
    th_manifest_digest(th_crypto_openssl.hashes->sha256, into, digest);
    assert_true(th_crypto_openssl.p256_sign(NULL, secret, digest, signature));
    th_manifest_sign(into, signature);
    return TH_MANIFEST_BYTES + set.len;
}

static void put(struct th_settings_change *change, const char *name, const char *value)
{
    const struct th_setting *setting = th_setting_find(th_span_str(name));
    const char *why = "";

    assert_non_null(setting);
    if (th_settings_put(change, setting, th_span_str(value), &why) != TH_OK)
        fail_msg("%s=%s: %s", name, value, why);
}

/* Straight into the stores, as the enrolment does it. */
void world_enrol(struct device_world *world, bool agent)
{
    static const uint8_t chain[] = {0x30, 8, 'c', 'h', 'a', 'i', 'n', '-', 'o', '1'};
    struct th_device *device = &world->device;
    struct th_settings settings = {&device->log, TH_RECORD_SETTINGS};
    struct th_settings_change change;
    uint8_t bundle[TH_TRUST_BUNDLE_MAX];

    world_start(world, TH_RESET_POWER_ON);
    if (world->recovers)
        world_give_birth(world);
    size_t len = world_bundle(world, &(struct world_bundle){.sequence = 1, .agent = agent}, bundle);
    assert_int_equal(
        th_identity_next_make(&device->identity, &world->crypto, &world->board, TH_SPAN("lamp")),
        TH_OK);
    assert_int_equal(th_identity_enrol(&device->identity, th_span_of(chain, sizeof chain),
                                       th_span_of(bundle, len)),
                     TH_OK);
    assert_int_equal(th_settings_begin(&change, &settings, world->work, sizeof world->work), TH_OK);
    put(&change, "mode", "mqtt");
    put(&change, "wifi.sta.ssid", "garden");
    put(&change, "wifi.sta.pass", "secret words");
    assert_int_equal(th_settings_commit(&change, &settings), TH_OK);
    world_start(world, TH_RESET_POWER_ON);
}

enum th_error world_try(struct device_world *world, const char *user, ...)
{
    struct th_settings in_force = {&world->device.log, TH_RECORD_SETTINGS};
    struct th_settings_change change;
    const char *name;
    va_list list;

    assert_int_equal(th_settings_begin(&change, &in_force, world->work, sizeof world->work), TH_OK);
    va_start(list, user);
    while ((name = va_arg(list, const char *)) != NULL)
        put(&change, name, va_arg(list, const char *));
    va_end(list);
    enum th_error error =
        th_device_try_settings(&world->device, &change, user, th_sim_now_ms(world->sim));
    th_sim_node_wake_in(&world->node, 0);
    return error;
}
