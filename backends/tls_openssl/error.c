/* SPDX-License-Identifier: MIT */
#include "backends/tls_openssl/internal.h"

#include <openssl/err.h>

static enum th_error ssl_error(const struct th_openssl *tls, int reason)
{
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW: return TH_ERR_TLS_VERSION;
    case SSL_R_WRONG_CURVE:
    case SSL_R_UNSUPPORTED_ELLIPTIC_CURVE:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_BAD_KEY_SHARE:
    case SSL_R_WRONG_SIGNATURE_TYPE:
    case SSL_R_UNKNOWN_DIGEST: return TH_ERR_TLS_NO_SUITE;
    case SSL_R_BAD_SIGNATURE: return TH_ERR_TLS_BAD_PROOF;
    case SSL_R_DIGEST_CHECK_FAILED: return TH_ERR_TLS_BAD_FINISHED;
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
        return tls->config->fragment_length ? TH_ERR_MEMORY_RECORD : TH_ERR_TLS_BAD_RECORD;
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_RECORD_TOO_SMALL:
    case SSL_R_LENGTH_TOO_SHORT: return TH_ERR_TLS_BAD_RECORD;
    case SSL_R_NO_RENEGOTIATION: return TH_ERR_TLS_RENEGOTIATION;
    case SSL_R_BAD_EXTENSION: /* what it says of an application protocol that was not offered */
        return tls->config->alpn ? TH_ERR_TLS_ALPN : TH_ERR_TLS_PROTOCOL;
    case ERR_R_ASN1_LIB: return TH_ERR_TRUST_MALFORMED; /* nothing but certificates is ASN.1 */
    case ERR_R_EVP_LIB:
    case ERR_R_INTERNAL_ERROR: return TH_ERR_TLS_LIBRARY;
    case ERR_R_MALLOC_FAILURE: return TH_ERR_MEMORY_HANDSHAKE;
    default: return TH_ERR_TLS_PROTOCOL;
    }
}

/* The first of libssl itself: what stands before it is where in libcrypto it was found. */
static unsigned long first_error(void)
{
    unsigned long first = ERR_peek_error(), error = ERR_get_error();
    while (error && ERR_GET_LIB(error) != ERR_LIB_SSL)
        error = ERR_get_error();
    ERR_clear_error();
    return error ? error : first;
}

void th_openssl_explain(struct th_openssl *tls, struct th_failure *out)
{
    unsigned long error = first_error();
    int reason = ERR_GET_REASON(error);
    if (out->error != TH_OK) /* the judge of certificates has filled it */
        return;
    *out = th_failure_of(TH_OK);
    out->detail = reason;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
        reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
        struct th_tls_progress progress = {
            .asked = tls->asked,
            .presented = tls->asked && tls->config->identity,
            .done = tls->state == TH_STREAM_OPEN && SSL_version(tls->ssl) == TLS1_2_VERSION,
        };
        out->alert = (uint8_t)(reason - SSL_AD_REASON_OFFSET);
        out->error = th_tls_alert_error(out->alert, &progress);
        out->detail = 0;
    } else if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
        out->error = ssl_error(tls, reason);
    } else {
        out->error = TH_ERR_TLS_LIBRARY;
    }
}
