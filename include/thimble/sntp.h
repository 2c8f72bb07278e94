/* SPDX-License-Identifier: MIT */
/*
 * The client's part of SNTP (RFC 5905 §14): one request, one answer, no I/O. What it learns is a
 * hint and nothing more: anyone on the way can forge it.
 *
 * Several servers: ask each, collect a sample from each, let th_sntp_choose() pick.
 */
#ifndef THIMBLE_SNTP_H
#define THIMBLE_SNTP_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/span.h>

#define TH_SNTP_PACKET 48
#define TH_SNTP_PORT   123

/* How an answer was judged. All but TIME leave the request open until its deadline. */
enum th_sntp_verdict {
    TH_SNTP_TIME,     /* `sample` is filled; the request is over */
    TH_SNTP_NOT_OURS, /* not an answer to this request: wrong length, mode or origin. Forged or
                         late; wait on */
    TH_SNTP_KISS,     /* the server asks to be left alone (kiss-o'-death): do not ask it again
                         before a day is over */
    TH_SNTP_UNSYNCHRONISED, /* the server does not know the time itself */
    TH_SNTP_INSANE, /* timestamps that contradict each other, or a root distance above 1 s */
};

struct th_sntp_sample {
    int64_t time_ms;   /* since 1970, at the moment of `read_ms` */
    uint32_t read_ms;  /* the counter when the answer came */
    uint32_t error_ms; /* at most this far off, if the server tells the truth */
};

/* One request. Fields private. */
struct th_sntp {
    uint8_t nonce[8];
    uint32_t sent_ms;
    bool waiting;
};

/* Writes the request. Its transmit timestamp is the nonce, not our time: nothing is told, and an
 * answer must have seen the request (draft-ietf-ntp-data-minimization). `nonce` is 8 unpredictable
 * bytes. */
void th_sntp_request(struct th_sntp *sntp, const uint8_t nonce[8], uint32_t now_ms,
                     uint8_t packet[TH_SNTP_PACKET]);

/* Judges a datagram. `not_before_s` (the clock's floor) decides the NTP era: the time is the first
 * that is not before it. */
enum th_sntp_verdict th_sntp_answer(struct th_sntp *sntp, struct th_span datagram,
                                    int64_t not_before_s, uint32_t now_ms,
                                    struct th_sntp_sample *sample);

/* Of `count` samples (1 to 8) the most precise of the largest group that agree with each other
 * within their errors and `slack_ms`; of two groups of one size the one that comes first. Returns
 * its index;
 * `*agree` is the group's size. One server alone agrees with itself. */
int th_sntp_choose(const struct th_sntp_sample *samples, int count, uint32_t slack_ms, int *agree);

#endif
