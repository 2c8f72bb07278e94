/* SPDX-License-Identifier: MIT */
/* Base64 of RFC 4648 §4, strictly: padded, no bits left over, nothing but its alphabet. */
#ifndef TH_BASE_BASE64_H
#define TH_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

/* A text that comes in pieces or with line ends: feed it character by character. */
struct th_base64 {
    uint32_t bits;
    uint8_t count, padding; /* characters of the group of four; '=' among them */
    bool ended;             /* a padded group was read */
};

/* Takes one character. Returns how many bytes (0 to 3) it completed into `out`, -1 when it does not
 * belong there. The struct begins as zeros. */
int th_base64_char(struct th_base64 *base64, char c, uint8_t out[3]);

/* No group is half read. */
bool th_base64_whole(const struct th_base64 *base64);

/* Decodes all of `text`; false when it is not base64 or does not fit. `into` may be the text's own
 * memory. */
bool th_base64_decode(struct th_span text, uint8_t *into, size_t room, size_t *out_len);

/* Writes the padded text and a NUL; returns its length, 0 when it does not fit. */
size_t th_base64_encode(struct th_span bytes, char *into, size_t room);

#endif
