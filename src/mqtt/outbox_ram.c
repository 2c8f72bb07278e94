/* SPDX-License-Identifier: MIT */
/*
 * A ring of records in steps of 16 bytes, so that a record's head never splits; its bytes may.
 * Removed records stay as placeholders until they are the oldest. Their numbers run on by two, so
 * that a number names a place as long as that place exists, and is never 0.
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

static uint32_t wrap(const struct th_outbox_ram *ram, uint32_t at)
{
    return at >= ram->room ? at - ram->room : at;
}

static uint32_t step_of(uint32_t len)
{
    return TH_OUTBOX_RAM_OVERHEAD + ((len + STEP - 1) & ~(STEP - 1));
}

/* Moves the place (*at, *seq) to the next record; false at the end of the ring's contents. */
static bool advance(const struct th_outbox_ram *ram, uint32_t *at, uint32_t *seq)
{
    *at = wrap(ram, *at + step_of(record_at(ram, *at)->len));
    *seq += 2;
    return *seq != ram->next_seq;
}

static void copy_in(const struct th_outbox_ram *ram, uint32_t at, struct th_span bytes)
{
    at = wrap(ram, wrap(ram, at));
    size_t first = ram->room - at;
    if (bytes.len > first) {
        memcpy(ram->at, bytes.at + first, bytes.len - first);
        bytes.len = first;
    }
    memcpy(ram->at + at, bytes.at, bytes.len);
}

/* Goes round the ring from the last record found; the hint moves to what is found. */
static struct th_outbox_entry *search(struct th_outbox_ram *ram, uint16_t id)
{
    uint32_t at = ram->hint, seq = ram->hint_seq;
    do {
        struct th_outbox_entry *record = record_at(ram, at);
        if (record->id == id) {
            ram->hint = at;
            ram->hint_seq = seq;
            return record;
        }
        if (!advance(ram, &at, &seq)) {
            at = ram->head;
            seq = ram->head_seq;
        }
    } while (at != ram->hint);
    return NULL;
}

/* The record with that id, NULL when there is none. Acknowledgements come in order: it is mostly
 * the one that the hint names. */
static inline struct th_outbox_entry *look_up(struct th_outbox_ram *ram, uint16_t id)
{
    /* 0 marks placeholders, and is no identifier. */
    if (ram->used == 0 || id == 0)
        return NULL;
    struct th_outbox_entry *hinted = record_at(ram, ram->hint);
    return hinted->id == id ? hinted : search(ram, id);
}

static bool add(void *ctx, const struct th_outbox_entry *entry, struct th_span first)
{
    struct th_outbox_ram *ram = ctx;
    uint32_t step = step_of(entry->len);
    if (entry->len > ram->room || step > ram->room - ram->used)
        return false;
    uint32_t at = wrap(ram, ram->head + ram->used);
    *record_at(ram, at) = *entry;
    copy_in(ram, at + TH_OUTBOX_RAM_OVERHEAD, first);
    if (ram->used == 0) {
        ram->hint = at;
        ram->hint_seq = ram->next_seq;
    }
    ram->used += step;
    ram->next_seq += 2;
    ram->count++;
    ram->last = at;
    ram->pending = entry->len - (uint32_t)first.len;
    return true;
}

static bool append(void *ctx, struct th_span bytes)
{
    struct th_outbox_ram *ram = ctx;
    uint32_t written = record_at(ram, ram->last)->len - ram->pending;
    copy_in(ram, ram->last + TH_OUTBOX_RAM_OVERHEAD + written, bytes);
    ram->pending -= (uint32_t)bytes.len;
    return true;
}

static bool set_state(void *ctx, uint16_t id, enum th_outbox_state state)
{
    struct th_outbox_entry *record = look_up(ctx, id);
    if (record != NULL)
        record->state = (uint8_t)state;
    return record != NULL;
}

/* Placeholders at the old end go, and the hint with them. */
static void shrink(struct th_outbox_ram *ram)
{
    const struct th_outbox_entry *oldest = record_at(ram, ram->head);
    bool hinted = false;
    while (ram->used > 0 && oldest->id == 0) {
        uint32_t step = step_of(oldest->len);
        hinted |= ram->hint_seq == ram->head_seq;
        ram->head = wrap(ram, ram->head + step);
        ram->head_seq += 2;
        ram->used -= step;
        oldest = record_at(ram, ram->head);
    }
    if (hinted) {
        ram->hint = ram->head;
        ram->hint_seq = ram->head_seq;
    }
}

static bool remove_record(void *ctx, uint16_t id)
{
    struct th_outbox_ram *ram = ctx;
    struct th_outbox_entry *record = look_up(ram, id);
    if (record == NULL)
        return false;
    record->id = 0;
    record->extra = NULL;
    ram->count--;
    shrink(ram);
    return true;
}

static bool find(void *ctx, uint16_t id, struct th_outbox_entry *out)
{
    const struct th_outbox_entry *record = look_up(ctx, id);
    if (record != NULL)
        *out = *record;
    return record != NULL;
}

static bool next(void *ctx, uint32_t *cursor, struct th_outbox_entry *out)
{
    struct th_outbox_ram *ram = ctx;
    if (ram->used == 0)
        return false;
    uint32_t at = ram->head, seq = ram->head_seq;
    if (*cursor != 0 && (int32_t)(*cursor - ram->hint_seq) >= 0) {
        at = ram->hint;
        seq = ram->hint_seq;
    }
    do {
        const struct th_outbox_entry *record = record_at(ram, at);
        if (record->id != 0 && (*cursor == 0 || (int32_t)(seq - *cursor) > 0)) {
            ram->hint = at;
            ram->hint_seq = seq;
            *cursor = seq;
            *out = *record;
            return true;
        }
    } while (advance(ram, &at, &seq));
    return false;
}

static size_t read_record(void *ctx, uint16_t id, uint32_t offset, uint8_t *into, size_t room)
{
    struct th_outbox_ram *ram = ctx;
    const struct th_outbox_entry *record = look_up(ram, id);
    if (record == NULL || offset >= record->len)
        return 0;
    size_t len = record->len - offset;
    if (len > room)
        len = room;
    uint32_t at = wrap(ram, ram->hint + TH_OUTBOX_RAM_OVERHEAD);
    at = wrap(ram, at + offset);
    size_t first = ram->room - at;
    if (first > len)
        first = len;
    memcpy(into, ram->at + at, first);
    if (len > first)
        memcpy(into + first, ram->at, len - first);
    return len;
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
                                     .head_seq = 1,
                                     .hint_seq = 1,
                                     .next_seq = 1,
                                     .inbound = inbound_ids,
                                     .inbound_room = inbound_ids_room};
    return (struct th_outbox){&ram_ops, outbox};
}
