/* SPDX-License-Identifier: MIT */
/*
 * The server's certificates: OpenSSL builds the path and checks its signatures, src/trust judges
 * the certificates of that path. Dates, purposes, key and hash strength, name constraints, critical
 * extensions and server names are the policy's alone, as over every backend.
 */
#include "backends/tls_openssl/internal.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string.h>

X509 *th_openssl_certificate(struct th_span der)
{
    const unsigned char *at = der.at;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate && at != der.at + der.len) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

enum th_error th_openssl_anchors(struct th_openssl *tls)
{
    const struct th_trust *trust = tls->config->trust;
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return TH_ERR_MEMORY_HANDSHAKE;
    SSL_set0_verify_cert_store(tls->ssl, store);
    if (trust->mode != TH_TRUST_ANCHORS)
        return TH_OK;
    for (uint8_t i = 0; i < trust->anchor_count; i++) {
        X509 *anchor = th_openssl_certificate(trust->anchors[i]);
        bool added = anchor && X509_STORE_add_cert(store, anchor);
        X509_free(anchor);
        if (!added)
            return TH_ERR_CERT_MALFORMED;
    }
    return TH_OK;
}

/* ---- what the library says ---- */

/* TH_OK for what is the policy's affair. */
static enum th_error library_error(int error)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED: return TH_ERR_TRUST_UNKNOWN_CA;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return TH_ERR_TRUST_SELF_SIGNED;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
    case X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH: return TH_ERR_TRUST_SIGNATURE;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: return TH_ERR_TRUST_CHAIN_TOO_LONG;
    case X509_V_ERR_INVALID_CA: return TH_ERR_TRUST_NOT_A_CA;
    case X509_V_ERR_PATH_LENGTH_EXCEEDED: return TH_ERR_TRUST_PATH_LENGTH;
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN: return TH_ERR_TRUST_KEY_USAGE;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
    case X509_V_ERR_NO_EXPLICIT_POLICY: return TH_OK;
    case X509_V_ERR_OUT_OF_MEM: return TH_ERR_MEMORY_HANDSHAKE;
    default: return TH_ERR_TRUST_MALFORMED;
    }
}

static struct th_openssl *tls_of(X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    return SSL_get_app_data(ssl);
}

/* Every objection passes here; the first that counts is kept, and the walk goes on. */
static int note(int good, X509_STORE_CTX *store)
{
    struct th_failure *failure = &tls_of(store)->failure;
    if (good || failure->error != TH_OK)
        return 1;
    int error = X509_STORE_CTX_get_error(store);
    failure->error = library_error(error);
    if (failure->error != TH_OK) {
        failure->detail = error;
        failure->depth = (uint8_t)X509_STORE_CTX_get_error_depth(store);
    }
    return 1;
}

static struct th_failure library_verdict(struct th_openssl *tls, X509_STORE_CTX *store)
{
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(store);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_ANY);
    X509_VERIFY_PARAM_set_auth_level(parameters, 0);
    X509_STORE_CTX_set_verify_cb(store, note);
    tls->failure = th_failure_of(TH_OK);
    int result = X509_verify_cert(store);
    struct th_failure verdict = tls->failure;
    if (result <= 0 && verdict.error == TH_OK)
        verdict = th_failure_of(TH_ERR_TRUST_MALFORMED);
    tls->failure = th_failure_of(TH_OK);
    return verdict;
}

/* ---- what the policy says ---- */

static bool feed(struct th_trust_check *check, X509 *certificate, bool as_anchor)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    if (len <= 0)
        return false;
    if (as_anchor) {
        th_trust_anchor(check, th_span_of(der, (size_t)len));
    } else {
        th_trust_certificate(check, (size_t)len);
        th_trust_feed(check, der, (size_t)len);
        th_trust_certificate_end(check);
    }
    OPENSSL_free(der);
    return true;
}

/* A path was found, even if OpenSSL has an objection to it that is the policy's affair too. */
static bool has_path(const struct th_failure *library)
{
    switch (library->error) {
    case TH_OK:
    case TH_ERR_TRUST_NOT_A_CA:
    case TH_ERR_TRUST_PATH_LENGTH: return true;
    default: return false;
    }
}

/* A path that was found, its last certificate as the anchor; else what the server sent, to learn
 * what is wrong with it. Where no path is wanted only the server's own. */
static bool feed_all(struct th_trust_check *check, X509_STORE_CTX *store, bool wanted, bool found)
{
    STACK_OF(X509) *chain =
        found ? X509_STORE_CTX_get0_chain(store) : X509_STORE_CTX_get0_untrusted(store);
    int count = wanted ? sk_X509_num(chain) : 1;
    bool good = feed(check, X509_STORE_CTX_get0_cert(store), false);
    for (int i = 1; good && i < count; i++) {
        if (!found || i < count - 1)
            good = feed(check, sk_X509_value(chain, i), false);
    }
    if (good && found)
        good = feed(check, sk_X509_value(chain, count - 1), true);
    return good;
}

/* What makes OpenSSL send the alert we want. */
static int alert_error(enum th_error error)
{
    switch (th_tls_refusal_alert(error)) {
    case SSL_AD_CERTIFICATE_EXPIRED: return X509_V_ERR_CERT_HAS_EXPIRED;
    case SSL_AD_UNKNOWN_CA: return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    default: return X509_V_ERR_CERT_REJECTED;
    }
}

int th_openssl_judge(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    struct th_openssl *tls = tls_of(store);
    const struct th_trust *trust = tls->config->trust;
    struct th_trust_check check;
    struct th_failure library = th_failure_of(TH_OK), policy = th_failure_of(TH_OK);
    bool anchored = trust->mode == TH_TRUST_ANCHORS;
    if (anchored)
        library = library_verdict(tls, store);
    th_trust_begin(&check, trust, &th_openssl_hashes, tls->server_name);
    if (!feed_all(&check, store, anchored, anchored && has_path(&library)))
        library = th_failure_of(TH_ERR_MEMORY_HANDSHAKE);
    th_trust_explain(&check, &library);
    th_trust_end(&check, &policy);
    if (policy.error == TH_OK && library.error == TH_OK) {
        tls->server = *th_trust_result(&check);
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    tls->failure = *th_trust_worse(&policy, &library);
    X509_STORE_CTX_set_error(store, alert_error(tls->failure.error));
    return 0;
}
