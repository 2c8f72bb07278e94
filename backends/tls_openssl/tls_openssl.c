/* SPDX-License-Identifier: MIT */
#include "backends/tls_openssl/internal.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <string.h>

#define SUITES_12                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define GROUPS    "X25519:P-256:P-384"
#define SIGNATURES                                                                   \
    "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:" \
    "ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512"

/* Some of OpenSSL's macros cast their argument to char *, which clang minds in our code. */
static void *unqualified(const char *text)
{
    return (void *)(uintptr_t)text;
}

/* ---- what all connections share ---- */

/* TLS 1.3 tickets come at any time, several of them; the newest counts. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
    struct th_openssl *tls = SSL_get_app_data(ssl);
    SSL_SESSION_free(tls->session);
    tls->session = session;
    return 1; /* we keep the reference */
}

/* Called when the server asks for our certificate. */
static int certificate_asked(SSL *ssl, void *unused)
{
    (void)unused;
    struct th_openssl *tls = SSL_get_app_data(ssl);
    tls->asked = true;
    return 1;
}

/* The distribution's openssl.cnf has its say in SSL_CTX_new; all that matters is then set here.
 * Security level 1 lets src/trust judge the strength of certificates, with better words; what is
 * negotiated is bounded by the lists above. */
static bool set_up(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_security_level(ctx, 1);
    SSL_CTX_set_read_ahead(ctx, 1); /* one read a record, not two */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, new_session);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, th_openssl_judge, NULL);
    SSL_CTX_set_cert_cb(ctx, certificate_asked, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
           SSL_CTX_set_cipher_list(ctx, SUITES_12) && SSL_CTX_set_ciphersuites(ctx, SUITES_13) &&
           SSL_CTX_set1_groups_list(ctx, unqualified(GROUPS)) &&
           SSL_CTX_set1_sigalgs_list(ctx, unqualified(SIGNATURES));
}

bool th_openssl_shared_init(struct th_openssl_shared *shared)
{
    memset(shared, 0, sizeof *shared);
    shared->ctx = SSL_CTX_new(TLS_client_method());
    shared->wire = th_openssl_wire_method();
    if (shared->ctx && shared->wire && th_openssl_sign_methods(shared) && set_up(shared->ctx))
        return true;
    th_openssl_shared_free(shared);
    return false;
}

void th_openssl_shared_free(struct th_openssl_shared *shared)
{
    SSL_CTX_free(shared->ctx);
    BIO_meth_free(shared->wire);
    th_openssl_sign_methods_free(shared);
    memset(shared, 0, sizeof *shared);
}

void th_openssl_init(struct th_openssl *tls, const struct th_openssl_shared *shared, uint8_t *rx,
                     size_t rx_room, uint8_t *tx, size_t tx_room)
{
    memset(tls, 0, sizeof *tls);
    tls->shared = shared;
    tls->rx = rx;
    tls->rx_room = rx_room;
    tls->tx = tx;
    tls->tx_room = tx_room;
    tls->state = TH_STREAM_ENDED;
}

/* ---- start ---- */

static void failed(struct th_openssl *tls, enum th_error error)
{
    if (tls->failure.error == TH_OK)
        tls->failure = th_failure_of(error);
    tls->state = TH_STREAM_FAILED;
}

static bool set_fragment_length(struct th_openssl *tls)
{
    uint8_t mode = TLSEXT_max_fragment_length_DISABLED;
    switch (tls->config->fragment_length) {
    case TH_FRAGMENT_16384: return true;
    case TH_FRAGMENT_512: mode = TLSEXT_max_fragment_length_512; break;
    case TH_FRAGMENT_1024: mode = TLSEXT_max_fragment_length_1024; break;
    case TH_FRAGMENT_2048: mode = TLSEXT_max_fragment_length_2048; break;
    case TH_FRAGMENT_4096: mode = TLSEXT_max_fragment_length_4096; break;
    }
    return SSL_set_tlsext_max_fragment_length(tls->ssl, mode);
}

static bool set_alpn(struct th_openssl *tls)
{
    const char *name = tls->config->alpn;
    unsigned char list[256];
    if (!name)
        return true;
    size_t len = strlen(name);
    list[0] = (unsigned char)len;
    memcpy(list + 1, name, len);
    return SSL_set_alpn_protos(tls->ssl, list, (unsigned)len + 1) == 0;
}

/* Bytes that are no session of ours only cost a full handshake. */
static void set_session(struct th_openssl *tls, struct th_span bytes)
{
    if (bytes.len == 0)
        return;
    const unsigned char *at = bytes.at;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)bytes.len);
    if (session && SSL_SESSION_is_resumable(session))
        SSL_set_session(tls->ssl, session);
    SSL_SESSION_free(session);
}

static enum th_error set_connection(struct th_openssl *tls, const struct th_tls_start *start)
{
    char name[TH_TLS_SNI_MAX];
    const char *sni = th_tls_sni(start->server_name, name);
    BIO *bio = BIO_new(tls->shared->wire);
    if (!bio)
        return TH_ERR_MEMORY_HANDSHAKE;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_connect_state(tls->ssl);
    if ((sni && !SSL_set_tlsext_host_name(tls->ssl, unqualified(sni))) ||
        !set_fragment_length(tls) || !set_alpn(tls))
        return TH_ERR_TLS_LIBRARY;
    const struct th_identity *identity = start->config->identity;
    if (identity && identity->sign && identity->kind == TH_KEY_RSA) {
        /* th_sign_fn has no PSS, which TLS 1.3 demands and 1.2 prefers. */
        SSL_set_max_proto_version(tls->ssl, TLS1_2_VERSION);
        SSL_set1_client_sigalgs_list(tls->ssl, unqualified("RSA+SHA256:RSA+SHA384:RSA+SHA512"));
    }
    set_session(tls, start->session);
    return TH_OK;
}

/* OpenSSL has its own generator, seeded by the system. The board's is asked all the same: a device
 * whose source is broken must not connect (T13), and its bytes are stirred in. */
static enum th_error set_entropy(const struct th_board *board)
{
    uint8_t seed[32];
    bool good = th_tls_seed(board, seed, sizeof seed);
    if (good)
        RAND_add(seed, sizeof seed, 0);
    th_tls_wipe(seed, sizeof seed);
    return good ? TH_OK : TH_ERR_TLS_ENTROPY;
}

static enum th_error begin(struct th_openssl *tls, const struct th_tls_start *start)
{
    enum th_error error = th_tls_start_check(start, 0);
    if (error != TH_OK)
        return error;
    tls->ssl = SSL_new(tls->shared->ctx);
    if (!tls->ssl)
        return TH_ERR_MEMORY_HANDSHAKE;
    error = set_connection(tls, start);
    if (error == TH_OK)
        error = th_openssl_anchors(tls);
    if (error == TH_OK)
        error = th_openssl_identity(tls);
    if (error == TH_OK)
        error = set_entropy(start->config->board);
    return error;
}

static const struct th_stream_ops stream_ops;

static struct th_stream start(void *ctx, const struct th_tls_start *start, uint32_t now_ms)
{
    (void)now_ms;
    struct th_openssl *tls = ctx;
    const struct th_openssl fresh = {.shared = tls->shared,
                                     .rx = tls->rx,
                                     .tx = tls->tx,
                                     .rx_room = tls->rx_room,
                                     .tx_room = tls->tx_room,
                                     .config = start->config,
                                     .server_name = start->server_name,
                                     .wire = start->wire,
                                     .wire_end = TH_STREAM_OPEN,
                                     .state = TH_STREAM_OPENING};
    *tls = fresh;
    ERR_clear_error();
    enum th_error error = begin(tls, start);
    if (error != TH_OK)
        failed(tls, error);
    return (struct th_stream){&stream_ops, tls};
}

/* ---- poll ---- */

/* OpenSSL cannot go on. `result` is what its call returned. */
static void stopped(struct th_openssl *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        if (tls->wire_end == TH_STREAM_FAILED) {
            tls->wire.ops->failure(tls->wire.ctx, &tls->failure);
            failed(tls, TH_ERR_TCP_OTHER);
        } else if (tls->wire_end == TH_STREAM_ENDED) {
            failed(tls, tls->state == TH_STREAM_OPENING ? TH_ERR_TLS_CLOSED : TH_ERR_TLS_TRUNCATED);
        }
        return;
    case SSL_ERROR_WANT_WRITE: return;
    case SSL_ERROR_ZERO_RETURN:
        if (tls->state == TH_STREAM_OPEN)
            tls->state = TH_STREAM_ENDED;
        else
            failed(tls, TH_ERR_TLS_CLOSED);
        return;
    default: th_openssl_explain(tls, &tls->failure); failed(tls, tls->failure.error);
    }
}

static bool alpn_agreed(const struct th_openssl *tls)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return !tls->config->alpn ||
           th_span_equal(th_span_of(name, len), th_span_str(tls->config->alpn));
}

/* The last judgement, before any application byte moves. */
static void handshake_done(struct th_openssl *tls)
{
    int signature;
    tls->resumed = SSL_session_reused(tls->ssl);
    tls->presented = tls->config->identity && tls->asked && !tls->resumed &&
                     SSL_get_signature_type_nid(tls->ssl, &signature);
    if (tls->config->identity && !tls->asked && !tls->resumed)
        failed(tls, TH_ERR_TLS_CLIENT_CERT_UNASKED);
    else if (tls->config->identity && !tls->presented && !tls->resumed)
        failed(tls, TH_ERR_TRUST_WE_ARE_REFUSED); /* it takes no signature of our key's kind */
    else if (!alpn_agreed(tls))
        failed(tls, TH_ERR_TLS_ALPN);
    if (tls->state == TH_STREAM_FAILED)
        return;
    tls->state = TH_STREAM_OPEN;
    SSL_set0_verify_cert_store(tls->ssl, NULL);
    SSL_certs_clear(tls->ssl);
}

static void handshake_step(struct th_openssl *tls)
{
    int result = SSL_do_handshake(tls->ssl);
    if (tls->head_len != 0 && !th_tls_record_begins(tls->head, tls->head_len)) {
        failed(tls, TH_ERR_TLS_NOT_TLS);
        return;
    }
    if (result == 1)
        handshake_done(tls);
    else
        stopped(tls, result);
}

/* What cannot be written stays; why it cannot is found out by reading. */
static void write_out(struct th_openssl *tls)
{
    while (tls->tx_from != tls->tx_to) {
        size_t written;
        ERR_clear_error();
        if (SSL_write_ex(tls->ssl, tls->tx + tls->tx_from, tls->tx_to - tls->tx_from, &written) !=
            1)
            return;
        tls->tx_from += written;
    }
    tls->tx_from = tls->tx_to = 0;
}

static void read_in(struct th_openssl *tls)
{
    if (tls->rx_from != 0 && tls->rx_to == tls->rx_room) {
        memmove(tls->rx, tls->rx + tls->rx_from, tls->rx_to - tls->rx_from);
        tls->rx_to -= tls->rx_from;
        tls->rx_from = 0;
    }
    while (tls->state == TH_STREAM_OPEN && tls->rx_to != tls->rx_room) {
        size_t len;
        ERR_clear_error();
        int result = SSL_read_ex(tls->ssl, tls->rx + tls->rx_to, tls->rx_room - tls->rx_to, &len);
        if (result != 1) {
            stopped(tls, result);
            return;
        }
        tls->rx_to += len;
    }
}

static enum th_stream_state poll(void *ctx, uint32_t now_ms)
{
    (void)now_ms;
    struct th_openssl *tls = ctx;
    if (tls->state != TH_STREAM_OPENING && tls->state != TH_STREAM_OPEN)
        return tls->state;
    if (tls->wire.ops->state(tls->wire.ctx) == TH_STREAM_OPENING)
        return tls->state;
    ERR_clear_error();
    if (tls->state == TH_STREAM_OPENING) {
        handshake_step(tls);
    } else {
        write_out(tls);
        read_in(tls);
    }
    return tls->state;
}

/* ---- the rest of the stream ---- */

static struct th_span rx(void *ctx)
{
    struct th_openssl *tls = ctx;
    return th_span_of(tls->rx + tls->rx_from, tls->rx_to - tls->rx_from);
}

static void rx_taken(void *ctx, size_t len)
{
    struct th_openssl *tls = ctx;
    tls->rx_from += len;
    if (tls->rx_from == tls->rx_to)
        tls->rx_from = tls->rx_to = 0;
}

static uint8_t *tx(void *ctx, size_t *room)
{
    struct th_openssl *tls = ctx;
    *room = tls->state == TH_STREAM_OPEN ? tls->tx_room - tls->tx_to : 0;
    return *room ? tls->tx + tls->tx_to : NULL;
}

static void tx_put(void *ctx, size_t len)
{
    struct th_openssl *tls = ctx;
    tls->tx_to += len;
}

static void stream_close(void *ctx, bool orderly)
{
    struct th_openssl *tls = ctx;
    ERR_clear_error();
    if (orderly && tls->state == TH_STREAM_OPEN)
        write_out(tls);
    if (orderly && tls->ssl && (tls->state == TH_STREAM_OPEN || tls->state == TH_STREAM_ENDED))
        SSL_shutdown(tls->ssl);
    if (tls->wire.ops)
        tls->wire.ops->close(tls->wire.ctx, orderly);
    tls->wire.ops = NULL;
    SSL_SESSION_free(tls->session);
    SSL_free(tls->ssl);
    tls->session = NULL;
    tls->ssl = NULL;
    th_tls_wipe(tls->rx, tls->rx_room);
    th_tls_wipe(tls->tx, tls->tx_room);
    tls->rx_from = tls->rx_to = tls->tx_from = tls->tx_to = 0;
    ERR_clear_error();
    if (tls->state != TH_STREAM_FAILED)
        tls->state = TH_STREAM_ENDED;
}

static void stream_failure(void *ctx, struct th_failure *out)
{
    *out = ((struct th_openssl *)ctx)->failure;
}

static const struct th_stream_ops stream_ops = {poll,   rx,           rx_taken,      tx,
                                                tx_put, stream_close, stream_failure};

/* ---- session and information ---- */

/* A resumed TLS 1.2 connection brings no new session; its own is as good as before. A TLS 1.3
 * ticket is used once (RFC 8446 §C.4). */
static SSL_SESSION *best_session(const struct th_openssl *tls)
{
    if (!tls->ssl || (tls->state != TH_STREAM_OPEN && tls->state != TH_STREAM_ENDED))
        return NULL;
    if (!tls->session && SSL_version(tls->ssl) == TLS1_2_VERSION)
        return SSL_get_session(tls->ssl);
    return tls->session;
}

static size_t session(void *ctx, uint8_t *into, size_t room)
{
    struct th_openssl *tls = ctx;
    SSL_SESSION *best = best_session(tls);
    if (!best || !SSL_SESSION_is_resumable(best))
        return 0;
    int len = i2d_SSL_SESSION(best, NULL);
    if (len <= 0 || (size_t)len > room)
        return 0;
    return (size_t)i2d_SSL_SESSION(best, &into);
}

static void info(void *ctx, struct th_tls_info *out)
{
    const struct th_openssl *tls = ctx;
    memset(out, 0, sizeof *out);
    if (!tls->ssl)
        return;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    out->version = (uint16_t)SSL_version(tls->ssl);
    out->suite = cipher ? SSL_CIPHER_get_protocol_id(cipher) : 0;
    out->suite_name = th_tls_suite_name(out->suite);
    out->resumed = tls->resumed;
    out->client_certificate = tls->presented;
    out->bytes_in = tls->bytes_in;
    out->bytes_out = tls->bytes_out;
    out->server = tls->server;
}

const struct th_tls_ops th_tls_openssl = {
    .name = "OpenSSL",
    .scratch_size = 0,
    .hashes = &th_openssl_hashes,
    .start = start,
    .session = session,
    .info = info,
};
