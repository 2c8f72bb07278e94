/* SPDX-License-Identifier: MIT */
#include "scripted_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

const struct th_address tls_here = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 8883};
const struct th_address tls_there = {.family = 4, .bytes = {192, 0, 2, 2}, .port = 8883};

/* ---- a scripted TLS backend: a delay, then bytes as they are ---- */

static bool is_due(const struct scripted_tls *script, uint32_t now_ms)
{
    return now_ms - script->started_ms >= script->after_ms;
}

static enum th_stream_state script_poll(void *ctx, uint32_t now_ms)
{
    struct scripted_tls *script = ctx;
    assert_false(script->closed);
    if (!is_due(script, now_ms) || script->ending == TLS_HANGS)
        return TH_STREAM_OPENING;
    if (script->ending == TLS_FAILS)
        return TH_STREAM_FAILED;
    if (script->ending == TLS_ENDS)
        return TH_STREAM_ENDED;
    if (script->open && script->refuses_late && script->ending == TLS_OPENS) {
        script->error = TH_ERR_TRUST_WE_ARE_REVOKED;
        return TH_STREAM_FAILED;
    }
    if (!script->open) {
        script->open = true;
        return TH_STREAM_OPEN;
    }
    return script->below.ops->poll(script->below.ctx, now_ms);
}

static struct th_span script_rx(void *ctx)
{
    struct scripted_tls *script = ctx;
    return script->below.ops->rx(script->below.ctx);
}

static void script_rx_taken(void *ctx, size_t len)
{
    struct scripted_tls *script = ctx;
    script->below.ops->rx_taken(script->below.ctx, len);
}

static uint8_t *script_tx(void *ctx, size_t *room)
{
    struct scripted_tls *script = ctx;
    return script->below.ops->tx(script->below.ctx, room);
}

static void script_tx_put(void *ctx, size_t len)
{
    struct scripted_tls *script = ctx;
    script->below.ops->tx_put(script->below.ctx, len);
}

static void script_close(void *ctx, bool orderly)
{
    struct scripted_tls *script = ctx;
    script->closed = true;
    script->below.ops->close(script->below.ctx, orderly);
}

static void script_failure(void *ctx, struct th_failure *out)
{
    const struct scripted_tls *script = ctx;
    *out = th_failure_of(script->error);
    out->alert = 44;
}

static const struct th_stream_ops stream_ops = {script_poll,   script_rx,     script_rx_taken,
                                                script_tx,     script_tx_put, script_close,
                                                script_failure};

static struct th_stream script_start(void *ctx, const struct th_tls_start *start, uint32_t now_ms)
{
    struct scripted_tls *script = ctx;
    assert_true(start->scratch.len >= TLS_SCRATCH);
    script->scratch = start->scratch.at;
    script->starts++;
    script->offers += start->session.len > 0;
    if (start->session.len > 0) {
        assert_int_equal(start->session.len, TLS_SESSION);
        memcpy(script->offered, start->session.at, TLS_SESSION);
    }
    strcpy(script->server_name, start->server_name);
    script->ending = start->session.len > 0 ? script->resumption : script->full;
    script->below = th_plain_init(&script->plain, start->wire, script->rx, sizeof script->rx,
                                  script->tx, sizeof script->tx);
    script->started_ms = now_ms;
    script->open = script->closed = false;
    th_sim_node_wake_in(script->node, script->after_ms);
    return (struct th_stream){&stream_ops, script};
}

static size_t script_session(void *ctx, uint8_t *into, size_t room)
{
    struct scripted_tls *script = ctx;
    if (script->asked++ < script->sessions_late || room < TLS_SESSION)
        return 0;
    memset(into, 'A' + (int)(script->starts % 20), TLS_SESSION);
    return TLS_SESSION;
}

static void script_info(void *ctx, struct th_tls_info *out)
{
    const struct scripted_tls *script = ctx;
    *out = (struct th_tls_info){.version = 0x0303, .resumed = script->offers > 0};
    if (!out->resumed)
        out->server.not_after_s = 2000000000;
}

/* Enough of a hash to tell different from same. */
static void toy_init(union th_hash_state *state)
{
    state->align = UINT64_C(0xCBF29CE484222325);
}

static void toy_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        state->align = (state->align ^ bytes[i]) * UINT64_C(0x100000001B3);
}

static void toy_out_32(const union th_hash_state *state, uint8_t *digest)
{
    for (size_t i = 0; i < 32; i++)
        digest[i] = (uint8_t)(state->align >> 8 * (i % 8)) ^ (uint8_t)i;
}

static const struct th_hash_ops toy_hash = {toy_init, toy_update, toy_out_32};
static const struct th_hashes hashes = {&toy_hash, &toy_hash};
static const struct th_tls_ops script_ops = {.name = "script",
                                             .scratch_size = TLS_SCRATCH,
                                             .hashes = &hashes,
                                             .start = script_start,
                                             .session = script_session,
                                             .info = script_info};

/* ---- memory that is lent ---- */

static struct th_span lend(void *ctx, size_t len)
{
    struct tls_lender *lender = ctx;
    if (lender->refuses)
        return (struct th_span){NULL, 0};
    assert_int_equal(len, TLS_SCRATCH);
    assert_int_equal(lender->taken, lender->given_back); /* never twice */
    lender->taken++;
    return th_span_of(lender->room, sizeof lender->room);
}

static void take_back(void *ctx)
{
    struct tls_lender *lender = ctx;
    lender->given_back++;
}

static const struct th_loan_ops loan_ops = {lend, take_back};

/* ---- a world ---- */

static const struct th_broker brokers[2] = {{.host = "192.0.2.1", .server_name = "one.example"},
                                            {.host = "192.0.2.2", .server_name = "two.example"}};
static const uint8_t anchor_bytes[] = {1, 2, 3}, certificate_bytes[] = {4, 5, 6};

void tls_world_begin(struct tls_world *world)
{
    memset(world, 0, sizeof *world);
    world->sim = th_sim_new(1, 0u - 1000);
    th_sim_path(world->sim, &(struct th_sim_path){.latency_min_ms = 10, .latency_max_ms = 10});
    world->broker = th_sim_broker_new(world->sim, &tls_here);
    memcpy(world->brokers, brokers, sizeof brokers);
    sim_device_init(&world->device, world->sim, 1, world->brokers, 1);
    world->script.node = &world->device.node;
    world->script.after_ms = 200;
    world->anchor = th_span_of(anchor_bytes, sizeof anchor_bytes);
    world->certificate = th_span_of(certificate_bytes, sizeof certificate_bytes);
    world->trust = (struct th_trust){.anchors = &world->anchor, .anchor_count = 1};
    world->identity = (struct th_identity){.chain = &world->certificate, .chain_count = 1};
    world->tls_config = (struct th_tls_config){
        .trust = &world->trust, .identity = &world->identity, .board = &world->device.node.board};
    struct th_link_config *config = &world->device.link_config;
    config->plaintext = false;
    config->tls = (struct th_tls){&script_ops, &world->script};
    config->tls_config = &world->tls_config;
    config->loan.ops = &loan_ops;
    config->loan.ctx = &world->lender;
    config->session = world->session;
    config->session_room = sizeof world->session;
    config->session_len = &world->session_len;
}

void tls_world_end(struct tls_world *world)
{
    assert_int_equal(world->lender.taken, world->lender.given_back);
    th_sim_broker_free(world->broker);
    th_sim_free(world->sim);
}

void tls_world_assert_state(const struct tls_world *world, enum th_link_state state)
{
    assert_string_equal(th_link_state_name(th_link_state(&world->device.link)),
                        th_link_state_name(state));
}

void tls_world_power_cycle(struct tls_world *world)
{
    th_link_restart(&world->device.link, th_sim_now_ms(world->sim), false);
    th_link_stop(&world->device.link, th_sim_now_ms(world->sim));
    sim_device_wake(&world->device);
    th_sim_run(world->sim, 10);
    world->script.offers = world->script.asked = 0;
    sim_device_start(&world->device);
    th_sim_run(world->sim, 1000);
}

void tls_world_come_up(struct tls_world *world)
{
    sim_device_start(&world->device);
    th_sim_run(world->sim, 1000);
    tls_world_assert_state(world, TH_LINK_UP);
}

bool tls_world_is_wiped(const struct tls_world *world)
{
    for (size_t i = 0; i < sizeof world->session; i++) {
        if (world->session[i] != 0)
            return false;
    }
    return world->session_len == 0;
}
