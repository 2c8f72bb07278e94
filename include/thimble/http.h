/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1.1 server of configuration mode (RFC 9110, RFC 9112), for one connection at a time:
 * bytes in, requests out; answers in, bytes out. Sans-I/O, in memory lent by the caller. It takes
 * what browsers, phones and curl send and refuses everything that two readers could read
 * differently: a request is either understood whole or answered with an error and the connection
 * closed.
 *
 *   th_http_init → [ rx_space/rx_commit · th_http_next → REQUEST → th_http_answer · tx ] … → CLOSE
 *
 * What is refused, with which status: docs/http.md.
 */
#ifndef THIMBLE_HTTP_H
#define THIMBLE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

#define TH_HTTP_HEAD_MAX   2048  /* bytes of request line and fields */
#define TH_HTTP_TARGET_MAX 512   /* bytes of path and query */
#define TH_HTTP_FIELDS_MAX 40    /* fields in a request */
#define TH_HTTP_REQUEST_MS 15000 /* from a request's first byte to its last */
#define TH_HTTP_IDLE_MS    20000 /* between two requests */
#define TH_HTTP_ANSWER_MS  15000 /* without the peer taking a byte of an answer */
#define TH_HTTP_REQUESTS   100   /* on one connection */
#define TH_HTTP_BUFFER_MIN (TH_HTTP_HEAD_MAX + 256)

enum th_http_method { TH_HTTP_GET, TH_HTTP_HEAD, TH_HTTP_POST, TH_HTTP_OPTIONS };

/* Spans lie in the buffer and live until th_http_answer() returns. Fields that were not sent are
 * empty. */
struct th_http_request {
    enum th_http_method method;
    struct th_span path;  /* begins with '/'; percent-escapes as sent */
    struct th_span query; /* behind '?', without it */
    struct th_span host, origin, referer, cookie, authorization, content_type, user_agent;
    struct th_span if_none_match, accept_encoding, fetch_site;
    struct th_span body;
};

enum th_http_event {
    TH_HTTP_NONE,
    TH_HTTP_REQUEST, /* `request`; nothing more is read until it is answered */
    TH_HTTP_CLOSE,   /* all was sent that will be: shut down sending, read what still comes for a
                        second, close. Closed at once, a peer that is still sending may lose the
                        answer (RFC 9112 §9.6) */
};

/* Where a body comes from that is larger than the room left; as th_mqtt_source. */
struct th_http_source {
    /* Copies up to `room` bytes from `offset`; returns how many, never 0 before the end. */
    size_t (*read)(void *user, uint32_t offset, uint8_t *into, size_t room);
    void *user;
    uint32_t len;
};

struct th_http_answer {
    uint16_t status;
    const char *content_type;            /* NULL: none */
    const char *fields;                  /* further fields, each ended by CRLF, or NULL */
    struct th_span body;                 /* copied as far as it fits, else it must live until CLOSE
                                            or the next REQUEST */
    const struct th_http_source *source; /* instead of body; lives as long */
    bool close;                          /* end the connection behind it */
};

/* Fields private. */
struct th_http {
    uint8_t *buffer;
    size_t room;
    size_t used; /* received and not yet done with */
    size_t all;  /* length of the request at the front; 0: not known yet */
    uint8_t state, requests;
    bool closing;    /* nothing more is read */
    bool peer_ended; /* nothing more will come */
    bool no_body, told_continue, skipped;
    uint32_t since_ms; /* what the deadline runs from */
    uint16_t out_len, out_at;
    uint8_t out[512]; /* the answer's head, or a whole error */
    struct th_span body;
    struct th_http_source source;
    uint32_t body_at;
    uint8_t chunk[512];
    uint16_t chunk_len, chunk_at;
};

/* `buffer`: at least TH_HTTP_BUFFER_MIN bytes; a request with its body must fit into it. Lives as
 * long as the connection. */
void th_http_init(struct th_http *http, uint8_t *buffer, size_t room, uint32_t now_ms);

/* Where received bytes go; empty while a request waits for its answer or the buffer is full. */
size_t th_http_rx_space(struct th_http *http, uint8_t **at);
void th_http_rx_commit(struct th_http *http, size_t len, uint32_t now_ms);
/* The peer has closed its side: what it has sent whole is still answered. */
void th_http_rx_end(struct th_http *http);

/* The next event. Call after each commit, each tx_done, and at the deadline. */
enum th_http_event th_http_next(struct th_http *http, uint32_t now_ms,
                                struct th_http_request *request);

/* Answers the request that th_http_next() gave. */
void th_http_answer(struct th_http *http, const struct th_http_answer *answer, uint32_t now_ms);

/* What is to be sent, and that so much of it was. */
struct th_span th_http_tx_pending(struct th_http *http);
void th_http_tx_done(struct th_http *http, size_t len, uint32_t now_ms);

/* It waits for the client, and owes it nothing: a request, or the rest of one. */
bool th_http_waits(const struct th_http *http);

uint32_t th_http_deadline(const struct th_http *http, uint32_t now_ms);

/* ---- reading what requests carry ---- */

/* The value of `name` in "a=1&b=2" (a query, or a body of a form), percent-decoded, with a NUL.
 * False when it is not there, is there twice, does not fit or is not rightly encoded. */
bool th_http_form_value(struct th_span form, const char *name, char *into, size_t room);

/* The value of that cookie; empty when there is none. */
struct th_span th_http_cookie(struct th_span cookie, const char *name);

/* "Not Found" for 404; "" for a status this server does not send. */
const char *th_http_reason(uint16_t status);

#endif
