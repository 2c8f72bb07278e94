/* SPDX-License-Identifier: MIT */
/*
 * What a session must not forget while it is unconnected (MQTT 3.1.1 §4.1, 5.0 §4.1): QoS 1 and 2
 * messages without their last acknowledgement, in order, and the identifiers of inbound QoS 2
 * messages before PUBREL. The application sizes it and says where it lives: memory (here), a file
 * that survives kill -9 (ports/linux), later flash.
 *
 * A record is the encoded PUBLISH packet, topic in full, DUP clear.
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
    uint32_t len;      /* of the packet; 0 once RELEASED */
    const void *extra; /* a source's publish struct; NULL after a restart */
};

struct th_outbox_ops {
    /* Appends a record made of `head` and `body` in state QUEUED or PUBLISHED. False: no room, or
     * the medium failed; then nothing changed. The bytes are copied. */
    bool (*add)(void *ctx, const struct th_outbox_entry *entry, struct th_span head,
                struct th_span body);
    /* Changes the state of the oldest record with that id; RELEASED forgets the packet. False: no
     * such id, or the medium failed. */
    bool (*set_state)(void *ctx, uint16_t id, enum th_outbox_state state);
    bool (*remove)(void *ctx, uint16_t id);
    /* Looks up one id, and walks all in order of age: `*cursor` 0 begins. */
    bool (*find)(void *ctx, uint16_t id, struct th_outbox_entry *out);
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
    uint32_t room, head, tail, wrap;
    uint16_t count;
    uint16_t *inbound;
    uint16_t inbound_room, inbound_count;
};

/* `room` bytes at `at` (aligned to 4; each record takes its packet and 16 bytes), and an array of
 * `inbound_room` identifiers; both live as long as the outbox. Either may be empty. */
struct th_outbox th_outbox_ram_init(struct th_outbox_ram *outbox, uint8_t *at, uint32_t room,
                                    uint16_t *inbound, uint16_t inbound_room);

#endif
