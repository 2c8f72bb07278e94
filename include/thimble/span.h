/* SPDX-License-Identifier: MIT */
/*
 * Bytes travel as spans: where they begin and how many there are. A span owns nothing; each
 * function that takes one says how long the bytes must stay.
 */
#ifndef THIMBLE_SPAN_H
#define THIMBLE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct th_span {
    const uint8_t *at; /* may be NULL only when len is 0 */
    size_t len;
};

/* The span of a string literal or char array, without its terminating NUL. */
#define TH_SPAN(literal) ((struct th_span){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct th_span th_span_of(const void *at, size_t len)
{
    return (struct th_span){(const uint8_t *)at, len};
}

/* NULL gives the empty span. */
static inline struct th_span th_span_str(const char *text)
{
    return (struct th_span){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool th_span_equal(struct th_span a, struct th_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

#endif
