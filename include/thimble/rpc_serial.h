/* SPDX-License-Identifier: MIT */
/*
 * Requests over the serial console: one frame a line, its answer one line. A line that does not
 * begin with '{' is for somebody else. Whoever holds the cable is the caller "console".
 * Frames of sessions (local.h) go to the session: their caller has proved the set-up code besides.
 */
#ifndef THIMBLE_RPC_SERIAL_H
#define THIMBLE_RPC_SERIAL_H

#include <thimble/local.h>

/* Fields private. */
struct th_rpc_serial {
    struct th_rpc *rpc;
    enum th_role role;
    uint16_t len;
    bool too_long;
    struct th_local_session *local;
    uint8_t line[TH_LOCAL_FRAME_MAX];
};

/* `role` is what the device lets the console do. `rpc` lives as long as this. */
void th_rpc_serial_init(struct th_rpc_serial *front, struct th_rpc *rpc, enum th_role role);

/* Where frames of sessions go; NULL, as it begins: nowhere. Lives as long as this. Their answers
 * need TH_LOCAL_ANSWER_MAX bytes. */
void th_rpc_serial_local(struct th_rpc_serial *front, struct th_local_session *local);

/* Takes one byte. At the end of a line that is a frame it acts, and returns the answer in `into`,
 * without an end of line; empty otherwise. */
struct th_span th_rpc_serial_take(struct th_rpc_serial *front, uint8_t byte,
                                  struct th_rpc_moment now, uint8_t *into, size_t room);

#endif
