/* SPDX-License-Identifier: MIT */
/*
 * DER, read as it arrives (X.690). The reader holds no contents: it tells where elements begin and
 * end, and lends the pieces of those its caller asked for. Any fragmentation gives the same events.
 *
 *   th_der_init(&der, whole_length);
 *   for each piece: while ((event = th_der_next(&der, &piece)) > TH_DER_MORE) …
 *
 * After TH_DER_BEGIN the caller may call th_der_enter() or th_der_take(); what it does neither with
 * is skipped. Indefinite lengths, lengths not in their shortest form, tags above 30 and elements
 * longer than what holds them are TH_DER_BAD, which sticks.
 */
#ifndef THIMBLE_DER_H
#define THIMBLE_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

#define TH_DER_DEPTH      12 /* containers that are open at once */
#define TH_DER_HEADER_MAX 6  /* a tag and up to 4 bytes of length */

#define TH_DER_BOOLEAN          0x01
#define TH_DER_INTEGER          0x02
#define TH_DER_BIT_STRING       0x03
#define TH_DER_OCTET_STRING     0x04
#define TH_DER_NULL             0x05
#define TH_DER_OID              0x06
#define TH_DER_UTF8_STRING      0x0C
#define TH_DER_UTC_TIME         0x17
#define TH_DER_GENERALIZED_TIME 0x18
#define TH_DER_SEQUENCE         0x30
#define TH_DER_SET              0x31
#define TH_DER_CONTEXT(n)       (0x80 | (n)) /* primitive */
#define TH_DER_EXPLICIT(n)      (0xA0 | (n)) /* constructed */

enum th_der_event {
    TH_DER_MORE,  /* the piece is used up */
    TH_DER_BEGIN, /* an element: `tag`, `len` and `header` are set */
    TH_DER_BYTES, /* a piece of the contents of a taken element */
    TH_DER_END,   /* of a taken element, or of a container that was entered */
    TH_DER_BAD,
};

/* Fields are private but tag, len, header, header_len. */
struct th_der {
    uint8_t tag;
    uint8_t header_len;
    uint8_t header[TH_DER_HEADER_MAX];
    uint32_t len;  /* of the element's contents */
    uint32_t left; /* of them, still to come */
    uint8_t state;
    uint8_t depth;
    uint32_t levels[TH_DER_DEPTH]; /* bytes left in each open container */
};

/* `len`: of everything that will come; it must hold whole elements. */
void th_der_init(struct th_der *der, size_t len);

/* Moves `input` on past what was used. With TH_DER_BYTES, `*bytes` is the piece. */
enum th_der_event th_der_next(struct th_der *der, struct th_span *input, struct th_span *bytes);

/* The element that has just begun is a container; its contents are read as elements, after `skip`
 * bytes (1 for a BIT STRING that wraps DER). Its end is told by TH_DER_END. */
void th_der_enter(struct th_der *der, uint8_t skip);

/* The contents of the element that has just begun come as TH_DER_BYTES, then TH_DER_END. */
void th_der_take(struct th_der *der);

/* Everything announced to th_der_init() was read, and nothing is open. */
bool th_der_finished(const struct th_der *der);

/* Seconds since 1970 of a UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 allows it: seconds
 * present, 'Z', no fraction. False for anything else. */
bool th_der_time(uint8_t tag, struct th_span contents, int64_t *out_s);

#endif
