/* SPDX-License-Identifier: MIT */
/*
 * Keys, requests, certificates and revocation lists, over libcrypto. Objects are OpenSSL's own and
 * freed with its functions. Functions that read or write files print their error and give back an
 * exit code; the others give NULL when libcrypto fails, and x509_error() says why.
 */
#ifndef TOOL_X509_H
#define TOOL_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "files.h"

/* RFC 5280 §4.1.2.5: "no well-defined expiration date": 99991231235959Z. */
#define X509_FOR_LIFE INT64_C(253402300799)
/* Hexadecimal: ours have 128 bits, imported ones up to RFC 5280's 20 bytes; and NUL. */
#define X509_SERIAL_TEXT 41

enum x509_kind {
    X509_CA,     /* issues leaves directly: path length 0 */
    X509_SERVER, /* serverAuth, names as subjectAltName */
    X509_CLIENT, /* clientAuth */
};

struct x509_order {
    enum x509_kind kind;
    const char *common_name;
    EVP_PKEY *key;        /* the subject's; its public half is enough */
    X509 *issuer;         /* NULL: self-signed */
    EVP_PKEY *issuer_key; /* self-signed: the same as `key` */
    int64_t not_before_s, not_after_s;
    const char *const *hosts; /* X509_SERVER: DNS names and IP addresses */
    size_t host_count;
};

/* P-256. */
EVP_PKEY *x509_key_new(void);
/* RSA-2048, for peers that know nothing else. */
EVP_PKEY *x509_key_new_rsa(void);
X509 *x509_issue(const struct x509_order *order);

X509_REQ *x509_request(EVP_PKEY *key, const char *common_name);

/* NULL when certificates may be issued over it: P-256, or RSA of 2048 bits and more (T15). */
const char *x509_key_fault(EVP_PKEY *key);

/* What is wrong with a request for `common_name`, NULL when nothing: signature (I2), name, key. */
const char *x509_request_fault(X509_REQ *request, const char *common_name);

/* SHA-256 of the SubjectPublicKeyInfo it asks for. */
void x509_request_pin(X509_REQ *request, uint8_t sha256[32]);

struct x509_revoked {
    char serial[X509_SERIAL_TEXT]; /* hexadecimal */
    int64_t at_s;
};

X509_CRL *x509_crl(X509 *issuer, EVP_PKEY *key, int64_t number, int64_t this_s, int64_t next_s,
                   const struct x509_revoked *revoked, size_t count);

int64_t x509_crl_this_update(const X509_CRL *crl);
int64_t x509_crl_next_update(const X509_CRL *crl); /* 0: it says none */

/* ---- what stands in a certificate ---- */

void x509_serial(const X509 *certificate, char into[X509_SERIAL_TEXT]);
void x509_common_name(const X509 *certificate, char *into, size_t room);
int64_t x509_not_before(const X509 *certificate);
int64_t x509_not_after(const X509 *certificate);
void x509_fingerprint(const X509 *certificate, uint8_t sha256[32]);
/* SHA-256 of its SubjectPublicKeyInfo: the pin. */
void x509_pin(const X509 *certificate, uint8_t sha256[32]);

/* ---- bytes and files ---- */

struct bytes x509_der(X509 *certificate);
X509 *x509_of_der(const void *der, size_t len);

int x509_write_key(const char *path, EVP_PKEY *key, enum files_when when);
/* PKCS#8 under a pass phrase: PBES2 (RFC 8018) of PBKDF2 with HMAC-SHA-256, and AES-256-CBC. */
int x509_write_key_encrypted(const char *path, EVP_PKEY *key, const char *pass,
                             enum files_when when);
int x509_write_certificate(const char *path, X509 *certificate, enum files_when when);
/* Several in one file, in this order. */
int x509_write_certificates(const char *path, X509 *const *certificates, size_t count);
int x509_write_request(const char *path, X509_REQ *request, enum files_when when);
/* Key, certificate and its issuer in one file (PKCS#12), under a pass phrase. */
int x509_write_pkcs12(const char *path, const char *pass, EVP_PKEY *key, X509 *certificate,
                      X509 *issuer);
int x509_write_crls(const char *path, X509_CRL *const *crls, size_t count);

int x509_read_key(const char *path, EVP_PKEY **out);
/* The same of a key that may be encrypted: it then asks for the pass phrase (key_pass.h), and
 * `*encrypted` says so. */
int x509_open_key(const char *path, EVP_PKEY **out, bool *encrypted);
int x509_read_certificate(const char *path, X509 **out);
/* All certificates of a PEM file, at most `room`; `*count` of them are to be freed, after an error
 * too. */
int x509_read_certificates(const char *path, X509 **out, size_t room, size_t *count);
/* All revocation lists of a PEM file, at most X509_CRLS_MAX; `*count` of them are to be freed,
 * after an error too. */
#define X509_CRLS_MAX 8
int x509_read_crls(const char *path, X509_CRL *out[X509_CRLS_MAX], size_t *count);
int x509_read_request(const char *path, X509_REQ **out);

/* libcrypto's oldest error, as text; the queue is empty afterwards. */
const char *x509_error(void);

#endif
