/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <string.h>

#include <thimble/time.h>

#include "exits.h"

#define RESOLVE_MS   10000
#define CONNECT_MS   15000
#define HANDSHAKE_MS 30000
#define LATE_MS      700 /* for the server's word on our certificate */
#define LOOK_MS      100 /* look-ups have time-outs of their own */

int judge_open(struct judge *judge, struct th_linux *loop, const struct peer_flags *flags)
{
    memset(judge, 0, sizeof *judge);
    judge->failure = th_failure_of(TH_OK);
    return peer_tls_open(&judge->peer, loop, flags);
}

void judge_close(struct judge *judge)
{
    peer_close(&judge->peer);
}

static uint32_t now_of(const struct judge *judge)
{
    return th_linux_now(judge->peer.loop);
}

/* Waits for something to happen; false when `since` is `limit_ms` ago. */
static bool patient(const struct judge *judge, uint32_t since, uint32_t limit_ms)
{
    uint32_t gone = now_of(judge) - since;
    if (gone >= limit_ms)
        return false;
    th_linux_wait(judge->peer.loop, limit_ms - gone < LOOK_MS ? limit_ms - gone : LOOK_MS);
    return true;
}

static bool resolve(struct judge *judge)
{
    const struct th_broker *broker = &judge->peer.broker;
    const struct th_net *net = &judge->peer.board.net;
    if (th_address_parse(broker->host, &judge->addresses[0])) {
        judge->addresses[0].port = broker->port;
        judge->address_count = 1;
        return true;
    }
    uint32_t since = now_of(judge);
    net->ops->resolve(net->ctx, broker->host, broker->port);
    for (;;) {
        int count =
            net->ops->resolved(net->ctx, judge->addresses, TH_LINK_ADDRESSES_MAX, &judge->failure);
        if (count > 0)
            judge->address_count = (uint8_t)count;
        if (count != 0)
            return count > 0;
        if (!patient(judge, since, RESOLVE_MS)) {
            net->ops->resolve_cancel(net->ctx);
            judge->failure = th_failure_of(TH_ERR_NAME_TIMEOUT);
            return false;
        }
    }
}

static bool connect_one(struct judge *judge, struct th_wire *wire)
{
    const struct th_net *net = &judge->peer.board.net;
    uint32_t since = now_of(judge);
    *wire = net->ops->connect(net->ctx, &judge->addresses[judge->address_at]);
    enum th_stream_state state;
    bool waiting = true;
    while ((state = wire->ops->state(wire->ctx)) == TH_STREAM_OPENING && waiting)
        waiting = patient(judge, since, CONNECT_MS);
    judge->tcp_ms = now_of(judge) - since;
    if (state == TH_STREAM_OPEN)
        return true;
    if (state == TH_STREAM_FAILED)
        wire->ops->failure(wire->ctx, &judge->failure);
    else
        judge->failure =
            th_failure_of(state == TH_STREAM_OPENING ? TH_ERR_TCP_TIMEOUT : TH_ERR_TCP_CLOSED);
    wire->ops->close(wire->ctx, false);
    return false;
}

static bool connect_any(struct judge *judge, struct th_wire *wire)
{
    for (judge->address_at = 0; judge->address_at < judge->address_count; judge->address_at++) {
        if (connect_one(judge, wire)) {
            judge->failure = th_failure_of(TH_OK);
            return true;
        }
    }
    judge->address_at = 0;
    return false;
}

/* Polls while the stream is in `while_in`; its failure goes into the verdict. */
static enum th_stream_state poll_stream(struct judge *judge, struct th_stream *stream,
                                        enum th_stream_state while_in, uint32_t limit_ms)
{
    uint32_t since = now_of(judge);
    enum th_stream_state state;
    do {
        state = stream->ops->poll(stream->ctx, now_of(judge));
    } while (state == while_in && patient(judge, since, limit_ms));
    if (state == TH_STREAM_FAILED)
        stream->ops->failure(stream->ctx, &judge->failure);
    return state;
}

static void handshake(struct judge *judge, struct th_wire wire)
{
    struct peer *peer = &judge->peer;
    struct th_tls_start start = {
        .config = &peer->tls_config,
        .server_name = peer->broker.server_name ? peer->broker.server_name : peer->broker.host,
        .wire = wire,
        .scratch = peer->link_config.scratch,
    };
    uint32_t since = now_of(judge);
    struct th_stream stream = peer->tls.ops->start(peer->tls.ctx, &start, since);
    enum th_stream_state state = poll_stream(judge, &stream, TH_STREAM_OPENING, HANDSHAKE_MS);
    judge->tls_ms = now_of(judge) - since;
    judge->tls = state == TH_STREAM_OPEN;
    if (state == TH_STREAM_OPENING)
        judge->failure = th_failure_of(TH_ERR_TLS_TIMEOUT);
    else if (state == TH_STREAM_ENDED)
        judge->failure = th_failure_of(TH_ERR_TLS_CLOSED);
    if (judge->tls) {
        peer->tls.ops->info(peer->tls.ctx, &judge->info);
        poll_stream(judge, &stream, TH_STREAM_OPEN, LATE_MS);
    }
    stream.ops->close(stream.ctx, judge->failure.error == TH_OK);
}

void judge_run(struct judge *judge)
{
    struct th_wire wire;
    if (!resolve(judge) || !connect_any(judge, &wire))
        return;
    judge->tcp = true;
    handshake(judge, wire);
}
