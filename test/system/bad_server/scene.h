/* SPDX-License-Identifier: MIT */
/* One bad server: its certificates, what it negotiates, how it misbehaves, and how a client that
 * has everything right must be configured to see only that. */
#ifndef TEST_BAD_SERVER_SCENE_H
#define TEST_BAD_SERVER_SCENE_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "certs.h"

#define BROKER    "broker.test"
#define DAY_S     86400
#define CERTS_MAX 24

struct scene;

/* What a hook wants done with bytes that pass, after it may have changed them. */
enum passage { PASS, PASS_AND_CLOSE, PASS_AND_STALL };

struct connection {
    const struct scene *scene;
    int fd;
    unsigned number; /* of this connection to the scene, from 1 */
    size_t up, down; /* bytes that passed */
    SSL *ssl;        /* NULL where the server does not speak TLS */
    bool stalled, shut, established;
};

struct scene {
    const char *id;
    bool mended;
    int version; /* TLS1_2_VERSION or TLS1_3_VERSION */

    struct cert *chain[8]; /* sent, the server's own first */
    const struct cert *anchor;
    const struct cert *later;      /* in place of chain[0] from the second connection on */
    const struct cert *substitute; /* put in place of chain[0] on the way (TLS 1.2 alone) */
    const struct cert *device,
        *device_ca; /* the client's certificate, and the CA the server knows */

    /* the server */
    const char *suites, *groups;
    int version_min, version_max; /* 0: `version` alone */
    bool no_client_request, no_tickets, changes_session;
    uint64_t options;
    X509_CRL *crl;
    const char *alpn;                              /* what it chooses; "" refuses; NULL ignores */
    void (*speak)(struct connection *connection);  /* instead of TLS */
    void (*broker)(struct connection *connection); /* instead of a good CONNACK */
    enum passage (*from_server)(struct connection *connection, uint8_t *bytes, size_t *len);
    enum passage (*from_client)(struct connection *connection, uint8_t *bytes, size_t *len);
    bool refuse_tcp;

    /* the client */
    const char *server_name, *client_alpn;
    const struct cert *pinned;        /* its key */
    const struct cert *sha256, *sha1; /* its fingerprint */
    bool fingerprint_instead, no_identity, warm, repeat;
    int64_t floor_s; /* not 0: this is all that is known of the time */
    unsigned fragment;
    unsigned handshake_ms, answer_ms; /* how long the client waits for each; 0: long */

    struct cert certs[CERTS_MAX]; /* what is to be freed */
    int cert_count;
};

/* Makes a certificate that lives as long as the scene. */
struct cert *scene_cert(struct scene *scene, const struct cert_spec *spec);
struct cert *scene_keep(struct scene *scene, struct cert cert);

/* Each table knows some cases; false when it does not know this one. Called with a scene in which
 * everything is good: "Test Server CA" over a server's certificate for broker.test. */
bool scene_of_leaf(struct scene *scene);
bool scene_of_chain(struct scene *scene);
bool scene_of_pin(struct scene *scene);
bool scene_of_handshake(struct scene *scene);
bool scene_of_wire(struct scene *scene);
bool scene_of_order(struct scene *scene);

/* Replaces the server's certificate by one made from `spec`. */
/* Has what the server sends replaced by scene->substitute on the way, the whole list by nothing
 * when that is empty: in TLS 1.2 nothing covers it before the Finished. For what a server would not
 * send. */
void scene_substitute(struct scene *scene);
void scene_serve(struct scene *scene, const struct cert_spec *spec);
struct cert_spec scene_good_leaf(const struct scene *scene);
struct cert_spec scene_good_ca(const char *cn, const struct cert *issuer);

/* ---- serving ---- */

/* Accepts and serves connections for ever. */
void scene_serve_all(const struct scene *scene, int listener);

bool send_all(int fd, const void *bytes, size_t len);
/* Reads until `len` bytes are there or the peer ends; returns how many came. */
size_t read_some(int fd, void *into, size_t len);
/* Reads over what comes until the peer ends the connection. */
void drain(int fd);

/* Application data over the connection's TLS. */
bool tls_write(struct connection *connection, const void *bytes, size_t len);
size_t tls_read(struct connection *connection, void *into, size_t len);
/* Moves what OpenSSL has written to the socket. */
bool tls_flush(struct connection *connection);

#endif
