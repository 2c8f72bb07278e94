/* SPDX-License-Identifier: MIT */
/*
 * What the TLS backends share, so that the same event gets the same words over each of them. Of use
 * to whoever writes a backend; an application needs none of it.
 */
#ifndef THIMBLE_TLS_BACKEND_H
#define THIMBLE_TLS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/tls.h>

/* TH_OK, or what is wrong with a start before anything is sent: no policy, a policy that trusts
 * nothing, an identity without exactly one key, scratch that is too small. */
enum th_error th_tls_start_check(const struct th_tls_start *start, size_t scratch_size);

/* Fills a generator's seed of at most 64 bytes from the board. False when the source fails its own
 * health test, gives the same block twice, or a block of one byte value (T13). */
bool th_tls_seed(const struct th_board *board, uint8_t *into, size_t len);

/* How far a connection is when an alert arrives; what an alert means depends on it. */
struct th_tls_progress {
    bool asked;     /* the server asked for a client certificate */
    bool presented; /* and got one */
    bool done;      /* the handshake is over on both sides: only so in TLS 1.2 can it be known */
};

/* A fatal alert that was received, as the error to report. In TLS 1.3 the server's view of our
 * certificate arrives when the handshake is already over for us; it is a trust failure all the
 * same. */
enum th_error th_tls_alert_error(uint8_t alert, const struct th_tls_progress *progress);

/* The alert that tells a server why its certificate was refused. */
uint8_t th_tls_refusal_alert(enum th_error error);

/* False as soon as the first bytes a server sent cannot begin a TLS record; `len` at most 5. */
bool th_tls_record_begins(const uint8_t *head, size_t len);

#define TH_TLS_SNI_MAX 256

/* The name for SNI (RFC 6066 §3), without a final dot: `into`, or NULL when `server_name` is none
 * or an address literal. It has passed th_tls_start_check(). */
const char *th_tls_sni(const char *server_name, char into[TH_TLS_SNI_MAX]);

/* Overwrites a secret; not optimised away. */
void th_tls_wipe(void *secret, size_t len);

#endif
