/* SPDX-License-Identifier: MIT */
/*
 * The trust set: everything a device believes in, in one piece. It travels as the content of a
 * signed, sequenced manifest (component trust), is tried like every change, and replaces the old
 * one whole. Bit-exact layout: docs/manifest.md, chapter "Trust set". Requirements I6, O16.
 */
#ifndef THIMBLE_TRUST_SET_H
#define THIMBLE_TRUST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/error.h>
#include <thimble/manifest.h>
#include <thimble/span.h>

#define TH_TRUST_SET_MAX  8192 /* bytes */
#define TH_CALLER_MAX     32   /* bytes of a caller's name */
#define TH_TRUST_HOST_MAX 128

enum th_trust_item_kind {
    TH_ITEM_ANCHOR = 1,      /* `bytes`: a DER certificate */
    TH_ITEM_PIN = 2,         /* `bytes`: 32, SHA-256 of a SubjectPublicKeyInfo */
    TH_ITEM_FINGERPRINT = 3, /* `bytes`: 32, SHA-256 of the broker's certificate */
    TH_ITEM_BROKER = 4,      /* `bytes`: host, `port`; in the order they are tried */
    TH_ITEM_RECOVERY = 5,    /* the same, for the listener that takes the IDevID alone */
    TH_ITEM_UPDATE_KEY = 6,  /* `key` */
    TH_ITEM_ROLE = 7,        /* `bytes`: a caller's name, `role` */
};

enum th_role {
    TH_ROLE_NONE,
    TH_ROLE_VIEWER,
    TH_ROLE_OPERATOR,
    TH_ROLE_ADMIN,
    TH_ROLE_AGENT,
    TH_ROLE_LOCAL, /* on the spot, the set-up code proved: in no trust set */
};

struct th_trust_item {
    enum th_trust_item_kind kind;
    struct th_span bytes;
    uint16_t port;
    enum th_role role;
    struct th_update_key key;
};

/* The whole set, so that reading it later cannot fail: known items have their form, there is at
 * least one anchor, pin or fingerprint, one broker, one update key that may sign trust, no caller
 * has two roles, and nothing is demanded that this version does not know. TH_ERR_TRUST_SET_FORMAT.
 */
enum th_error th_trust_set_check(struct th_span set);

/* Walks a checked set: `*at` 0 begins; false at its end. Items of an unknown kind are passed over.
 * The item points into the set. */
bool th_trust_set_next(struct th_span set, size_t *at, struct th_trust_item *out);

/* The n-th item of that kind, from 0. */
bool th_trust_set_item(struct th_span set, enum th_trust_item_kind kind, size_t n,
                       struct th_trust_item *out);

/* NONE for a caller the set does not name. */
enum th_role th_trust_set_role(struct th_span set, struct th_span caller);

/* Appends an item to a set under construction: `*len` 0 begins. TOO_LARGE, INVALID. */
enum th_error th_trust_set_add(uint8_t *set, size_t room, size_t *len,
                               const struct th_trust_item *item);

#endif
