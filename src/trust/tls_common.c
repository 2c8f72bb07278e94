/* SPDX-License-Identifier: MIT */
#include <thimble/tls_backend.h>

#include <string.h>

static enum th_error trust_check(const struct th_trust *trust, const char *server_name)
{
    switch (trust->mode) {
    case TH_TRUST_ANCHORS:
        if (trust->anchor_count == 0)
            return TH_ERR_TRUST_NOTHING_CONFIGURED;
        return server_name ? TH_OK : TH_ERR_CONFIG;
    case TH_TRUST_FINGERPRINT_INSTEAD:
        if (trust->sha256_fingerprint_count == 0 && trust->sha1_fingerprint_count == 0 &&
            trust->pin_count == 0)
            return TH_ERR_TRUST_NOTHING_CONFIGURED;
        return TH_OK;
    case TH_TRUST_INSECURE_BENCH_ONLY:
#ifndef TH_NO_INSECURE
        return TH_OK;
#else
        break;
#endif
    }
    return TH_ERR_CONFIG;
}

static enum th_error identity_check(const struct th_identity *identity)
{
    int keys = (identity->key.len != 0) + (identity->sign != NULL) + (identity->native_key != NULL);
    if (identity->chain_count == 0 || keys != 1)
        return TH_ERR_CONFIG;
    return TH_OK;
}

enum th_error th_tls_start_check(const struct th_tls_start *start, size_t scratch_size)
{
    const struct th_tls_config *config = start->config;
    if (!config || !config->trust || !config->board || !start->wire.ops)
        return TH_ERR_CONFIG;
    if (config->alpn && (config->alpn[0] == 0 || strlen(config->alpn) > 255))
        return TH_ERR_CONFIG;
    if (start->server_name && (start->server_name[0] == 0 || strlen(start->server_name) > 255))
        return TH_ERR_CONFIG;
    enum th_error error = trust_check(config->trust, start->server_name);
    if (error == TH_OK && config->identity)
        error = identity_check(config->identity);
    if (error == TH_OK && start->scratch.len < scratch_size)
        error = TH_ERR_MEMORY_HANDSHAKE;
    return error;
}

/* ---- entropy ---- */

#define SEED_MAX 64

static bool one_value(const uint8_t *bytes, size_t len)
{
    uint8_t differ = 0;
    for (size_t i = 1; i < len; i++)
        differ |= bytes[i] ^ bytes[0];
    return differ == 0;
}

bool th_tls_seed(const struct th_board *board, uint8_t *into, size_t len)
{
    uint8_t other[SEED_MAX];
    if (len > SEED_MAX || !board->entropy.ops)
        return false;
    bool good = board->entropy.ops->fill(board->entropy.ctx, other, len) &&
                board->entropy.ops->fill(board->entropy.ctx, into, len) &&
                memcmp(into, other, len) != 0 && !one_value(into, len);
    for (size_t i = 0; i < len; i++)
        into[i] ^= other[i];
    th_tls_wipe(other, sizeof other);
    return good;
}

void th_tls_wipe(void *secret, size_t len)
{
    volatile uint8_t *at = secret;
    while (len--)
        *at++ = 0;
}

/* ---- what the server says ---- */

enum {
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_UNSUPPORTED_CERTIFICATE = 43,
    ALERT_CERTIFICATE_REVOKED = 44,
    ALERT_CERTIFICATE_EXPIRED = 45,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_ACCESS_DENIED = 49,
    ALERT_DECRYPT_ERROR = 51,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_INSUFFICIENT_SECURITY = 71,
    ALERT_NO_RENEGOTIATION = 100,
    ALERT_CERTIFICATE_REQUIRED = 116,
    ALERT_NO_APPLICATION_PROTOCOL = 120,
};

/* handshake_failure says least of all alerts. After the handshake only a refused renegotiation ends
 * in it; after a certificate request OpenSSL sends it for a missing certificate. */
static enum th_error handshake_failure(const struct th_tls_progress *progress)
{
    if (progress->done)
        return TH_ERR_TLS_RENEGOTIATION;
    if (!progress->asked)
        return TH_ERR_TLS_NO_SUITE;
    return progress->presented ? TH_ERR_TRUST_WE_ARE_REFUSED : TH_ERR_TRUST_WE_ARE_REQUIRED;
}

enum th_error th_tls_alert_error(uint8_t alert, const struct th_tls_progress *progress)
{
    switch (alert) {
    case ALERT_HANDSHAKE_FAILURE: return handshake_failure(progress);
    case ALERT_CERTIFICATE_REVOKED: return TH_ERR_TRUST_WE_ARE_REVOKED;
    case ALERT_CERTIFICATE_EXPIRED: return TH_ERR_TRUST_WE_ARE_EXPIRED;
    case ALERT_UNKNOWN_CA: return TH_ERR_TRUST_WE_ARE_UNKNOWN;
    case ALERT_CERTIFICATE_REQUIRED: return TH_ERR_TRUST_WE_ARE_REQUIRED;
    case ALERT_BAD_CERTIFICATE:
    case ALERT_UNSUPPORTED_CERTIFICATE:
    case ALERT_CERTIFICATE_UNKNOWN:
    case ALERT_ACCESS_DENIED: return TH_ERR_TRUST_WE_ARE_REFUSED;
    case ALERT_DECRYPT_ERROR:
        return progress->presented ? TH_ERR_TRUST_WE_ARE_REFUSED : TH_ERR_TLS_ALERT;
    case ALERT_PROTOCOL_VERSION: return TH_ERR_TLS_VERSION;
    case ALERT_INSUFFICIENT_SECURITY: return TH_ERR_TLS_NO_SUITE;
    case ALERT_NO_RENEGOTIATION: return TH_ERR_TLS_RENEGOTIATION;
    case ALERT_NO_APPLICATION_PROTOCOL: return TH_ERR_TLS_ALPN;
    default: return TH_ERR_TLS_ALERT;
    }
}

uint8_t th_tls_refusal_alert(enum th_error error)
{
    switch (error) {
    case TH_ERR_DATE_EXPIRED: return ALERT_CERTIFICATE_EXPIRED;
    case TH_ERR_TRUST_UNKNOWN_CA:
    case TH_ERR_TRUST_SELF_SIGNED: return ALERT_UNKNOWN_CA;
    default: return ALERT_BAD_CERTIFICATE;
    }
}

bool th_tls_record_begins(const uint8_t *head, size_t len)
{
    if (len >= 1 && (head[0] < 20 || head[0] > 23))
        return false;
    if (len >= 2 && head[1] != 3)
        return false;
    return len < 3 || head[2] <= 4;
}

const char *th_tls_sni(const char *server_name, char into[TH_TLS_SNI_MAX])
{
    struct th_address address;
    if (!server_name || th_address_parse(server_name, &address))
        return NULL;
    size_t len = strlen(server_name);
    if (server_name[len - 1] == '.')
        len--;
    memcpy(into, server_name, len);
    into[len] = 0;
    return into;
}
