/* SPDX-License-Identifier: MIT */
/*
 * Names into addresses, by c-ares: one channel for all look-ups of a loop. It exists only while a
 * look-up is going, so that a changed /etc/resolv.conf counts from the next one on.
 */
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <thimble/link.h>

#include "ports/linux/linux_port.h"

/* One, two and four seconds for each server: within the link's ten. */
enum { FIRST_TRY_MS = 1000, TRIES = 3 };
enum { NAME_MAX_LEN = 255 }; /* RFC 1035, 2.3.4 */

struct lookup {
    struct th_linux *loop;
    struct th_linux_net *net; /* NULL once cancelled */
    uint16_t port;
    bool done;
    int status; /* c-ares' */
    size_t count;
    struct th_address addresses[TH_LINK_ADDRESSES_MAX];
    bool own; /* the name of this machine */
};

static void socket_changed(void *data, ares_socket_t fd, int readable, int writable)
{
    struct th_linux *loop = data;
    if (!readable && !writable) {
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
        return;
    }
    struct epoll_event event = {.data.ptr = (char *)loop + SOURCE_NAMES};
    event.events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event);
}

static int open_channel(struct th_linux *loop)
{
    struct ares_options options = {.timeout = FIRST_TRY_MS, .tries = TRIES};
    options.sock_state_cb = socket_changed;
    options.sock_state_cb_data = loop;
    ares_channel channel = NULL;
    int status = ares_init_options(&channel, &options,
                                   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS)
        return status;
    if (loop->dns_servers)
        status = ares_set_servers_ports_csv(channel, loop->dns_servers);
    if (status == ARES_SUCCESS)
        loop->names = channel;
    else
        ares_destroy(channel);
    return status;
}

/* False for families a link cannot use. */
static bool address_of(const struct ares_addrinfo_node *node, uint16_t port, struct th_address *to)
{
    *to = (struct th_address){.port = port};
    if (node->ai_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)node->ai_addr;
        to->family = 6;
        to->scope = in6->sin6_scope_id;
        memcpy(to->bytes, &in6->sin6_addr, 16);
        return true;
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)node->ai_addr;
    to->family = 4;
    memcpy(to->bytes, &in->sin_addr, 4);
    return node->ai_family == AF_INET;
}

/*
 * localhost is this machine (RFC 6761, 6.3), and so is its own host name, which in many containers
 * nobody else knows: systemd's nss-myhostname answers both in the same way.
 */
static bool is_own_name(const char *name)
{
    char own[NAME_MAX_LEN + 1] = "";
    if (strcasecmp(name, "localhost") == 0)
        return true;
    return gethostname(own, sizeof own - 1) == 0 && own[0] != 0 && strcasecmp(name, own) == 0;
}

static void add_loopback(struct lookup *lookup)
{
    struct th_address *v4 = &lookup->addresses[0], *v6 = &lookup->addresses[1];
    *v4 = (struct th_address){.family = 4, .port = lookup->port, .bytes = {127, 0, 0, 1}};
    *v6 = (struct th_address){.family = 6, .port = lookup->port};
    v6->bytes[15] = 1;
    lookup->count = 2;
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    (void)timeouts;
    struct lookup *lookup = arg;
    lookup->loop->lookups--;
    if (!lookup->net) {
        free(lookup);
        ares_freeaddrinfo(result);
        return;
    }
    lookup->done = true;
    lookup->status = status;
    for (const struct ares_addrinfo_node *node = result ? result->nodes : NULL; node;
         node = node->ai_next) {
        if (lookup->count < TH_LINK_ADDRESSES_MAX &&
            address_of(node, lookup->port, &lookup->addresses[lookup->count]))
            lookup->count++;
    }
    ares_freeaddrinfo(result);
    if (lookup->count == 0 && lookup->own)
        add_loopback(lookup);
    th_linux_early(lookup->net);
}

void th_linux_resolve(void *ctx, const char *name, uint16_t port)
{
    struct th_linux_net *net = ctx;
    th_linux_resolve_cancel(net);
    struct lookup *lookup = calloc(1, sizeof *lookup);
    net->lookup = lookup;
    if (!lookup) { /* th_linux_resolved() reports it */
        th_linux_early(net);
        return;
    }
    lookup->loop = net->loop;
    lookup->net = net;
    lookup->port = port;
    lookup->own = is_own_name(name);
    if (!net->loop->names)
        lookup->status = open_channel(net->loop);
    if (lookup->status != ARES_SUCCESS) {
        lookup->done = true;
        th_linux_early(net);
        return;
    }
    net->loop->lookups++;
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(net->loop->names, name, NULL, &hints, answered, lookup);
}

static void fill_failure(const struct lookup *lookup, struct th_failure *out)
{
    enum th_error error = TH_ERR_NAME_OTHER;
    switch (lookup ? lookup->status : ARES_ENOMEM) {
    case ARES_SUCCESS: /* of families we cannot use */
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME: error = TH_ERR_NAME_NOT_FOUND; break;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED: error = TH_ERR_NAME_TIMEOUT; break;
    default: break;
    }
    *out = th_failure_of(error);
    out->detail = lookup ? lookup->status : ARES_ENOMEM;
}

int th_linux_resolved(void *ctx, struct th_address *out, size_t max, struct th_failure *failure)
{
    struct th_linux_net *net = ctx;
    struct lookup *lookup = net->lookup;
    if (lookup && !lookup->done)
        return 0;
    int count = -1;
    if (lookup && lookup->count > 0 && max > 0) {
        size_t copied = lookup->count < max ? lookup->count : max;
        memcpy(out, lookup->addresses, copied * sizeof *out);
        count = (int)copied;
    } else {
        fill_failure(lookup, failure);
    }
    free(lookup);
    net->lookup = NULL;
    return count;
}

void th_linux_resolve_cancel(void *ctx)
{
    struct th_linux_net *net = ctx;
    struct lookup *lookup = net->lookup;
    net->lookup = NULL;
    if (!lookup)
        return;
    if (lookup->done)
        free(lookup);
    else
        lookup->net = NULL; /* answered() frees it */
}

/* epoll does not say for which of the sockets: all are tried, without blocking. */
void th_linux_names_event(struct th_linux *loop)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    if (!loop->names)
        return;
    unsigned bits = (unsigned)ares_getsock(loop->names, sockets, ARES_GETSOCK_MAXNUM);
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        /* ARES_GETSOCK_WRITABLE shifts a 1 into the sign for the last of them. */
        bool in = bits >> i & 1;
        bool out = bits >> (i + ARES_GETSOCK_MAXNUM) & 1;
        if (in || out)
            ares_process_fd(loop->names, in ? sockets[i] : ARES_SOCKET_BAD,
                            out ? sockets[i] : ARES_SOCKET_BAD);
    }
}

uint32_t th_linux_names_timeout(struct th_linux *loop, uint32_t at_most_ms)
{
    struct timeval buffer;
    const struct timeval *next = ares_timeout(loop->names, NULL, &buffer);
    if (!next)
        return at_most_ms;
    uint64_t next_ms = (uint64_t)next->tv_sec * 1000 + ((uint64_t)next->tv_usec + 999) / 1000;
    return next_ms < at_most_ms ? (uint32_t)next_ms : at_most_ms;
}

void th_linux_names_tick(struct th_linux *loop)
{
    ares_process_fd(loop->names, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (loop->lookups == 0)
        th_linux_names_close(loop);
}

void th_linux_names_close(struct th_linux *loop)
{
    if (loop->names)
        ares_destroy(loop->names); /* answers what is left */
    loop->names = NULL;
}
