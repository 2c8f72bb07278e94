/* SPDX-License-Identifier: MIT */
/* What the files of the link share: link.c is the state machine, link_retry.c decides what follows
 * a failure, link_recovery.c whether the other listener's turn has come, link_tls.c is the
 * handshake and the stored session. */
#ifndef TH_NET_LINK_PARTS_H
#define TH_NET_LINK_PARTS_H

#include <thimble/link.h>

/* ---- link_retry.c ---- */

/* `times` with the defaults in place of 0. */
struct th_link_times th_link_times_of(const struct th_link *link);

/* Uniform in 0..most. A source of chance that has failed gives `most`: devices then at least do not
 * all come early. */
uint32_t th_link_jitter(const struct th_link *link, uint32_t most);

/* Back to the first broker and the first back-off. */
void th_link_retry_reset(struct th_link *link);

/* A failure in the link's present state: chooses broker and address of the next attempt, and
 * returns how long to wait before it. */
uint32_t th_link_retry_after(struct th_link *link);

/* How long to wait after a pass over all brokers; the next wait is longer. */
uint32_t th_link_retry_pass(struct th_link *link);

/* ---- link.c ---- */

/* Drops whatever there is, and waits so long. */
void th_link_wait(struct th_link *link, uint32_t wait_ms, uint32_t now_ms);

/* ---- link_recovery.c ---- */

/* After a failure in the present state, and th_link_retry_after(): the other listener's turn has
 * come. */
bool th_link_turn_due(struct th_link *link, const struct th_failure *failure, uint32_t retry_ms);

/* ---- link_tls.c ---- */

/* The name that SNI and certificate are about. */
const char *th_link_server_name(const struct th_link *link);

/* Takes the scratch memory, opens the stored session and starts the handshake over the wire. False:
 * there is no memory. */
bool th_link_tls_begin(struct th_link *link, uint32_t now_ms);

/* Once the handshake is over, whether well or not. */
void th_link_tls_give_back(struct th_link *link);

/* Digests policy and certificate, which every stored session is bound to. Once for a configuration,
 * not for each handshake: on lx106 it is a tenth of a resumed one. */
void th_link_session_bind(struct th_link *link);

/* Copies the session the backend has now, bound to what it was made under. */
void th_link_session_store(struct th_link *link);

/* Wipes it (T11). */
void th_link_session_drop(struct th_link *link);

#endif
