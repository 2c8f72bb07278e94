/* SPDX-License-Identifier: MIT */
#include "hosts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <thimble/link.h>
#include <thimble/linux.h>

#include "names.h"

#define RESOLVE_MS 3000

void hosts_add(struct hosts *hosts, const char *host)
{
    if (hosts->count == HOSTS_MAX || strlen(host) >= HOSTS_TEXT)
        return;
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcasecmp(hosts->at[i], host) == 0)
            return;
    }
    memcpy(hosts->at[hosts->count++], host, strlen(host) + 1);
}

static void add_address(struct hosts *hosts, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        if (!IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
            inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    }
    if (*text)
        hosts_add(hosts, text);
}

void hosts_of_this_machine(struct hosts *hosts)
{
    char name[200] = "";
    if (gethostname(name, sizeof name - 1) == 0 && *name && !names_host_fault(name)) {
        hosts_add(hosts, name);
        if (!strchr(name, '.')) {
            char local[HOSTS_TEXT];
            snprintf(local, sizeof local, "%s.local", name);
            hosts_add(hosts, local);
        }
    }
    hosts_add(hosts, "localhost");
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (at->ifa_addr)
            add_address(hosts, at->ifa_addr);
    }
    freeifaddrs(all);
}

static size_t resolve(struct th_linux *loop, const char *host, uint16_t port,
                      struct th_address addresses[TH_LINK_ADDRESSES_MAX])
{
    struct th_linux_net net;
    struct th_board board;
    struct th_failure failure;
    th_linux_net_init(&net, loop);
    th_linux_board(&net, &board);
    uint32_t since = th_linux_now(loop), gone = 0;
    int count = 0;
    board.net.ops->resolve(board.net.ctx, host, port);
    while ((count = board.net.ops->resolved(board.net.ctx, addresses, TH_LINK_ADDRESSES_MAX,
                                            &failure)) == 0 &&
           gone < RESOLVE_MS) {
        th_linux_wait(loop, RESOLVE_MS - gone < 50 ? RESOLVE_MS - gone : 50);
        gone = th_linux_now(loop) - since;
    }
    if (count == 0)
        board.net.ops->resolve_cancel(board.net.ctx);
    th_linux_net_close(&net);
    return count > 0 ? (size_t)count : 0;
}

size_t hosts_addresses(const char *host, uint16_t port,
                       struct th_address out[TH_LINK_ADDRESSES_MAX])
{
    struct th_linux loop;
    struct th_failure failure;
    if (th_address_parse(host, &out[0])) {
        out[0].port = port;
        return 1;
    }
    if (!th_linux_init(&loop, &failure))
        return 0;
    size_t count = resolve(&loop, host, port, out);
    th_linux_close(&loop);
    return count;
}

bool hosts_resolve(const char *host)
{
    struct th_address addresses[TH_LINK_ADDRESSES_MAX];
    size_t len = strlen(host);
    return (len > 6 && strcasecmp(host + len - 6, ".local") == 0) ||
           hosts_addresses(host, 8883, addresses) > 0;
}
