/* SPDX-License-Identifier: MIT */
/* One X.509 certificate, read as it arrives: what the policy judges is left in the struct. */
#ifndef TH_TRUST_X509_H
#define TH_TRUST_X509_H

#include <thimble/trust.h>

#define TH_X509_NO_PATH_LENGTH 0xFF

/* th_x509.flags */
enum {
    TH_X509_V3 = 1 << 0,
    TH_X509_CA = 1 << 1,
    TH_X509_SERVER_AUTH = 1 << 2,      /* its extended key usage names serverAuth */
    TH_X509_NAME_MATCHES = 1 << 3,     /* a subjectAltName is the name we connect to */
    TH_X509_UNKNOWN_CRITICAL = 1 << 4, /* a critical extension that is not judged here */
    TH_X509_CONSTRAINTS_CRITICAL = 1 << 5,
    TH_X509_PERMITS_SOME = 1 << 6, /* constraints permit names of our name's form … */
    TH_X509_PERMITS_OURS = 1 << 7, /* … and ours is among them */
    TH_X509_EXCLUDES_OURS = 1 << 8,
    TH_X509_CONSTRAINTS_OTHER = 1 << 9, /* constraints of a form that is not judged here */
    TH_X509_EXCLUDING = 1 << 10,        /* while reading: within excludedSubtrees */
    TH_X509_CRITICAL = 1 << 11,         /* while reading: this extension is critical */
    TH_X509_KEY_WEAK = 1 << 12,         /* an exponent below 3 */
    TH_X509_EXTENDED = 1 << 13,         /* it has extensions, known ones or not */
};

/* th_x509.extensions */
enum {
    TH_X509_HAS_BASIC_CONSTRAINTS = 1 << 0,
    TH_X509_HAS_KEY_USAGE = 1 << 1,
    TH_X509_HAS_EXTENDED_KEY_USAGE = 1 << 2,
    TH_X509_HAS_SUBJECT_ALT_NAME = 1 << 3,
    TH_X509_HAS_NAME_CONSTRAINTS = 1 << 4,
};

/* th_x509.key_usage: the first octet of the BIT STRING in the low byte (RFC 5280 §4.2.1.3). */
#define TH_X509_DIGITAL_SIGNATURE 0x80
#define TH_X509_KEY_CERT_SIGN     0x04

/* `name`, `sha256` and `part` (a state for it) live until the end of the certificate. */
void th_x509_begin(struct th_x509 *x509, size_t len, const struct th_trust_name *name,
                   const struct th_hash_ops *sha256, union th_hash_state *part);

void th_x509_feed(struct th_x509 *x509, struct th_span piece);

/* True when a whole certificate was read, and nothing else. */
bool th_x509_end(struct th_x509 *x509);

#endif
