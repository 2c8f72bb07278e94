/* SPDX-License-Identifier: MIT */
/*
 * Update keys: ECDSA P-256 keys that sign manifests and are never a CA's. Two files each, in the
 * state directory's update/:
 *   NAME.key   the private key (PKCS#8 PEM, 0600, encrypted where a pass phrase was given); it may
 *              be kept anywhere else, and is needed to sign alone
 *   NAME.pub   the public key (SubjectPublicKeyInfo PEM) below lines that say what it may sign;
 *              what devices are told to take comes from these files
 */
#ifndef TOOL_TRUST_KEY_H
#define TOOL_TRUST_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include <thimble/manifest.h>

#include "home.h"

#define TRUST_KEYS_MAX    16 /* of one installation, the ones that are being rolled included */
#define TRUST_KEY_NAME    33 /* with its NUL */
#define TRUST_KEY_ID_TEXT (2 * TH_KEY_ID_BYTES + 1)

/* The public half. */
struct trust_key {
    char name[TRUST_KEY_NAME];
    struct th_update_key update; /* its point, and what it may sign */
    uint8_t id[TH_KEY_ID_BYTES];
};

/* `components` is bits 1 << th_component; `pass` NULL or "" leaves the key unencrypted. Refused:
 * a name that exists (EXIT_EXISTS) or breaks the rule for names. The private half is written
 * first. */
int trust_key_make(const struct home *home, const char *name, uint8_t components, bool development,
                   const char *pass, struct trust_key *out);

/* All public halves of an installation, by name; none is no error. */
int trust_keys(const struct home *home, struct trust_key keys[TRUST_KEYS_MAX], size_t *count);

/* One public half. */
int trust_key_read(const char *path, struct trust_key *out);

/* A private half: `path` is a file or a pkcs11: URI. An encrypted file takes its pass phrase from
 * `pass_file`, or from the terminal. EXIT_INPUT for anything but a P-256 key, and for one that a
 * certificate of this installation was issued for: authorities, brokers, devices and users sign no
 * updates. `out->name` is that of NAME.pub with this point, "" when there is none. */
int trust_key_open(struct home *home, const char *path, const char *pass_file, EVP_PKEY **key,
                   struct trust_key *out);

/* Signs what th_manifest_encode() has written; the manifest's key_id must be that of `key`. */
int trust_key_sign(EVP_PKEY *key, uint8_t manifest[TH_MANIFEST_BYTES]);

void trust_key_id_text(const uint8_t id[TH_KEY_ID_BYTES], char into[TRUST_KEY_ID_TEXT]);

/* "trust", "trust, firmware" … */
void trust_key_components_text(uint8_t components, char *into, size_t room);

/* "trust,firmware" into bits; 0 when a word is none of firmware, coproc and trust. */
uint8_t trust_key_components_of(const char *text);

#endif
