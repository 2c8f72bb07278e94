/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/time.h>
#include <thimble/timekeeper.h>

#include "base/host_port.h"

#define POLL_MS      100
#define OFFLINE_MS   1000 /* how soon a network that is back is noticed */
#define RETRY_MAX_S  3600u
#define JITTER_SHARE 4 /* a wait is 3/4 to 5/4 of its length */

/* ---- the list ---- */

static void split(struct th_timekeeper *keeper, const char *servers)
{
    size_t len = 0;

    while (*servers != '\0' && keeper->count < TH_TIMEKEEPER_SERVERS) {
        size_t word = strcspn(servers, " ");

        if (word > 0 && len + word + 1 <= sizeof keeper->list) {
            memcpy(keeper->list + len, servers, word);
            keeper->port[keeper->count] = TH_SNTP_PORT;
            const char *host = th_host_port(keeper->list + len, &keeper->port[keeper->count]);
            keeper->name_at[keeper->count++] = (uint8_t)(host - keeper->list);
            len += word + 1;
        }
        servers += word + strspn(servers + word, " ");
    }
}

void th_timekeeper_start(struct th_timekeeper *keeper, const struct th_board *board,
                         struct th_clock *clock, const char *servers, uint32_t now_ms)
{
    if (keeper->running && board->udp.ops)
        board->udp.ops->cancel(board->udp.ctx);
    memset(keeper, 0, sizeof *keeper);
    keeper->board = board;
    keeper->clock = clock;
    keeper->next_ms = now_ms;
    keeper->retry_s = TH_TIMEKEEPER_RETRY_S;
    split(keeper, servers);
    keeper->running = keeper->count > 0 && board->udp.ops != NULL;
}

/* ---- one round ---- */

static bool entropy(const struct th_timekeeper *keeper, uint8_t *into, size_t len)
{
    const struct th_board *board = keeper->board;

    return board->entropy.ops->fill(board->entropy.ctx, into, len);
}

static bool left_alone(struct th_timekeeper *keeper, uint32_t now_ms)
{
    uint8_t at = keeper->at;

    if ((keeper->kissed >> at & 1) != 0 &&
        th_time_reached(now_ms, keeper->kissed_ms[at] + TH_TIMEKEEPER_KISS_MS))
        keeper->kissed &= (uint8_t) ~(1u << at);
    return (keeper->kissed >> at & 1) != 0;
}

/* Without entropy nobody is asked: whoever can guess the nonce could answer. */
static bool ask(struct th_timekeeper *keeper, uint32_t now_ms)
{
    const struct th_board *board = keeper->board;
    uint8_t nonce[8], packet[TH_SNTP_PACKET];

    if (left_alone(keeper, now_ms) || !entropy(keeper, nonce, sizeof nonce))
        return false;
    th_sntp_request(&keeper->request, nonce, now_ms, packet);
    board->udp.ops->ask(board->udp.ctx, keeper->list + keeper->name_at[keeper->at],
                        keeper->port[keeper->at], packet, sizeof packet);
    keeper->until_ms = now_ms + TH_TIMEKEEPER_ASK_MS;
    return true;
}

static void wait_for_next(struct th_timekeeper *keeper, uint32_t seconds, uint32_t now_ms)
{
    uint8_t chance = 128;

    entropy(keeper, &chance, 1);
    uint32_t ms = seconds * 1000;
    keeper->next_ms = now_ms + ms - ms / JITTER_SHARE + ms / (2 * JITTER_SHARE) * chance / 64;
}

static bool finish(struct th_timekeeper *keeper, uint32_t now_ms)
{
    int agree;

    keeper->asking = false;
    keeper->board->udp.ops->cancel(keeper->board->udp.ctx);
    if (keeper->got == 0) {
        wait_for_next(keeper, keeper->retry_s, now_ms);
        keeper->retry_s = keeper->retry_s > RETRY_MAX_S / 2 ? RETRY_MAX_S : keeper->retry_s * 2;
        return false;
    }
    keeper->retry_s = TH_TIMEKEEPER_RETRY_S;
    wait_for_next(keeper, TH_TIMEKEEPER_ROUND_S, now_ms);
    int best = th_sntp_choose(keeper->samples, keeper->got, TH_TIMEKEEPER_SLACK, &agree);
    const struct th_sntp_sample *sample = &keeper->samples[best];
    int64_t time_ms = sample->time_ms + (uint32_t)(now_ms - sample->read_ms);
    return th_clock_set(keeper->clock, TH_CLOCK_HINT, time_ms, now_ms);
}

/* Goes on to the next server that may be asked; true when the clock was set. */
static bool go_on(struct th_timekeeper *keeper, uint32_t now_ms)
{
    for (; keeper->at < keeper->count; keeper->at++) {
        if (ask(keeper, now_ms))
            return false;
    }
    return finish(keeper, now_ms);
}

static bool next_server(struct th_timekeeper *keeper, uint32_t now_ms)
{
    keeper->at++;
    return go_on(keeper, now_ms);
}

static bool step_asking(struct th_timekeeper *keeper, uint32_t now_ms)
{
    const struct th_board *board = keeper->board;
    uint8_t datagram[TH_SNTP_PACKET + 20];
    size_t len;

    while ((len = board->udp.ops->answer(board->udp.ctx, datagram, sizeof datagram)) > 0) {
        switch (th_sntp_answer(&keeper->request, th_span_of(datagram, len), keeper->clock->floor_s,
                               now_ms, &keeper->samples[keeper->got])) {
        case TH_SNTP_TIME: keeper->got++; return next_server(keeper, now_ms);
        case TH_SNTP_KISS:
            keeper->kissed |= (uint8_t)(1u << keeper->at);
            keeper->kissed_ms[keeper->at] = now_ms;
            return next_server(keeper, now_ms);
        case TH_SNTP_NOT_OURS:
        case TH_SNTP_UNSYNCHRONISED:
        case TH_SNTP_INSANE: break;
        }
    }
    return th_time_reached(now_ms, keeper->until_ms) && next_server(keeper, now_ms);
}

bool th_timekeeper_step(struct th_timekeeper *keeper, uint32_t now_ms)
{
    if (!keeper->running)
        return false;
    if (keeper->asking)
        return step_asking(keeper, now_ms);
    const struct th_net *net = &keeper->board->net;
    if (!th_time_reached(now_ms, keeper->next_ms) || !net->ops->up(net->ctx))
        return false;
    keeper->asking = true;
    keeper->at = keeper->got = 0;
    return go_on(keeper, now_ms);
}

uint32_t th_timekeeper_deadline(const struct th_timekeeper *keeper, uint32_t now_ms)
{
    if (!keeper->running)
        return TH_FOREVER;
    if (keeper->asking)
        return POLL_MS;
    uint32_t wait_ms = th_time_until(now_ms, keeper->next_ms);
    return wait_ms > 0 ? wait_ms : OFFLINE_MS;
}
