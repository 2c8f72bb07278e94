/* SPDX-License-Identifier: MIT */
/* What the files of this backend share. */
#ifndef TH_BEARSSL_INTERNAL_H
#define TH_BEARSSL_INTERNAL_H

#include <thimble/tls_backend.h>
#include <thimble/tls_bearssl.h>

#include "backends/tls_bearssl/der.h"

/* Needed from the certificate request on, which comes after the chain. */
struct th_bearssl_signing {
    struct th_bearssl_key key;
    br_x509_certificate chain[TH_TRUST_CHAIN_MAX];
};

/* Lives in the lent memory, for one handshake. BearSSL calls back with the addresses of `x509` and
 * of `auth_class`. */
struct th_bearssl_handshake {
    const br_x509_class *x509;
    const br_ssl_client_certificate_class *auth_class;
    struct th_bearssl *tls;
    br_x509_minimal_context minimal;
    br_rsa_pkcs1_vrfy rsa_verify;
    int anchor;         /* the index of the one that ended the chain, -1 before */
    bool worked;        /* a public-key operation was done in this step */
    bool chain_seen;    /* so it is a full handshake */
    bool path_complete; /* what follows is read over */
    bool sign_failed, auth_unusable;
    uint32_t chain_bytes; /* of the certificates that began */
    uint8_t anchor_count;
    uint8_t accepted;              /* certificates that BearSSL had no objection to */
    br_x509_trust_anchor *anchors; /* behind this struct, as many as were lent */
    union {
        struct th_trust_check check; /* until the server's chain is judged */
        struct th_bearssl_signing signing;
    };
};

/* engine.c: a fresh engine of the profile; false when the profile offers no suite. */
bool th_bearssl_engine_init(struct th_bearssl *tls);

/* x509.c: sets up the certificate part. The policy and the anchors are in tls->config. */
enum th_error th_bearssl_x509_init(struct th_bearssl_handshake *handshake, size_t anchor_room,
                                   const char *server_name);

/* auth.c: sees that our certificate and key can be read and belong together. */
enum th_error th_bearssl_auth_init(struct th_bearssl_handshake *handshake);

/* error.c: the failure for the engine's last error. */
void th_bearssl_explain(const struct th_bearssl *tls, int error, struct th_failure *out);
/* An error of the X.509 engine. */
enum th_error th_bearssl_x509_error(int error);

extern const struct th_hashes th_bearssl_hashes;

#endif
