/* SPDX-License-Identifier: MIT */
/* What an X.509 certificate is made of (RFC 5280 §4.1), as a table: which element may stand where,
 * and what is done with it. */
#ifndef TH_TRUST_X509_GRAMMAR_H
#define TH_TRUST_X509_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

enum th_x509_kind {
    X_NONE,
    X_FILE,
    X_CERTIFICATE,
    X_SIGNED,
    X_VERSION,
    X_VERSION_NUMBER,
    X_SERIAL,
    X_INNER_ALGORITHM,
    X_OUTER_ALGORITHM,
    X_ALGORITHM_OID,
    X_PSS,
    X_PSS_HASH,
    X_PSS_HASH_ALGORITHM,
    X_PSS_HASH_OID,
    X_ISSUER,
    X_SUBJECT,
    X_RELATIVE_NAME,
    X_ATTRIBUTE,
    X_ATTRIBUTE_OID,
    X_ATTRIBUTE_VALUE,
    X_VALIDITY,
    X_NOT_BEFORE,
    X_NOT_AFTER,
    X_SPKI,
    X_KEY_ALGORITHM,
    X_KEY_OID,
    X_KEY_CURVE,
    X_KEY_BITS,
    X_RSA_KEY,
    X_RSA_MODULUS,
    X_RSA_EXPONENT,
    X_EXTENSIONS_TAG,
    X_EXTENSIONS,
    X_EXTENSION,
    X_EXTENSION_OID,
    X_EXTENSION_CRITICAL,
    X_EXTENSION_VALUE,
    X_BASIC_VALUE, /* from here the contents of X_EXTENSION_VALUE, as th_oid orders extensions */
    X_USAGE_VALUE,
    X_EXTENDED_VALUE,
    X_ALT_NAME_VALUE,
    X_CONSTRAINTS_VALUE,
    X_BASIC,
    X_BASIC_CA,
    X_BASIC_PATH_LENGTH,
    X_USAGE,
    X_EXTENDED,
    X_EXTENDED_OID,
    X_ALT_NAME,
    X_ALT_DNS,
    X_ALT_IP,
    X_CONSTRAINTS,
    X_PERMITTED,
    X_EXCLUDED,
    X_SUBTREE,
    X_SUBTREE_DNS,
    X_SUBTREE_IP,
    X_SUBTREE_OTHER,
    X_IGNORED,
};

enum th_x509_action {
    X_SKIP,
    X_TAKE,
    X_ENTER,
    X_HASH_AND_ENTER,
    X_ENTER_BITS, /* a BIT STRING that wraps DER */
};

struct th_x509_rule {
    uint8_t parent, step, tag, kind, action, next_step;
};

/* The rule for an element with this tag as the next child of `parent`, NULL when none may stand
 * there. */
const struct th_x509_rule *th_x509_rule(uint8_t parent, uint8_t step, uint8_t tag);

/* Nothing that must be there is missing when this container ends at this step. */
bool th_x509_complete(uint8_t kind, uint8_t step);

#endif
