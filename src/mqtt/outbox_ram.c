/* SPDX-License-Identifier: MIT */
/*
 * Records one behind the other, in steps of 16 bytes, from `head` to `end`. A removed record stays
 * as a placeholder until it is the oldest. What is left moves to the front when there is no more
 * room at the end: as often as the outbox fills, not with each record. `moved` counts by how much
 * it did, so that a place plus `moved` names a record for ever.
 */
#include <thimble/outbox.h>

#define STEP 16u

/* A record begins with its entry; identifier 0 marks a placeholder. */
_Static_assert(sizeof(struct th_outbox_entry) <= TH_OUTBOX_RAM_OVERHEAD,
               "a record's head is one step");

static struct th_outbox_entry *record_at(const struct th_outbox_ram *ram, uint32_t at)
{
    return (struct th_outbox_entry *)(void *)(ram->at + at);
}

static uint32_t step_of(uint32_t len)
{
    return TH_OUTBOX_RAM_OVERHEAD + ((len + STEP - 1) & ~(STEP - 1));
}

static uint32_t behind(const struct th_outbox_ram *ram, uint32_t at)
{
    return at + step_of(record_at(ram, at)->len);
}

/* The record with that id, NULL when there is none; 0 marks placeholders, and is no identifier.
 * Goes round from the record found last: the next acknowledgement mostly belongs to it, too, or to
 * the one behind it. */
static struct th_outbox_entry *look_up(struct th_outbox_ram *ram, uint16_t id)
{
    uint32_t at = ram->hint;
    if (ram->count == 0 || id == 0)
        return NULL;
    do {
        struct th_outbox_entry *record = record_at(ram, at);
        if (record->id == id) {
            ram->hint = at;
            return record;
        }
        at = behind(ram, at);
        if (at == ram->end)
            at = ram->head;
    } while (at != ram->hint);
    return NULL;
}

static bool append(void *ctx, struct th_span bytes)
{
    struct th_outbox_ram *ram = ctx;
    memcpy(ram->at + ram->written, bytes.at, bytes.len);
    ram->written += (uint32_t)bytes.len;
    return true;
}

static void move_to_front(struct th_outbox_ram *ram)
{
    uint32_t by = ram->head;
    ram->end -= by;
    memmove(ram->at, ram->at + by, ram->end);
    ram->moved += by;
    ram->hint -= by;
    ram->head = 0;
}

static bool add(void *ctx, const struct th_outbox_entry *entry, struct th_span first)
{
    struct th_outbox_ram *ram = ctx;
    uint32_t step = step_of(entry->len);
    if (entry->len > ram->room)
        return false;
    if (step > ram->room - ram->end && ram->head > 0)
        move_to_front(ram);
    if (step > ram->room - ram->end)
        return false;
    *record_at(ram, ram->end) = *entry;
    ram->written = ram->end + TH_OUTBOX_RAM_OVERHEAD;
    ram->end += step;
    ram->count++;
    return append(ram, first);
}

static bool set_state(void *ctx, uint16_t id, enum th_outbox_state state)
{
    struct th_outbox_entry *record = look_up(ctx, id);
    if (record != NULL)
        record->state = (uint8_t)state;
    return record != NULL;
}

static bool remove_record(void *ctx, uint16_t id)
{
    struct th_outbox_ram *ram = ctx;
    struct th_outbox_entry *record = look_up(ram, id);
    if (record == NULL)
        return false;
    record->id = 0;
    ram->count--;
    while (ram->head < ram->end && record_at(ram, ram->head)->id == 0)
        ram->head = behind(ram, ram->head);
    if (ram->hint < ram->head)
        ram->hint = ram->head;
    return true;
}

static const struct th_outbox_entry *find(void *ctx, uint16_t id)
{
    return look_up(ctx, id);
}

/* A cursor is a record's place plus `moved`, and one, so that it is never 0. */
static bool next(void *ctx, uint32_t *cursor, struct th_outbox_entry *out)
{
    struct th_outbox_ram *ram = ctx;
    uint32_t at = ram->head;
    uint32_t last = *cursor - 1 - ram->moved;
    if (*cursor != 0 && (int32_t)(last - at) >= 0)
        at = behind(ram, last);
    for (; at < ram->end; at = behind(ram, at)) {
        if (record_at(ram, at)->id != 0) {
            ram->hint = at;
            *cursor = at + 1 + ram->moved;
            *out = *record_at(ram, at);
            return true;
        }
    }
    return false;
}

static size_t read_record(void *ctx, uint16_t id, uint32_t offset, uint8_t *into, size_t room)
{
    struct th_outbox_ram *ram = ctx;
    const struct th_outbox_entry *record = look_up(ram, id);
    if (record == NULL || offset >= record->len)
        return 0;
    if (room > record->len - offset)
        room = record->len - offset;
    memcpy(into, (const uint8_t *)record + TH_OUTBOX_RAM_OVERHEAD + offset, room);
    return room;
}

/* Index of an inbound identifier, or how many there are. */
static uint16_t inbound_at(const struct th_outbox_ram *ram, uint16_t id)
{
    uint16_t i = 0;
    while (i < ram->inbound_count && ram->inbound[i] != id)
        i++;
    return i;
}

static bool inbound(void *ctx, uint16_t id, bool set)
{
    struct th_outbox_ram *ram = ctx;
    uint16_t at = inbound_at(ram, id);
    bool known = at < ram->inbound_count;
    if (set && !known) {
        if (ram->inbound_count == ram->inbound_room)
            return false;
        ram->inbound[ram->inbound_count++] = id;
    } else if (!set && known) {
        ram->inbound[at] = ram->inbound[--ram->inbound_count];
    }
    return true;
}

static bool inbound_has(void *ctx, uint16_t id)
{
    const struct th_outbox_ram *ram = ctx;
    return inbound_at(ram, id) < ram->inbound_count;
}

static bool inbound_clear(void *ctx)
{
    struct th_outbox_ram *ram = ctx;
    ram->inbound_count = 0;
    return true;
}

static uint16_t inbound_room(void *ctx)
{
    const struct th_outbox_ram *ram = ctx;
    return ram->inbound_room;
}

static uint16_t count(void *ctx)
{
    const struct th_outbox_ram *ram = ctx;
    return ram->count;
}

static const struct th_outbox_ops ram_ops = {
    .add = add,
    .append = append,
    .set_state = set_state,
    .remove = remove_record,
    .find = find,
    .next = next,
    .read = read_record,
    .inbound = inbound,
    .inbound_has = inbound_has,
    .inbound_clear = inbound_clear,
    .inbound_room = inbound_room,
    .count = count,
};

struct th_outbox th_outbox_ram_init(struct th_outbox_ram *outbox, uint8_t *at, uint32_t room,
                                    uint16_t *inbound_ids, uint16_t inbound_ids_room)
{
    *outbox = (struct th_outbox_ram){.at = at,
                                     .room = room & ~(STEP - 1),
                                     .inbound = inbound_ids,
                                     .inbound_room = inbound_ids_room};
    return (struct th_outbox){&ram_ops, outbox};
}
