/* SPDX-License-Identifier: MIT */
#define OPENSSL_SUPPRESS_DEPRECATED /* TLSv1_2_server_method */
/*
 * An OpenSSL server whose bytes pass through our hands: it reads and writes memory, and every
 * flight goes by the scene's hooks on its way to or from the socket.
 */
#include "scene.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>

#define DEFAULT_SUITES "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=0"
#define PATIENCE_S     20

/* ---- the socket ---- */

bool send_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

size_t read_some(int fd, void *into, size_t len)
{
    size_t got = 0;
    while (got < len) {
        ssize_t came = recv(fd, (uint8_t *)into + got, len - got, 0);
        if (came <= 0)
            break;
        got += (size_t)came;
    }
    return got;
}

void drain(int fd)
{
    uint8_t bytes[4096];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

/* ---- the pump ---- */

static void finish_wire(struct connection *connection, enum passage passage)
{
    if (passage == PASS_AND_CLOSE) {
        shutdown(connection->fd, SHUT_WR);
        connection->shut = true;
    }
    if (passage == PASS_AND_STALL)
        connection->stalled = true;
}

bool tls_flush(struct connection *connection)
{
    static uint8_t bytes[65536];
    BIO *bio = SSL_get_wbio(connection->ssl);
    int pending = BIO_read(bio, bytes, (int)sizeof bytes - 64);
    if (pending <= 0 || connection->shut || connection->stalled)
        return !connection->shut && !connection->stalled;
    size_t len = (size_t)pending;
    enum passage passage = PASS;
    if (connection->scene->from_server != NULL)
        passage = connection->scene->from_server(connection, bytes, &len);
    connection->down += len;
    bool sent = send_all(connection->fd, bytes, len);
    finish_wire(connection, passage);
    return sent && passage == PASS;
}

/* One whole record from the client. */
static bool fill(struct connection *connection)
{
    static uint8_t bytes[5 + 65535];
    if (read_some(connection->fd, bytes, 5) < 5)
        return false;
    size_t len = 5 + (size_t)(bytes[3] << 8 | bytes[4]);
    if (read_some(connection->fd, bytes + 5, len - 5) < len - 5)
        return false;
    if (connection->scene->from_client != NULL)
        connection->scene->from_client(connection, bytes, &len);
    connection->up += len;
    return BIO_write(SSL_get_rbio(connection->ssl), bytes, (int)len) == (int)len;
}

/* What to do after an OpenSSL call that returned `result`: true when it should be made again. */
static bool again(struct connection *connection, int result)
{
    int error = SSL_get_error(connection->ssl, result);
    bool flushed = tls_flush(connection);
    return error == SSL_ERROR_WANT_READ && flushed && fill(connection);
}

bool tls_write(struct connection *connection, const void *bytes, size_t len)
{
    int result;
    do {
        ERR_clear_error();
        result = SSL_write(connection->ssl, bytes, (int)len);
    } while (result <= 0 && again(connection, result));
    return tls_flush(connection) && result > 0;
}

size_t tls_read(struct connection *connection, void *into, size_t len)
{
    int result;
    do {
        ERR_clear_error();
        result = SSL_read(connection->ssl, into, (int)len);
    } while (result <= 0 && again(connection, result));
    return result > 0 ? (size_t)result : 0;
}

static bool handshake(struct connection *connection)
{
    int result;
    do {
        ERR_clear_error();
        result = SSL_accept(connection->ssl);
    } while (result <= 0 && again(connection, result));
    return tls_flush(connection) && result > 0;
}

/* ---- what the scene negotiates ---- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *user)
{
    const struct scene *scene = user;
    (void)ssl, (void)in, (void)in_len;
    if (scene->alpn[0] == '\0')
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = (const unsigned char *)scene->alpn;
    *out_len = (unsigned char)strlen(scene->alpn);
    return SSL_TLSEXT_ERR_OK;
}

static void trust_devices(SSL_CTX *ctx, const struct scene *scene)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (scene->no_client_request)
        return;
    X509_STORE_add_cert(store, scene->device_ca->x509);
    SSL_CTX_add_client_CA(ctx, scene->device_ca->x509);
    if (scene->crl != NULL) {
        X509_STORE_add_crl(store, scene->crl);
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void fail(const char *what)
{
    fprintf(stderr, "bad_server: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    _exit(1);
}

static SSL_CTX *make_ctx(const struct scene *scene)
{
    /* Only with a method for one version can a session be changed once the connection stands. */
    SSL_CTX *ctx =
        SSL_CTX_new(scene->changes_session ? TLSv1_2_server_method() : TLS_server_method());
    if (ctx == NULL)
        fail("context");
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_options(ctx, scene->options);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_min_proto_version(ctx, scene->version_min ? scene->version_min : scene->version);
    SSL_CTX_set_max_proto_version(ctx, scene->version_max ? scene->version_max : scene->version);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"bad", 3);
    if (scene->no_tickets) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
    if (!SSL_CTX_set_cipher_list(ctx, scene->suites ? scene->suites : DEFAULT_SUITES))
        fail("suites");
    if (scene->groups != NULL && !SSL_CTX_set1_groups_list(ctx, scene->groups))
        fail("groups");
    if (SSL_CTX_use_certificate(ctx, scene->chain[0]->x509) != 1 ||
        SSL_CTX_use_PrivateKey(ctx, scene->chain[0]->key) != 1)
        fail("certificate");
    for (int i = 1; i < 8 && scene->chain[i] != NULL; i++)
        SSL_CTX_add1_chain_cert(ctx, scene->chain[i]->x509);
    if (scene->alpn != NULL)
        SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (void *)(uintptr_t)scene);
    trust_devices(ctx, scene);
    return ctx;
}

/* ---- connections ---- */

static void good_broker(struct connection *connection)
{
    static const uint8_t connack[] = {0x20, 0x02, 0x00, 0x00};
    uint8_t bytes[512];
    if (tls_read(connection, bytes, sizeof bytes) > 0 &&
        tls_write(connection, connack, sizeof connack))
        tls_read(connection, bytes, sizeof bytes);
}

static void serve_tls(struct connection *connection, SSL_CTX *ctx)
{
    connection->ssl = SSL_new(ctx);
    SSL_set_bio(connection->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (handshake(connection)) {
        connection->established = true;
        if (connection->scene->broker != NULL)
            connection->scene->broker(connection);
        else
            good_broker(connection);
    }
    /* Else OpenSSL forgets the session when the client leaves without a word. */
    SSL_set_shutdown(connection->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(connection->ssl);
}

void scene_serve_all(const struct scene *scene, int listener)
{
    struct scene impostor = *scene;
    if (scene->later != NULL)
        impostor.chain[0] = (struct cert *)(uintptr_t)scene->later;
    SSL_CTX *ctx = make_ctx(scene), *later = scene->later ? make_ctx(&impostor) : ctx;
    for (unsigned number = 1;; number++) {
        struct connection connection = {.scene = scene, .number = number};
        struct timeval patience = {.tv_sec = PATIENCE_S};
        connection.fd = accept(listener, NULL, NULL);
        if (connection.fd < 0)
            _exit(1);
        setsockopt(connection.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (scene->speak != NULL)
            scene->speak(&connection);
        else
            serve_tls(&connection, number > 1 ? later : ctx);
        /* A close with unread bytes would be a reset, and overtake what was sent. */
        if (connection.fd >= 0) {
            if (!connection.stalled)
                shutdown(connection.fd, SHUT_WR);
            drain(connection.fd);
            close(connection.fd);
        }
    }
}
