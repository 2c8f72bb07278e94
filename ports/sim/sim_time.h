/* SPDX-License-Identifier: MIT */
/*
 * Servers of time behind th_udp_ops: each honest, silent, lying or rude, as its fields say at the
 * moment it is asked. They answer at once or after a delay on the device's own counter.
 */
#ifndef THIMBLE_SIM_TIME_H
#define THIMBLE_SIM_TIME_H

#include <thimble/board.h>
#include <thimble/sntp.h>

#define SIM_TIME_SERVERS 4

struct sim_time_server {
    const char *name;
    int64_t off_ms; /* how far its time is from the true one */
    uint32_t delay_ms;
    bool silent, kiss, unsynchronised, forged; /* forged: it has not seen the request */
    uint32_t asked;
};

struct sim_time {
    const struct th_board *board; /* its counter */
    int64_t true_ms;              /* milliseconds since 1970 when the counter shows `at_ms` */
    uint32_t at_ms;
    struct sim_time_server servers[SIM_TIME_SERVERS];
    /* Of the question under way. */
    struct sim_time_server *answering;
    uint32_t answer_ms;
    uint8_t request[TH_SNTP_PACKET];
};

extern const struct th_udp_ops sim_time_ops; /* its context is the struct sim_time */

/* The true time now; also keeps the counter's wrap from being missed: call it once in 24 days. */
int64_t sim_time_now(struct sim_time *time);

#endif
