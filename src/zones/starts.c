/* SPDX-License-Identifier: MIT */
/* Weekly starts: when each is due, whose turn it is, and what a clock that jumps does to them. */
#include <string.h>

#include "zones/parts.h"

#define BACK_S 3600 /* a clock put back by more was wrong before */

void th_zones_timezone(struct th_zones *zones, const struct th_timezone *timezone)
{
    zones->timezone = *timezone;
    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++)
        zones->starts[i].known = false;
}

static uint8_t places_for(const struct th_zones *zones, uint8_t zone)
{
    uint8_t count = 0;

    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++)
        count += zones->starts[i].zone == TH_ZONES_MAX || zones->starts[i].zone == zone;
    return count;
}

static void replace(struct th_zones *zones, uint8_t zone, const struct th_schedule_entry *entries,
                    uint8_t count)
{
    uint8_t next = 0;

    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++) {
        struct th_zone_start *start = &zones->starts[i];

        if (start->zone != TH_ZONES_MAX && start->zone != zone)
            continue;
        memset(start, 0, sizeof *start);
        start->zone = TH_ZONES_MAX;
        if (next == count)
            continue;
        start->zone = zone;
        start->entry = entries[next++];
        start->after_s = zones->last_s;
    }
}

enum th_zone_answer th_zones_schedule(struct th_zones *zones, uint8_t zone, struct th_span text)
{
    struct th_schedule_entry entries[TH_SCHEDULE_ENTRIES];
    uint8_t count;

    if (zone == 0 || zone > zones->config.count)
        return TH_ZONE_NONE;
    if (th_schedule_parse(text, entries, &count) != TH_OK)
        return TH_ZONE_TIME;
    for (uint8_t i = 0; i < count; i++) {
        if (entries[i].seconds > zones->config.rules[zone - 1].most_s)
            return TH_ZONE_TIME;
    }
    if (count > places_for(zones, (uint8_t)(zone - 1)))
        return TH_ZONE_LIMIT;
    replace(zones, (uint8_t)(zone - 1), entries, count);
    return TH_ZONE_DONE;
}

void zones_starts_drop(struct th_zones *zones)
{
    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++)
        zones->starts[i].waiting = false;
}

/* ---- the clock ---- */

/* Nothing before now is made up for. */
static void begin_at(struct th_zones *zones, int64_t now_s)
{
    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++) {
        zones->starts[i].known = false;
        zones->starts[i].after_s = now_s;
    }
}

/* False while there is no clock to go by (DESIGN, 'The clock': provisional time starts nothing). A
 * clock put back by little runs on what it ran already: a start is not made twice. */
static bool follow_clock(struct th_zones *zones, const struct th_clock_view *clock)
{
    bool had = zones->clock != TH_CLOCK_FLOOR_ONLY;

    zones->clock = clock->kind;
    if (clock->kind == TH_CLOCK_FLOOR_ONLY)
        return false;
    if (!had || clock->now_s < zones->last_s - BACK_S)
        begin_at(zones, clock->now_s);
    zones->last_s = clock->now_s;
    return true;
}

/* ---- one start ---- */

static void come_due(struct th_zones *zones, struct th_zone_start *start, int64_t now_s,
                     uint32_t now_ms)
{
    bool late = now_s - start->next_s > TH_ZONES_LATE_S;

    start->known = false;
    start->after_s = late ? now_s - TH_ZONES_LATE_S : start->next_s;
    if (late || start->waiting) {
        zones->missed++;
        return;
    }
    start->waiting = true;
    start->waiting_ms = now_ms;
}

static void take_turn(struct th_zones *zones, struct th_zone_start *start, uint32_t now_ms)
{
    if (now_ms - start->waiting_ms >= TH_ZONES_WAIT_MS) {
        start->waiting = false;
        zones->missed++;
    } else if (zones_free_for(zones, start->zone)) {
        start->waiting = false;
        zones_switch_on(zones, start->zone, start->entry.seconds, TH_ZONE_SCHEDULE, now_ms);
    }
}

/* When the next one is takes a handful of calendar calculations: one start a tick. */
static void find_one(struct th_zones *zones)
{
    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++) {
        struct th_zone_start *start = &zones->starts[zones->turn];

        zones->turn = (uint8_t)((zones->turn + 1) % TH_ZONES_STARTS);
        if (start->zone != TH_ZONES_MAX && !start->known) {
            start->next_s = th_schedule_next(&start->entry, &zones->timezone, start->after_s);
            start->known = true;
            return;
        }
    }
}

void zones_starts_tick(struct th_zones *zones, const struct th_clock_view *clock, uint32_t now_ms)
{
    if (!follow_clock(zones, clock))
        return;
    find_one(zones);
    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++) {
        struct th_zone_start *start = &zones->starts[i];

        if (start->zone == TH_ZONES_MAX)
            continue;
        if (start->known && start->next_s <= clock->now_s)
            come_due(zones, start, clock->now_s, now_ms);
        if (start->waiting)
            take_turn(zones, start, now_ms);
    }
}

void th_zones_report(const struct th_zones *zones, struct th_zones_report *out)
{
    memset(out, 0, sizeof *out);
    out->clock = zones->clock;
    out->missed = zones->missed;
    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++) {
        const struct th_zone_start *start = &zones->starts[i];

        if (start->zone == TH_ZONES_MAX)
            continue;
        out->starts++;
        out->waiting += start->waiting;
        if (start->known && (out->next_s == 0 || start->next_s < out->next_s)) {
            out->next_s = start->next_s;
            out->next_zone = (uint8_t)(start->zone + 1);
        }
    }
}
