/* SPDX-License-Identifier: MIT */
/* One non-blocking TCP connection. Level-triggered: nothing is lost when a link looks late. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/linux/linux_port.h"

/* Unread input that is thrown away at an orderly end: close(2) with input pending sends a reset,
 * which may overtake the DISCONNECT before it. */
enum { DISCARD_MAX = 65536 };

static enum th_error error_of(int error)
{
    switch (error) {
    case ECONNREFUSED: return TH_ERR_TCP_REFUSED;
    case ENETDOWN: return TH_ERR_NO_NETWORK;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM: return TH_ERR_TCP_UNREACHABLE;
    case ETIMEDOUT: return TH_ERR_TCP_TIMEOUT;
    case ECONNRESET:
    case ECONNABORTED: return TH_ERR_TCP_RESET;
    case EPIPE:
    case ENOTCONN: return TH_ERR_TCP_CLOSED;
    default: return TH_ERR_TCP_OTHER;
    }
}

static void watch(struct th_linux_net *net, int op)
{
    uint32_t events = (net->deaf ? 0 : EPOLLIN) | (net->wants_write ? EPOLLOUT : 0);
    struct epoll_event event = {.events = events, .data.ptr = (char *)net + SOURCE_NET};
    if (epoll_ctl(net->loop->epoll, op, net->fd, &event) < 0 && net->error == 0)
        net->error = errno;
}

/* Ended and failed wires leave the loop: epoll would report their hang-up for ever. */
static void end(struct th_linux_net *net, enum th_stream_state state)
{
    net->state = (uint8_t)state;
    epoll_ctl(net->loop->epoll, EPOLL_CTL_DEL, net->fd, NULL);
}

static void fail(struct th_linux_net *net, int error)
{
    net->error = error;
    end(net, TH_STREAM_FAILED);
}

static void finish_connect(struct th_linux_net *net)
{
    struct pollfd ready = {.fd = net->fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) <= 0)
        return;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(net->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error != 0) {
        fail(net, error);
        return;
    }
    net->state = TH_STREAM_OPEN;
    net->wants_write = 0;
    watch(net, EPOLL_CTL_MOD);
}

static enum th_stream_state wire_state(void *ctx)
{
    struct th_linux_net *net = ctx;
    net->visited = true;
    if (net->state == TH_STREAM_OPENING)
        finish_connect(net);
    return net->state == NET_IDLE ? TH_STREAM_FAILED : (enum th_stream_state)net->state;
}

static void listen_again(struct th_linux_net *net)
{
    net->deaf = false;
    if (net->state == TH_STREAM_OPEN)
        watch(net, EPOLL_CTL_MOD);
}

static size_t wire_read(void *ctx, uint8_t *into, size_t room)
{
    struct th_linux_net *net = ctx;
    net->unread = false;
    if (net->deaf)
        listen_again(net);
    if (net->state != TH_STREAM_OPEN || net->drained_turn == net->loop->turn || room == 0)
        return 0;
    ssize_t got;
    do {
        got = recv(net->fd, into, room, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno != EAGAIN) {
        fail(net, net->error ? net->error : errno);
        return 0;
    }
    if (got == 0) {
        if (net->error)
            fail(net, net->error);
        else
            end(net, TH_STREAM_ENDED);
        return 0;
    }
    /* A short read has emptied the socket: no further call in this turn. */
    if (got < 0 || (size_t)got < room)
        net->drained_turn = net->loop->turn;
    return got < 0 ? 0 : (size_t)got;
}

static size_t wire_write(void *ctx, const uint8_t *bytes, size_t len, bool more)
{
    struct th_linux_net *net = ctx;
    net->visited = true;
    if (net->state != TH_STREAM_OPEN || len == 0)
        return 0;
    if (net->error)
        return len;
    ssize_t put;
    do {
        put = send(net->fd, bytes, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (put < 0 && errno == EINTR);
    if (put < 0 && errno != EAGAIN && errno != ENOBUFS) {
        /* What the peer said before it closed comes first: only wire_read() reports this. Until
         * then whatever is written is lost, as it is in a network; to refuse it would keep a TLS
         * library, which wants to write before it reads, waiting for ever. */
        net->error = errno;
        net->drained_turn = 0;
        th_linux_early(net);
        return len;
    }
    size_t taken = put < 0 ? 0 : (size_t)put;
    if (taken < len && !net->wants_write) {
        net->wants_write = 1;
        watch(net, EPOLL_CTL_MOD);
    }
    return taken;
}

void th_linux_wire_writable(struct th_linux_net *net)
{
    if (net->state == TH_STREAM_OPENING) {
        finish_connect(net);
    } else if (net->state == TH_STREAM_OPEN) {
        net->wants_write = 0;
        watch(net, EPOLL_CTL_MOD);
    }
}

/* A link whose answers find no room does not read. It is woken for that input once more, lest
 * somebody else kept it from looking; then only for what it waits for, the room. */
bool th_linux_wire_readable(struct th_linux_net *net)
{
    bool left = net->unread && net->visited;
    net->unread = true;
    net->visited = false;
    if (left) {
        net->deaf = true;
        watch(net, EPOLL_CTL_MOD);
    }
    return !left;
}

static void discard_input(int fd)
{
    uint8_t bytes[4096];
    for (size_t done = 0; done < DISCARD_MAX;) {
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got <= 0)
            return;
        done += (size_t)got;
    }
}

void th_linux_wire_close(void *ctx, bool orderly)
{
    struct th_linux_net *net = ctx;
    if (net->fd >= 0) {
        if (orderly && net->state != TH_STREAM_OPENING) {
            shutdown(net->fd, SHUT_WR);
            discard_input(net->fd);
        } else {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            setsockopt(net->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(net->fd);
    }
    net->fd = -1;
    net->state = NET_IDLE;
    net->error = 0;
    th_linux_unqueue(net);
}

static void wire_failure(void *ctx, struct th_failure *out)
{
    const struct th_linux_net *net = ctx;
    *out = th_failure_of(net->error ? error_of(net->error) : TH_ERR_TCP_CLOSED);
    out->detail = net->error;
}

static const struct th_wire_ops wire_ops = {.state = wire_state,
                                            .read = wire_read,
                                            .write = wire_write,
                                            .close = th_linux_wire_close,
                                            .failure = wire_failure};

socklen_t th_linux_socket_address(const struct th_address *from, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (from->family == 6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(from->port);
        in6->sin6_scope_id = from->scope;
        memcpy(&in6->sin6_addr, from->bytes, 16);
        return sizeof *in6;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)to;
    in->sin_family = AF_INET;
    in->sin_port = htons(from->port);
    memcpy(&in->sin_addr, from->bytes, 4);
    return sizeof *in;
}

static int start_connect(struct th_linux_net *net, const struct th_address *to)
{
    struct sockaddr_storage address;
    socklen_t len = th_linux_socket_address(to, &address);
    net->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (net->fd < 0)
        return errno;
    /* Coalescing is the stream's affair, by MSG_MORE; Nagle would wait for the peer's delayed
     * acknowledgement on top. */
    int on = 1;
    setsockopt(net->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(net->fd, (struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS)
        return errno;
    watch(net, EPOLL_CTL_ADD);
    return net->error;
}

struct th_wire th_linux_connect(void *ctx, const struct th_address *to)
{
    struct th_linux_net *net = ctx;
    th_linux_wire_close(net, false);
    net->state = TH_STREAM_OPENING;
    net->drained_turn = 0;
    net->wants_write = 1;
    net->unread = net->visited = net->deaf = false;
    int error = start_connect(net, to);
    if (error) {
        fail(net, error);
        th_linux_early(net);
    }
    return (struct th_wire){&wire_ops, net};
}

struct th_wire th_linux_adopt(struct th_linux_net *net, int fd)
{
    int on = 1;

    th_linux_wire_close(net, false);
    net->fd = fd;
    net->state = TH_STREAM_OPEN;
    net->drained_turn = 0;
    net->wants_write = 0;
    net->unread = net->visited = net->deaf = false;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(net, EPOLL_CTL_ADD);
    return (struct th_wire){&wire_ops, net};
}
