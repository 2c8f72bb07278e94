/* SPDX-License-Identifier: MIT */
/* The key record; docs/flash-format.md is the contract. Private to src/store. */
#ifndef TH_STORE_CREDENTIAL_H
#define TH_STORE_CREDENTIAL_H

#include <thimble/credential.h>
#include <thimble/log.h>

struct key_record {
    uint8_t secret[TH_P256_SECRET];
    uint8_t point[TH_P256_POINT];
    uint8_t nonce[TH_REQUEST_NONCE];
    char name[TH_NAME_MAX + 1];
};

enum th_error key_record_write(struct th_log *log, uint8_t kind, const struct key_record *key);

/* False when there is none, or it is damaged. Wipe it after use. */
bool key_record_read(const struct th_log *log, uint8_t kind, struct key_record *out);

/* A fresh key with a fresh nonce. TLS_ENTROPY (T13). Wipe it after use. */
enum th_error key_record_make(struct key_record *out, const struct th_crypto *crypto,
                              const struct th_board *board, struct th_span name);

/* Key and chain from their records; `into` NULL: the key alone. TOO_LARGE when `room` does not hold
 * the chain, BAD_STATE when there is no key, STORE when the flash fails. */
enum th_error credential_load(const struct th_log *log, uint8_t key_kind, uint8_t chain_kind,
                              uint8_t *into, size_t room, struct th_credential *out);

/* A request for that key. BAD_STATE, INVALID (the name), TOO_LARGE. */
enum th_error credential_csr(const struct th_log *log, uint8_t key_kind,
                             const struct th_crypto *crypto, struct th_span common_name,
                             uint8_t *into, size_t room, size_t *len);

#endif
