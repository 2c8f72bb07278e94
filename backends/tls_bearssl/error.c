/* SPDX-License-Identifier: MIT */
#include "backends/tls_bearssl/internal.h"

enum th_error th_bearssl_x509_error(int error)
{
    switch (error) {
    case 0:
    case BR_ERR_X509_OK: return TH_OK;
    case BR_ERR_X509_EMPTY_CHAIN: return TH_ERR_TLS_PROTOCOL;
    case BR_ERR_X509_BAD_SIGNATURE:
    case BR_ERR_X509_WRONG_KEY_TYPE: return TH_ERR_TRUST_SIGNATURE;
    case BR_ERR_X509_NOT_CA: return TH_ERR_TRUST_NOT_A_CA;
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE: return TH_ERR_TRUST_KEY_USAGE;
    case BR_ERR_X509_WEAK_PUBLIC_KEY: return TH_ERR_TRUST_WEAK_KEY;
    case BR_ERR_X509_DN_MISMATCH: /* the next certificate is not the issuer of this one */
    case BR_ERR_X509_NOT_TRUSTED: return TH_ERR_TRUST_UNKNOWN_CA;
    default: return TH_ERR_TRUST_MALFORMED;
    }
}

static enum th_error tls_error(const struct th_bearssl *tls, int error)
{
    const struct th_bearssl_handshake *handshake = tls->handshake;
    switch (error) {
    case BR_ERR_UNSUPPORTED_VERSION: return TH_ERR_TLS_VERSION;
    case BR_ERR_BAD_VERSION:
    case BR_ERR_BAD_LENGTH:
    case BR_ERR_BAD_MAC: return TH_ERR_TLS_BAD_RECORD;
    case BR_ERR_TOO_LARGE: return TH_ERR_MEMORY_RECORD;
    case BR_ERR_NO_RANDOM: return TH_ERR_TLS_ENTROPY;
    case BR_ERR_BAD_FINISHED: return TH_ERR_TLS_BAD_FINISHED;
    case BR_ERR_BAD_SIGNATURE: return TH_ERR_TLS_BAD_PROOF;
    case BR_ERR_WRONG_KEY_USAGE: return TH_ERR_TRUST_KEY_USAGE;
    case BR_ERR_INVALID_ALGORITHM:
        return handshake && handshake->sign_failed ? TH_ERR_TLS_LIBRARY : TH_ERR_TLS_NO_SUITE;
    case BR_ERR_BAD_STATE:
    case BR_ERR_IO: return TH_ERR_TLS_LIBRARY;
    default: return TH_ERR_TLS_PROTOCOL;
    }
}

static void alert_received(const struct th_bearssl *tls, uint8_t alert, struct th_failure *out)
{
    struct th_tls_progress progress = {
        .asked = tls->asked,
        .presented = tls->presented,
        .done = tls->state == TH_STREAM_OPEN,
    };
    out->alert = alert;
    out->error = th_tls_alert_error(alert, &progress);
    /* A server too old for us may speak of suites instead, in a record of its own version. */
    if (out->error == TH_ERR_TLS_NO_SUITE && tls->head[2] < 3)
        out->error = TH_ERR_TLS_VERSION;
}

void th_bearssl_explain(const struct th_bearssl *tls, int error, struct th_failure *out)
{
    if (out->error != TH_OK) /* the judge of certificates has filled it */
        return;
    *out = th_failure_of(TH_OK);
    if (error >= BR_ERR_RECV_FATAL_ALERT && error < BR_ERR_SEND_FATAL_ALERT) {
        alert_received(tls, (uint8_t)(error - BR_ERR_RECV_FATAL_ALERT), out);
        return;
    }
    bool x509 = error > BR_ERR_X509_OK && error <= BR_ERR_X509_NOT_TRUSTED;
    out->error = x509 ? th_bearssl_x509_error(error) : tls_error(tls, error);
    out->detail = error;
    if (error == BR_ERR_TOO_LARGE)
        out->detail = tls->in[3] << 8 | tls->in[4];
}
