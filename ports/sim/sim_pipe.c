/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "ports/sim/sim_parts.h"

#define WINDOW_DEFAULT 65536

/* One direction. Bytes stand in one ring from the moment they are written; the first `arrived` of
 * them may be read, the rest is under way. */
struct flow {
    uint8_t *ring;
    size_t room, head, arrived, flying;
    uint64_t last_at, total; /* when the latest segment arrives; how many bytes have */
    uint32_t cut, silent;    /* struct th_sim_fault */
    bool ended;              /* the end has arrived behind the bytes */
};

enum { UP, DOWN };

struct end {
    enum th_stream_state state;
    enum th_error error;
    bool open; /* held by its user */
};

struct th_sim_pipe {
    struct th_sim *sim;
    struct th_sim_pipe *before, *next; /* of all in the world */
    struct th_sim_path path;
    struct flow flows[2];
    struct end near, far;
    struct th_sim_node *node; /* while near.open */
    struct th_address to;
    const struct th_sim_server_ops *ops;
    void *ctx, *user;
    unsigned events; /* in the queue */
    bool silent;
};

/* ---- life ---- */

static void free_pipe(struct th_sim_pipe *pipe)
{
    free(pipe->flows[UP].ring);
    free(pipe->flows[DOWN].ring);
    free(pipe);
}

static void free_if_unused(struct th_sim_pipe *pipe)
{
    if (pipe->near.open || pipe->far.open || pipe->events > 0)
        return;
    if (pipe->before != NULL)
        pipe->before->next = pipe->next;
    else
        pipe->sim->pipes = pipe->next;
    if (pipe->next != NULL)
        pipe->next->before = pipe->before;
    free_pipe(pipe);
}

void th_sim_pipes_free(struct th_sim *sim)
{
    struct th_sim_pipe *next;
    for (struct th_sim_pipe *pipe = sim->pipes; pipe != NULL; pipe = next) {
        next = pipe->next;
        free_pipe(pipe);
    }
    sim->pipes = NULL;
}

static void later(struct th_sim_pipe *pipe, uint32_t in_ms, void (*call)(void *, uint32_t),
                  uint32_t number)
{
    pipe->events++;
    th_sim_after(pipe->sim, in_ms, call, pipe, number);
}

static void tell_near(struct th_sim_pipe *pipe)
{
    if (pipe->near.open)
        th_sim_node_poke(pipe->node);
}

static void tell_far_now(void *ctx, uint32_t number)
{
    struct th_sim_pipe *pipe = ctx;
    (void)number;
    if (pipe->far.open)
        pipe->ops->ready(pipe->ctx, pipe);
    pipe->events--;
    free_if_unused(pipe);
}

/* Never from within a call of the server's own. */
static void tell_far(struct th_sim_pipe *pipe)
{
    if (pipe->far.open)
        later(pipe, 0, tell_far_now, 0);
}

static void end_fails(struct end *end, enum th_error error)
{
    if (end->state == TH_STREAM_FAILED)
        return;
    end->state = TH_STREAM_FAILED;
    end->error = error;
}

void th_sim_pipe_drop(struct th_sim_pipe *pipe)
{
    end_fails(&pipe->near, TH_ERR_TCP_RESET);
    end_fails(&pipe->far, TH_ERR_TCP_RESET);
    tell_near(pipe);
    tell_far(pipe);
}

void th_sim_pipe_silence(struct th_sim_pipe *pipe)
{
    pipe->silent = true;
}

/* ---- time ---- */

static uint32_t latency(struct th_sim_pipe *pipe)
{
    uint32_t least = pipe->path.latency_min_ms, most = pipe->path.latency_max_ms;
    return most <= least ? least : least + th_sim_chance(pipe->sim, most - least + 1);
}

/* Something sent now in that direction arrives then, and not before what was sent earlier. */
static uint32_t arrival(struct th_sim_pipe *pipe, struct flow *flow)
{
    uint64_t at = th_sim_elapsed_ms(pipe->sim) + latency(pipe);
    if (at < flow->last_at)
        at = flow->last_at;
    flow->last_at = at;
    return (uint32_t)(at - th_sim_elapsed_ms(pipe->sim));
}

/* ---- bytes ---- */

/* The place of the i-th byte held; i may be the room itself. */
static size_t place(const struct flow *flow, size_t i)
{
    size_t at = flow->head + i;
    return at >= flow->room ? at - flow->room : at;
}

static size_t flow_read(struct flow *flow, uint8_t *into, size_t room)
{
    size_t len = room < flow->arrived ? room : flow->arrived;
    for (size_t i = 0; i < len; i++)
        into[i] = flow->ring[place(flow, i)];
    flow->head = place(flow, len);
    flow->arrived -= len;
    return len;
}

static void grow(struct flow *flow, size_t least)
{
    size_t held = flow->arrived + flow->flying;
    size_t room = flow->room == 0 ? 256 : flow->room;
    while (room < least)
        room *= 2;
    if (room == flow->room)
        return;
    uint8_t *ring = th_sim_room(NULL, room);
    for (size_t i = 0; i < held; i++)
        ring[i] = flow->ring[place(flow, i)];
    free(flow->ring);
    flow->ring = ring;
    flow->room = room;
    flow->head = 0;
}

/* The next bytes under way have come: as many of them as the faults let through. */
static void segment_arrives(struct th_sim_pipe *pipe, int way, size_t len)
{
    struct flow *flow = &pipe->flows[way];
    struct end *to = way == UP ? &pipe->far : &pipe->near;
    if (pipe->silent || to->state == TH_STREAM_FAILED)
        return;
    size_t through = len;
    if (flow->cut != 0 && flow->total + len >= flow->cut)
        through = (size_t)(flow->cut - flow->total);
    if (flow->silent != 0 && flow->total + len >= flow->silent)
        through = (size_t)(flow->silent - flow->total);
    flow->arrived += through;
    flow->flying -= through;
    flow->total += through;
    if (flow->silent != 0 && flow->total >= flow->silent)
        th_sim_pipe_silence(pipe);
    else if (flow->cut != 0 && flow->total >= flow->cut)
        th_sim_pipe_drop(pipe);
    if (way == UP)
        tell_far(pipe);
    else
        tell_near(pipe);
}

static void up_arrives(void *ctx, uint32_t len)
{
    struct th_sim_pipe *pipe = ctx;
    segment_arrives(pipe, UP, len);
    pipe->events--;
    free_if_unused(pipe);
}

static void down_arrives(void *ctx, uint32_t len)
{
    struct th_sim_pipe *pipe = ctx;
    segment_arrives(pipe, DOWN, len);
    pipe->events--;
    free_if_unused(pipe);
}

static size_t flow_write(struct th_sim_pipe *pipe, int way, const uint8_t *bytes, size_t len)
{
    struct flow *flow = &pipe->flows[way];
    size_t window = pipe->path.window != 0 ? pipe->path.window : WINDOW_DEFAULT;
    size_t held = flow->arrived + flow->flying;
    size_t taken = held >= window ? 0 : window - held;
    taken = len < taken ? len : taken;
    grow(flow, held + taken);
    for (size_t i = 0; i < taken; i++)
        flow->ring[place(flow, held + i)] = bytes[i];
    flow->flying += taken;
    for (size_t at = 0; at < taken;) {
        size_t segment = taken - at;
        if (pipe->path.fragment_max != 0) {
            size_t some = 1 + th_sim_chance(pipe->sim, pipe->path.fragment_max);
            segment = some < segment ? some : segment;
        }
        later(pipe, arrival(pipe, flow), way == UP ? up_arrives : down_arrives, (uint32_t)segment);
        at += segment;
    }
    return taken;
}

/* ---- ends ---- */

static void far_gets_reset(void *ctx, uint32_t number)
{
    struct th_sim_pipe *pipe = ctx;
    (void)number;
    if (!pipe->silent)
        end_fails(&pipe->far, TH_ERR_TCP_RESET);
    tell_far(pipe);
    pipe->events--;
    free_if_unused(pipe);
}

static void near_gets_reset(void *ctx, uint32_t number)
{
    struct th_sim_pipe *pipe = ctx;
    (void)number;
    if (!pipe->silent)
        end_fails(&pipe->near, TH_ERR_TCP_RESET);
    tell_near(pipe);
    pipe->events--;
    free_if_unused(pipe);
}

static void far_gets_end(void *ctx, uint32_t number)
{
    struct th_sim_pipe *pipe = ctx;
    (void)number;
    if (!pipe->silent)
        pipe->flows[UP].ended = true;
    tell_far(pipe);
    pipe->events--;
    free_if_unused(pipe);
}

static void near_gets_end(void *ctx, uint32_t number)
{
    struct th_sim_pipe *pipe = ctx;
    (void)number;
    if (!pipe->silent)
        pipe->flows[DOWN].ended = true;
    tell_near(pipe);
    pipe->events--;
    free_if_unused(pipe);
}

static enum th_stream_state state_of(const struct end *end, const struct flow *flow)
{
    if (end->state == TH_STREAM_OPEN && flow->ended && flow->arrived == 0)
        return TH_STREAM_ENDED;
    return end->state;
}

/* ---- the server's end ---- */

enum th_stream_state th_sim_pipe_state(const struct th_sim_pipe *pipe)
{
    return state_of(&pipe->far, &pipe->flows[UP]);
}

size_t th_sim_pipe_read(struct th_sim_pipe *pipe, uint8_t *into, size_t room)
{
    size_t len = flow_read(&pipe->flows[UP], into, room);
    if (len > 0)
        tell_near(pipe);
    return len;
}

size_t th_sim_pipe_write(struct th_sim_pipe *pipe, const uint8_t *bytes, size_t len)
{
    return pipe->far.state == TH_STREAM_OPEN ? flow_write(pipe, DOWN, bytes, len) : 0;
}

void th_sim_pipe_close(struct th_sim_pipe *pipe, bool orderly)
{
    pipe->far.open = false;
    if (pipe->near.open)
        later(pipe, arrival(pipe, &pipe->flows[DOWN]), orderly ? near_gets_end : near_gets_reset,
              0);
    free_if_unused(pipe);
}

void th_sim_pipe_set_user(struct th_sim_pipe *pipe, void *user)
{
    pipe->user = user;
}

void *th_sim_pipe_user(const struct th_sim_pipe *pipe)
{
    return pipe->user;
}

/* ---- the node's end ---- */

static void answered(void *ctx, uint32_t number)
{
    struct th_sim_pipe *pipe = ctx;
    (void)number;
    const struct th_sim_place *place = th_sim_place_of(pipe->sim, &pipe->to);
    pipe->events--;
    if (pipe->near.open && place->answer == TH_SIM_ACCEPTS) {
        pipe->near.state = pipe->far.state = TH_STREAM_OPEN;
        pipe->far.open = true;
        pipe->ops = place->ops;
        pipe->ctx = place->ctx;
        pipe->ops->accepted(pipe->ctx, pipe);
    } else if (place->answer == TH_SIM_REFUSES) {
        end_fails(&pipe->near, TH_ERR_TCP_REFUSED);
    } else if (place->answer == TH_SIM_UNREACHABLE) {
        end_fails(&pipe->near, TH_ERR_TCP_UNREACHABLE);
    }
    tell_near(pipe);
    free_if_unused(pipe);
}

struct th_sim_pipe *th_sim_pipe_new(struct th_sim_node *node, const struct th_address *to)
{
    struct th_sim_pipe *pipe = th_sim_room(NULL, sizeof *pipe);
    *pipe = (struct th_sim_pipe){.sim = node->sim,
                                 .next = node->sim->pipes,
                                 .path = node->sim->path,
                                 .node = node,
                                 .to = *to};
    if (pipe->next != NULL)
        pipe->next->before = pipe;
    node->sim->pipes = pipe;
    pipe->near.open = true;
    pipe->flows[UP].cut = node->fault.cut_up;
    pipe->flows[UP].silent = node->fault.silent_up;
    pipe->flows[DOWN].cut = node->fault.cut_down;
    pipe->flows[DOWN].silent = node->fault.silent_down;
    node->fault = (struct th_sim_fault){0, 0, 0, 0};
    later(pipe, latency(pipe) + latency(pipe), answered, 0);
    return pipe;
}

enum th_stream_state th_sim_pipe_near_state(const struct th_sim_pipe *pipe)
{
    return state_of(&pipe->near, &pipe->flows[DOWN]);
}

enum th_error th_sim_pipe_near_error(const struct th_sim_pipe *pipe)
{
    return pipe->near.error;
}

size_t th_sim_pipe_near_unread(const struct th_sim_pipe *pipe)
{
    return pipe->flows[DOWN].arrived;
}

size_t th_sim_pipe_near_read(struct th_sim_pipe *pipe, uint8_t *into, size_t room)
{
    size_t len = flow_read(&pipe->flows[DOWN], into, room);
    if (len > 0)
        tell_far(pipe);
    return len;
}

size_t th_sim_pipe_near_write(struct th_sim_pipe *pipe, const uint8_t *bytes, size_t len)
{
    return pipe->near.state == TH_STREAM_OPEN ? flow_write(pipe, UP, bytes, len) : 0;
}

void th_sim_pipe_near_close(struct th_sim_pipe *pipe, bool orderly)
{
    pipe->near.open = false;
    if (pipe->far.open)
        later(pipe, arrival(pipe, &pipe->flows[UP]), orderly ? far_gets_end : far_gets_reset, 0);
    free_if_unused(pipe);
}
