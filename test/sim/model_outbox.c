/* SPDX-License-Identifier: MIT */
#include "model_outbox.h"

#include <stdlib.h>

static void keep(struct model_outbox *outbox)
{
    outbox->kept_ram = outbox->ram;
    memcpy(outbox->kept_bytes, outbox->bytes, outbox->room);
    memcpy(outbox->kept_inbound, outbox->inbound, sizeof outbox->inbound);
}

static void bring_back(struct model_outbox *outbox)
{
    outbox->ram = outbox->kept_ram;
    memcpy(outbox->bytes, outbox->kept_bytes, outbox->room);
    memcpy(outbox->inbound, outbox->kept_inbound, sizeof outbox->inbound);
    outbox->begun_left = 0;
}

static void die(struct model_outbox *outbox)
{
    if (outbox->begun_left == 0)
        keep(outbox);
    outbox->dead = true;
    outbox->power_fails(outbox->ctx);
}

/* The present change does not come to the medium, and says so. */
static bool fails(const struct model_outbox *outbox)
{
    return outbox->fails_from > 0 && outbox->ops >= outbox->fails_from &&
           outbox->ops - outbox->fails_from < outbox->fails_for;
}

/* Around every change. A record in pieces comes to the medium with its last one: until then what
 * was kept before its first one counts. */
static void before_change(struct model_outbox *outbox)
{
    outbox->ops++;
    if (!outbox->dead && outbox->ops == outbox->dies_in_op && !outbox->dies_after)
        die(outbox);
}

static void after_change(struct model_outbox *outbox)
{
    if (!outbox->dead && outbox->ops == outbox->dies_in_op && outbox->dies_after)
        die(outbox);
}

static void forget_message(struct model_outbox *outbox)
{
    if (outbox->mutant == MODEL_FORGETS_MESSAGE && outbox->begun_id % 4 == 3 &&
        outbox->begun_left == 0)
        outbox->below.ops->remove(outbox->below.ctx, outbox->begun_id);
}

static bool on_add(void *ctx, const struct th_outbox_entry *entry, struct th_span first)
{
    struct model_outbox *outbox = ctx;
    before_change(outbox);
    if (fails(outbox))
        return false;
    if (!outbox->dead)
        keep(outbox);
    bool done = outbox->below.ops->add(outbox->below.ctx, entry, first);
    outbox->begun_id = entry->id;
    outbox->begun_left = done ? entry->len - (uint32_t)first.len : 0;
    forget_message(outbox);
    after_change(outbox);
    return done;
}

static bool on_append(void *ctx, struct th_span bytes)
{
    struct model_outbox *outbox = ctx;
    before_change(outbox);
    if (fails(outbox)) {
        bring_back(outbox);
        outbox->begun_left = 0;
        return false;
    }
    bool done = outbox->below.ops->append(outbox->below.ctx, bytes);
    outbox->begun_left -= (uint32_t)bytes.len;
    forget_message(outbox);
    after_change(outbox);
    return done;
}

static bool on_set_state(void *ctx, uint16_t id, enum th_outbox_state state)
{
    struct model_outbox *outbox = ctx;
    before_change(outbox);
    if (fails(outbox))
        return false;
    bool done;
    if (state == TH_OUTBOX_RELEASED && outbox->mutant == MODEL_DROPS_AT_PUBREC)
        done = outbox->below.ops->remove(outbox->below.ctx, id);
    else if (state == TH_OUTBOX_RELEASED && outbox->mutant == MODEL_FORGETS_PUBREC)
        done = true;
    else if (state == TH_OUTBOX_PUBLISHED && outbox->mutant == MODEL_FORGETS_PUBLISHED)
        done = true;
    else
        done = outbox->below.ops->set_state(outbox->below.ctx, id, state);
    after_change(outbox);
    return done;
}

static bool on_remove(void *ctx, uint16_t id)
{
    struct model_outbox *outbox = ctx;
    before_change(outbox);
    if (fails(outbox))
        return false;
    bool done = true;
    if (outbox->mutant != MODEL_KEEPS_AFTER_PUBACK || id % 4 != 3)
        done = outbox->below.ops->remove(outbox->below.ctx, id);
    after_change(outbox);
    return done;
}

static const struct th_outbox_entry *on_find(void *ctx, uint16_t id)
{
    struct model_outbox *outbox = ctx;
    return outbox->below.ops->find(outbox->below.ctx, id);
}

/* The record before the one whose turn it would be: the newest first, for the mutant. */
static bool newest_first(struct model_outbox *outbox, uint32_t *cursor, struct th_outbox_entry *out)
{
    uint32_t count = outbox->below.ops->count(outbox->below.ctx), at = 0;
    if (*cursor >= count)
        return false;
    for (uint32_t i = 0; i < count - *cursor; i++)
        outbox->below.ops->next(outbox->below.ctx, &at, out);
    (*cursor)++;
    return true;
}

static bool on_next(void *ctx, uint32_t *cursor, struct th_outbox_entry *out)
{
    struct model_outbox *outbox = ctx;
    if (outbox->mutant == MODEL_NEWEST_FIRST)
        return newest_first(outbox, cursor, out);
    return outbox->below.ops->next(outbox->below.ctx, cursor, out);
}

static size_t on_read(void *ctx, uint16_t id, uint32_t offset, uint8_t *into, size_t room)
{
    struct model_outbox *outbox = ctx;
    return outbox->below.ops->read(outbox->below.ctx, id, offset, into, room);
}

static bool on_inbound(void *ctx, uint16_t id, bool set)
{
    struct model_outbox *outbox = ctx;
    outbox->in_inbound = set;
    before_change(outbox);
    if (fails(outbox))
        return false;
    bool done = true;
    if (outbox->mutant != (set ? MODEL_FORGETS_INBOUND_ID : MODEL_NEVER_FREES_INBOUND_ID))
        done = outbox->below.ops->inbound(outbox->below.ctx, id, set);
    after_change(outbox);
    outbox->in_inbound = outbox->in_inbound && outbox->dead;
    return done;
}

static bool on_inbound_has(void *ctx, uint16_t id)
{
    struct model_outbox *outbox = ctx;
    return outbox->below.ops->inbound_has(outbox->below.ctx, id);
}

static bool on_inbound_clear(void *ctx)
{
    struct model_outbox *outbox = ctx;
    before_change(outbox);
    if (fails(outbox))
        return false;
    bool done = outbox->below.ops->inbound_clear(outbox->below.ctx);
    after_change(outbox);
    return done;
}

static uint16_t on_inbound_room(void *ctx)
{
    struct model_outbox *outbox = ctx;
    return outbox->below.ops->inbound_room(outbox->below.ctx);
}

static uint16_t on_count(void *ctx)
{
    struct model_outbox *outbox = ctx;
    return outbox->below.ops->count(outbox->below.ctx);
}

const struct th_outbox_ops model_outbox_ops = {
    .add = on_add,
    .append = on_append,
    .set_state = on_set_state,
    .remove = on_remove,
    .find = on_find,
    .next = on_next,
    .read = on_read,
    .inbound = on_inbound,
    .inbound_has = on_inbound_has,
    .inbound_clear = on_inbound_clear,
    .inbound_room = on_inbound_room,
    .count = on_count,
};

void model_outbox_init(struct model_outbox *outbox, uint32_t room, enum model_mutant mutant,
                       void (*power_fails)(void *ctx), void *ctx)
{
    memset(outbox, 0, sizeof *outbox);
    outbox->bytes = calloc(1, room);
    outbox->kept_bytes = calloc(1, room);
    if (outbox->bytes == NULL || outbox->kept_bytes == NULL)
        abort();
    outbox->room = room;
    outbox->mutant = mutant;
    outbox->power_fails = power_fails;
    outbox->ctx = ctx;
    outbox->below =
        th_outbox_ram_init(&outbox->ram, outbox->bytes, room, outbox->inbound, MODEL_INBOUND_ROOM);
    keep(outbox);
}

void model_outbox_free(struct model_outbox *outbox)
{
    free(outbox->bytes);
    free(outbox->kept_bytes);
}

static void forget_streamed(struct model_outbox *outbox)
{
    struct th_outbox_entry entry;
    for (uint32_t cursor = 0; outbox->below.ops->next(outbox->below.ctx, &cursor, &entry);) {
        if (entry.extra == NULL || entry.state == TH_OUTBOX_RELEASED)
            continue;
        if (entry.qos == 2 && entry.state == TH_OUTBOX_PUBLISHED &&
            outbox->mutant != MODEL_FORGETS_STREAMED_ID)
            outbox->below.ops->set_state(outbox->below.ctx, entry.id, TH_OUTBOX_RELEASED);
        else
            outbox->below.ops->remove(outbox->below.ctx, entry.id);
    }
}

void model_outbox_restart(struct model_outbox *outbox, uint32_t dies_in_op, bool dies_after)
{
    if (outbox->dead)
        bring_back(outbox);
    forget_streamed(outbox);
    outbox->dead = outbox->in_inbound = false;
    outbox->ops = 0;
    outbox->dies_in_op = dies_in_op;
    outbox->dies_after = dies_after;
}

bool model_outbox_died_storing_inbound(const struct model_outbox *outbox)
{
    return outbox->dead && outbox->in_inbound && outbox->dies_after;
}
