/* SPDX-License-Identifier: MIT */
/* Certificates and keys from files into what the TLS backends take: DER. PEM with any line ends,
 * with text between the blocks, with several certificates; or DER. */
#ifndef TOOL_CREDENTIALS_H
#define TOOL_CREDENTIALS_H

#include <openssl/evp.h>

#include <thimble/tls.h>

#include "files.h"

#define CREDENTIALS_MAX 16 /* certificates in one file */

struct credentials_chain {
    struct th_span at[CREDENTIALS_MAX];
    uint8_t count;
    struct bytes memory; /* what `at` points into */
};

struct credentials {
    struct credentials_chain anchors, chain;
    struct bytes key;    /* PKCS#8 */
    EVP_PKEY *token_key; /* instead: one that stays in a PKCS#11 token */
    struct th_identity identity;
};

/* Each prints its error, which names the file, and gives back an exit code. */
int credentials_anchors(struct credentials *credentials, const char *path);
/* `key` is a file, or a pkcs11: URI, which only OpenSSL can use. */
int credentials_identity(struct credentials *credentials, const char *certificate, const char *key);
void credentials_free(struct credentials *credentials);

#endif
