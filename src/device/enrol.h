/* SPDX-License-Identifier: MIT */
/* Offsets of docs/enrolment.md. Private to src/device. */
#ifndef TH_DEVICE_ENROL_H
#define TH_DEVICE_ENROL_H

#include <thimble/enrol.h>

#define ENROL_VERSION 1
#define ENROL_MAGIC   6 /* bytes that a request begins with */

enum {
    REQUEST_HARDWARE = 6,
    REQUEST_NONCE = 8,
    REQUEST_PRODUCT = 24,
    REQUEST_CSR_LEN = 56,
    REQUEST_BIRTH_LEN = 58,
};

enum {
    BUNDLE_NONCE = 8,
    BUNDLE_TIME = 24,
    BUNDLE_LDEVID_LEN = 32,
    BUNDLE_IDEVID_LEN = 34,
    BUNDLE_TRUST_LEN = 36,
};

extern const uint8_t enrol_request_magic[ENROL_MAGIC];

void enrol_put_le(uint8_t *at, uint64_t value, int bytes);

#endif
