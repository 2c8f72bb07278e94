/* SPDX-License-Identifier: MIT */
/* The fields of a running check: visible for their size, private to src/trust. Included by
 * trust.h. */
#ifndef THIMBLE_TRUST_CHECK_H
#define THIMBLE_TRUST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/der.h>
#include <thimble/failure.h>

/* The name we connect to. */
struct th_trust_name {
    const char *text;
    uint16_t len;   /* without a final dot */
    uint8_t ip_len; /* 4 or 16 when it is an address literal, else 0 */
    uint8_t ip[16];
};

/* One name of a certificate against ours, character by character. */
struct th_trust_match {
    uint16_t at;
    uint8_t state;
};

#define TH_X509_TOKEN 16

/* One certificate as it goes by: the reader, and what is kept of what it has read. */
struct th_x509 {
    struct th_der der;
    uint8_t kind[TH_DER_DEPTH], step[TH_DER_DEPTH]; /* of each open container */
    uint8_t taken;                                  /* kind of the element being taken */
    uint8_t token_len, token[TH_X509_TOKEN];
    uint8_t hashing; /* kind of the part whose digest is being made, 0 when none */
    bool bad;
    const struct th_trust_name *name;
    const struct th_hash_ops *sha256;
    union th_hash_state *part;
    struct th_trust_match match;
    uint8_t attribute, extension;       /* the one being read */
    uint8_t inner_algorithm, algorithm; /* signature: in the signed part, and outside */
    uint8_t pss_hash[2];
    uint8_t key_algorithm, key_curve;
    uint16_t key_bits;
    uint16_t key_usage;
    uint8_t extensions; /* seen: a bit for each that is understood */
    uint8_t path_length;
    uint16_t flags;
    int64_t not_before_s, not_after_s;
    char subject[TH_FAILURE_NAME_MAX], issuer[TH_FAILURE_NAME_MAX];
    uint8_t issuer_digest[32], subject_digest[32], spki_digest[32];
};

struct th_trust_check {
    const struct th_trust *trust;
    const struct th_hashes *hashes;
    struct th_trust_name name;
    struct th_x509 x509;
    union th_hash_state part, whole;
    uint8_t role;          /* of the certificate being fed */
    uint8_t count;         /* certificates of the chain that were read */
    uint8_t intermediates; /* CAs among them that are not self-issued (RFC 5280 §6.1.4 l) */
    bool last_counted;     /* the last one is among those */
    bool linked;           /* each was issued by the next, so far */
    bool self_issued;      /* the last one */
    bool anchored, pinned;
    union {
        union th_hash_state sha1; /* of the server's certificate, the first, while it is fed */
        struct {
            uint8_t issuer_digest[32], subject_digest[32], spki_digest[32]; /* of the last */
        };
    };
    uint8_t whole_digest[32]; /* the last */
    char issuer[TH_FAILURE_NAME_MAX], subject[TH_FAILURE_NAME_MAX];
    struct th_failure failure;
    struct th_trust_summary summary;
};

#endif
