/* SPDX-License-Identifier: MIT */
/*
 * Certificates and keys as people keep them: PEM (RFC 7468; any line ends, text before and between,
 * several blocks in a file) or bare DER. Nothing is allocated; what is decoded goes into the
 * caller's memory.
 */
#ifndef THIMBLE_PEM_H
#define THIMBLE_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/error.h>
#include <thimble/span.h>

enum th_pem_kind {
    TH_PEM_CERTIFICATE,   /* "CERTIFICATE", "X509 CERTIFICATE" */
    TH_PEM_PRIVATE_KEY,   /* "PRIVATE KEY": PKCS#8 */
    TH_PEM_EC_KEY,        /* "EC PRIVATE KEY": SEC1 */
    TH_PEM_RSA_KEY,       /* "RSA PRIVATE KEY": PKCS#1 */
    TH_PEM_ENCRYPTED_KEY, /* "ENCRYPTED PRIVATE KEY", or a key with "Proc-Type: 4,ENCRYPTED" */
    TH_PEM_PUBLIC_KEY,
    TH_PEM_REQUEST, /* "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST" */
    TH_PEM_CRL,     /* "X509 CRL" */
    TH_PEM_OTHER,   /* "EC PARAMETERS", ... */
};

struct th_pem_block {
    enum th_pem_kind kind;
    struct th_span label; /* "CERTIFICATE" */
    struct th_span body;  /* base64 with its line ends, without headers */
};

/* The next block of `*text`, which is moved on past it. All spans point into the text.
 *   TH_OK                a block was found
 *   TH_ERR_FILE_EMPTY    there is none any more
 *   TH_ERR_FILE_FORMAT   a block begins and does not end, or ends under another name: the file was
 *                        cut, or edited */
enum th_error th_pem_next(struct th_span *text, struct th_pem_block *out);

/* Decodes a block's body. `into` may be the text's own memory.
 *   TH_ERR_FILE_FORMAT     it is not base64
 *   TH_ERR_FILE_TOO_LARGE  it does not fit `room` */
enum th_error th_pem_decode(const struct th_pem_block *block, uint8_t *into, size_t room,
                            size_t *out_len);

/* All certificates of a file, PEM or DER, in their order; keys and other blocks among them are
 * passed over. `into` takes the decoded bytes and must live as long as `out` is used (it may be the
 * file's own memory); `*count` comes in as the room of `out` and goes out as the number found.
 *   TH_ERR_FILE_EMPTY      nothing but white space
 *   TH_ERR_FILE_FORMAT     no certificate in it, or a damaged block
 *   TH_ERR_FILE_TOO_LARGE  more certificates, or more bytes, than there is room for
 *   TH_ERR_CERT_MALFORMED  what a block holds is not a whole DER sequence */
enum th_error th_pem_certificates(struct th_span file, uint8_t *into, size_t room,
                                  struct th_span *out, size_t *count);

/* The private key of a file, PEM or DER (PKCS#8, SEC1 or PKCS#1, undecided); the first one counts.
 * It is a secret: wipe `into` after its last use.
 *   TH_ERR_FILE_EMPTY      nothing but white space
 *   TH_ERR_FILE_FORMAT     no key in it (perhaps a certificate), or a damaged one
 *   TH_ERR_KEY_ENCRYPTED   the key is encrypted
 *   TH_ERR_FILE_TOO_LARGE  it does not fit `room` */
enum th_error th_pem_private_key(struct th_span file, uint8_t *into, size_t room,
                                 struct th_span *out);

/* True when the bytes are one whole DER sequence and nothing else. */
bool th_pem_is_der(struct th_span file);

#endif
