/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/time.h>

#include "zones/parts.h"

const char *th_zone_answer_text(enum th_zone_answer answer)
{
    static const char *const texts[] = {
        [TH_ZONE_DONE] = "done",
        [TH_ZONE_NONE] = "there is no such zone",
        [TH_ZONE_TIME] = "the zone may not be on for so long in one run",
        [TH_ZONE_LIMIT] = "as many zones are on as may be at once",
        [TH_ZONE_OUTPUT] = "an output could not be switched; everything is off",
    };

    return texts[answer];
}

/* ---- outputs ---- */

static uint16_t wanted(const struct th_zones *zones, uint32_t off_at_ms[TH_OUTPUTS_MAX])
{
    uint8_t master = zones->config.count;
    uint16_t on = 0;

    memset(off_at_ms, 0, TH_OUTPUTS_MAX * sizeof off_at_ms[0]);
    for (uint8_t i = 0; i < zones->config.count; i++) {
        if (!zones->zones[i].on)
            continue;
        off_at_ms[i] = zones->zones[i].off_at_ms;
        /* The master valve closes with the last zone. */
        if (on == 0 || (int32_t)(off_at_ms[i] - off_at_ms[master]) > 0)
            off_at_ms[master] = off_at_ms[i];
        on |= (uint16_t)(1u << i);
    }
    if (zones->config.master && on != 0)
        on |= (uint16_t)(1u << master);
    return on;
}

static void mark_off(struct th_zone *zone, enum th_zone_cause cause)
{
    if (!zone->on)
        return;
    zone->on = false;
    zone->changed = true;
    zone->cause = (uint8_t)cause;
}

/* After a fault nothing is sure: all off, by the books and as far as the outputs go. */
static bool put(struct th_zones *zones)
{
    static const uint32_t none[TH_OUTPUTS_MAX];
    uint32_t off_at_ms[TH_OUTPUTS_MAX];
    uint16_t on = wanted(zones, off_at_ms);

    if (zones->config.outputs->put(zones->config.outputs_ctx, on, off_at_ms))
        return true;
    zones->config.outputs->put(zones->config.outputs_ctx, 0, none);
    for (uint8_t i = 0; i < zones->config.count; i++)
        mark_off(&zones->zones[i], TH_ZONE_FAULT);
    return false;
}

bool th_zones_init(struct th_zones *zones, const struct th_zones_config *config, uint32_t now_ms)
{
    memset(zones, 0, sizeof *zones);
    zones->config = *config;
    zones->checked_ms = now_ms;
    for (uint8_t i = 0; i < TH_ZONES_STARTS; i++)
        zones->starts[i].zone = TH_ZONES_MAX;
    for (uint8_t i = 0; i < config->count; i++) {
        zones->zones[i].changed = true;
        zones->zones[i].cause = TH_ZONE_START;
    }
    return put(zones);
}

/* ---- commands ---- */

static bool same_group(const struct th_zones *zones, uint8_t a, uint8_t b)
{
    return zones->config.rules[a].group != 0 &&
           zones->config.rules[a].group == zones->config.rules[b].group;
}

/* Zones on that stay on when `zone` goes on. */
static uint8_t staying(const struct th_zones *zones, uint8_t zone)
{
    uint8_t count = 0;

    for (uint8_t i = 0; i < zones->config.count; i++)
        count += i != zone && zones->zones[i].on && !same_group(zones, i, zone);
    return count;
}

static bool beyond_limit(const struct th_zones *zones, uint8_t zone)
{
    return zones->config.most_on != 0 && staying(zones, zone) >= zones->config.most_on;
}

bool zones_free_for(const struct th_zones *zones, uint8_t zone)
{
    for (uint8_t i = 0; i < zones->config.count; i++) {
        if (zones->zones[i].on && (i == zone || same_group(zones, i, zone)))
            return false;
    }
    return !beyond_limit(zones, zone);
}

/* A lease whose end has come is over for every rule, also before the next tick has written it down.
 */
static void expire(struct th_zones *zones, uint32_t now_ms)
{
    for (uint8_t i = 0; i < zones->config.count; i++) {
        if (zones->zones[i].on && th_time_reached(now_ms, zones->zones[i].off_at_ms))
            mark_off(&zones->zones[i], TH_ZONE_LEASE);
    }
}

/* Renewals must not make a run longer than its rule. */
static bool time_allowed(const struct th_zones *zones, uint8_t zone, uint32_t seconds,
                         uint32_t now_ms)
{
    uint32_t most_s = zones->config.rules[zone].most_s;
    uint32_t run_ms = zones->zones[zone].on ? now_ms - zones->zones[zone].since_ms : 0;

    return seconds > 0 && most_s <= TH_ZONE_SECONDS_MAX && seconds <= most_s &&
           run_ms + 1000 * seconds <= 1000 * most_s;
}

enum th_zone_answer zones_switch_on(struct th_zones *zones, uint8_t zone, uint32_t seconds,
                                    enum th_zone_cause cause, uint32_t now_ms)
{
    struct th_zone *chosen = &zones->zones[zone];
    bool others = false;

    expire(zones, now_ms);
    if (!time_allowed(zones, zone, seconds, now_ms))
        return TH_ZONE_TIME;
    if (!chosen->on && beyond_limit(zones, zone))
        return TH_ZONE_LIMIT;
    for (uint8_t i = 0; i < zones->config.count; i++) {
        if (i != zone && zones->zones[i].on && same_group(zones, i, zone)) {
            mark_off(&zones->zones[i], TH_ZONE_GROUP);
            others = true;
        }
    }
    /* Off before on: two valves of a group are never open together. */
    if (others && !put(zones))
        return TH_ZONE_OUTPUT;
    if (!chosen->on)
        chosen->since_ms = now_ms;
    chosen->on = true;
    chosen->changed = true;
    chosen->cause = (uint8_t)cause;
    chosen->off_at_ms = now_ms + 1000 * seconds;
    return put(zones) ? TH_ZONE_DONE : TH_ZONE_OUTPUT;
}

enum th_zone_answer th_zones_on(struct th_zones *zones, uint8_t zone, uint32_t seconds,
                                uint32_t now_ms)
{
    if (zone == 0 || zone > zones->config.count)
        return TH_ZONE_NONE;
    return zones_switch_on(zones, (uint8_t)(zone - 1), seconds, TH_ZONE_COMMAND, now_ms);
}

enum th_zone_answer th_zones_off(struct th_zones *zones, uint8_t zone, uint32_t now_ms)
{
    if (zone == 0 || zone > zones->config.count)
        return TH_ZONE_NONE;
    expire(zones, now_ms);
    mark_off(&zones->zones[zone - 1], TH_ZONE_COMMAND);
    return put(zones) ? TH_ZONE_DONE : TH_ZONE_OUTPUT;
}

void th_zones_safe(struct th_zones *zones, uint32_t now_ms)
{
    expire(zones, now_ms);
    zones_starts_drop(zones);
    for (uint8_t i = 0; i < zones->config.count; i++)
        mark_off(&zones->zones[i], TH_ZONE_SAFE);
    put(zones);
}

/* ---- time ---- */

static bool actual(const struct th_zones *zones, uint16_t *on)
{
    return zones->config.outputs->actual(zones->config.outputs_ctx, on);
}

/* Levels are put again now and then: a relay board that lost power for a moment comes back. */
static void look_after_outputs(struct th_zones *zones)
{
    uint16_t on;

    put(zones);
    if (!actual(zones, &on))
        return;
    for (uint8_t i = 0; i < zones->config.count; i++) {
        bool is_on = (on >> i & 1) != 0;

        zones->zones[i].changed |= is_on != zones->zones[i].was_actual;
        zones->zones[i].was_actual = is_on;
    }
}

void th_zones_tick(struct th_zones *zones, const struct th_clock_view *clock, uint32_t now_ms)
{
    expire(zones, now_ms);
    if (th_time_reached(now_ms, zones->checked_ms)) {
        zones->checked_ms = now_ms + TH_ZONES_CHECK_MS;
        look_after_outputs(zones);
    }
    zones_starts_tick(zones, clock, now_ms);
}

uint32_t th_zones_deadline(const struct th_zones *zones, uint32_t now_ms)
{
    uint32_t until = th_time_until(now_ms, zones->checked_ms);

    for (uint8_t i = 0; i < zones->config.count; i++) {
        if (zones->zones[i].on)
            until = th_time_sooner(until, th_time_until(now_ms, zones->zones[i].off_at_ms));
    }
    return until;
}

/* ---- what there is to tell ---- */

bool th_zones_status(const struct th_zones *zones, uint8_t zone, uint32_t now_ms,
                     struct th_zone_status *out)
{
    uint16_t on = 0;

    memset(out, 0, sizeof *out);
    if (zone == 0 || zone > zones->config.count)
        return false;
    const struct th_zone *chosen = &zones->zones[zone - 1];
    out->commanded = chosen->on && !th_time_reached(now_ms, chosen->off_at_ms);
    out->cause = (enum th_zone_cause)chosen->cause;
    out->actual_known = actual(zones, &on);
    out->actual = out->actual_known && (on >> (zone - 1) & 1) != 0;
    if (out->commanded)
        out->left_s = (th_time_until(now_ms, chosen->off_at_ms) + 999) / 1000;
    return true;
}

uint8_t th_zones_changed(struct th_zones *zones)
{
    for (uint8_t i = 0; i < zones->config.count; i++) {
        if (zones->zones[i].changed) {
            zones->zones[i].changed = false;
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}
