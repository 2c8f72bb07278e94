/* SPDX-License-Identifier: MIT */
/* How often who may ask: each device, and all together. */
#include <string.h>

#include "agent.h"

#define ROWS_LOOKED_AT 8
#define SAY_EVERY_MS   60000

struct rate {
    int64_t every_ms; /* one in so long, for ever */
    int64_t burst;    /* and so many at once */
};

static struct rate rate_of(const struct agent_limits *limits, enum agent_class what, bool all)
{
    if (what == AGENT_ASKS) /* a device asks thrice on each connection; 10,000 come back at once */
        return all ? (struct rate){1, 20000} : (struct rate){2000, 30};
    return all ? (struct rate){1000 / limits->per_second, 2 * limits->per_second}
               : (struct rate){3600000 / limits->per_device, limits->per_device};
}

static uint64_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash | 1; /* 0 is an empty row */
}

/* The device's row, else the one among its places that has been quiet for longest: who is pushed
 * out so has nothing against it any more, or shares its place with eight that ask more. */
static struct agent_limit_row *row_of(struct agent_limits *limits, const char *device)
{
    uint64_t hash = hash_of(device);
    struct agent_limit_row *oldest = NULL;
    for (size_t i = 0; i < ROWS_LOOKED_AT; i++) {
        struct agent_limit_row *row = &limits->rows[(hash + i) % AGENT_LIMIT_ROWS];
        if (row->name == hash)
            return row;
        if (!oldest || row->even_ms[AGENT_ISSUES] < oldest->even_ms[AGENT_ISSUES])
            oldest = row;
    }
    *oldest = (struct agent_limit_row){.name = hash, .said_ms = INT64_MIN / 2};
    return oldest;
}

static bool fits(int64_t even_ms, struct rate rate, int64_t now_ms)
{
    return even_ms - now_ms <= (rate.burst - 1) * rate.every_ms;
}

static void count(int64_t *even_ms, struct rate rate, int64_t now_ms)
{
    *even_ms = (*even_ms > now_ms ? *even_ms : now_ms) + rate.every_ms;
}

enum agent_pace agent_limits_take(struct agent_limits *limits, const char *device,
                                  enum agent_class what, int64_t now_ms, bool *say)
{
    struct agent_limit_row *row = row_of(limits, device);
    struct rate own = rate_of(limits, what, false), all = rate_of(limits, what, true);
    enum agent_pace pace = !fits(row->even_ms[what], own, now_ms)     ? AGENT_PACE_DEVICE
                           : !fits(limits->all_ms[what], all, now_ms) ? AGENT_PACE_ALL
                                                                      : AGENT_PACE_OK;
    *say = pace != AGENT_PACE_OK && now_ms - row->said_ms >= SAY_EVERY_MS;
    if (*say)
        row->said_ms = now_ms;
    if (pace != AGENT_PACE_OK)
        return pace;
    count(&row->even_ms[what], own, now_ms);
    count(&limits->all_ms[what], all, now_ms);
    return pace;
}
