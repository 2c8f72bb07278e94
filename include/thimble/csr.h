/* SPDX-License-Identifier: MIT */
/*
 * A certificate signing request (PKCS#10, RFC 2986) for a key made on the device: common name,
 * P-256 key, ECDSA with SHA-256 as the proof of possession (I2). The secret never leaves the call
 * (I1).
 */
#ifndef THIMBLE_CSR_H
#define THIMBLE_CSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/crypto.h>
#include <thimble/span.h>

#define TH_CSR_NAME_MAX   64  /* bytes of the common name (RFC 5280, ub-common-name) */
#define TH_CSR_MAX        320 /* bytes of any request */
#define TH_P256_SPKI_HEAD 26
#define TH_SEC1_KEY       121 /* bytes of a key in DER (RFC 5915) with curve and point */

/* What stands before the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480). */
extern const uint8_t th_p256_spki_head[TH_P256_SPKI_HEAD];

/* Writes the request in DER; returns its length, 0 when the name is empty, too long or has control
 * characters, when it does not fit, or when signing failed. */
size_t th_csr_make(const struct th_crypto *crypto, const uint8_t secret[TH_P256_SECRET],
                   struct th_span common_name, uint8_t *into, size_t room);

/* Writes the key as SEC1 DER, the form struct th_identity takes: a secret. */
void th_csr_key(const uint8_t secret[TH_P256_SECRET], const uint8_t point[TH_P256_POINT],
                uint8_t into[TH_SEC1_KEY]);

#endif
