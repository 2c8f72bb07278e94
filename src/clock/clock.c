/* SPDX-License-Identifier: MIT */
#include <thimble/clock.h>

#define MS 1000

/* Moves the pair of readings to now, so that the counter may wrap. */
static void advance(struct th_clock *clock, uint32_t now_ms)
{
    clock->set_ms += (uint32_t)(now_ms - clock->read_ms);
    clock->read_ms = now_ms;
}

void th_clock_init(struct th_clock *clock, int64_t floor_s, uint32_t now_ms)
{
    *clock = (struct th_clock){.floor_s = floor_s, .read_ms = now_ms};
}

bool th_clock_set(struct th_clock *clock, enum th_clock_kind kind, int64_t time_ms, uint32_t now_ms)
{
    if (time_ms < clock->floor_s * MS)
        return false;
    if (kind < clock->kind)
        return true;
    clock->kind = kind;
    clock->set_ms = time_ms;
    clock->read_ms = now_ms;
    return true;
}

bool th_clock_raise_floor(struct th_clock *clock, int64_t signed_s, uint32_t now_ms)
{
    advance(clock, now_ms);
    if (signed_s <= clock->floor_s)
        return false;
    clock->floor_s = signed_s;
    if (clock->set_ms < signed_s * MS)
        clock->kind = TH_CLOCK_FLOOR_ONLY;
    return true;
}

int64_t th_clock_ms(struct th_clock *clock, uint32_t now_ms)
{
    advance(clock, now_ms);
    return clock->kind == TH_CLOCK_FLOOR_ONLY ? clock->floor_s * MS : clock->set_ms;
}

struct th_clock_view th_clock_read(struct th_clock *clock, uint32_t now_ms)
{
    int64_t time_ms = th_clock_ms(clock, now_ms);

    return (struct th_clock_view){clock->kind, clock->floor_s, time_ms / MS};
}
