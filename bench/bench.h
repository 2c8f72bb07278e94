/* SPDX-License-Identifier: MIT */
/*
 * What the three clients of scripts/bench share: options, time, memory and the line they report.
 *
 *   bench_X MODE COUNT PORT [CAFILE CERT KEY [LIBRARY]]
 *   MODE: qos0 qos1 qos2 (publish COUNT messages, a window of 20), receive (COUNT messages), idle
 *   (COUNT connections). CAFILE, CERT, KEY: mutual TLS. LIBRARY (Thimble only): bearssl, openssl.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_HOST    "127.0.0.1"
#define BENCH_TOPIC   "bench/some/topic"
#define BENCH_WINDOW  20
#define BENCH_PAYLOAD 64

enum bench_mode { BENCH_PUBLISH, BENCH_RECEIVE, BENCH_IDLE };

struct bench {
    enum bench_mode mode;
    int qos;
    uint32_t count;
    int port;
    const char *ca, *cert, *key, *library;
    uint8_t payload[BENCH_PAYLOAD];
    double wall_s, cpu_s;
    long rss_kib;
};

/* Ends the program on a wrong command line. */
void bench_options(struct bench *bench, int argc, char **argv);

/* Around what is measured. */
void bench_begin(struct bench *bench);
void bench_end(struct bench *bench);

/* Tells the script that the subscription stands. */
void bench_ready(void);

/* The line of JSON: messages, seconds, CPU seconds, growth of the resident memory. `own` is the sum
 * of a connection's static sizes, 0 when not known. */
void bench_report(const struct bench *bench, uint32_t own);

/* Ends the program with a reason. */
_Noreturn void bench_fail(const char *what, const char *why);

#endif
