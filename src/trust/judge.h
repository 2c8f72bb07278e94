/* SPDX-License-Identifier: MIT */
/* What may be wrong with one certificate. */
#ifndef TH_TRUST_JUDGE_H
#define TH_TRUST_JUDGE_H

#include "trust/x509.h"

/* TH_OK, or what is wrong with the server's own certificate: name, purpose, key, hash. Dates are
 * judged apart. */
enum th_error th_trust_judge_server(const struct th_x509 *x509);

/* The same of a CA with `below` CAs between it and the server's certificate that are not
 * self-issued. The signature of an anchor is relied on by nobody, so its hash is not judged. */
enum th_error th_trust_judge_ca(const struct th_x509 *x509, uint8_t below, bool is_anchor);

/* Whether the key is strong enough: RSA of 2048 bits, P-256, or more (T15). */
enum th_error th_trust_judge_key(const struct th_x509 *x509);

#endif
