/* SPDX-License-Identifier: MIT */
/*
 * Asks servers of time, one after the other, and sets the working clock to what they agree on: a
 * hint and nothing more (docs/clock.md). It never touches the floor. Polled; TH_TIMEKEEPER_ASK_MS
 * for each server, a round each six hours, after a round without an answer from a minute up to an
 * hour later.
 */
#ifndef THIMBLE_TIMEKEEPER_H
#define THIMBLE_TIMEKEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/clock.h>
#include <thimble/sntp.h>

#define TH_TIMEKEEPER_SERVERS 4 /* further ones in the list are passed over */
#define TH_TIMEKEEPER_LIST    65
#define TH_TIMEKEEPER_ASK_MS  3000
#define TH_TIMEKEEPER_SLACK   500 /* milliseconds by which servers that agree may differ */
#define TH_TIMEKEEPER_ROUND_S (6u * 3600u)
#define TH_TIMEKEEPER_RETRY_S 64u /* doubles up to an hour */
#define TH_TIMEKEEPER_KISS_MS (24u * 3600u * 1000u)

/* Fields private. */
struct th_timekeeper {
    const struct th_board *board;
    struct th_clock *clock;
    char list[TH_TIMEKEEPER_LIST]; /* names, each with a NUL behind it */
    struct th_sntp request;
    struct th_sntp_sample samples[TH_TIMEKEEPER_SERVERS];
    uint32_t kissed_ms[TH_TIMEKEEPER_SERVERS]; /* it asked to be left alone */
    uint32_t next_ms, until_ms, retry_s;
    uint8_t name_at[TH_TIMEKEEPER_SERVERS];
    uint16_t port[TH_TIMEKEEPER_SERVERS];
    uint8_t count, kissed, at, got;
    bool running, asking;
};

/* `servers`: "host", "host:port" or "[address]:port", separated by spaces; copied. The first round
 * begins at once. Board (udp, net, entropy) and clock live as long. A board without UDP asks
 * nobody. */
void th_timekeeper_start(struct th_timekeeper *keeper, const struct th_board *board,
                         struct th_clock *clock, const char *servers, uint32_t now_ms);

/* True when a round has set the clock. */
bool th_timekeeper_step(struct th_timekeeper *keeper, uint32_t now_ms);

/* Milliseconds until the next step. */
uint32_t th_timekeeper_deadline(const struct th_timekeeper *keeper, uint32_t now_ms);

#endif
