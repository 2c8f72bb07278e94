/* SPDX-License-Identifier: MIT */
/*
 * A credential: a private key that was made on this device, and the certificates over it. IDevID
 * (factory.h) and LDevID (identity.h) are credentials. The key is given out for signing alone; no
 * report, listing or answer has it (I1).
 */
#ifndef THIMBLE_CREDENTIAL_H
#define THIMBLE_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/csr.h>
#include <thimble/error.h>
#include <thimble/span.h>
#include <thimble/tls.h>

#define TH_CHAIN_COUNT   3    /* certificates of one credential */
#define TH_CHAIN_MAX     2048 /* bytes of them */
#define TH_NAME_MAX      32   /* bytes of a device's name, without NUL */
#define TH_REQUEST_NONCE 16

/* Loaded for use. Wipe it after the last one. */
struct th_credential {
    char name[TH_NAME_MAX + 1]; /* the device's; "" for an IDevID */
    uint8_t key[TH_SEC1_KEY];   /* a secret: DER, as struct th_identity takes it */
    uint8_t point[TH_P256_POINT];
    uint8_t nonce[TH_REQUEST_NONCE]; /* of the request it was made for */
    struct th_span
        chain[TH_CHAIN_COUNT]; /* DER, its own certificate first; in the caller's bytes */
    uint8_t chain_count;       /* 0: not certified yet */
};

/* For a TLS configuration. It points into the credential, which lives as long as it is used. */
void th_credential_identity(const struct th_credential *credential, struct th_identity *out);

void th_credential_wipe(struct th_credential *credential);

/* Splits certificates that stand one behind the other. Returns how many; 0 when there are none,
 * more than TH_CHAIN_COUNT or TH_CHAIN_MAX, or bytes that are no DER sequence. */
uint8_t th_chain_split(struct th_span bytes, struct th_span out[TH_CHAIN_COUNT]);

/* [a-z0-9][a-z0-9_-]{0,31}: what a device may be called (F7). */
bool th_device_name_valid(struct th_span name);

#endif
