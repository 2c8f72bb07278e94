/* SPDX-License-Identifier: MIT */
/*
 * Requests from whoever is on the spot: a session that proves the set-up code, the client first,
 * then carries frames that are encrypted and counted. The same over HTTP and the serial console.
 * Bit-exact: docs/config-mode.md. Requirements F1, F2, F4, F12.
 *
 *   keys      what both ends compute
 *   session   the device's end: a frame in, a frame out
 *   client    the other end: thimble device enrol
 */
#ifndef THIMBLE_LOCAL_H
#define THIMBLE_LOCAL_H

#include <thimble/crypto.h>
#include <thimble/factory.h>
#include <thimble/log.h>
#include <thimble/rpc.h>

#define TH_LOCAL_NONCE      16
#define TH_LOCAL_TAG        16
#define TH_LOCAL_FRAME_MAX  1536 /* bytes of a frame that may hold a box */
#define TH_LOCAL_ANSWER_MAX 2900 /* bytes of its answer */
#define TH_LOCAL_IDLE_MS    600000u
#define TH_LOCAL_LIFE_MS    3600000u
#define TH_LOCAL_ENROL_MS   1000u /* between two openings that cost a key */

#define TH_LOCAL_FREE       5    /* wrong codes in a row that cost no waiting */
#define TH_LOCAL_FIRST_MS   2000 /* the first wait; it doubles … */
#define TH_LOCAL_LONGEST_MS 300000
#define TH_LOCAL_ROW        13 /* … and from here on it is the longest, and is not written */

/* ---- keys ---- */

enum th_local_kind { TH_LOCAL_PAGE = 'P', TH_LOCAL_ENROL = 'E' };

/* The key that a set-up code gives for that purpose. False as th_hkdf(). */
bool th_local_key(const struct th_crypto *crypto, enum th_local_kind kind,
                  const char code[TH_SETUP_CODE + 1], uint8_t key[32]);

/* What was said at the opening. */
struct th_local_hello {
    enum th_local_kind kind;
    uint32_t number;
    uint8_t client[TH_LOCAL_NONCE], device[TH_LOCAL_NONCE];
    char name[TH_NAME_MAX + 1];
    uint8_t client_point[TH_P256_POINT], device_point[TH_P256_POINT]; /* ENROL alone */
};

struct th_local_direction {
    uint8_t cipher[32], mac[32];
};

struct th_local_keys {
    uint8_t client_proof[32], device_proof[32];
    struct th_local_direction request, answer;
};

/* `shared`: the x coordinate of the ECDH secret, for ENROL alone. False as th_hkdf(). */
bool th_local_derive(const struct th_crypto *crypto, const struct th_local_hello *hello,
                     const uint8_t key[32], const uint8_t shared[32], struct th_local_keys *keys);

/* Encrypts in place and puts the tag behind: `bytes` has room for TH_LOCAL_TAG more. False when
 * the library has no memory: the bytes are wiped. A number serves once for a direction. */
bool th_local_seal(const struct th_crypto *crypto, const struct th_local_direction *keys,
                   uint32_t number, uint8_t *bytes, size_t len);

/* The opposite; `len` counts the tag. False, and nothing decrypted, when anything was altered. */
bool th_local_open(const struct th_crypto *crypto, const struct th_local_direction *keys,
                   uint32_t number, uint8_t *bytes, size_t len);

/* ---- the device's end ---- */

/* Lives and stays unchanged as long as the session. */
struct th_local_session_config {
    struct th_rpc *rpc;
    const struct th_crypto *crypto;
    const struct th_board *board;     /* entropy */
    const struct th_factory *factory; /* the set-up code */
    struct th_log *log;               /* where wrong codes are counted */
    uint8_t kind;                     /* of the record: 1 byte */
};

/* Fields private. */
struct th_local_session {
    const struct th_local_session_config *config;
    struct th_local_hello hello; /* of an opening that is not proved yet */
    uint8_t secret[TH_P256_SECRET];
    struct th_rpc_frame frame; /* being acted on: not on the stack, below what it does */
    struct th_local_keys keys; /* of the session */
    uint32_t number, counter;  /* of the session; 0: there is none */
    uint32_t used_ms, proved_ms, opened_ms, wait_from_ms, wait_ms;
    uint8_t wrong; /* in a row */
    bool ending;
};

/* Reads the count of wrong codes: the wait begins anew. No session. */
void th_local_session_start(struct th_local_session *session,
                            const struct th_local_session_config *config, uint32_t now_ms);

/* Ends whatever there is, and wipes it. */
void th_local_session_end(struct th_local_session *session);

/* There is one, and its time is not over. */
bool th_local_session_alive(const struct th_local_session *session, uint32_t now_ms);

/* Ends what has gone on for too long; returns the milliseconds until it is to be called again. */
uint32_t th_local_session_tick(struct th_local_session *session, uint32_t now_ms);

/* Acts on one frame, whose bytes are used up, and writes the answer into `into`, at least
 * TH_LOCAL_ANSWER_MAX bytes. Empty when the frame asks for none. */
struct th_span th_local_session_take(struct th_local_session *session, uint8_t *frame, size_t len,
                                     struct th_rpc_moment now, uint8_t *into, size_t room);

/* The same for a method by its name, with `params` as its body: into the result alone, or
 * {"code","message"}; returns the code, TH_RPC_OK for a result. */
enum th_rpc_code th_local_session_method(struct th_local_session *session, struct th_span method,
                                         uint8_t *params, size_t len, struct th_rpc_moment now,
                                         uint8_t *into, size_t room, struct th_span *answer);

enum th_local_code { TH_LOCAL_CODE_RIGHT, TH_LOCAL_CODE_WRONG, TH_LOCAL_CODE_WAIT };

/* The set-up code in clear text, as a person typed it, for clients of old that can prove nothing:
 * whoever listens has it then. An attempt as any other; WAIT: too many were wrong, and it was not
 * looked at. Opens no session. */
enum th_local_code th_local_session_code(struct th_local_session *session, struct th_span typed,
                                         uint32_t now_ms);

/* A frame without a session, whose HTTP request has the set-up code in clear text: `field` is its
 * Authorization, "Basic …" (RFC 7617), whose name says nothing. Counted as th_local_session_code()
 * does; 401 or 429 where it is not right. The caller is local with the role of an admin, so that
 * trust, enrolment and erasing still need a session. Empty: the field is none of these. */
struct th_span th_local_session_clear(struct th_local_session *session, struct th_span field,
                                      struct th_span bytes, struct th_rpc_moment now, uint8_t *into,
                                      size_t room);

/* Session.End; `ctx` is the session. */
extern const struct th_rpc_method th_local_methods[1];

/* ---- the other end ---- */

/* Fields private. */
struct th_local_client {
    const struct th_crypto *crypto;
    struct th_local_hello hello;
    uint8_t key[32], secret[TH_P256_SECRET];
    struct th_local_keys keys;
    uint32_t counter;
};

/* Begins anew; false when there is no entropy or memory. */
bool th_local_client_start(struct th_local_client *client, const struct th_crypto *crypto,
                           const struct th_board *board, enum th_local_kind kind,
                           const char code[TH_SETUP_CODE + 1]);
/* Frames to be sent, each with id 1, into TH_LOCAL_FRAME_MAX bytes; empty when they do not fit.
 * What comes back is read by the function behind: false when it is not what a device that knows the
 * code answers to this client, whoever it is from; then nothing of it is to be believed. */
struct th_span th_local_client_hello(struct th_local_client *client, bool take, uint8_t *into,
                                     size_t room);
bool th_local_client_met(struct th_local_client *client, struct th_span answer);
struct th_span th_local_client_prove(struct th_local_client *client, uint8_t *into, size_t room);
bool th_local_client_proved(struct th_local_client *client, struct th_span answer);
/* `frame` of docs/rpc.md, at most TH_RPC_FRAME_MAX bytes. */
struct th_span th_local_client_call(struct th_local_client *client, struct th_span frame,
                                    uint8_t *into, size_t room);
/* The frame in the box of an answer, into `into`; empty when it was altered or is none. */
struct th_span th_local_client_answer(struct th_local_client *client, struct th_span answer,
                                      uint8_t *into, size_t room);
void th_local_client_end(struct th_local_client *client);

#endif
