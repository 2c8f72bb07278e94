/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/time.h>

#include "ports/sim/sim_parts.h"

/* ---- wake ---- */

static void wake_now(void *ctx, uint32_t number)
{
    struct th_sim_node *node = ctx;
    (void)number;
    if (node->armed && node->armed_at <= node->sim->now)
        node->armed = false;
    node->has_read = false;
    node->wake(node->ctx);
    /* What is left unread wakes again, as with a socket; but not a device that reads nothing. */
    if (node->has_read && node->pipe != NULL && th_sim_pipe_near_unread(node->pipe) > 0)
        th_sim_node_poke(node);
}

void th_sim_node_wake_in(struct th_sim_node *node, uint32_t in_ms)
{
    if (in_ms == TH_FOREVER)
        return;
    uint64_t at = node->sim->now + in_ms;
    if (node->armed && node->armed_at <= at)
        return;
    node->armed = true;
    node->armed_at = at;
    th_sim_after(node->sim, in_ms, wake_now, node, 0);
}

void th_sim_node_poke(struct th_sim_node *node)
{
    th_sim_node_wake_in(node, 0);
}

/* ---- clock and entropy ---- */

static uint32_t clock_now_ms(void *ctx)
{
    const struct th_sim_node *node = ctx;
    return th_sim_now_ms(node->sim);
}

static bool entropy_fill(void *ctx, uint8_t *into, size_t len)
{
    struct th_sim_node *node = ctx;
    if (node->entropy == TH_SIM_ENTROPY_FAILING)
        return false;
    for (size_t i = 0; i < len; i++)
        into[i] =
            node->entropy == TH_SIM_ENTROPY_STUCK ? 0x55 : (uint8_t)th_sim_draw(&node->chance);
    return true;
}

/* ---- the wire: the node's present pipe ---- */

static enum th_stream_state wire_state(void *ctx)
{
    const struct th_sim_node *node = ctx;
    return node->pipe == NULL ? TH_STREAM_FAILED : th_sim_pipe_near_state(node->pipe);
}

static size_t wire_read(void *ctx, uint8_t *into, size_t room)
{
    struct th_sim_node *node = ctx;
    size_t len = node->pipe == NULL ? 0 : th_sim_pipe_near_read(node->pipe, into, room);
    node->has_read |= len > 0;
    return len;
}

static size_t wire_write(void *ctx, const uint8_t *bytes, size_t len, bool more)
{
    const struct th_sim_node *node = ctx;
    (void)more;
    return node->pipe == NULL ? 0 : th_sim_pipe_near_write(node->pipe, bytes, len);
}

static void wire_close(void *ctx, bool orderly)
{
    struct th_sim_node *node = ctx;
    if (node->pipe == NULL)
        return;
    struct th_sim_pipe *pipe = node->pipe;
    node->last_error = th_sim_pipe_near_error(pipe);
    node->pipe = NULL;
    th_sim_pipe_near_close(pipe, orderly);
}

static void wire_failure(void *ctx, struct th_failure *out)
{
    const struct th_sim_node *node = ctx;
    *out =
        th_failure_of(node->pipe == NULL ? node->last_error : th_sim_pipe_near_error(node->pipe));
}

static const struct th_wire_ops wire_ops = {wire_state, wire_read, wire_write, wire_close,
                                            wire_failure};

/* ---- net ---- */

static bool net_up(void *ctx)
{
    const struct th_sim_node *node = ctx;
    return node->network;
}

static void net_resolve(void *ctx, const char *name, uint16_t port)
{
    struct th_sim_node *node = ctx;
    (void)port;
    uint32_t delay_ms = th_sim_entry_of(node->sim, name)->delay_ms;
    node->name = name;
    node->name_at = delay_ms == TH_FOREVER ? UINT64_MAX : node->sim->now + delay_ms;
    th_sim_node_wake_in(node, delay_ms);
}

static int net_resolved(void *ctx, struct th_address *out, size_t max,
                        struct th_failure *out_failure)
{
    struct th_sim_node *node = ctx;
    if (node->sim->now < node->name_at)
        return 0;
    const struct th_sim_entry *entry = th_sim_entry_of(node->sim, node->name);
    node->name = NULL;
    if (entry->error != TH_OK) {
        *out_failure = th_failure_of(entry->error);
        return -1;
    }
    size_t count = entry->count < max ? entry->count : max;
    memcpy(out, entry->addresses, count * sizeof *out);
    return (int)count;
}

static void net_resolve_cancel(void *ctx)
{
    struct th_sim_node *node = ctx;
    node->name = NULL;
}

static struct th_wire net_connect(void *ctx, const struct th_address *to)
{
    struct th_sim_node *node = ctx;
    struct th_sim *sim = node->sim;
    wire_close(node, false);
    if (sim->on_connect != NULL)
        sim->on_connect(sim->on_connect_ctx, to);
    node->pipe = th_sim_pipe_new(node, to);
    return (struct th_wire){&wire_ops, node};
}

static const struct th_clock_ops clock_ops = {clock_now_ms};
static const struct th_entropy_ops entropy_ops = {entropy_fill};
static const struct th_net_ops net_ops = {net_up, net_resolve, net_resolved, net_resolve_cancel,
                                          net_connect};

/* ---- node ---- */

void th_sim_node_init(struct th_sim_node *node, struct th_sim *sim, void (*wake)(void *ctx),
                      void *ctx)
{
    memset(node, 0, sizeof *node);
    node->sim = sim;
    node->chance = th_sim_draw(&sim->chance);
    node->network = true;
    node->wake = wake;
    node->ctx = ctx;
    node->board.clock.ops = &clock_ops;
    node->board.entropy.ops = &entropy_ops;
    node->board.net.ops = &net_ops;
    node->board.clock.ctx = node->board.entropy.ctx = node->board.net.ctx = node;
}

void th_sim_node_crash(struct th_sim_node *node, bool lose)
{
    if (node->pipe != NULL && lose)
        th_sim_pipe_drop(node->pipe);
    wire_close(node, false);
    node->name = NULL;
}
