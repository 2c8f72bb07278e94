/* SPDX-License-Identifier: MIT */
/*
 * The two byte interfaces everything stands on.
 *
 *   wire    what a machine supplies: one TCP connection, non-blocking, copying (recv/send on Linux,
 *           pbufs on lwIP, a pipe in the simulator). It buffers nothing of its own.
 *   stream  what MQTT stands on: an ordered, flow-controlled byte stream that *lends its own
 *           buffers*, so that a packet is encoded straight into a TLS record and parsed where it
 * was decrypted. Streams stack: a TLS engine or `th_plain` over a wire, WebSocket framing over
 *           either of them.
 *
 * Both are vtables with their context first, and are polled: no call blocks, nothing calls back.
 */
#ifndef THIMBLE_STREAM_H
#define THIMBLE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <thimble/failure.h>

enum th_stream_state {
    TH_STREAM_OPENING, /* connecting or in the handshake; nothing can be written yet */
    TH_STREAM_OPEN,
    TH_STREAM_ENDED,  /* the peer closed in good order; what it sent before can still be read */
    TH_STREAM_FAILED, /* dead; `failure()` says why. Bytes received before may still be readable */
};

/* ---- wire ---- */

struct th_wire_ops {
    /* Where the connection stands. Opening → open → ended or failed, never back. */
    enum th_stream_state (*state)(void *ctx);
    /* Copies up to `room` received bytes; 0 when none are there now. A peer's orderly end shows as
     * state ENDED once every byte before it has been read. Whoever waits for the network must be
     * woken while unread bytes are left: a stream may take one record at a time. */
    size_t (*read)(void *ctx, uint8_t *into, size_t room);
    /* Takes up to `len` bytes for sending; returns how many, 0 when it can take none now. `more`
     * hints that further bytes follow in this pass (TCP may wait to fill a segment). A connection
     * that cannot send any more but may still have something to read takes and loses all: reading
     * tells why. */
    size_t (*write)(void *ctx, const uint8_t *bytes, size_t len, bool more);
    /* Ends the connection and frees what belongs to it. `orderly`: FIN after what was written;
     * else reset. May be called in any state, also twice. */
    void (*close)(void *ctx, bool orderly);
    /* Why it failed: layer NAME or TCP. Valid in state FAILED. */
    void (*failure)(void *ctx, struct th_failure *out);
};

struct th_wire {
    const struct th_wire_ops *ops;
    void *ctx;
};

/* ---- stream ---- */

struct th_stream_ops {
    /* Moves bytes between this stream and what is below it: sends what was committed, takes in what
     * has arrived, runs the handshake one step. Call it when the machine has something, after
     * committing, and before looking at `rx`. One call does a bounded amount of work: at most one
     * public-key operation. */
    enum th_stream_state (*poll)(void *ctx, uint32_t now_ms);
    /* Received bytes, in order. They stay where they are until `rx_taken`, `poll` or `close`.
     * len 0: nothing now. */
    struct th_span (*rx)(void *ctx);
    /* The first `len` of them are used up. */
    void (*rx_taken)(void *ctx, size_t len);
    /* Room for bytes to send, valid until `tx_put`, `poll` or `close`. NULL and *room = 0 when
     * there is none now. Once all that was put has left, the room is as large as it ever was. */
    uint8_t *(*tx)(void *ctx, size_t *room);
    /* The first `len` bytes of that room are to be sent (at the next `poll`). */
    void (*tx_put)(void *ctx, size_t len);
    /* Starts the orderly end where `orderly` (close_notify, then FIN), else resets; frees all that
     * belongs to the connection. May be called in any state, also twice. */
    void (*close)(void *ctx, bool orderly);
    void (*failure)(void *ctx, struct th_failure *out);
};

struct th_stream {
    const struct th_stream_ops *ops;
    void *ctx;
};

/* ---- plain: the stream for a wire without TLS ---- */

/* Its two buffers are the caller's and must live as long as it. Fields are private. */
struct th_plain {
    struct th_wire wire;
    uint8_t *rx, *tx;
    size_t rx_room, rx_from, rx_to;
    size_t tx_room, tx_from, tx_to;
};

/* `rx` and `tx` at least 16 bytes each. The wire may be in any state. */
struct th_stream th_plain_init(struct th_plain *plain, struct th_wire wire, uint8_t *rx,
                               size_t rx_room, uint8_t *tx, size_t tx_room);

#endif
