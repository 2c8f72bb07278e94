/* SPDX-License-Identifier: MIT */
/*
 * What a session must not forget while it is unconnected (MQTT 3.1.1 §4.1, 5.0 §4.1): QoS 1 and 2
 * messages without their last acknowledgement, in order, and the identifiers of inbound QoS 2
 * messages before PUBREL. The application sizes it and says where it lives: memory (here), a file
 * that survives kill -9 (ports/linux), later flash.
 *
 * A record is the encoded PUBLISH packet, topic in full, DUP clear, in the version of the protocol
 * it was published under: an outbox that still holds records serves that version only.
 */
#ifndef THIMBLE_OUTBOX_H
#define THIMBLE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

enum th_outbox_state {
    TH_OUTBOX_QUEUED,    /* taken, its PUBLISH never sent */
    TH_OUTBOX_PUBLISHED, /* PUBLISH sent, no answer yet */
    TH_OUTBOX_RELEASED,  /* QoS 2: PUBREC came, PUBREL is owed or sent; the packet is forgotten */
};

struct th_outbox_entry {
    uint16_t id;
    uint8_t state; /* enum th_outbox_state */
    uint8_t qos;
    uint32_t len;      /* of the record; once RELEASED its bytes are forgotten */
    const void *extra; /* a streamed message: its publish struct in the application's memory, and
                          the record is the packet without its payload. Else NULL */
};

struct th_outbox_ops {
    /* Begins a record of entry->len bytes in state QUEUED or PUBLISHED with its `first` bytes, all
     * of them in the common case. False: no room, or the medium failed; then nothing changed. The
     * bytes are copied. A record with `extra` is of no use after a restart: what persists forgets
     * it then. One at QoS 2 in state PUBLISHED becomes RELEASED instead: the broker may hold its
     * identifier, and would take the next message under it for a repetition. */
    bool (*add)(void *ctx, const struct th_outbox_entry *entry, struct th_span first);
    /* The next bytes of the record begun last, until all entry->len are there; only then does the
     * record exist for the calls below and outlive a crash. No other call comes in between. False:
     * the medium failed; the record is gone. */
    bool (*append)(void *ctx, struct th_span bytes);
    /* Changes the state of the oldest record with that id; RELEASED forgets the packet. False: no
     * such id, or the medium failed. */
    bool (*set_state)(void *ctx, uint16_t id, enum th_outbox_state state);
    bool (*remove)(void *ctx, uint16_t id);
    /* Looks up one id; NULL: there is no such record. Good until the next call. */
    const struct th_outbox_entry *(*find)(void *ctx, uint16_t id);
    /* Walks all in order of age: `*cursor` 0 begins. A cursor stays good whatever is added, changed
     * or removed in between: it goes on with the oldest record that is younger than the last. */
    bool (*next)(void *ctx, uint32_t *cursor, struct th_outbox_entry *out);
    /* Copies packet bytes of a record from `offset`; returns how many. */
    size_t (*read)(void *ctx, uint16_t id, uint32_t offset, uint8_t *into, size_t room);
    /* Inbound QoS 2 identifiers: `set` true stores (false: no room or medium failed), false
     * forgets. */
    bool (*inbound)(void *ctx, uint16_t id, bool set);
    bool (*inbound_has)(void *ctx, uint16_t id);
    /* The session is gone at the broker: inbound identifiers are forgotten. */
    bool (*inbound_clear)(void *ctx);
    uint16_t (*inbound_room)(void *ctx); /* how many identifiers it can hold in all */
    uint16_t (*count)(void *ctx);        /* records */
};

struct th_outbox {
    const struct th_outbox_ops *ops;
    void *ctx;
};

/* ---- in memory ---- */

/* Fields private. */
struct th_outbox_ram {
    uint8_t *at;
    uint32_t room, head, end; /* records lie between head and end */
    uint32_t moved;           /* by so much records moved to the front, in all */
    uint32_t hint;            /* a record's place: where the next look-up begins */
    uint32_t written;         /* so far into the record begun last */
    uint16_t count;
    uint16_t *inbound;
    uint16_t inbound_room, inbound_count;
};

#define TH_OUTBOX_RAM_OVERHEAD 16 /* a record takes its bytes and this, rounded up to 16 */

/* `room` bytes at `at` (aligned to 8, a multiple of 16), and an array of `inbound_room`
 * identifiers; both live as long as the outbox. Either may be empty. */
struct th_outbox th_outbox_ram_init(struct th_outbox_ram *outbox, uint8_t *at, uint32_t room,
                                    uint16_t *inbound, uint16_t inbound_room);

#endif
