/* SPDX-License-Identifier: MIT */
/*
 * What a device has from its making to its end: set-up code, birth key with certificate (IDevID),
 * calibration. A factory reset leaves it; th_reset_*() with TH_RESET_DECOMMISSION takes the secrets
 * away. Stored form: docs/flash-format.md, chapter "Factory area". Every write is atomic under any
 * power cut.
 */
#ifndef THIMBLE_FACTORY_H
#define THIMBLE_FACTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/credential.h>
#include <thimble/flash_map.h>
#include <thimble/log.h>

#define TH_SETUP_CODE       16 /* Crockford base-32 characters: 80 bits */
#define TH_SETUP_CODE_SHOWN 19 /* "0123-4567-89AB-CDEF" */
#define TH_CALIBRATION_MAX  256

/* Fields private. */
struct th_factory {
    struct th_log log;
};

/* `nonce`: as for th_log_mount(). CONFIG: map and geometry do not fit. STORE: the flash fails. */
enum th_error th_factory_open(struct th_factory *factory, const struct th_board *board,
                              const struct th_flash_map *map, uint32_t nonce);

/* ---- set-up code: a secret that a person types ---- */

/* Makes one and stores it; an older one is erased. `code` (with NUL) may be shown to whoever holds
 * the device, once. TLS_ENTROPY, STORE. */
enum th_error th_factory_code_make(struct th_factory *factory, const struct th_board *board,
                                   char code[TH_SETUP_CODE + 1]);

/* Stores one that was made elsewhere, for a printed label. INVALID when it is not in the form
 * th_setup_code_parse() gives. */
enum th_error th_factory_code_set(struct th_factory *factory, const char *code);

/* False when there is none: then no network service opens until one was made. For keys to be
 * derived from; never into a report. */
bool th_factory_code(const struct th_factory *factory, char code[TH_SETUP_CODE + 1]);

/* What a person typed into the form that is stored: any case, blanks and '-' left out, O is 0, I
 * and L are 1. False when it is no code. */
bool th_setup_code_parse(struct th_span typed, char code[TH_SETUP_CODE + 1]);

/* Grouped by four, for people. */
void th_setup_code_show(const char code[TH_SETUP_CODE + 1], char shown[TH_SETUP_CODE_SHOWN + 1]);

/* The WPA2 pass-phrase of its access point, 16 characters. False as th_hkdf(). */
bool th_setup_code_wifi(const struct th_crypto *crypto, const char code[TH_SETUP_CODE + 1],
                        char pass[TH_SETUP_CODE + 1]);

/* ---- IDevID ---- */

bool th_factory_has_key(const struct th_factory *factory);

/* Makes the birth key when there is none. TLS_ENTROPY, STORE. */
enum th_error th_factory_key_make(struct th_factory *factory, const struct th_crypto *crypto,
                                  const struct th_board *board);

/* The request for it. BAD_STATE: there is no key. INVALID, TOO_LARGE. */
enum th_error th_factory_csr(const struct th_factory *factory, const struct th_crypto *crypto,
                             struct th_span common_name, uint8_t *into, size_t room, size_t *len);

/* ECDSA over a digest. BAD_STATE: there is no key. */
enum th_error th_factory_sign(const struct th_factory *factory, const struct th_crypto *crypto,
                              const uint8_t digest[TH_SHA256_BYTES],
                              uint8_t signature[TH_P256_SIGNATURE]);

/* Its certificates, one behind the other. The caller has made sure that they are over this key. */
enum th_error th_factory_certify(struct th_factory *factory, struct th_span chain);

/* Key and certificates, for the recovery listener. `into` (TH_CHAIN_MAX bytes hold any) lives as
 * long as `out`; NULL: the key alone. BAD_STATE: there is no key. TOO_LARGE, STORE. */
enum th_error th_factory_idevid(const struct th_factory *factory, uint8_t *into, size_t room,
                                struct th_credential *out);

/* ---- calibration: no secret; its layout is the board's ---- */

enum th_error th_factory_calibration_put(struct th_factory *factory, struct th_span bytes);
size_t th_factory_calibration(const struct th_factory *factory, uint8_t *into, size_t room);

#endif
