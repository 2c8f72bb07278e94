/* SPDX-License-Identifier: MIT */
#include "peek.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define PATIENCE_S 5

static socklen_t sockaddr_of(const struct th_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (address->family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        memcpy(&v4->sin_addr, address->bytes, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address->port);
    v6->sin6_scope_id = address->scope;
    memcpy(&v6->sin6_addr, address->bytes, 16);
    return sizeof *v6;
}

/* SO_SNDTIMEO bounds connect() as well. */
static int connected(const struct th_address *address)
{
    struct sockaddr_storage to;
    socklen_t len = sockaddr_of(address, &to);
    struct timeval patience = {PATIENCE_S, 0};
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&to, len) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Called with the chain as it was sent; ends the handshake there. */
static int keep_chain(X509_STORE_CTX *context, void *user)
{
    STACK_OF(X509) **out = user;
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(context);
    if (sent && !*out)
        *out = X509_chain_up_ref(sent);
    return 0;
}

STACK_OF(X509) * peek_chain(const struct th_address *address, const char *sni)
{
    STACK_OF(X509) *chain = NULL;
    int fd = connected(address);
    SSL_CTX *context = fd >= 0 ? SSL_CTX_new(TLS_client_method()) : NULL;
    SSL *ssl = context ? SSL_new(context) : NULL;
    if (ssl) {
        /* Old and weak servers are looked at as well. */
        SSL_set_security_level(ssl, 0);
        SSL_CTX_set_cert_verify_callback(context, keep_chain, &chain);
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        if (sni) {
            char name[256]; /* OpenSSL's macro drops a const */
            snprintf(name, sizeof name, "%s", sni);
            SSL_set_tlsext_host_name(ssl, name);
        }
        SSL_set_fd(ssl, fd);
        SSL_connect(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    if (fd >= 0)
        close(fd);
    ERR_clear_error();
    return chain;
}
