/* SPDX-License-Identifier: MIT */
/* What the verbs of `thimble ca` share: how an authority is made, and where its key is. */
#ifndef TOOL_CA_H
#define TOOL_CA_H

#include "home.h"

/* How keys are kept; what `ca init` was told holds for successors too. */
struct ca_keys {
    bool rsa;
    bool encrypt;
    char token[REGISTRY_TEXT_MAX]; /* a pkcs11: URI, where keys are in a token; else "" */
};

/* "server CA"; what it is for. */
const char *ca_subject(enum registry_authority which);
const char *ca_purpose(enum registry_authority which);

/* As it was set by `ca init`. */
void ca_keys_of(struct home *home, struct ca_keys *out);
int ca_keys_set(struct home *home, const struct ca_keys *keys);

/* Opens the key of an anchor of this kind, where there is one: a key that is made next is then
 * under the pass phrase that the others are under, and not under one that was mistyped. */
int ca_unlock(struct home *home, enum registry_authority which);

/* Stem and place of the key of the next anchor of this kind. */
void ca_place(struct home *home, const struct ca_keys *keys, struct registry_anchor *anchor);

/* Makes key, certificate and row of the next anchor of a kind, inside a transaction. `anchor` says
 * which and state; the rest is filled in, and freed with registry_anchors_free(). A key that is
 * there already, of a run that was cut off, is used. */
int ca_make(struct home *home, const struct ca_keys *keys, const char *name,
            struct registry_anchor *anchor);

/* Writes the authority's private key, encrypted or not. */
int ca_write_key(const char *path, EVP_PKEY *key, bool encrypt, enum files_when when);

/* Writes what the broker, or devices and users, know the anchors of this kind by; inside a
 * transaction. */
int ca_publish(struct home *home, enum registry_authority which);

/* True when a key file is encrypted. */
bool ca_key_is_encrypted(const char *path);

/* One JSON document with all authorities. */
int ca_json(struct home *home);

int ca_show(int argc, char **argv);
int ca_log(int argc, char **argv);
int ca_export(int argc, char **argv);
int ca_import(int argc, char **argv);
int ca_rotate(int argc, char **argv);
int ca_backup(int argc, char **argv);
int ca_restore(int argc, char **argv);

#endif
