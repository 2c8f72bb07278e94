/* SPDX-License-Identifier: MIT */
/* What another certificate authority has issued: the index.txt of `openssl ca` and easy-rsa, and
 * the certificates beside it. */
#ifndef TOOL_CA_INDEX_H
#define TOOL_CA_INDEX_H

#include "files.h"
#include "x509.h"

/* Where the parts of an authority are; "" what is not there. */
struct ca_source {
    struct path certificate, key, index, crl, crl_number;
    struct path folder; /* of an openssl or easy-rsa directory */
};

/* `path` is such a directory, or the certificate's file. EXIT_MISSING when there is neither. */
int ca_source_find(struct ca_source *source, const char *path);

struct ca_row {
    char status; /* V alid, R evoked, E xpired */
    char serial[X509_SERIAL_TEXT];
    int64_t not_after_s, revoked_s;
    char name[1024];     /* the subject as text, "/CN=lamp" */
    X509 *certificate;   /* NULL: its file is not there */
    const char *verdict; /* why it is revoked when it is imported; NULL: it is not */
};

struct ca_index {
    struct ca_row *rows;
    size_t count;
};

/* Reads the index and the certificates of `issuer` that are in the source's folder. EXIT_INPUT for
 * a line that is none, and when a certificate is there that the index does not know: then it is not
 * full. Free with ca_index_free(). */
int ca_index_read(struct ca_index *index, const struct ca_source *source, X509 *issuer);
void ca_index_free(struct ca_index *index);

/* The last CRL's number, 0 when there is none. */
int64_t ca_source_crl_number(const struct ca_source *source);

#endif
