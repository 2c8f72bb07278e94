/* SPDX-License-Identifier: MIT */
/*
 * TLS over OpenSSL 3: TLS 1.2 and 1.3, security updates by the distribution, keys that may stay in
 * a PKCS#11 token. The default on Linux. What it does and does not do is in docs/tls.md.
 *
 *   struct th_openssl_shared shared;
 *   struct th_openssl tls;
 *   if (!th_openssl_shared_init(&shared)) ...
 *   th_openssl_init(&tls, &shared, rx, sizeof rx, tx, sizeof tx);
 *   struct th_stream stream = th_tls_openssl.start(&tls, &start, now_ms);
 */
#ifndef THIMBLE_TLS_OPENSSL_H
#define THIMBLE_TLS_OPENSSL_H

#include <openssl/ssl.h>

#include <thimble/tls.h>

/* What all connections of a program can have in common: versions, suites, curves. Holds nothing of
 * any one connection. Use from several threads is safe once it is initialised. */
struct th_openssl_shared {
    SSL_CTX *ctx;
    BIO_METHOD *wire;
    EC_KEY_METHOD *ec_sign; /* keys behind th_sign_fn */
    RSA_METHOD *rsa_sign;
};

/* False when OpenSSL cannot give what is needed (memory, or a library without our suites); nothing
 * is to be freed then. */
bool th_openssl_shared_init(struct th_openssl_shared *shared);
/* After the last connection that uses it is closed. */
void th_openssl_shared_free(struct th_openssl_shared *shared);

/* One connection at a time; may be used again after close(), which frees all of it. Fields are
 * private. */
struct th_openssl {
    const struct th_openssl_shared *shared;
    SSL *ssl;
    SSL_SESSION *session; /* the newest that came in */
    uint8_t *rx, *tx;
    size_t rx_room, rx_from, rx_to;
    size_t tx_room, tx_from, tx_to;
    const struct th_tls_config *config;
    const char *server_name;
    struct th_wire wire;
    enum th_stream_state state, wire_end; /* wire_end: OPEN until all was read */
    bool asked, presented, resumed;
    uint8_t head_len;
    uint8_t head[5]; /* the first bytes the server sent */
    uint32_t bytes_in, bytes_out;
    struct th_trust_summary server;
    struct th_failure failure;
};

/*
 * `rx` and `tx` are the plain-text side, lent to MQTT; any size from 64 bytes on works, and a whole
 * packet in each saves copying. Records themselves are in OpenSSL's own memory. Both live as long
 * as the context.
 *
 * `native_key` of th_identity is an EVP_PKEY *, also one of a PKCS#11 engine or provider; it is
 * not freed here. `sign` works for EC P-256, and for RSA with TLS 1.2 only.
 */
void th_openssl_init(struct th_openssl *tls, const struct th_openssl_shared *shared, uint8_t *rx,
                     size_t rx_room, uint8_t *tx, size_t tx_room);

/* `scratch_size` is 0. */
extern const struct th_tls_ops th_tls_openssl;

#endif
