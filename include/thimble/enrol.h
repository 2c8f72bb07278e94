/* SPDX-License-Identifier: MIT */
/*
 * Enrolment: the device makes two keys and asks for certificates over them; one bundle answers with
 * both chains and the trust set. Both are plain bytes without a secret, for any channel. Bit-exact
 * layout and order of checks: docs/enrolment.md. Requirements I1, I2, I4.
 */
#ifndef THIMBLE_ENROL_H
#define THIMBLE_ENROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/crypto.h>
#include <thimble/error.h>
#include <thimble/factory.h>
#include <thimble/identity.h>
#include <thimble/manifest.h>
#include <thimble/trust_set.h>

#define TH_ENROL_REQUEST_HEAD 60
#define TH_ENROL_REQUEST_MAX  (TH_ENROL_REQUEST_HEAD + 2 * TH_CSR_MAX + TH_P256_SIGNATURE)
#define TH_ENROL_BUNDLE_HEAD  40
#define TH_ENROL_BUNDLE_MAX                                                           \
    (TH_ENROL_BUNDLE_HEAD + 2 * TH_CHAIN_MAX + TH_MANIFEST_BYTES + TH_TRUST_SET_MAX + \
     TH_SHA256_BYTES)

/* The labels of their PEM blocks. */
#define TH_ENROL_REQUEST_LABEL "THIMBLE ENROLMENT REQUEST"
#define TH_ENROL_BUNDLE_LABEL  "THIMBLE ENROLMENT BUNDLE"

/* ---- the device ---- */

struct th_enrol {
    const struct th_crypto *crypto;
    const struct th_board *board;
    struct th_factory *factory;
    struct th_identity_store *identity;
    const char *product; /* as manifests name it */
    uint16_t hardware;
    bool allow_development; /* takes a set signed by a development key (O15) */
};

/* Makes the birth key where there is none, a fresh operational key and nonce, and the request.
 * `into`: TH_ENROL_REQUEST_MAX bytes hold any. An older request's answer is refused from then on.
 * ENROL_ALREADY; INVALID: the name breaks F7, or `product` is none; TOO_LARGE; TLS_ENTROPY; STORE.
 */
enum th_error th_enrol_request(const struct th_enrol *enrol, struct th_span name, uint8_t *into,
                               size_t room, size_t *len);

struct th_enrolled {
    int64_t time_s;              /* when the bundle was made: sets the working clock alone */
    struct th_manifest manifest; /* of the trust set: its time raises the floor */
};

/* Checks a bundle and takes it, whole or not at all. `bundle` lives for the call. Errors, and then
 * nothing has changed: ENROL_*, TRUST_SET_FORMAT, UPDATE_*, TOO_LARGE (no room on this flash).
 * STORE: give the bundle again after a restart. */
enum th_error th_enrol_take(const struct th_enrol *enrol, struct th_span bundle,
                            struct th_enrolled *out);

/* ---- the other side: spans point into the bytes ---- */

struct th_enrol_request {
    uint8_t nonce[TH_REQUEST_NONCE];
    char product[TH_MANIFEST_PRODUCT + 1];
    uint16_t hardware;
    struct th_span csr, birth_csr;
    struct th_span signed_part;
    const uint8_t *signature; /* TH_P256_SIGNATURE bytes */
};

/* The form alone: ENROL_FORMAT. */
enum th_error th_enrol_request_decode(struct th_span request, struct th_enrol_request *out);

/* What the birth key signs. */
void th_enrol_request_digest(const struct th_hash_ops *sha256, struct th_span signed_part,
                             uint8_t digest[TH_SHA256_BYTES]);

struct th_enrol_bundle {
    uint8_t nonce[TH_REQUEST_NONCE];
    int64_t time_s;
    struct th_span ldevid, idevid; /* chains */
    struct th_span trust;          /* manifest and set */
};

/* Form and digest: ENROL_FORMAT. */
enum th_error th_enrol_bundle_decode(const struct th_hash_ops *sha256, struct th_span bundle,
                                     struct th_enrol_bundle *out);

/* INVALID: a part is missing or too large. TOO_LARGE: `room`. */
enum th_error th_enrol_bundle_encode(const struct th_hash_ops *sha256,
                                     const struct th_enrol_bundle *bundle, uint8_t *into,
                                     size_t room, size_t *len);

#endif
