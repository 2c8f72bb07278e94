/* SPDX-License-Identifier: MIT */
/*
 * The manifest: what an update says of itself, signed (ECDSA P-256 over SHA-256) by an update key
 * that is no CA. One format for firmware, for the co-processor's image and for trust bundles.
 * Bit-exact layout: docs/manifest.md. Requirements O1–O8, O15, O16, I6.
 */
#ifndef THIMBLE_MANIFEST_H
#define THIMBLE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/crypto.h>
#include <thimble/error.h>
#include <thimble/span.h>

#define TH_MANIFEST_BYTES   256
#define TH_MANIFEST_PRODUCT 32 /* bytes, without NUL */
#define TH_KEY_ID_BYTES     8

enum th_component {
    TH_COMPONENT_FIRMWARE = 1,
    TH_COMPONENT_COPROC = 2,
    TH_COMPONENT_TRUST = 3,
};

struct th_manifest {
    uint8_t component; /* enum th_component */
    bool development;  /* signed for the bench: release builds refuse it (O15) */
    uint32_t sequence; /* grows with each release of the component (O3) */
    uint32_t epoch;    /* security epoch (O4) */
    int64_t time_s;    /* when it was signed: raises the clock's floor */
    char product[TH_MANIFEST_PRODUCT + 1];
    uint16_t hardware_min, hardware_max; /* revisions it is for, both included (O2) */
    uint32_t size;                       /* of the content in bytes (O7) */
    uint32_t block_size;                 /* a power of two, 256..65536; the last may be shorter */
    uint8_t sha256[TH_SHA256_BYTES];     /* of the content */
    uint8_t blocks[TH_SHA256_BYTES];     /* SHA-256 of the list of the blocks' SHA-256 */
    bool delta;                          /* the content is a patch to `base` (O8) */
    uint8_t base[TH_SHA256_BYTES];
    uint8_t key_id[TH_KEY_ID_BYTES]; /* of the signer */
};

/* What the device is and has; a manifest is judged against it. */
struct th_manifest_rules {
    const char *product;
    uint16_t hardware;
    uint32_t sequence; /* of the component in force; a manifest must be above it */
    uint32_t epoch;    /* of the newest confirmed one; not below it */
    bool allow_development;
};

/* A key that may sign, and for what. */
struct th_update_key {
    uint8_t point[TH_P256_POINT];
    uint8_t components; /* bit 1 << th_component */
    bool development;
};

/* Checks the form and copies the fields; nothing is believed yet. TH_ERR_UPDATE_FORMAT. */
enum th_error th_manifest_decode(const uint8_t bytes[TH_MANIFEST_BYTES], struct th_manifest *out);

/* Writes the fields without a signature. INVALID where a field breaks a rule above. */
enum th_error th_manifest_encode(const struct th_manifest *manifest,
                                 uint8_t bytes[TH_MANIFEST_BYTES]);

/* The digest that is signed. */
void th_manifest_digest(const struct th_hash_ops *sha256, const uint8_t bytes[TH_MANIFEST_BYTES],
                        uint8_t digest[TH_SHA256_BYTES]);

/* Puts the signature of `digest` into its place. */
void th_manifest_sign(uint8_t bytes[TH_MANIFEST_BYTES], const uint8_t signature[TH_P256_SIGNATURE]);

/* The first 8 bytes of the SHA-256 of a key's point. */
void th_key_id(const struct th_hash_ops *sha256, const uint8_t point[TH_P256_POINT],
               uint8_t id[TH_KEY_ID_BYTES]);

/*
 * The whole judgement, in this order, so that nothing unsigned is acted on: form, signer,
 * signature, then the rules. Errors: UPDATE_FORMAT, UPDATE_KEY (no such key, or not for this
 * component), UPDATE_SIGNATURE, UPDATE_DEVELOPMENT, UPDATE_PRODUCT, UPDATE_HARDWARE, UPDATE_OLD
 * (sequence), UPDATE_EPOCH.
 */
enum th_error th_manifest_verify(const uint8_t bytes[TH_MANIFEST_BYTES],
                                 const struct th_update_key *keys, size_t key_count,
                                 const struct th_manifest_rules *rules,
                                 const struct th_crypto *crypto, struct th_manifest *out);

#endif
