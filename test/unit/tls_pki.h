/* SPDX-License-Identifier: MIT */
/* Certificates made while the test runs, good ones and bad ones. */
#ifndef TH_TEST_TLS_PKI_H
#define TH_TEST_TLS_PKI_H

#include <openssl/ssl.h>

#include <stdbool.h>

#include <thimble/tls.h>

enum pki_key { PKI_EC, PKI_EC_384, PKI_RSA, PKI_RSA_1024, PKI_ED25519 };

struct pki_request {
    const char *common_name;
    const char *san;                 /* "DNS:broker.test,IP:192.0.2.1"; NULL for none */
    const char *key_usage, *eku;     /* as in openssl.cnf; NULL for none */
    const char *basic_constraints;   /* "critical,CA:TRUE"; NULL for none */
    const char *name_constraints;    /* "critical,permitted;DNS:test" */
    bool key_ids;                    /* subject and authority key identifiers */
    const struct pki_entity *issuer; /* NULL: self-signed */
    enum pki_key key;
    const struct pki_entity *same_key; /* take its key instead of making one */
    const EVP_MD *hash;                /* NULL: SHA-256 */
    long from_s, to_s;                 /* relative to now; both 0: one year around now */
};

struct pki_entity {
    X509 *certificate;
    EVP_PKEY *key;
    uint8_t *der, *key_der; /* key_der: PKCS#8 */
    size_t der_len, key_len;
    struct th_span chain[1]; /* `der`, as th_identity and th_trust take it */
};

struct pki_entity *pki_make(const struct pki_request *request);
void pki_free(struct pki_entity *entity);

/* The key in its older form: SEC1 or PKCS#1. Free with OPENSSL_free. */
uint8_t *pki_traditional_key(const struct pki_entity *entity, size_t *len);

/* What most tests use, made once a program. */
struct pki {
    struct pki_entity *server_ca, *device_ca;       /* EC */
    struct pki_entity *server, *rsa_server;         /* broker.test, 192.0.2.1 */
    struct pki_entity *device, *rsa_device, *other; /* `other`: a second device */
};

int pki_setup(struct pki *pki);
void pki_teardown(struct pki *pki);

/* The device's identity with its key in DER; `entity` must stay. */
struct th_identity pki_identity(const struct pki_entity *entity, enum th_key_kind kind);

#endif
