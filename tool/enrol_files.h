/* SPDX-License-Identifier: MIT */
/*
 * The two files of an enrolment, as docs/enrolment.md has them: what a device asks and what it is
 * answered. Functions that give back an exit code have printed their error.
 */
#ifndef TOOL_ENROL_FILES_H
#define TOOL_ENROL_FILES_H

#include <openssl/x509.h>

#include <thimble/enrol.h>

#include "home.h"

/* A request whose form and signature are right; what it asks for is judged where it is issued. */
struct enrol_request {
    uint8_t bytes[TH_ENROL_REQUEST_MAX];
    struct th_enrol_request asked; /* spans point into `bytes`: it must not move */
    X509_REQ *own[2];
    char name[TH_NAME_MAX + 1]; /* the one its operational request asks for */
};

int enrol_request_read(const char *path, struct enrol_request *out);
/* The same of bytes; `from` is whose they are, for errors. */
int enrol_request_take(struct th_span bytes, const char *from, struct enrol_request *out);
void enrol_request_free(struct enrol_request *request);

/* Manifest and trust set for a device that asked so: those of `file`, or the newest that the
 * installation has signed, or one that is signed now. */
struct enrol_trust {
    uint8_t at[TH_MANIFEST_BYTES + TH_TRUST_SET_MAX];
    size_t len;
    uint32_t sequence;
};

int enrol_trust(struct home *home, const char *file, const struct th_enrol_request *asked,
                struct enrol_trust *out);

/* Writes the answer; certificates are those in devices/<name>. A file that is there is replaced. */
int enrol_bundle_write(struct home *home, const struct enrol_request *request,
                       const struct enrol_trust *trust, const char *path);

/* The bundle in a file, as the device takes it. */
int enrol_bundle_read(const char *path, uint8_t *into, size_t room, size_t *len);

/* True when the file is an answer to this request. */
bool enrol_bundle_answers(const char *path, const struct enrol_request *request);

#endif
