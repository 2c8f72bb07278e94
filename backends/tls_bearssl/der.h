/* SPDX-License-Identifier: MIT */
/* Certificates and keys that the caller keeps in memory, read in place: nothing is copied. */
#ifndef TH_BEARSSL_DER_H
#define TH_BEARSSL_DER_H

#include <bearssl.h>

#include <thimble/span.h>

/* An anchor from a DER certificate, pointing into it; always as a CA. False when it cannot be read.
 * A key of a kind BearSSL does not know gets key_type 0, and verifies nothing. */
bool th_bearssl_anchor(br_x509_trust_anchor *out, struct th_span certificate);

struct th_bearssl_key {
    bool rsa;
    br_ec_private_key ec;
    struct th_span ec_point; /* the public key, when the file says it */
    br_rsa_private_key rsa_key;
    struct th_span rsa_modulus;
};

/* A private key from PKCS#8, SEC1 or PKCS#1, pointing into it. `known` is false for well-formed
 * keys of another kind (Ed25519). */
bool th_bearssl_key_read(struct th_bearssl_key *out, struct th_span der, bool *known);

#endif
