/* SPDX-License-Identifier: MIT */
/* What the files of this backend share. */
#ifndef TH_OPENSSL_INTERNAL_H
#define TH_OPENSSL_INTERNAL_H

#include <openssl/ssl.h>

#include <thimble/tls_backend.h>
#include <thimble/tls_openssl.h>

/* wire.c: a BIO over th_wire; its data is the struct th_openssl. */
BIO_METHOD *th_openssl_wire_method(void);

/* judge.c: reads the anchors; judges the server's chain when it comes. */
enum th_error th_openssl_anchors(struct th_openssl *tls);
int th_openssl_judge(X509_STORE_CTX *store, void *unused);

/* identity.c: our certificate and key into tls->ssl. */
enum th_error th_openssl_identity(struct th_openssl *tls);
/* The one certificate in `der`, NULL when it is none or has something behind it. */
X509 *th_openssl_certificate(struct th_span der);

/* sign.c: keys of which we have a th_sign_fn alone. The key is to be freed; NULL when out of memory
 * or the certificate's key is not of that kind. */
bool th_openssl_sign_methods(struct th_openssl_shared *shared);
void th_openssl_sign_methods_free(struct th_openssl_shared *shared);
EVP_PKEY *th_openssl_sign_key(const struct th_openssl *tls, X509 *certificate);

/* error.c: the failure for the first error in OpenSSL's queue. */
void th_openssl_explain(struct th_openssl *tls, struct th_failure *out);

extern const struct th_hashes th_openssl_hashes;

#endif
