/* SPDX-License-Identifier: MIT */
/* The object identifiers the policy knows. */
#ifndef TH_TRUST_OID_H
#define TH_TRUST_OID_H

#include <thimble/span.h>

enum th_oid {
    TH_OID_UNKNOWN,
    /* signatures */
    TH_OID_RSA_SHA256,
    TH_OID_RSA_SHA384,
    TH_OID_RSA_SHA512,
    TH_OID_RSA_PSS, /* a key's too */
    TH_OID_ECDSA_SHA256,
    TH_OID_ECDSA_SHA384,
    TH_OID_ECDSA_SHA512,
    TH_OID_ED25519, /* keys too */
    TH_OID_ED448,
    /* keys and curves */
    TH_OID_RSA,
    TH_OID_EC,
    TH_OID_P256,
    TH_OID_P384,
    TH_OID_P521,
    /* hashes */
    TH_OID_SHA256,
    TH_OID_SHA384,
    TH_OID_SHA512,
    /* extensions */
    TH_OID_BASIC_CONSTRAINTS,
    TH_OID_KEY_USAGE,
    TH_OID_EXTENDED_KEY_USAGE,
    TH_OID_SUBJECT_ALT_NAME,
    TH_OID_NAME_CONSTRAINTS,
    /* the rest */
    TH_OID_COMMON_NAME,
    TH_OID_SERVER_AUTH,
};

enum th_oid th_oid_of(struct th_span contents);

#endif
