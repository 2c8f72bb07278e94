/* SPDX-License-Identifier: MIT */
/* One question by UDP at a time, over a connected socket: the kernel passes on nothing but what
 * comes from that address and port. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thimble/link.h>

#include "ports/linux/linux_port.h"

static void send_to(struct th_linux_udp *udp, const struct th_address *to)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
    socklen_t len = sizeof address.in;

    memset(&address, 0, sizeof address);
    if (to->family == 6) {
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = htons(udp->port);
        address.in6.sin6_scope_id = to->scope;
        memcpy(&address.in6.sin6_addr, to->bytes, 16);
        len = sizeof address.in6;
    } else {
        address.in.sin_family = AF_INET;
        address.in.sin_port = htons(udp->port);
        memcpy(&address.in.sin_addr, to->bytes, 4);
    }
    udp->fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp->fd < 0)
        return;
    th_linux_watch(udp->names.loop, &udp->watch, udp->fd);
    if (connect(udp->fd, &address.any, len) < 0 ||
        send(udp->fd, udp->packet, udp->len, MSG_NOSIGNAL) < 0)
        return; /* the asker's time-out says so */
}

static void cancel(void *ctx)
{
    struct th_linux_udp *udp = ctx;

    th_linux_resolve_cancel(&udp->names);
    udp->resolving = false;
    if (udp->fd < 0)
        return;
    th_linux_unwatch(&udp->watch);
    close(udp->fd);
    udp->fd = -1;
}

static void ask(void *ctx, const char *host, uint16_t port, const uint8_t *bytes, size_t len)
{
    struct th_linux_udp *udp = ctx;
    struct th_address literal;

    cancel(udp);
    udp->port = port;
    udp->len = (uint8_t)(len < sizeof udp->packet ? len : sizeof udp->packet);
    memcpy(udp->packet, bytes, udp->len);
    if (th_address_parse(host, &literal)) {
        send_to(udp, &literal);
        return;
    }
    udp->resolving = true;
    th_linux_resolve(&udp->names, host, port);
}

static size_t answer(void *ctx, uint8_t *into, size_t room)
{
    struct th_linux_udp *udp = ctx;
    struct th_address found[TH_LINK_ADDRESSES_MAX];
    struct th_failure failure;

    if (udp->resolving) {
        int count = th_linux_resolved(&udp->names, found, TH_LINK_ADDRESSES_MAX, &failure);

        udp->resolving = count == 0;
        if (count > 0)
            send_to(udp, &found[0]);
    }
    if (udp->fd < 0)
        return 0;
    udp->watch.ready = false;
    ssize_t got = recv(udp->fd, into, room, 0);
    return got > 0 ? (size_t)got : 0;
}

const struct th_udp_ops th_linux_udp_ops = {ask, answer, cancel};

void th_linux_udp_init(struct th_linux_udp *udp, struct th_linux *loop)
{
    *udp = (struct th_linux_udp){.fd = -1};
    th_linux_net_init(&udp->names, loop);
}

void th_linux_udp_close(struct th_linux_udp *udp)
{
    cancel(udp);
    th_linux_net_close(&udp->names);
}
