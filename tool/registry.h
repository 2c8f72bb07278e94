/* SPDX-License-Identifier: MIT */
/*
 * registry.db: what was issued and revoked, and what the broker serves. SQLite in WAL mode; the
 * schema's number is PRAGMA user_version, and older ones are migrated when opened. An issuance is
 * one transaction that takes the write lock before it looks, so that two commands at once issue one
 * name once.
 *
 * Functions that change something print their error and give back an exit code.
 */
#ifndef TOOL_REGISTRY_H
#define TOOL_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x509.h"

struct sqlite3;

struct registry {
    struct sqlite3 *sqlite;
    bool inside; /* a transaction is open */
};

#define REGISTRY_NAME_MAX 40 /* a name of 32 letters, ".birth" or ".<n>", and NUL */
#define REGISTRY_TEXT_MAX 1024
#define REGISTRY_HASH_MAX 160

/* `create` makes the file and its tables; without it a missing file is EXIT_MISSING. */
int registry_open(struct registry *registry, const char *path, bool create);
void registry_close(struct registry *registry);

/* So long a command waits for another one's transaction, before it says that the registry is
 * locked; ten seconds where this is not called. */
void registry_patience(struct registry *registry, int wait_ms);

/* A consistent copy of the whole file, while others may go on; free with bytes_free(). */
int registry_snapshot(struct registry *registry, struct bytes *out);

/* Looks through all of it; EXIT_INPUT when it is damaged. */
int registry_check(struct registry *registry);

int registry_begin(struct registry *registry);
int registry_commit(struct registry *registry);
void registry_rollback(struct registry *registry); /* nothing when none is open */

/* ---- authorities ---- */

enum registry_authority { REGISTRY_SERVER, REGISTRY_DEVICE, REGISTRY_IDEVID, REGISTRY_AUTHORITIES };

const char *registry_authority_name(enum registry_authority which); /* "server", … */

/* One trust anchor. A kind has several while they are exchanged, or where one was imported:
 *   next     trusted, and issues nothing yet (the server CA's successor)
 *   active   issues
 *   old      trusted, issues nothing any more; what it issued is still revoked by it
 *   retired  kept for the record alone */
struct registry_anchor {
    int64_t id;
    enum registry_authority which;
    char state[8];
    char stem[32];               /* "ca/server", "ca/server.2": its files in the state directory */
    char key[REGISTRY_TEXT_MAX]; /* a path relative to the state directory, or a pkcs11: URI */
    int64_t created_s;
    X509 *certificate;
};
#define REGISTRY_ANCHORS_MAX 8 /* of a kind, those retired not counted */

/* which, state, stem, key and certificate are taken; `id` is set. */
int registry_anchor_add(struct registry *registry, struct registry_anchor *anchor);

/* Those that are not retired: active, next, old. Free them with registry_anchors_free(). */
size_t registry_anchors(struct registry *registry, enum registry_authority which,
                        struct registry_anchor at[REGISTRY_ANCHORS_MAX]);
void registry_anchors_free(struct registry_anchor *at, size_t count);
/* How many there have been, retired ones too. */
int64_t registry_anchor_count(struct registry *registry, enum registry_authority which);
int registry_anchor_state(struct registry *registry, int64_t id, const char *state);

/* The number of its last CRL, where others were made before. */
int registry_anchor_crl_number(struct registry *registry, int64_t id, int64_t number);

/* The certificate in force, NULL when there is none; free it. */
X509 *registry_authority(struct registry *registry, enum registry_authority which);

/* ---- devices and users: one namespace ---- */

struct registry_principal {
    char name[REGISTRY_NAME_MAX];
    char kind[8];   /* "device", "user" */
    char role[12];  /* "viewer", "operator", "admin", "agent", "keeper"; "" for a device */
    char state[12]; /* "active", "revoked" */
    int connections;
    bool homeassistant;
    int64_t created_s;
    int64_t not_after_s; /* of its newest operational certificate; 0 when none */
    char serial[X509_SERIAL_TEXT];
    char password[REGISTRY_HASH_MAX]; /* as mosquitto's password file has it; "" none */
    char mac[13];                     /* of the legacy front, 12 hexadecimal digits; "" off */
};

/* name, kind, role, connections and homeassistant are taken. */
int registry_principal_add(struct registry *registry, const struct registry_principal *principal);
bool registry_principal(struct registry *registry, const char *name,
                        struct registry_principal *out);

/* "" takes it away. */
int registry_principal_password(struct registry *registry, const char *name, const char *hash);
int registry_principal_mac(struct registry *registry, const char *name, const char *mac);

/* All of a kind, by name; `each` gives back false to stop. */
void registry_principals(struct registry *registry, const char *kind,
                         bool (*each)(void *user, const struct registry_principal *principal),
                         void *user);

/* ---- certificates ---- */

/* `kind`: "ca", "server", "ldevid", "idevid", "user"; `principal` NULL for ca and server, and for
 * an evictor. Inside the issuing transaction; a principal that was revoked is EXIT_EXISTS. */
int registry_certificate_add(struct registry *registry, enum registry_authority issuer,
                             const char *kind, const char *principal, X509 *certificate);
/* The same under any anchor. */
int registry_certificate_add_under(struct registry *registry, int64_t authority, const char *kind,
                                   const char *principal, X509 *certificate);

/* One that another authority has issued before it was imported; inside a transaction. */
struct registry_import {
    const char *serial, *kind, *principal, *common_name;
    X509 *certificate; /* NULL: it is not there, and dates are */
    int64_t not_after_s, revoked_s;
    const char *reason; /* NULL: it is not revoked */
};
int registry_certificate_import(struct registry *registry, int64_t authority,
                                const struct registry_import *row);

/* The newest certificate with this common name that is not revoked; NULL when none; free it. */
X509 *registry_certificate(struct registry *registry, const char *common_name);

/* True when a certificate over this key was issued for another common name. */
bool registry_key_is_known(struct registry *registry, const uint8_t pin[32],
                           const char *common_name, char owner[REGISTRY_NAME_MAX]);

/* What this key has a certificate for. */
struct registry_key_use {
    bool used, revoked, newest; /* newest: of all with that common name and kind "ldevid" */
    int64_t not_before_s, not_after_s;
    char common_name[REGISTRY_NAME_MAX];
    X509 *certificate; /* the last one over it; free it */
};
/* False when the registry cannot be read. */
bool registry_key_use(struct registry *registry, const uint8_t pin[32],
                      struct registry_key_use *out);

/* True when this operational certificate (the SHA-256 of its DER) is the principal's, neither
 * revoked nor expired, and its authority is still trusted. */
bool registry_in_force(struct registry *registry, const char *principal, const uint8_t sha256[32],
                       int64_t now_s);

/* When an authority has last issued something; 0 when never. */
int64_t registry_last_issued(struct registry *registry, int64_t authority);

/* How many of a principal's names have a certificate in force of another anchor of this kind than
 * `authority`, and none of that one. */
int64_t registry_holds_other(struct registry *registry, const char *principal,
                             enum registry_authority which, int64_t authority);

/* Revokes every unexpired certificate with this common name, or all of a principal. */
int registry_revoke_name(struct registry *registry, const char *common_name, const char *reason);
int registry_revoke_principal(struct registry *registry, const char *name, const char *reason);

/* A revoked name is given out again, to the same one. */
int registry_principal_restore(struct registry *registry, const char *name);

/* One certificate as the registry lists it. */
struct registry_certificate {
    char serial[X509_SERIAL_TEXT], kind[8], common_name[REGISTRY_NAME_MAX];
    int64_t not_before_s, not_after_s, issued_s, revoked_s; /* revoked_s 0: it is not */
};

/* All of a principal, oldest first. */
void registry_certificates(struct registry *registry, const char *principal,
                           void (*each)(void *user, const struct registry_certificate *row),
                           void *user);

int64_t registry_issued(struct registry *registry, int64_t authority);

/* The revoked, unexpired certificates of an anchor; free *out with free(). */
size_t registry_revoked(struct registry *registry, int64_t authority, int64_t now_s,
                        struct x509_revoked **out);

/* The number of the next CRL, counted up. */
int64_t registry_crl_number(struct registry *registry, int64_t authority);

/* ---- settings of the installation: "broker.host", "broker.port", … ---- */

int registry_set(struct registry *registry, const char *name, const char *value);
bool registry_get(struct registry *registry, const char *name, char value[REGISTRY_TEXT_MAX]);

/* One line in the log of the authority: what was done to whom. */
int registry_event(struct registry *registry, const char *what, const char *subject);

/* The log, oldest first; the last `most` lines. */
void registry_events(struct registry *registry, int64_t most,
                     void (*each)(void *user, int64_t at_s, const char *what, const char *subject),
                     void *user);

#endif
