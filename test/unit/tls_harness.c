/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_harness.h"

#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>

#define LIMIT 20000 /* steps; far above what any handshake takes */

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "TLS harness: %s\n", what);
        ERR_print_errors_fp(stderr);
        abort();
    }
}

/* ---- the wire ---- */

static void half_reset(struct half *half)
{
    half->from = half->to = half->total = half->passed = 0;
}

static size_t half_put(struct half *half, const uint8_t *bytes, size_t len)
{
    if (half->from == half->to)
        half->from = half->to = 0;
    if (half->from != 0 && half->to + len > WIRE_ROOM) {
        memmove(half->bytes, half->bytes + half->from, half->to - half->from);
        half->to -= half->from;
        half->from = 0;
    }
    size_t standing = half->to - half->from;
    size_t room = half->capacity > standing ? half->capacity - standing : 0;
    if (len > room)
        len = room;
    memcpy(half->bytes + half->to, bytes, len);
    if (half->flip >= half->total && half->flip < half->total + len)
        half->bytes[half->to + half->flip - half->total] ^= 0x01;
    for (size_t i = 0; i < len && half->total + i < sizeof half->first; i++)
        half->first[half->total + i] = half->bytes[half->to + i];
    half->to += len;
    half->total += len;
    return len;
}

static size_t half_take(struct half *half, uint8_t *into, size_t room)
{
    size_t len = half->to - half->from;
    if (len > room)
        len = room;
    if (len > half->cut - half->passed)
        len = half->cut - half->passed;
    memcpy(into, half->bytes + half->from, len);
    half->from += len;
    half->passed += len;
    return len;
}

static enum th_stream_state wire_state(void *ctx)
{
    return ((struct harness *)ctx)->wire_state;
}

static size_t wire_read(void *ctx, uint8_t *into, size_t room)
{
    struct harness *harness = ctx;
    harness->reads++;
    size_t len = half_take(&harness->down, into, room < harness->piece ? room : harness->piece);
    if (len == 0 && harness->down.passed == harness->down.cut)
        harness->wire_state = harness->cut_state;
    return len;
}

static size_t wire_write(void *ctx, const uint8_t *bytes, size_t len, bool more)
{
    (void)more;
    struct harness *harness = ctx;
    struct half *up = &harness->up;
    if (harness->wire_state != TH_STREAM_OPEN)
        return 0;
    if (len > harness->piece)
        len = harness->piece;
    if (len > up->cut - up->total)
        len = up->cut - up->total;
    if (len == 0) {
        harness->wire_state = harness->cut_state;
        return 0;
    }
    return half_put(up, bytes, len);
}

static void wire_close(void *ctx, bool orderly)
{
    struct harness *harness = ctx;
    harness->wire_closed = true;
    harness->wire_closed_orderly = orderly;
}

static void wire_failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

static const struct th_wire_ops wire_ops = {wire_state, wire_read, wire_write, wire_close,
                                            wire_failure};

/* ---- the board ---- */

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    uint32_t *state = ctx;
    while (len--) {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        *into++ = (uint8_t)*state;
    }
    return true;
}

static const struct th_entropy_ops entropy_ops = {fill};

/* ---- the server ---- */

static void server_take(struct harness *harness)
{
    uint8_t bytes[16384];
    for (;;) {
        int len = SSL_read(harness->server, bytes, sizeof bytes);
        if (len <= 0) {
            harness->server_ended = SSL_get_error(harness->server, len) == SSL_ERROR_ZERO_RETURN;
            return;
        }
        if (harness->got_len + (size_t)len > harness->got_room) {
            harness->got_room = (harness->got_len + (size_t)len) * 2;
            harness->got = realloc(harness->got, harness->got_room);
            need(harness->got != NULL, "memory");
        }
        memcpy(harness->got + harness->got_len, bytes, (size_t)len);
        harness->got_len += (size_t)len;
    }
}

/* What the server wants to send, as far as the wire has room. */
static void server_flush(struct harness *harness)
{
    BIO *out = SSL_get_wbio(harness->server);
    char *bytes;
    long len = BIO_get_mem_data(out, &bytes);
    if (len <= 0)
        return;
    size_t put = half_put(&harness->down, (const uint8_t *)bytes, (size_t)len);
    uint8_t skip[4096];
    while (put != 0) {
        int n = BIO_read(out, skip, (int)(put < sizeof skip ? put : sizeof skip));
        put -= (size_t)n;
    }
}

void harness_server_step(struct harness *harness)
{
    struct half *up = &harness->up;
    if (!harness->server)
        return;
    if (up->to != up->from) {
        BIO_write(SSL_get_rbio(harness->server), up->bytes + up->from, (int)(up->to - up->from));
        up->from = up->to;
    }
    ERR_clear_error();
    if (!SSL_is_init_finished(harness->server)) {
        SSL_do_handshake(harness->server);
        if (ERR_peek_error() && !harness->server_error)
            harness->server_error = ERR_peek_error();
    } else {
        server_take(harness);
    }
    server_flush(harness);
}

void harness_mute(struct harness *harness)
{
    SSL_free(harness->server);
    harness->server = NULL;
}

void harness_inject(struct harness *harness, const void *bytes, size_t len)
{
    need(half_put(&harness->down, bytes, len) == len, "room for what is injected");
}

bool harness_server_write(struct harness *harness, const uint8_t *bytes, size_t len)
{
    int written = SSL_write(harness->server, bytes, (int)len);
    server_flush(harness);
    return written == (int)len;
}

static void server_new(struct harness *harness)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    need(ctx != NULL, "server context");
    harness->server_ctx = ctx;
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    need(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), harness->pki->device_ca->certificate),
         "device CA");
    harness->shown[0] = harness->pki->server;
}

/* ---- the client ---- */

const struct th_tls_ops *harness_ops(const struct harness *harness)
{
    return harness->backend == OVER_BEARSSL ? &th_tls_bearssl : &th_tls_openssl;
}

void *harness_ctx(struct harness *harness)
{
    return harness->backend == OVER_BEARSSL ? (void *)&harness->bearssl : (void *)&harness->openssl;
}

struct harness *harness_new(enum harness_backend backend, const struct pki *certificates)
{
    struct harness *harness = calloc(1, sizeof *harness);
    need(harness != NULL, "memory");
    harness->backend = backend;
    harness->pki = certificates;
    harness->piece = SIZE_MAX;
    harness->up.flip = harness->down.flip = SIZE_MAX;
    harness->up.cut = harness->down.cut = SIZE_MAX;
    harness->up.capacity = harness->down.capacity = WIRE_ROOM;
    harness->cut_state = TH_STREAM_ENDED;
    harness->seed = 0x7E57;
    harness->board.entropy.ops = &entropy_ops;
    harness->board.entropy.ctx = &harness->seed;
    harness->in_room = TH_BEARSSL_IN(512);
    harness->out_room = TH_BEARSSL_OUT(512);
    harness->anchors[0] = certificates->server_ca->chain[0];
    harness->trust = (struct th_trust){.anchors = harness->anchors, .anchor_count = 1};
    harness->profile = &th_bearssl_host;
    harness->identity = pki_identity(certificates->device, TH_KEY_EC_P256);
    harness->config = (struct th_tls_config){.trust = &harness->trust,
                                             .identity = &harness->identity,
                                             .board = &harness->board,
                                             .fragment_length = TH_FRAGMENT_512};
    harness->server_name = "broker.test";
    server_new(harness);
    need(th_openssl_shared_init(&harness->shared), "shared");
    return harness;
}

static void server_start(struct harness *harness)
{
    harness->server = SSL_new(harness->server_ctx);
    need(harness->server != NULL, "server");
    SSL_set_bio(harness->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(harness->server);
    const struct pki_entity *const *shown = harness->shown;
    need(SSL_use_certificate(harness->server, shown[0]->certificate) == 1 &&
             SSL_use_PrivateKey(harness->server, shown[0]->key) == 1,
         "server certificate");
    for (size_t i = 1; i < 3 && shown[i]; i++)
        need(SSL_add1_chain_cert(harness->server, shown[i]->certificate) == 1, "server chain");
    harness->server_ended = false;
    harness->server_error = 0;
    harness->got_len = 0;
}

static void client_runs(const struct harness *harness, bool runs)
{
    if (harness->around_client)
        *harness->around_client = runs;
}

void harness_start(struct harness *harness)
{
    half_reset(&harness->up);
    half_reset(&harness->down);
    harness->wire_state = TH_STREAM_OPEN;
    harness->wire_closed = false;
    server_start(harness);
    if (harness->backend == OVER_BEARSSL)
        th_bearssl_init(&harness->bearssl, harness->profile, harness->in, harness->in_room,
                        harness->out, harness->out_room);
    else
        th_openssl_init(&harness->openssl, &harness->shared, harness->in, harness->in_room,
                        harness->out, harness->out_room);
    const struct th_tls_ops *ops = harness_ops(harness);
    struct th_span lent = harness->lent;
    if (lent.len == 0) {
        harness->scratch = malloc(ops->scratch_size + 1);
        lent = th_span_of(harness->scratch, ops->scratch_size);
    }
    struct th_tls_start start = {
        .config = &harness->config,
        .server_name = harness->server_name,
        .wire = {&wire_ops, harness},
        .session = th_span_of(harness->session, harness->session_len),
        .scratch = lent,
    };
    client_runs(harness, true);
    harness->stream = ops->start(harness_ctx(harness), &start, 0);
    client_runs(harness, false);
    harness->started = true;
    harness->state = TH_STREAM_OPENING;
}

void harness_step(struct harness *harness)
{
    harness_server_step(harness);
    client_runs(harness, true);
    harness->state = harness->stream.ops->poll(harness->stream.ctx, 0);
    client_runs(harness, false);
    if (harness->state != TH_STREAM_OPENING && harness->scratch) {
        free(harness->scratch); /* lent for the handshake alone: ASan sees who touches it */
        harness->scratch = NULL;
    }
}

void harness_run(struct harness *harness, unsigned limit)
{
    while (limit-- && (harness->state == TH_STREAM_OPENING || harness->state == TH_STREAM_OPEN))
        harness_step(harness);
}

enum th_stream_state harness_handshake(struct harness *harness)
{
    unsigned limit = LIMIT;
    while (limit-- && harness->state == TH_STREAM_OPENING)
        harness_step(harness);
    for (int i = 0; i < 4; i++)
        harness_server_step(harness);
    return harness->state;
}

void harness_stop(struct harness *harness, bool orderly)
{
    if (harness->started)
        harness->stream.ops->close(harness->stream.ctx, orderly);
    harness_server_step(harness);
    free(harness->scratch);
    harness->scratch = NULL;
    harness->started = false;
    /* A connection that ended well leaves its session on the server. */
    if (harness->server && SSL_is_init_finished(harness->server))
        SSL_shutdown(harness->server);
    SSL_free(harness->server);
    harness->server = NULL;
}

void harness_free(struct harness *harness)
{
    harness_stop(harness, false);
    SSL_CTX_free(harness->server_ctx);
    th_openssl_shared_free(&harness->shared);
    free(harness->got);
    free(harness);
    ERR_clear_error();
}

bool harness_write(struct harness *harness, const uint8_t *bytes, size_t len)
{
    unsigned limit = LIMIT * 100;
    while (len != 0 && limit--) {
        size_t room;
        uint8_t *into = harness->stream.ops->tx(harness->stream.ctx, &room);
        if (room > len)
            room = len;
        if (room != 0) {
            memcpy(into, bytes, room);
            harness->stream.ops->tx_put(harness->stream.ctx, room);
            bytes += room;
            len -= room;
        }
        harness_step(harness);
        if (harness->state != TH_STREAM_OPEN)
            return false;
    }
    return len == 0;
}

size_t harness_read(struct harness *harness, uint8_t *into, size_t len)
{
    unsigned limit = LIMIT * 100;
    size_t had = 0;
    while (had != len && limit--) {
        struct th_span span = harness->stream.ops->rx(harness->stream.ctx);
        size_t n = span.len < len - had ? span.len : len - had;
        if (n != 0) {
            memcpy(into + had, span.at, n);
            harness->stream.ops->rx_taken(harness->stream.ctx, n);
            had += n;
        } else if (harness->state != TH_STREAM_OPEN) {
            break;
        }
        if (had != len && harness->state == TH_STREAM_OPEN)
            harness_step(harness);
    }
    return had;
}

struct th_failure harness_failure(struct harness *harness)
{
    struct th_failure failure;
    harness->stream.ops->failure(harness->stream.ctx, &failure);
    return failure;
}

struct th_tls_info harness_info(struct harness *harness)
{
    struct th_tls_info info;
    harness_ops(harness)->info(harness_ctx(harness), &info);
    return info;
}

size_t harness_keep_session(struct harness *harness)
{
    harness->session_len = harness_ops(harness)->session(harness_ctx(harness), harness->session,
                                                         sizeof harness->session);
    return harness->session_len;
}

/* ---- for the tests ---- */

struct pki pki;

int make_pki(void **state)
{
    (void)state;
    return pki_setup(&pki);
}

int free_pki(void **state)
{
    (void)state;
    pki_teardown(&pki);
    return 0;
}

struct harness *make(void **state)
{
    return harness_new(*(const enum harness_backend *)*state, &pki);
}

enum harness_backend harness_over_bearssl[1] = {OVER_BEARSSL};
enum harness_backend harness_over_openssl[1] = {OVER_OPENSSL};

void assert_opens(struct harness *harness)
{
    harness_start(harness);
    if (harness_handshake(harness) == TH_STREAM_OPEN)
        return;
    struct th_failure failure = harness_failure(harness);
    char text[256] = "the handshake does not end";
    if (harness->state == TH_STREAM_FAILED)
        th_failure_text(&failure, text, sizeof text);
    fail_msg("no connection over %s: %s (%d)", harness_ops(harness)->name, text,
             (int)failure.detail);
}

void assert_refuses(struct harness *harness, enum th_error error)
{
    harness_start(harness);
    enum th_stream_state state = harness_handshake(harness);
    /* TLS 1.3: the server's refusal of our certificate comes when we are already open. */
    if (state == TH_STREAM_OPEN)
        harness_run(harness, 50);
    assert_int_equal(harness->state, TH_STREAM_FAILED);
    assert_string_equal(th_error_name(harness_failure(harness).error), th_error_name(error));
}
