/* SPDX-License-Identifier: MIT */
#include "net/link_parts.h"

static uint32_t or_default(uint32_t set_ms, uint32_t default_ms)
{
    return set_ms != 0 ? set_ms : default_ms;
}

struct th_link_times th_link_times_of(const struct th_link *link)
{
    const struct th_link_times *set = &link->config->times;
    struct th_link_times times = {
        .resolve_ms = or_default(set->resolve_ms, 10000),
        .connect_ms = or_default(set->connect_ms, 15000),
        .handshake_ms = or_default(set->handshake_ms, 30000),
        .backoff_first_ms = or_default(set->backoff_first_ms, 1000),
        .backoff_max_ms = or_default(set->backoff_max_ms, 120000),
        .stable_ms = or_default(set->stable_ms, 60000),
    };
    if (times.backoff_max_ms < times.backoff_first_ms)
        times.backoff_max_ms = times.backoff_first_ms;
    return times;
}

uint32_t th_link_jitter(const struct th_link *link, uint32_t most)
{
    const struct th_board *board = link->config->board;
    uint8_t bytes[4];
    if (!board->entropy.ops->fill(board->entropy.ctx, bytes, sizeof bytes))
        return most;
    uint32_t chance = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                      (uint32_t)bytes[3] << 24;
    return (uint32_t)(((uint64_t)chance * ((uint64_t)most + 1)) >> 32);
}

/* A pass takes the broker it began with, then the others in the order of the list. */
static uint8_t broker_of_pass(const struct th_link *link)
{
    if (link->pass == 0)
        return link->first;
    return link->pass <= link->first ? link->pass - 1 : link->pass;
}

static void begin_pass(struct th_link *link)
{
    link->pass = 0;
    link->first = link->good;
    link->broker = broker_of_pass(link);
    link->address_count = 0;
}

void th_link_retry_reset(struct th_link *link)
{
    link->backoff_ms = th_link_times_of(link).backoff_first_ms;
    begin_pass(link);
}

uint32_t th_link_retry_pass(struct th_link *link)
{
    uint32_t most_ms = th_link_times_of(link).backoff_max_ms;
    uint32_t wait_ms = th_link_jitter(link, link->backoff_ms);
    begin_pass(link);
    link->backoff_ms = link->backoff_ms > most_ms / 2 ? most_ms : link->backoff_ms * 2;
    return wait_ms;
}

uint32_t th_link_retry_after(struct th_link *link)
{
    struct th_link_times times = th_link_times_of(link);
    bool connecting = link->state == TH_LINK_TCP || link->state == TH_LINK_TLS;
    if (link->state == TH_LINK_TLS && link->tried_session) {
        th_link_session_drop(link);
        return 0;
    }
    /* The broker has judged the stored session's identity, not the present certificate's. */
    if (link->state == TH_LINK_MQTT && link->resumed)
        th_link_session_drop(link);
    if (connecting && link->address_at + 1 < link->address_count) {
        link->address_at++;
        return 0;
    }
    if (link->state == TH_LINK_UP && link->stable) {
        th_link_retry_reset(link);
    } else if (++link->pass < link->config->broker_count) {
        link->broker = broker_of_pass(link);
        link->address_count = 0;
        return th_link_jitter(link, times.backoff_first_ms);
    }
    return th_link_retry_pass(link);
}
