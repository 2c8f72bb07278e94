/* SPDX-License-Identifier: MIT */
/* A real TLS server (OpenSSL) in the simulated world: it ends TLS and passes the bytes on to a
 * plaintext address, as a proxy before the simulated broker does. */
#ifndef TEST_TLS_FRONT_H
#define TEST_TLS_FRONT_H

#include <openssl/ssl.h>

#include "ports/sim/sim.h"
#include "tls_pki.h"

struct tls_front;

/* Shows the certificate of `server`, demands one of `client_ca`; `version` is the highest it
 * speaks. */
struct tls_front *tls_front_new(struct th_sim *sim, const struct th_address *at,
                                const struct th_address *broker, const struct pki_entity *server,
                                const struct pki_entity *client_ca, int version);

/* Right before th_sim_free(). */
void tls_front_free(struct tls_front *front);

/* Handshakes that were completed, and how many of them were resumptions. */
unsigned tls_front_full(const struct tls_front *front);
unsigned tls_front_resumed(const struct tls_front *front);

/* Forgets all sessions, as after a restart. */
void tls_front_forget(struct tls_front *front);

#endif
