/* SPDX-License-Identifier: MIT */
#include "trust/judge.h"

#include "trust/oid.h"

#define RSA_BITS_MIN 2048

enum th_error th_trust_judge_key(const struct th_x509 *x509)
{
    bool strong = false;
    switch (x509->key_algorithm) {
    case TH_OID_RSA:
    case TH_OID_RSA_PSS:
        strong = x509->key_bits >= RSA_BITS_MIN && (x509->flags & TH_X509_KEY_WEAK) == 0;
        break;
    case TH_OID_EC:
        /* Named curves alone: with explicit parameters the peer brings its own generator. */
        strong = x509->key_curve == TH_OID_P256 || x509->key_curve == TH_OID_P384 ||
                 x509->key_curve == TH_OID_P521;
        break;
    case TH_OID_ED25519:
    case TH_OID_ED448: strong = true; break;
    default: break;
    }
    return strong ? TH_OK : TH_ERR_TRUST_WEAK_KEY;
}

static enum th_error judge_hash(const struct th_x509 *x509)
{
    switch (x509->algorithm) {
    case TH_OID_RSA_SHA256:
    case TH_OID_RSA_SHA384:
    case TH_OID_RSA_SHA512:
    case TH_OID_ECDSA_SHA256:
    case TH_OID_ECDSA_SHA384:
    case TH_OID_ECDSA_SHA512:
    case TH_OID_ED25519:
    case TH_OID_ED448: return TH_OK;
    case TH_OID_RSA_PSS: /* its hash is SHA-1 where none is named (RFC 4055 §3.1) */
        return x509->pss_hash[0] != TH_OID_UNKNOWN ? TH_OK : TH_ERR_TRUST_WEAK_HASH;
    default: return TH_ERR_TRUST_WEAK_HASH;
    }
}

static bool lacks_usage(const struct th_x509 *x509, uint16_t usage)
{
    return (x509->extensions & TH_X509_HAS_KEY_USAGE) != 0 && (x509->key_usage & usage) == 0;
}

/* Without the extension every purpose is allowed; with it, anyExtendedKeyUsage is not enough. */
static bool lacks_purpose(const struct th_x509 *x509)
{
    return (x509->extensions & TH_X509_HAS_EXTENDED_KEY_USAGE) != 0 &&
           (x509->flags & TH_X509_SERVER_AUTH) == 0;
}

enum th_error th_trust_judge_server(const struct th_x509 *x509)
{
    if (x509->flags & TH_X509_UNKNOWN_CRITICAL)
        return TH_ERR_TRUST_CRITICAL_EXTENSION;
    if ((x509->extensions & TH_X509_HAS_SUBJECT_ALT_NAME) == 0)
        return TH_ERR_SERVER_NAME_NO_SAN;
    if ((x509->flags & TH_X509_NAME_MATCHES) == 0)
        return TH_ERR_SERVER_NAME_MISMATCH;
    if (lacks_purpose(x509))
        return TH_ERR_TRUST_EKU;
    if (lacks_usage(x509, TH_X509_DIGITAL_SIGNATURE))
        return TH_ERR_TRUST_KEY_USAGE;
    if (th_trust_judge_key(x509) != TH_OK)
        return TH_ERR_TRUST_WEAK_KEY;
    return judge_hash(x509);
}

/* RFC 5280 §6.1.4 (g), for the one name that matters: the one we connect to. A critical constraint
 * of another form might exclude it in a way not seen here, so it refuses. */
static bool breaks_constraints(const struct th_x509 *x509)
{
    uint16_t flags = x509->flags;
    if ((flags & TH_X509_CONSTRAINTS_CRITICAL) && (flags & TH_X509_CONSTRAINTS_OTHER))
        return true;
    if (flags & TH_X509_EXCLUDES_OURS)
        return true;
    return (flags & TH_X509_PERMITS_SOME) && !(flags & TH_X509_PERMITS_OURS);
}

enum th_error th_trust_judge_ca(const struct th_x509 *x509, uint8_t below, bool is_anchor)
{
    if (x509->flags & TH_X509_UNKNOWN_CRITICAL)
        return TH_ERR_TRUST_CRITICAL_EXTENSION;
    if ((x509->flags & TH_X509_CA) == 0)
        return TH_ERR_TRUST_NOT_A_CA;
    if (x509->path_length != TH_X509_NO_PATH_LENGTH && below > x509->path_length)
        return TH_ERR_TRUST_PATH_LENGTH;
    if (lacks_usage(x509, TH_X509_KEY_CERT_SIGN))
        return TH_ERR_TRUST_KEY_USAGE;
    if (lacks_purpose(x509))
        return TH_ERR_TRUST_EKU;
    if (breaks_constraints(x509))
        return TH_ERR_TRUST_NAME_CONSTRAINTS;
    if (th_trust_judge_key(x509) != TH_OK)
        return TH_ERR_TRUST_WEAK_KEY;
    return is_anchor ? TH_OK : judge_hash(x509);
}
