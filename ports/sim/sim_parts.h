/* SPDX-License-Identifier: MIT */
/* What the files of the simulator share. */
#ifndef TH_SIM_PARTS_H
#define TH_SIM_PARTS_H

#include "ports/sim/sim.h"

struct th_sim_event {
    uint64_t at, order;
    void (*call)(void *ctx, uint32_t number);
    void *ctx;
    uint32_t number;
};

struct th_sim_place {
    struct th_address address;
    enum th_sim_answer answer;
    const struct th_sim_server_ops *ops;
    void *ctx;
};

struct th_sim_entry {
    const char *name;
    const struct th_address *addresses;
    size_t count;
    uint32_t delay_ms;
    enum th_error error;
};

#define TH_SIM_PLACES_MAX 16

struct th_sim {
    uint64_t now, order, chance;
    uint32_t start_ms;
    struct th_sim_event *events; /* a heap, the soonest first */
    size_t event_count, event_room;
    struct th_sim_path path;
    struct th_sim_place places[TH_SIM_PLACES_MAX];
    struct th_sim_entry names[TH_SIM_PLACES_MAX];
    size_t place_count, name_count;
    void (*on_connect)(void *ctx, const struct th_address *to);
    void *on_connect_ctx;
    struct th_sim_pipe *pipes; /* all there are */
};

/* Advances a generator by one step; splitmix64, of which every seed is good. */
uint64_t th_sim_draw(uint64_t *state);

/* Memory for a test: there is no going on without it. */
void *th_sim_room(void *old, size_t size);

const struct th_sim_place *th_sim_place_of(const struct th_sim *sim, const struct th_address *to);
const struct th_sim_entry *th_sim_entry_of(const struct th_sim *sim, const char *name);

/* The device has something to look at, in this millisecond. */
void th_sim_node_poke(struct th_sim_node *node);

/* ---- pipe, at the node's end ---- */

/* Whoever still holds one must not use it again. */
void th_sim_pipes_free(struct th_sim *sim);

struct th_sim_pipe *th_sim_pipe_new(struct th_sim_node *node, const struct th_address *to);
enum th_stream_state th_sim_pipe_near_state(const struct th_sim_pipe *pipe);
enum th_error th_sim_pipe_near_error(const struct th_sim_pipe *pipe);
size_t th_sim_pipe_near_unread(const struct th_sim_pipe *pipe);
size_t th_sim_pipe_near_read(struct th_sim_pipe *pipe, uint8_t *into, size_t room);
size_t th_sim_pipe_near_write(struct th_sim_pipe *pipe, const uint8_t *bytes, size_t len);
void th_sim_pipe_near_close(struct th_sim_pipe *pipe, bool orderly);

#endif
