/* SPDX-License-Identifier: MIT */
/*
 * What of a log in flash decides about its future. A unit is read as src/store/log_scan.c reads it,
 * from left to right, but with every way its weak grains can read: what comes out is the set of the
 * states that such a reading can end in. docs/proof.md says why no more is needed.
 */
#include <string.h>

#include "power.h"
#include "store/log.h"

#define UNIT_GRAINS 64  /* of a unit that can be looked at */
#define FOLDS       256 /* states of one unit */
#define KINDS       8
#define RECORD      512

/* Where a reading has come to. What stands before `readings` decides about the rest. */
struct fold {
    uint64_t value, held[KINDS];
    uint32_t sequence, newest;
    uint16_t at, used, reach, complete_at, len; /* complete_at: of the COMPLETE mark */
    uint16_t forced_to;                         /* grains below are read as `forced` */
    uint8_t forced, complete, pending, kind;
    uint8_t readings[UNIT_GRAINS];
};

struct folds {
    unsigned count;
    struct fold of[FOLDS];
};

struct unit {
    const struct power_world *world;
    uint32_t offset, size, nonce;
    power_normal *normal; /* NULL: whether it is complete is all that matters */
    bool cramped;
};

static uint8_t byte_read(const struct unit *unit, uint32_t at, unsigned reading)
{
    return sim_flash_reading(&unit->world->flash, unit->offset + at, (enum sim_reading)reading);
}

static bool same_reading(const struct unit *unit, uint32_t from, uint32_t to, unsigned a,
                         unsigned b)
{
    for (uint32_t at = from; at < to; at++) {
        if (byte_read(unit, at, a) != byte_read(unit, at, b))
            return false;
    }
    return true;
}

/* The readings of [from, to) that differ, as bits. */
static unsigned readings_of(const struct unit *unit, uint32_t from, uint32_t to)
{
    unsigned set = 1;
    bool weak = false;

    for (uint32_t at = from; at < to; at++)
        weak = weak || unit->world->weak[unit->offset + at];
    for (unsigned reading = 1; weak && reading < SIM_READINGS; reading++) {
        bool known = false;

        for (unsigned other = 0; other < reading; other++)
            known = known || same_reading(unit, from, to, other, reading);
        if (!known)
            set |= 1u << reading;
    }
    return set;
}

static void read_grain(const struct unit *unit, uint32_t at, unsigned reading, uint8_t *into)
{
    for (uint32_t i = 0; i < TH_LOG_GRAIN; i++)
        into[i] = byte_read(unit, at + i, reading);
}

/* As th_crc32(), which has no table and would take most of the time here. */
static uint32_t crc(uint32_t before, const uint8_t *bytes, size_t len)
{
    static uint32_t table[256];
    uint32_t value = ~before;

    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
    }
    while (len-- > 0)
        value = value >> 8 ^ table[(value ^ *bytes++) & 0xFF];
    return ~value;
}

static uint32_t get32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool mark_at(const struct unit *unit, uint32_t at, const uint8_t *raw, struct mark *out)
{
    uint8_t bind[8];

    if (raw[0] != MARK_RECORD && raw[0] != MARK_SETTLED && raw[0] != MARK_COMPLETE &&
        raw[0] != MARK_TIDIED)
        return false;
    for (int i = 0; i < 4; i++) {
        bind[i] = (uint8_t)(unit->nonce >> 8 * i);
        bind[4 + i] = (uint8_t)(at >> 8 * i);
    }
    *out = (struct mark){raw[0], raw[1], (uint16_t)(raw[2] | raw[3] << 8), get32(raw + 4),
                         get32(raw + 8)};
    return get32(raw + 12) == crc(crc(0, bind, sizeof bind), raw, 12) && out->kind < TH_LOG_KINDS;
}

/* ---- one reading, grain by grain: the same steps as log_scan.c ---- */

static void settle(struct fold *fold)
{
    if (fold->pending) {
        fold->held[fold->kind] = fold->len ? fold->value : 0;
    }
    fold->pending = 0;
    fold->sequence = 0;
    fold->kind = 0;
    fold->len = 0;
    fold->value = 0;
}

static void take_mark(struct fold *fold, const struct mark *mark)
{
    if (mark->type == MARK_COMPLETE) {
        settle(fold);
        fold->complete_at = (uint16_t)(fold->at - TH_LOG_GRAIN);
    } else if (mark->type == MARK_SETTLED && fold->complete_at > 0) {
        fold->complete = 1;
        if (fold->pending && mark->sequence != fold->sequence)
            fold->pending = 0;
        settle(fold);
    }
}

static uint64_t value_of(const struct unit *unit, const struct mark *mark, uint8_t *record)
{
    size_t len = unit->normal(mark->kind, record, mark->len);

    return (uint64_t)crc(mark->kind, record, len) << 32 | (uint32_t)len << 16 | mark->len;
}

/* The data behind a RECORD mark, read in one of the ways. */
static bool record_whole(const struct unit *unit, uint32_t at, const struct mark *mark,
                         unsigned reading, uint8_t *record)
{
    if (mark->len > RECORD || at + log_grains(mark->len) > unit->size)
        return false;
    for (uint32_t i = 0; i < mark->len; i++)
        record[i] = byte_read(unit, at + i, reading);
    return crc(0, record, mark->len) == mark->data_crc;
}

static void put(struct unit *unit, struct folds *folds, const struct fold *fold)
{
    for (unsigned i = 0; i < folds->count; i++) {
        if (memcmp(&folds->of[i], fold, offsetof(struct fold, readings)) == 0)
            return;
    }
    if (folds->count == FOLDS) {
        unit->cramped = true;
        return;
    }
    folds->of[folds->count++] = *fold;
}

static void set_readings(struct fold *fold, uint32_t from, uint32_t to, unsigned reading)
{
    for (uint32_t at = from; at < to; at += TH_LOG_GRAIN)
        fold->readings[at / TH_LOG_GRAIN] = (uint8_t)reading;
}

static void step_record(struct unit *unit, struct folds *folds, struct fold fold,
                        const struct mark *mark)
{
    uint32_t data = fold.at, end = data + log_grains(mark->len);
    uint32_t room = end < unit->size ? end : unit->size;
    unsigned ways = readings_of(unit, data, room);

    for (unsigned reading = 0; reading < SIM_READINGS; reading++) {
        struct fold next = fold;
        uint8_t record[RECORD];

        if (!(ways >> reading & 1))
            continue;
        set_readings(&next, data, room, reading);
        if (record_whole(unit, data, mark, reading, record)) {
            if (next.complete_at == 0)
                settle(&next);
            next.pending = 1;
            next.kind = mark->kind;
            next.len = mark->len;
            next.sequence = mark->sequence;
            next.value = value_of(unit, mark, record);
            next.at = (uint16_t)end;
        } else {
            next.forced = (uint8_t)reading;
            next.forced_to = (uint16_t)room;
        }
        put(unit, folds, &next);
    }
}

static void step(struct unit *unit, struct folds *folds, struct fold fold, unsigned reading)
{
    uint8_t raw[TH_LOG_GRAIN];
    struct mark mark = {0};
    bool blank = true;

    read_grain(unit, fold.at, reading, raw);
    set_readings(&fold, fold.at, fold.at + 1u, reading);
    for (int i = 0; i < TH_LOG_GRAIN; i++)
        blank = blank && raw[i] == 0xFF;
    bool is_mark = mark_at(unit, fold.at, raw, &mark);
    fold.at += TH_LOG_GRAIN;
    if (fold.forced_to <= fold.at)
        fold.forced_to = fold.forced = 0;
    if (unit->normal && !blank && fold.used < fold.at)
        fold.used = fold.at;
    if (is_mark && unit->normal) {
        if (mark.sequence > fold.newest)
            fold.newest = mark.sequence;
        fold.reach = (uint16_t)(fold.at + (mark.type == MARK_RECORD ? log_grains(mark.len) : 0));
    }
    if (is_mark && mark.type == MARK_RECORD && unit->normal) {
        step_record(unit, folds, fold, &mark);
        return;
    }
    if (is_mark)
        take_mark(&fold, &mark);
    put(unit, folds, &fold);
}

static int by_content(const struct fold *a, const struct fold *b)
{
    return memcmp(a, b, offsetof(struct fold, readings));
}

static void sort(struct folds *folds)
{
    for (unsigned i = 1; i < folds->count; i++) {
        for (unsigned k = i; k > 0 && by_content(&folds->of[k], &folds->of[k - 1]) < 0; k--) {
            struct fold other = folds->of[k];

            folds->of[k] = folds->of[k - 1];
            folds->of[k - 1] = other;
        }
    }
}

/* All readings of a unit's body, without those that end alike. */
static void read_body(struct unit *unit, struct folds *folds)
{
    static struct folds next;
    struct fold first = {.at = 2 * TH_LOG_GRAIN, .reach = 2 * TH_LOG_GRAIN};

    folds->count = 0;
    put(unit, folds, &first);
    for (uint32_t at = first.at; at < unit->size; at += TH_LOG_GRAIN) {
        unsigned ways = readings_of(unit, at, at + TH_LOG_GRAIN);

        next.count = 0;
        for (unsigned i = 0; i < folds->count; i++) {
            const struct fold *fold = &folds->of[i];

            if (fold->at != at) {
                put(unit, &next, fold); /* it has jumped over a record */
                continue;
            }
            for (unsigned reading = 0; reading < SIM_READINGS; reading++) {
                bool forced = at < fold->forced_to;

                if (forced ? reading == fold->forced : ways >> reading & 1)
                    step(unit, &next, *fold, reading);
            }
        }
        folds->count = next.count;
        memcpy(folds->of, next.of, next.count * sizeof next.of[0]);
    }
    for (unsigned i = 0; i < folds->count; i++) {
        struct fold *fold = &folds->of[i];

        bool torn = fold->used > fold->reach;

        fold->used = torn ? fold->used : fold->reach;
        fold->reach = torn;
        if (fold->complete)
            fold->complete_at = 0;
    }
    static struct folds all; /* some are the same now */

    all.count = folds->count;
    memcpy(all.of, folds->of, folds->count * sizeof all.of[0]);
    folds->count = 0;
    for (unsigned i = 0; i < all.count; i++)
        put(unit, folds, &all.of[i]);
    sort(folds);
}

/* ---- a unit as a whole ---- */

struct header_ways {
    bool whole, broken; /* it can read so */
    struct unit_header header;
    uint8_t whole_as[2], broken_as[2]; /* readings of its two grains */
};

static bool header_of(const struct unit *unit, const uint8_t readings[2], struct unit_header *out)
{
    uint8_t raw[2 * TH_LOG_GRAIN];

    read_grain(unit, 0, readings[0], raw);
    read_grain(unit, TH_LOG_GRAIN, readings[1], raw + TH_LOG_GRAIN);
    *out = (struct unit_header){get32(raw + 8), get32(raw + 12), get32(raw + 16)};
    return get32(raw) == LOG_UNIT_MAGIC && get32(raw + 4) == LOG_VERSION &&
           get32(raw + 28) == crc(0, raw, 28);
}

static void read_header(const struct unit *unit, struct header_ways *out)
{
    memset(out, 0, sizeof *out);
    unsigned ways[2] = {readings_of(unit, 0, TH_LOG_GRAIN),
                        readings_of(unit, TH_LOG_GRAIN, 2 * TH_LOG_GRAIN)};
    for (unsigned both = 0; both < SIM_READINGS * SIM_READINGS; both++) {
        const uint8_t readings[2] = {(uint8_t)(both / SIM_READINGS),
                                     (uint8_t)(both % SIM_READINGS)};
        struct unit_header header;

        if (!(ways[0] >> readings[0] & 1) || !(ways[1] >> readings[1] & 1))
            continue;

        if (header_of(unit, readings, &header)) {
            out->whole = true;
            out->header = header;
            memcpy(out->whole_as, readings, 2);
        } else {
            out->broken = true;
            memcpy(out->broken_as, readings, 2);
        }
    }
}

enum role { NO_UNIT, NEVER_COMPLETE, SHADOWED, CANDIDATE };

struct looked {
    struct header_ways header;
    struct folds folds;
    enum role role;
};

static struct looked looked[TH_LOG_UNITS];

static bool all_complete(const struct looked *unit)
{
    for (unsigned i = 0; i < unit->folds.count; i++) {
        if (!unit->folds.of[i].complete)
            return false;
    }
    return !unit->header.broken;
}

static bool never_complete(const struct looked *unit)
{
    for (unsigned i = 0; i < unit->folds.count; i++) {
        if (unit->folds.of[i].complete)
            return false;
    }
    return true;
}

static struct unit unit_of(const struct power_world *world, struct th_log_region region, unsigned i)
{
    uint32_t size =
        world->flash.geometry.erase_unit * (region.erase_units ? region.erase_units : 1);
    struct unit unit = {.world = world, .offset = region.offset + i * size, .size = size};

    return unit;
}

/* Gives each unit its role; the number of the newest unit that is sure to be complete. */
static bool give_roles(const struct power_world *world, struct th_log_region region, uint32_t *top)
{
    bool some = false;

    for (unsigned i = 0; i < region.units; i++) {
        struct unit unit = unit_of(world, region, i);
        struct looked *at = &looked[i];

        read_header(&unit, &at->header);
        at->folds.count = 0;
        at->role = NO_UNIT;
        if (!at->header.whole)
            continue;
        unit.nonce = at->header.header.nonce;
        read_body(&unit, &at->folds);
        at->role = never_complete(at) ? NEVER_COMPLETE : CANDIDATE;
        uint32_t number = at->header.header.number;
        if (all_complete(at) && (!some || (int32_t)(number - *top) > 0)) {
            some = true;
            *top = number;
        }
    }
    for (unsigned i = 0; !some && i < region.units; i++) {
        if (looked[i].role == CANDIDATE && (int32_t)(looked[i].header.header.number - *top) > 0)
            *top = looked[i].header.header.number;
    }
    for (unsigned i = 0; some && i < region.units; i++) {
        if (looked[i].role != NO_UNIT && (int32_t)(looked[i].header.header.number - *top) < 0)
            looked[i].role = SHADOWED;
    }
    return some;
}

static uint32_t newest_of(const struct folds *folds)
{
    uint32_t newest = 0;

    for (unsigned i = 0; i < folds->count; i++) {
        if (folds->of[i].newest > newest)
            newest = folds->of[i].newest;
    }
    return newest;
}

/* Sequence numbers count from the newest one of the unit: only whether two are equal matters, and
 * which one comes next. */
static void add_folds(struct power_view *view, const struct folds *folds)
{
    uint32_t newest = newest_of(folds);

    power_view_number(view, folds->count);
    for (unsigned i = 0; i < folds->count; i++) {
        struct fold fold = folds->of[i];

        fold.sequence = fold.pending ? newest - fold.sequence : 0;
        fold.newest = newest - fold.newest;
        power_view_add(view, &fold, offsetof(struct fold, readings));
    }
}

/* ---- ways ---- */

static void set_way(struct power_view *view, unsigned way, uint32_t first, const uint8_t *header,
                    const uint8_t *body, uint32_t grains)
{
    memcpy(&view->readings[way][first], header, 2);
    if (body)
        memcpy(&view->readings[way][first + 2], body + 2, grains - 2);
    else
        memset(&view->readings[way][first + 2], 0, grains - 2);
}

/* Each way there was, with each way this unit can read. */
static void multiply(struct power_view *view, const struct unit *unit, const struct looked *at)
{
    uint32_t first = unit->offset / TH_LOG_GRAIN, grains = unit->size / TH_LOG_GRAIN;
    unsigned old = view->ways, whole = at->header.whole ? at->folds.count : 0;
    unsigned each = whole + (at->header.broken || whole == 0);

    if (old * each > POWER_WAYS) {
        view->cramped = true;
        return;
    }
    view->ways = old * each;
    for (unsigned way = view->ways; way-- > 0;) {
        unsigned mine = way / old;

        if (way != way % old)
            memcpy(view->readings[way], view->readings[way % old], POWER_GRAINS);
        if (mine < whole)
            set_way(view, way, first, at->header.whole_as, at->folds.of[mine].readings, grains);
        else
            set_way(view, way, first, at->header.broken_as, NULL, grains);
    }
}

void power_view_log(const struct power_world *world, struct th_log_region region,
                    power_normal *normal, struct power_view *view)
{
    uint32_t top = 0;
    bool some = give_roles(world, region, &top);

    for (unsigned i = 0; i < region.units; i++) {
        struct unit unit = unit_of(world, region, i);
        struct looked *at = &looked[i];

        power_view_number(view, at->role);
        if (at->role == SHADOWED)
            continue; /* it is not even erased before it is begun anew */
        if (at->role == CANDIDATE) {
            unit.nonce = at->header.header.nonce;
            unit.normal = normal;
            read_body(&unit, &at->folds);
        }
        view->cramped |= unit.cramped;
        power_view_number(view, (uint32_t)at->header.broken | (uint32_t)some << 1);
        if (at->role == CANDIDATE)
            power_view_number(view, at->header.header.number - top);
        add_folds(view, &at->folds);
        multiply(view, &unit, at);
    }
}

void power_view_mounted(const struct th_log *log, power_normal *normal, struct power_view *view)
{
    power_view_number(view, log->unit);
    power_view_number(view, log->tail);
    power_view_number(view, log->sequence - newest_of(&looked[log->unit].folds));
    for (uint8_t kind = 0; kind < KINDS; kind++) {
        uint8_t record[RECORD] = {0};
        size_t len = th_log_len(log, kind);

        power_view_number(view, (uint32_t)len);
        if (th_log_read(log, kind, 0, record, sizeof record) != len)
            power_view_number(view, UINT32_MAX);
        power_view_add(view, record, normal(kind, record, len));
    }
}
