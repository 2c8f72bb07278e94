/* SPDX-License-Identifier: MIT */
#include <thimble/trust.h>

/*
 * Which of two failures tells a person more. The order, and why, is in docs/trust.md:
 *   0  our own configuration
 *   1  what is wrong with a certificate itself; it is the reason why no chain was found, too
 *   2  no chain to an anchor: nothing else in the certificate is proven, so it comes before …
 *   3  … which server, which purpose, which time
 *   4  everything that is not about a certificate
 */
static uint8_t rank_of(const struct th_failure *failure)
{
    switch (failure->error) {
    case TH_ERR_CONFIG:
    case TH_ERR_TRUST_NOTHING_CONFIGURED: return 0;
    case TH_ERR_TRUST_MALFORMED:
    case TH_ERR_TRUST_CHAIN_TOO_LONG:
    case TH_ERR_TRUST_CRITICAL_EXTENSION:
    case TH_ERR_TRUST_WEAK_KEY:
    case TH_ERR_TRUST_WEAK_HASH:
    case TH_ERR_TRUST_NOT_A_CA:
    case TH_ERR_TRUST_PATH_LENGTH:
    case TH_ERR_TRUST_KEY_USAGE:
    case TH_ERR_TRUST_NAME_CONSTRAINTS: return 1;
    case TH_ERR_TRUST_UNKNOWN_CA:
    case TH_ERR_TRUST_SELF_SIGNED:
    case TH_ERR_TRUST_SIGNATURE: return 2;
    case TH_ERR_SERVER_NAME_MISMATCH:
    case TH_ERR_SERVER_NAME_NO_SAN:
    case TH_ERR_TRUST_EKU:
    case TH_ERR_DATE_EXPIRED:
    case TH_ERR_DATE_NOT_YET:
    case TH_ERR_TRUST_PIN:
    case TH_ERR_TRUST_FINGERPRINT: return 3;
    default: return 4;
    }
}

const struct th_failure *th_trust_worse(const struct th_failure *policy,
                                        const struct th_failure *library)
{
    if (policy->error == TH_OK)
        return library;
    if (library->error == TH_OK)
        return policy;
    /* Of equals the policy's: it names the certificate. */
    return rank_of(library) < rank_of(policy) ? library : policy;
}
