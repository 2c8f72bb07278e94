/* SPDX-License-Identifier: MIT */
/* A listening socket, one connection at a time: who comes next waits in the kernel's queue. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "ports/linux/linux_port.h"

#define QUEUE 64 /* a browser opens several at once; one too many waits for a second */

/* The members that an address of that family has, all of them set by the kernel. */
static void address_of(const struct sockaddr_storage *from, struct th_address *to)
{
    struct sockaddr_in6 in6 = {.sin6_port = 0};
    struct sockaddr_in in = {.sin_port = 0};

    memset(to, 0, sizeof *to);
    if (from->ss_family == AF_INET6) {
        memcpy(&in6, from, sizeof in6);
        to->family = 6;
        to->port = ntohs(in6.sin6_port);
        to->scope = in6.sin6_scope_id;
        memcpy(to->bytes, &in6.sin6_addr, 16);
        return;
    }
    memcpy(&in, from, sizeof in);
    to->family = 4;
    to->port = ntohs(in.sin_port);
    memcpy(to->bytes, &in.sin_addr, 4);
}

static bool name_of(int fd, struct th_address *at)
{
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof name;

    if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
        return false;
    address_of(&name, at);
    return true;
}

static int start(struct th_linux_listen *listener)
{
    struct sockaddr_storage name;
    socklen_t len = th_linux_socket_address(&listener->at, &name);
    int on = 1;

    listener->fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return errno;
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener->fd, (struct sockaddr *)&name, len) < 0 || listen(listener->fd, QUEUE) < 0)
        return errno;
    listener->watched = th_linux_watch(listener->loop, &listener->watch, listener->fd);
    return listener->watched ? 0 : ENOMEM;
}

static bool open_(void *ctx)
{
    struct th_linux_listen *listener = ctx;

    if (listener->fd >= 0)
        return true;
    listener->error = start(listener);
    if (listener->error == 0)
        return true;
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    return false;
}

/* Whoever waits in the queue must not wake the loop again and again while another is served. */
static void watch(struct th_linux_listen *listener, bool on)
{
    if (listener->watched && !on)
        th_linux_unwatch(&listener->watch);
    else if (!listener->watched && on)
        on = th_linux_watch(listener->loop, &listener->watch, listener->fd);
    listener->watched = on;
}

void th_linux_listen_close(struct th_linux_listen *listener)
{
    th_linux_net_close(&listener->net);
    if (listener->fd < 0)
        return;
    watch(listener, false);
    close(listener->fd);
    listener->fd = -1;
}

static void close_(void *ctx)
{
    th_linux_listen_close(ctx);
}

static bool accept_(void *ctx, struct th_wire *wire, struct th_address *local)
{
    struct th_linux_listen *listener = ctx;

    if (listener->fd < 0)
        return false;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    watch(listener, fd < 0);
    listener->watch.ready = false;
    if (fd < 0)
        return false;
    if (!name_of(fd, local)) {
        close(fd);
        return false;
    }
    *wire = th_linux_adopt(&listener->net, fd);
    return true;
}

static bool waiting(void *ctx)
{
    const struct th_linux_listen *listener = ctx;
    struct pollfd ready = {.fd = listener->fd, .events = POLLIN};

    return listener->fd >= 0 && poll(&ready, 1, 0) > 0;
}

const struct th_listen_ops th_linux_listen_ops = {open_, close_, accept_, waiting};

void th_linux_listen_init(struct th_linux_listen *listener, struct th_linux *loop,
                          const struct th_address *at)
{
    *listener = (struct th_linux_listen){.loop = loop, .at = *at, .fd = -1};
    th_linux_net_init(&listener->net, loop);
}

bool th_linux_listen_at(const struct th_linux_listen *listener, struct th_address *at)
{
    return listener->fd >= 0 && name_of(listener->fd, at);
}
