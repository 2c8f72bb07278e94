/* SPDX-License-Identifier: MIT */
/*
 * An in-memory stream that shows what a peer says in pieces of any size and takes what is sent in
 * pieces of any size, and a log of events in words, so that two runs can be compared. Without
 * cmocka: the fuzzers use it too.
 */
#ifndef TEST_UNIT_MQTT_HARNESS_H
#define TEST_UNIT_MQTT_HARNESS_H

#include <thimble/thimble.h>

struct harness_stream {
    struct th_span in; /* what the peer says, all of it */
    size_t in_at;      /* so much of it was taken */
    size_t shown;      /* so much of it can be seen from there on */
    size_t grain;      /* bytes that appear at each poll; 0: all of them */
    size_t split;      /* the only place where it is cut instead, when not 0 */
    bool end;          /* the peer closes behind its last byte */

    uint8_t *tx;     /* lent room */
    size_t tx_room;  /* its size */
    size_t tx_held;  /* put and not yet gone */
    size_t tx_drain; /* bytes that go at each poll; 0: all of them */
    uint8_t *out;    /* what was sent, where `out_room` allows; NULL: it is only counted */
    size_t out_room, out_len;
    uint32_t out_digest;
    bool closed, orderly;
};

struct th_stream harness_stream(struct harness_stream *stream);

/* One line an event; long payloads by length and digest. */
struct harness_log {
    char text[16384];
    size_t len;
};

void harness_log_event(struct harness_log *log, const struct th_mqtt_event *event);
void harness_log_line(struct harness_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

uint32_t harness_digest(uint32_t digest, struct th_span bytes);
#define HARNESS_DIGEST 2166136261u

/* Hex with blanks, 'text' in quotes literally; what stands in brackets gets a byte of length before
 * it. Returns the length. Ends the program on nonsense. */
size_t harness_hex(const char *hex, uint8_t *into, size_t room);

/* A small generator with a seed, the same everywhere. */
uint32_t harness_random(uint64_t *seed);
uint32_t harness_below(uint64_t *seed, uint32_t limit);
/* The seed of this run: TH_SEED, or the given one. Printed, so that a failure can be replayed. */
uint64_t harness_seed(uint64_t otherwise);

#endif
