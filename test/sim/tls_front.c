/* SPDX-License-Identifier: MIT */
#include "tls_front.h"

#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>

/* Bytes that wait for room further on. */
struct held {
    uint8_t *bytes;
    size_t len;
};

struct passage {
    struct passage *next;
    struct tls_front *front;
    struct th_sim_pipe *pipe; /* the client's; NULL once closed */
    struct th_sim_node node;  /* towards the broker */
    struct th_wire wire;
    SSL *ssl;
    struct held out, in; /* to the client, encrypted; to the broker */
    bool counted, ends;
};

struct tls_front {
    struct th_sim *sim;
    struct th_address broker;
    SSL_CTX *ctx;
    struct passage *passages;
    unsigned full, resumed;
};

static void need(bool holds)
{
    if (!holds)
        abort();
}

static void hold(struct held *held, const uint8_t *bytes, size_t len)
{
    held->bytes = realloc(held->bytes, held->len + len + 1);
    need(held->bytes != NULL);
    memcpy(held->bytes + held->len, bytes, len);
    held->len += len;
}

static void let_go(struct held *held, size_t len)
{
    memmove(held->bytes, held->bytes + len, held->len - len);
    held->len -= len;
}

static void shut(struct passage *passage, bool orderly)
{
    if (passage->pipe == NULL)
        return;
    th_sim_pipe_close(passage->pipe, orderly);
    passage->pipe = NULL;
    passage->wire.ops->close(passage->wire.ctx, orderly);
}

/* What the library has to say goes to the client. */
static void flush(struct passage *passage)
{
    uint8_t bytes[1024];
    int len;
    while ((len = BIO_read(SSL_get_wbio(passage->ssl), bytes, sizeof bytes)) > 0)
        hold(&passage->out, bytes, (size_t)len);
    if (passage->pipe == NULL || passage->out.len == 0)
        return;
    let_go(&passage->out, th_sim_pipe_write(passage->pipe, passage->out.bytes, passage->out.len));
}

/* False when the handshake or the connection has failed; the alert is in the library's output. */
static bool take_in(struct passage *passage)
{
    uint8_t bytes[1024];
    int len;
    ERR_clear_error();
    while ((len = SSL_read(passage->ssl, bytes, sizeof bytes)) > 0)
        hold(&passage->in, bytes, (size_t)len);
    if (SSL_is_init_finished(passage->ssl) && !passage->counted) {
        passage->counted = true;
        *(SSL_session_reused(passage->ssl) ? &passage->front->resumed : &passage->front->full) += 1;
    }
    int error = SSL_get_error(passage->ssl, len);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void from_broker(struct passage *passage)
{
    uint8_t bytes[1024];
    size_t len;
    if (!SSL_is_init_finished(passage->ssl))
        return;
    while ((len = passage->wire.ops->read(passage->wire.ctx, bytes, sizeof bytes)) > 0)
        SSL_write(passage->ssl, bytes, (int)len);
    if (passage->in.len > 0)
        let_go(&passage->in, passage->wire.ops->write(passage->wire.ctx, passage->in.bytes,
                                                      passage->in.len, false));
    if (passage->wire.ops->state(passage->wire.ctx) > TH_STREAM_OPEN) {
        SSL_shutdown(passage->ssl);
        passage->ends = true;
    }
}

static void work(struct passage *passage)
{
    uint8_t bytes[1024];
    size_t len;
    if (passage->pipe == NULL)
        return;
    while ((len = th_sim_pipe_read(passage->pipe, bytes, sizeof bytes)) > 0)
        BIO_write(SSL_get_rbio(passage->ssl), bytes, (int)len);
    bool alive = take_in(passage);
    if (alive)
        from_broker(passage);
    flush(passage);
    if (th_sim_pipe_state(passage->pipe) > TH_STREAM_OPEN)
        shut(passage, false);
    else if (!alive || (passage->ends && passage->out.len == 0))
        shut(passage, true);
}

static void on_wake(void *ctx)
{
    work(ctx);
}

static void on_ready(void *ctx, struct th_sim_pipe *pipe)
{
    (void)ctx;
    work(th_sim_pipe_user(pipe));
}

static void on_accepted(void *ctx, struct th_sim_pipe *pipe)
{
    struct tls_front *front = ctx;
    struct passage *passage = calloc(1, sizeof *passage);
    need(passage != NULL);
    passage->front = front;
    passage->next = front->passages;
    front->passages = passage;
    passage->pipe = pipe;
    th_sim_pipe_set_user(pipe, passage);
    passage->ssl = SSL_new(front->ctx);
    need(passage->ssl != NULL);
    SSL_set_bio(passage->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(passage->ssl);
    th_sim_node_init(&passage->node, front->sim, on_wake, passage);
    const struct th_net *net = &passage->node.board.net;
    passage->wire = net->ops->connect(net->ctx, &front->broker);
}

static const struct th_sim_server_ops front_ops = {on_accepted, on_ready};

struct tls_front *tls_front_new(struct th_sim *sim, const struct th_address *at,
                                const struct th_address *broker, const struct pki_entity *server,
                                const struct pki_entity *client_ca, int version)
{
    struct tls_front *front = calloc(1, sizeof *front);
    need(front != NULL);
    front->sim = sim;
    front->broker = *broker;
    front->ctx = SSL_CTX_new(TLS_server_method());
    need(front->ctx != NULL && SSL_CTX_use_certificate(front->ctx, server->certificate) == 1 &&
         SSL_CTX_use_PrivateKey(front->ctx, server->key) == 1);
    SSL_CTX_set_max_proto_version(front->ctx, version);
    SSL_CTX_set_session_id_context(front->ctx, (const unsigned char *)"front", 5);
    SSL_CTX_set_verify(front->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    need(X509_STORE_add_cert(SSL_CTX_get_cert_store(front->ctx), client_ca->certificate) == 1);
    th_sim_address(sim, at, TH_SIM_ACCEPTS, &front_ops, front);
    return front;
}

void tls_front_free(struct tls_front *front)
{
    struct passage *next;
    for (struct passage *at = front->passages; at != NULL; at = next) {
        next = at->next;
        SSL_free(at->ssl);
        free(at->out.bytes);
        free(at->in.bytes);
        free(at);
    }
    SSL_CTX_free(front->ctx);
    free(front);
}

unsigned tls_front_full(const struct tls_front *front)
{
    return front->full;
}

unsigned tls_front_resumed(const struct tls_front *front)
{
    return front->resumed;
}

void tls_front_forget(struct tls_front *front)
{
    unsigned char keys[80] = {0};
    SSL_CTX_flush_sessions(front->ctx, 0x7FFFFFFF);
    keys[0] = (unsigned char)(front->full + 1);
    SSL_CTX_set_tlsext_ticket_keys(front->ctx, keys, sizeof keys);
}
