/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "ports/sim/sim_parts.h"

/* ---- chance and memory ---- */

uint64_t th_sim_draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint32_t th_sim_chance(struct th_sim *sim, uint32_t below)
{
    return (uint32_t)((th_sim_draw(&sim->chance) >> 32) * below >> 32);
}

void *th_sim_room(void *old, size_t size)
{
    void *room = realloc(old, size);
    if (room == NULL)
        abort();
    return room;
}

/* ---- the world ---- */

struct th_sim *th_sim_new(uint64_t seed, uint32_t start_ms)
{
    struct th_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return NULL;
    sim->chance = seed;
    sim->start_ms = start_ms;
    return sim;
}

void th_sim_free(struct th_sim *sim)
{
    th_sim_pipes_free(sim);
    free(sim->events);
    free(sim);
}

uint32_t th_sim_now_ms(const struct th_sim *sim)
{
    return sim->start_ms + (uint32_t)sim->now;
}

uint64_t th_sim_elapsed_ms(const struct th_sim *sim)
{
    return sim->now;
}

/* ---- events: a binary heap by time, then by order of asking ---- */

static bool sooner(const struct th_sim_event *a, const struct th_sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct th_sim_event *a, struct th_sim_event *b)
{
    struct th_sim_event c = *a;
    *a = *b;
    *b = c;
}

void th_sim_after(struct th_sim *sim, uint32_t in_ms, void (*call)(void *ctx, uint32_t number),
                  void *ctx, uint32_t number)
{
    if (sim->event_count == sim->event_room) {
        sim->event_room = sim->event_room == 0 ? 64 : 2 * sim->event_room;
        sim->events = th_sim_room(sim->events, sim->event_room * sizeof sim->events[0]);
    }
    size_t i = sim->event_count++;
    sim->events[i] = (struct th_sim_event){sim->now + in_ms, sim->order++, call, ctx, number};
    for (; i > 0 && sooner(&sim->events[i], &sim->events[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&sim->events[i], &sim->events[(i - 1) / 2]);
}

static struct th_sim_event take_soonest(struct th_sim *sim)
{
    struct th_sim_event soonest = sim->events[0];
    sim->events[0] = sim->events[--sim->event_count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
            if (child < sim->event_count && sooner(&sim->events[child], &sim->events[least]))
                least = child;
        }
        if (least == i)
            return soonest;
        swap(&sim->events[i], &sim->events[least]);
        i = least;
    }
}

bool th_sim_step(struct th_sim *sim)
{
    if (sim->event_count == 0)
        return false;
    struct th_sim_event event = take_soonest(sim);
    sim->now = event.at;
    event.call(event.ctx, event.number);
    return true;
}

void th_sim_run(struct th_sim *sim, uint64_t for_ms)
{
    uint64_t end = sim->now + for_ms;
    while (sim->event_count > 0 && sim->events[0].at <= end)
        th_sim_step(sim);
    /* An event may have let time pass by itself, as a machine does that is held. */
    if (sim->now < end)
        sim->now = end;
}

/* ---- addresses and names ---- */

void th_sim_path(struct th_sim *sim, const struct th_sim_path *path)
{
    sim->path = *path;
}

static bool same_address(const struct th_address *a, const struct th_address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

const struct th_sim_place *th_sim_place_of(const struct th_sim *sim, const struct th_address *to)
{
    static const struct th_sim_place nowhere = {.answer = TH_SIM_UNREACHABLE};
    for (size_t i = 0; i < sim->place_count; i++) {
        if (same_address(&sim->places[i].address, to))
            return &sim->places[i];
    }
    return &nowhere;
}

void th_sim_address(struct th_sim *sim, const struct th_address *address, enum th_sim_answer answer,
                    const struct th_sim_server_ops *ops, void *ctx)
{
    size_t i = 0;
    while (i < sim->place_count && !same_address(&sim->places[i].address, address))
        i++;
    if (i == TH_SIM_PLACES_MAX)
        abort();
    if (i == sim->place_count)
        sim->place_count++;
    sim->places[i] = (struct th_sim_place){*address, answer, ops, ctx};
}

const struct th_sim_entry *th_sim_entry_of(const struct th_sim *sim, const char *name)
{
    static const struct th_sim_entry unknown = {.error = TH_ERR_NAME_NOT_FOUND};
    for (size_t i = 0; i < sim->name_count; i++) {
        if (strcmp(sim->names[i].name, name) == 0)
            return &sim->names[i];
    }
    return &unknown;
}

void th_sim_name(struct th_sim *sim, const char *name, const struct th_address *addresses,
                 size_t count, uint32_t delay_ms, enum th_error error)
{
    size_t i = 0;
    while (i < sim->name_count && strcmp(sim->names[i].name, name) != 0)
        i++;
    if (i == TH_SIM_PLACES_MAX)
        abort();
    if (i == sim->name_count)
        sim->name_count++;
    sim->names[i] = (struct th_sim_entry){name, addresses, count, delay_ms, error};
}

void th_sim_on_connect(struct th_sim *sim, void (*call)(void *ctx, const struct th_address *to),
                       void *ctx)
{
    sim->on_connect = call;
    sim->on_connect_ctx = ctx;
}
