/* SPDX-License-Identifier: MIT */
/* Certificates made by libcrypto while a test runs: right but for what a case says. */
#ifndef TEST_CERTS_H
#define TEST_CERTS_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <thimble/span.h>
#include <thimble/trust.h>

struct cert {
    X509 *x509;
    EVP_PKEY *key;
    struct th_span der;
};

/* Zeros are a good leaf over P-256, SHA-256, valid from a day ago for 30 days. Extensions are in
 * openssl's syntax ("critical,CA:TRUE,pathlen:0"); NULL leaves one out. */
struct cert_spec {
    const char *cn;            /* NULL: no common name */
    int cn_is_wide;            /* as a BMPString: two bytes a character */
    const struct cert *issuer; /* NULL: self-signed */
    const char *issuer_cn;     /* another name than the issuer's own */
    const char *key;           /* "P-256", "P-384", "secp224r1", "RSA-2048", "ED25519" ... */
    EVP_PKEY *use_key;         /* this one instead */
    const char *hash;          /* "SHA256"; "PSS" for RSA-PSS with SHA-256, "PSS-SHA1" */
    int64_t not_before_s, not_after_s;
    const char *basic, *usage, *purpose, *constraints;
    const char *names;             /* a '|' becomes a NUL */
    const char *unknown_extension; /* an OID: 4 bytes of content, critical but for the next */
    int unknown_is_harmless, version_1, explicit_curve, bad_signature, duplicate_extension;
};

/* Aborts with a message when libcrypto cannot. Free with cert_free(). */
struct cert cert_make(const struct cert_spec *spec);
void cert_free(struct cert *cert);

/* A CA that may be the root of a test, and a leaf for `names` ("DNS:broker.test"). */
struct cert cert_root(const char *cn);
struct cert cert_intermediate(const char *cn, const struct cert *issuer);
struct cert cert_server(const char *names, const struct cert *issuer);

/* The same certificate, signed by `issuer` over an encoding that is BER but not DER. */
struct cert cert_not_der(const struct cert *cert, const struct cert *issuer);

EVP_PKEY *cert_key(const char *kind);

/* Over libcrypto, for tests of what is independent of a backend. */
extern const struct th_hashes cert_hashes;

#endif
