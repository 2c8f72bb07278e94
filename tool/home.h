/* SPDX-License-Identifier: MIT */
/*
 * The state directory, 0700:
 *   registry.db                           everything issued and revoked
 *   ca/{server,device,idevid}.{key,crt}   the authorities; device.2.key and so on: successors
 *   broker/                               one directory that mosquitto runs from
 *   devices/<name>/  users/<name>/        what each of them needs, and nothing else
 */
#ifndef TOOL_HOME_H
#define TOOL_HOME_H

#include "files.h"
#include "registry.h"

#define HOME_CLOCK_SLACK_S 600 /* certificates begin this much earlier: clocks differ */
#define HOME_KEYS_MAX      (REGISTRY_AUTHORITIES * REGISTRY_ANCHORS_MAX)
#define HOME_DAY_S         INT64_C(86400)

struct home {
    char dir[768];  /* absolute */
    char flag[780]; /* " --dir DIR" where it was given so, for the next commands to type; else "" */
    struct registry registry;
    int lock; /* -1: none */
    /* Authorities' keys that were opened: a pass phrase is asked for once. */
    struct home_key {
        int64_t anchor;
        EVP_PKEY *key;
    } keys[HOME_KEYS_MAX];
    size_t key_count;
};

/* `dir` NULL: $THIMBLE_HOME, or ~/.thimble. `create` makes it. Prints its error. */
int home_open(struct home *home, const char *dir, bool create);
void home_close(struct home *home);

/* Where it would be: `dir`, $THIMBLE_HOME or ~/.thimble. */
struct path home_choose(const char *dir);

/* Finds the directory alone, without a registry; for commands that only read a client's files. */
int home_find(struct home *home, const char *dir);

/* True when there is such a directory; says nothing. */
bool home_exists(const char *dir);

/* Waits for other commands that are issuing over this directory, and keeps further ones waiting
 * until home_close(): registry and files change together. */
int home_lock(struct home *home);

/* The same without waiting: false, and nothing printed, when another command has it, or the lock
 * cannot be opened. For those that run on. */
bool home_lock_now(struct home *home);
void home_unlock(struct home *home);

struct path home_path(const struct home *home, const char *relative);

/* Where an anchor's certificate is (beside its key, where that is a file), and its key: a path, or
 * a pkcs11: URI. */
struct path home_anchor_path(const struct home *home, const struct registry_anchor *anchor);
struct path home_anchor_key(const struct home *home, const struct registry_anchor *anchor);

/* All anchors of a kind in one file, PEM: what peers know it by. */
int home_write_anchors(struct home *home, enum registry_authority which, const char *path);

/* An authority's certificate and private key, for issuing; EXIT_MISSING says what to do. */
struct home_issuer {
    X509 *certificate;
    EVP_PKEY *key;
};

int home_issuer(struct home *home, enum registry_authority which, struct home_issuer *out);

/* The same of an anchor that need not be the active one, and may have expired. */
int home_anchor_issuer(struct home *home, const struct registry_anchor *anchor,
                       struct home_issuer *out);
void home_issuer_free(struct home_issuer *issuer);

#endif
