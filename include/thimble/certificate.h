/* SPDX-License-Identifier: MIT */
/* What stands in one of our own certificates. Nothing is judged here but its form. */
#ifndef THIMBLE_CERTIFICATE_H
#define THIMBLE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/crypto.h>
#include <thimble/failure.h>
#include <thimble/span.h>
#include <thimble/trust.h>

struct th_certificate {
    char subject[TH_FAILURE_NAME_MAX]; /* common name, or the first DNS name; cut with "..." */
    char issuer[TH_FAILURE_NAME_MAX];
    int64_t not_before_s, not_after_s;
    uint8_t spki[TH_SHA256_BYTES]; /* SHA-256 of its SubjectPublicKeyInfo */
};

/* False when the bytes are not one whole DER certificate. */
bool th_certificate_read(struct th_span der, const struct th_hash_ops *sha256,
                         struct th_certificate *out);

/* True when it is over this P-256 key. */
bool th_certificate_is_over(const struct th_certificate *certificate,
                            const uint8_t point[TH_P256_POINT], const struct th_hash_ops *sha256);

#endif
