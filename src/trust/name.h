/* SPDX-License-Identifier: MIT */
/* The name we connect to against the names in certificates, character by character (RFC 9525 §6.3,
 * RFC 5280 §4.2.1.10). */
#ifndef TH_TRUST_NAME_H
#define TH_TRUST_NAME_H

#include <thimble/trust.h>

/* `text` lives as long as `name`; NULL gives a name that nothing matches. */
void th_trust_name_init(struct th_trust_name *name, const char *text);

/* A dNSName of subjectAltName. */
void th_trust_match_begin(struct th_trust_match *match, const struct th_trust_name *name);
void th_trust_match_feed(struct th_trust_match *match, const struct th_trust_name *name,
                         struct th_span piece);
bool th_trust_match_end(const struct th_trust_match *match, const struct th_trust_name *name);

/* A dNSName of nameConstraints, `len` characters long: ends with the same three calls. */
void th_trust_match_begin_subtree(struct th_trust_match *match, const struct th_trust_name *name,
                                  size_t len);

#endif
