/* SPDX-License-Identifier: MIT */
/*
 * A client of either backend against a real OpenSSL server in the same process, over a wire in
 * memory that can be made slow, broken and hostile.
 */
#ifndef TH_TEST_TLS_HARNESS_H
#define TH_TEST_TLS_HARNESS_H

#include <openssl/ssl.h>

#include <stdbool.h>

#include <thimble/tls.h>
#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>

#include "tls_pki.h"

enum harness_backend { OVER_BEARSSL, OVER_OPENSSL };

#define WIRE_ROOM (40 * 1024)

/* One direction. */
struct half {
    uint8_t bytes[WIRE_ROOM];
    uint8_t first[4096]; /* a copy of the first that went in */
    size_t from, to;
    size_t total;    /* that ever went in */
    size_t capacity; /* how many may stand in it */
    size_t flip;     /* the byte to damage, counted from the start; SIZE_MAX for none */
    size_t cut;      /* how many pass before the wire breaks; SIZE_MAX for none */
    size_t passed;   /* that came out */
};

struct harness {
    enum harness_backend backend;
    const struct pki *pki;

    /* the wire, from the client's side */
    struct half up, down;
    unsigned reads;
    size_t piece; /* the most that one read or write moves */
    enum th_stream_state wire_state, cut_state;
    bool wire_closed, wire_closed_orderly;

    /* the server */
    SSL_CTX *server_ctx;
    SSL *server;
    const struct pki_entity *shown[3]; /* the certificates it sends, its own first */
    uint8_t *got;                      /* what the application behind the server received */
    size_t got_len, got_room;
    bool server_ended; /* received close_notify */
    unsigned long server_error;

    /* the client */
    struct th_board board;
    uint32_t seed;
    struct th_openssl_shared shared;
    struct th_openssl openssl;
    struct th_bearssl bearssl;
    const struct th_bearssl_profile *profile;
    size_t in_room, out_room; /* set before harness_start to change the record buffers */
    uint8_t in[TH_BEARSSL_IN(16384)], out[TH_BEARSSL_OUT(16384)];
    struct th_span lent; /* instead of just what is needed; len 0 for that */
    uint8_t *scratch;
    struct th_span anchors[1];
    struct th_trust trust;
    struct th_identity identity;
    struct th_tls_config config;
    const char *server_name;
    uint8_t session[TH_SESSION_OPENSSL];
    size_t session_len; /* 0: full handshake */
    struct th_stream stream;
    bool *around_client; /* set true while the client's code runs; NULL for none */
    bool started;
    enum th_stream_state state;
};

/* A harness for a mutual handshake that works, P-256 on both sides; tests change what they need
 * before harness_start(). The server's certificate request is demanding. */
struct harness *harness_new(enum harness_backend backend, const struct pki *certificates);
void harness_free(struct harness *harness);

/* Starts a new connection; the server side with it. */
void harness_start(struct harness *harness);
/* One poll of the client and one step of the server. */
void harness_step(struct harness *harness);
/* Steps until the client leaves OPENING, at most `limit` times; returns its state. */
enum th_stream_state harness_handshake(struct harness *harness);
/* Ends the connection on both sides, so that harness_start() may be called again. */
void harness_stop(struct harness *harness, bool orderly);

/* Steps until all is over or `limit` steps were made. */
void harness_run(struct harness *harness, unsigned limit);

/* Writes all of it, stepping while there is no room; false when the connection dies. */
bool harness_write(struct harness *harness, const uint8_t *bytes, size_t len);
/* Reads up to `len` bytes, stepping until they are there; returns how many came. */
size_t harness_read(struct harness *harness, uint8_t *into, size_t len);
/* The server falls silent; bytes can be put in its mouth. */
void harness_mute(struct harness *harness);
void harness_inject(struct harness *harness, const void *bytes, size_t len);
void harness_server_step(struct harness *harness);
bool harness_server_write(struct harness *harness, const uint8_t *bytes, size_t len);

struct th_failure harness_failure(struct harness *harness);
const struct th_tls_ops *harness_ops(const struct harness *harness);
void *harness_ctx(struct harness *harness);
struct th_tls_info harness_info(struct harness *harness);

/* Fails the test unless the handshake succeeds; or unless it fails with this error. */
void assert_opens(struct harness *harness);
void assert_refuses(struct harness *harness, enum th_error error);

/* The certificates of a program's tests; group set-up and tear-down of cmocka. */
extern struct pki pki;
int make_pki(void **state);
int free_pki(void **state);

/* A case over each backend; `state` is the backend's, and make() gives its harness. */
struct harness *make(void **state);
#define OVER_EACH(test) OVER_BEAR(test), OVER_OPEN(test)
#define OVER_BEAR(test)                                               \
    {                                                                 \
#test " over BearSSL", test, NULL, NULL, harness_over_bearssl \
    }
#define OVER_OPEN(test)                                               \
    {                                                                 \
#test " over OpenSSL", test, NULL, NULL, harness_over_openssl \
    }
extern enum harness_backend harness_over_bearssl[1], harness_over_openssl[1];

/* Takes the session for the next harness_start(). */
size_t harness_keep_session(struct harness *harness);

#endif
