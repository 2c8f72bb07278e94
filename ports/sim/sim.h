/* SPDX-License-Identifier: MIT */
/*
 * A world for devices to be tried in: one virtual clock, one source of chance, one network. Nothing
 * here asks the machine it runs on for anything but memory, so a run is the same every time its
 * seed is the same, and takes no longer than the work in it. Thousands of devices live in one
 * world.
 *
 *   world   th_sim: clock, queue of events, chance
 *   node    one device: a th_board whose clock, entropy and network are the world's
 *   pipe    one TCP connection: delay, fragmentation, flow control, and what can befall it
 *   server  whoever listens on an address; sim_broker.h is one
 */
#ifndef THIMBLE_SIM_H
#define THIMBLE_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/net.h>

/* ---- world ---- */

struct th_sim;

/* `start_ms`: what the devices' 32-bit counter shows in the beginning. NULL: no memory. */
struct th_sim *th_sim_new(uint64_t seed, uint32_t start_ms);

/* Nodes and servers must be gone, or never be used again. */
void th_sim_free(struct th_sim *sim);

uint32_t th_sim_now_ms(const struct th_sim *sim);     /* the devices' counter; wraps */
uint64_t th_sim_elapsed_ms(const struct th_sim *sim); /* since the beginning; does not */

/* Uniform in 0..below - 1; below >= 1. */
uint32_t th_sim_chance(struct th_sim *sim, uint32_t below);

/* Calls `call(ctx, number)` after so many ms. Events of the same millisecond happen in the order in
 * which they were asked for. `ctx` must then still live. */
void th_sim_after(struct th_sim *sim, uint32_t in_ms, void (*call)(void *ctx, uint32_t number),
                  void *ctx, uint32_t number);

/* The next event; false when there is none. */
bool th_sim_step(struct th_sim *sim);

/* All events of the next `for_ms`, which have then passed. */
void th_sim_run(struct th_sim *sim, uint64_t for_ms);

/* ---- network ---- */

/* How connections behave that are made from now on. All 0: at once, whole, 64 KiB. */
struct th_sim_path {
    uint32_t latency_min_ms, latency_max_ms; /* one way, drawn for each segment; order is kept */
    uint32_t fragment_max;                   /* segments of 1..this bytes; 0: as written */
    uint32_t window;                         /* bytes under way and unread, each way; 0: 65,536 */
};
void th_sim_path(struct th_sim *sim, const struct th_sim_path *path);

enum th_sim_answer {
    TH_SIM_UNREACHABLE, /* what every address does that nobody has said anything about */
    TH_SIM_REFUSES,
    TH_SIM_SILENT,
    TH_SIM_ACCEPTS,
};

struct th_sim_pipe;

/* The far end of a connection. */
struct th_sim_server_ops {
    void (*accepted)(void *ctx, struct th_sim_pipe *pipe);
    /* Bytes have arrived, or can be written again, or the pipe has ended or failed. */
    void (*ready)(void *ctx, struct th_sim_pipe *pipe);
};

/* Says what an address does from now on, for connections under way too. `ops` only where it
 * accepts. */
void th_sim_address(struct th_sim *sim, const struct th_address *address, enum th_sim_answer answer,
                    const struct th_sim_server_ops *ops, void *ctx);

/* What a name resolves to, after `delay_ms` (TH_FOREVER: never). `error` other than TH_OK: that
 * failure instead. A name nobody has said anything about gives NAME_NOT_FOUND at once. The name and
 * the addresses must live as long as the world. */
void th_sim_name(struct th_sim *sim, const char *name, const struct th_address *addresses,
                 size_t count, uint32_t delay_ms, enum th_error error);

/* Called for every connection that a node begins. */
void th_sim_on_connect(struct th_sim *sim, void (*call)(void *ctx, const struct th_address *to),
                       void *ctx);

/* ---- pipe, at the server's end ---- */

enum th_stream_state th_sim_pipe_state(const struct th_sim_pipe *pipe);
size_t th_sim_pipe_read(struct th_sim_pipe *pipe, uint8_t *into, size_t room);
size_t th_sim_pipe_write(struct th_sim_pipe *pipe, const uint8_t *bytes, size_t len);

/* Once; then the pipe is no longer the server's. What was written still arrives, then the end
 * (orderly) or a reset. */
void th_sim_pipe_close(struct th_sim_pipe *pipe, bool orderly);

void th_sim_pipe_set_user(struct th_sim_pipe *pipe, void *user);
void *th_sim_pipe_user(const struct th_sim_pipe *pipe);

/* ---- what can befall a pipe ---- */

/* Both ends see a reset at once; what is under way is lost. */
void th_sim_pipe_drop(struct th_sim_pipe *pipe);

/* Nothing arrives any more, in either direction, and nobody is told: a half-open connection. */
void th_sim_pipe_silence(struct th_sim_pipe *pipe);

/* ---- node ---- */

enum th_sim_entropy {
    TH_SIM_ENTROPY_SEEDED,
    TH_SIM_ENTROPY_STUCK,   /* always the same byte, and no health test that notices */
    TH_SIM_ENTROPY_FAILING, /* says so */
};

/* For one node's next connection: dropped after so many bytes have arrived, or silent from then on.
 * 0: never. `up` is from node to server. */
struct th_sim_fault {
    uint32_t cut_up, cut_down, silent_up, silent_down;
};

/* `network`, `entropy` and `fault` may be changed at any time; the rest is private. Stays where it
 * is as long as it is used. */
struct th_sim_node {
    struct th_board board; /* clock, entropy, net */
    bool network;
    enum th_sim_entropy entropy;
    struct th_sim_fault fault;

    struct th_sim *sim;
    uint64_t chance;
    struct th_sim_pipe *pipe; /* the present connection, or NULL */
    const char *name;         /* being looked up, or NULL */
    uint64_t name_at;         /* when it will be answered */
    void (*wake)(void *ctx);
    void *ctx;
    uint64_t armed_at;
    bool armed, has_read;
    enum th_error last_error; /* how the last connection ended */
};

/* `wake(ctx)` is called whenever something has happened for this node, and when its time has come:
 * there the device runs until it has nothing more to do. It may be called without need. */
void th_sim_node_init(struct th_sim_node *node, struct th_sim *sim, void (*wake)(void *ctx),
                      void *ctx);

/* `wake` within so many ms; TH_FOREVER asks for nothing. An earlier time that was asked for before
 * stays. */
void th_sim_node_wake_in(struct th_sim_node *node, uint32_t in_ms);

/* The device loses power: what it had sent may still arrive (`lose` false) or not. */
void th_sim_node_crash(struct th_sim_node *node, bool lose);

#endif
