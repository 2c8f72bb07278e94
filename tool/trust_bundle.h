/* SPDX-License-Identifier: MIT */
/*
 * A trust bundle: a manifest of component trust, and behind it the trust set it announces
 * (docs/manifest.md). Functions that give back an exit code have printed their error.
 */
#ifndef TOOL_TRUST_BUNDLE_H
#define TOOL_TRUST_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/trust_set.h>

#include "home.h"
#include "options.h"
#include "trust_key.h"

#define TRUST_BUNDLE_MAX (TH_MANIFEST_BYTES + TH_TRUST_SET_MAX)
#define TRUST_PRODUCT    "thimble" /* where nothing else is said */

/* What goes into a set besides, or instead of, what the state directory knows. */
struct trust_order {
    struct words anchors; /* files, besides the server CA */
    struct words pins;    /* SHA-256 of a SubjectPublicKeyInfo in hexadecimal */
    struct words brokers; /* host:port, in the order they are tried; none: the one of broker init */
    struct words recovery; /* the same for recovery listeners */
    struct words without;  /* names of update keys that are left out */
};

struct trust_set {
    uint8_t at[TH_TRUST_SET_MAX];
    size_t len;
};

/* The set: server CA and further anchors, pins, brokers, recovery brokers, the update keys in
 * update/, and the roles of the users. It is one that devices take. */
int trust_bundle_set(struct home *home, const struct trust_order *order, struct trust_set *set);

struct trust_release {
    const char *product;
    uint32_t sequence, epoch;
    uint16_t hardware_min, hardware_max;
    bool development;
    int64_t time_s;
};

/* Manifest and set into `bundle`; gives back its length in *len. */
int trust_bundle_sign(const struct trust_release *release, const struct trust_set *set,
                      EVP_PKEY *key, const struct trust_key *signer,
                      uint8_t bundle[TRUST_BUNDLE_MAX], size_t *len);

/* SHA-256 of the list of the blocks' SHA-256. */
void trust_bundle_blocks(const uint8_t *content, size_t len, uint32_t block_size,
                         uint8_t digest[TH_SHA256_BYTES]);

#endif
