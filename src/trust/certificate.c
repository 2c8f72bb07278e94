/* SPDX-License-Identifier: MIT */
#include <thimble/certificate.h>
#include <thimble/csr.h>

#include "trust/name.h"
#include "trust/x509.h"

bool th_certificate_read(struct th_span der, const struct th_hash_ops *sha256,
                         struct th_certificate *out)
{
    struct th_trust_name nobody;
    union th_hash_state part;
    struct th_x509 x509;

    memset(out, 0, sizeof *out);
    th_trust_name_init(&nobody, NULL);
    th_x509_begin(&x509, der.len, &nobody, sha256, &part);
    th_x509_feed(&x509, der);
    if (!th_x509_end(&x509))
        return false;
    memcpy(out->subject, x509.subject, sizeof out->subject);
    memcpy(out->issuer, x509.issuer, sizeof out->issuer);
    memcpy(out->spki, x509.spki_digest, sizeof out->spki);
    out->not_before_s = x509.not_before_s;
    out->not_after_s = x509.not_after_s;
    return true;
}

bool th_certificate_is_over(const struct th_certificate *certificate,
                            const uint8_t point[TH_P256_POINT], const struct th_hash_ops *sha256)
{
    uint8_t digest[TH_SHA256_BYTES];
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, th_p256_spki_head, TH_P256_SPKI_HEAD);
    sha256->update(&state, point, TH_P256_POINT);
    sha256->out(&state, digest);
    return memcmp(digest, certificate->spki, sizeof digest) == 0;
}
