/* SPDX-License-Identifier: MIT */
#include "access_point.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thimble/net.h>
#include <thimble/time.h>

#define ANNOUNCEMENTS  2 /* RFC 6762 §8.3 */
#define PACKETS_A_STEP 16
#define SPRING_MS      1000
#define LEASES_MS      3600000 /* the wrap of the counter must not bring old leases back */
#define HOP_LIMIT      255

enum { DHCP, DNS, MDNS };

static const uint16_t ports[] = {TH_DHCP_SERVER_PORT, TH_DNS_PORT, TH_MDNS_PORT};
static const uint8_t group[] = {224, 0, 0, 251};

bool access_point_init(struct access_point *point, const char *text, struct th_linux *loop)
{
    struct th_address address;

    memset(point, 0, sizeof *point);
    point->loop = loop;
    point->sockets[0] = point->sockets[1] = point->sockets[2] = -1;
    if (!text)
        return true;
    size_t name = strcspn(text, "=");
    if (name == 0 || name >= sizeof point->interface || text[name] != '=' ||
        !th_address_parse(text + name + 1, &address) || address.family != 4)
        return false;
    memcpy(point->interface, text, name);
    memcpy(point->config.address, address.bytes, 4);
    return true;
}

/* ---- sockets ---- */

static bool set_up(const struct access_point *point, int fd, int which)
{
    static const int on = 1, hops = HOP_LIMIT;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(ports[which])};
    struct ip_mreqn member = {.imr_ifindex = (int)if_nametoindex(point->interface)};

    memcpy(&member.imr_address, point->config.address, 4);
    memcpy(&member.imr_multiaddr, group, 4);
    /* DHCP's questions come to 255.255.255.255, multicast DNS's to the group; names are asked of
     * us. */
    if (which == DNS)
        memcpy(&at.sin_addr, point->config.address, 4);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, point->interface,
                   (socklen_t)strlen(point->interface) + 1) != 0)
        return false;
    if (which == DHCP && setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) != 0)
        return false;
    if (which == MDNS &&
        (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member) != 0 ||
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &member, sizeof member) != 0 ||
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops) != 0 ||
         setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof hops) != 0))
        return false;
    return bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
}

void access_point_close(struct access_point *point)
{
    for (int i = 0; i < 3; i++) {
        if (point->sockets[i] < 0)
            continue;
        th_linux_unwatch(&point->watches[i]);
        close(point->sockets[i]);
        point->sockets[i] = -1;
    }
    point->open = false;
}

static bool open_all(struct access_point *point)
{
    for (int i = 0; i < 3; i++) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 && set_up(point, fd, i) &&
            th_linux_watch(point->loop, &point->watches[i], fd)) {
            point->sockets[i] = fd;
            continue;
        }
        point->error = errno;
        if (fd >= 0)
            close(fd);
        access_point_close(point);
        return false;
    }
    point->open = true;
    return true;
}

/* ---- packets ---- */

static void send_to(const struct access_point *point, int which, const uint8_t *bytes, size_t len,
                    const uint8_t address[4], uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

    memcpy(&to.sin_addr, address, 4);
    if (len > 0) /* what is lost is asked for again */
        sendto(point->sockets[which], bytes, len, MSG_NOSIGNAL, (const struct sockaddr *)&to,
               sizeof to);
}

static void answer(struct access_point *point, int which, struct th_span packet,
                   const struct sockaddr_in *from, uint32_t now_ms)
{
    uint8_t into[TH_AP_PACKET_MAX], to[4];
    uint16_t port = ntohs(from->sin_port);
    bool direct = true;
    size_t len;

    memcpy(to, &from->sin_addr, 4);
    if (which == DHCP) {
        len = th_dhcp_answer(&point->dhcp, packet, now_ms, into, sizeof into, to);
        port = TH_DHCP_CLIENT_PORT;
    } else if (which == DNS) {
        len = th_dns_answer(&point->config, packet, into, sizeof into);
    } else {
        len = th_mdns_answer(&point->mdns, packet, port, into, sizeof into, &direct);
        if (!direct) {
            memcpy(to, group, 4);
            port = TH_MDNS_PORT;
        }
    }
    send_to(point, which, into, len, to, port);
}

/* A packet that is longer than what is looked at comes cut, and does not parse. */
static void receive(struct access_point *point, int which, uint32_t now_ms)
{
    uint8_t bytes[TH_AP_PACKET_MAX * 2];

    for (int i = 0; i < PACKETS_A_STEP; i++) {
        struct sockaddr_in from = {.sin_family = AF_UNSPEC};
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(point->sockets[which], bytes, sizeof bytes, 0,
                               (struct sockaddr *)&from, &size);
        if (got < 0)
            return;
        if (size == sizeof from && from.sin_family == AF_INET)
            answer(point, which, th_span_of(bytes, (size_t)got), &from, now_ms);
    }
    point->watches[which].ready = true; /* there may be more */
}

static void announce(struct access_point *point, bool gone)
{
    uint8_t into[TH_AP_PACKET_MAX];

    send_to(point, MDNS, into, th_mdns_announce(&point->mdns, gone, into, sizeof into), group,
            TH_MDNS_PORT);
}

/* ---- with the mode ---- */

static bool begin(struct access_point *point, const struct th_device *device, uint16_t page_port,
                  uint32_t now_ms)
{
    const uint8_t *at = point->config.address;
    const char *id = th_device_id(device);

    snprintf(point->name, sizeof point->name, "%s", id[0] ? id : "thimble");
    snprintf(point->portal, sizeof point->portal, "http://%u.%u.%u.%u:%u/config", at[0], at[1],
             at[2], at[3], page_port);
    if (page_port == 80)
        snprintf(point->portal, sizeof point->portal, "http://%u.%u.%u.%u/config", at[0], at[1],
                 at[2], at[3]);
    point->config.portal = point->portal;
    point->mdns = (struct th_mdns){.name = point->name, .port = page_port};
    memcpy(point->mdns.address, at, 4);
    th_dhcp_init(&point->dhcp, &point->config);
    if (!open_all(point))
        return false;
    point->announcements = ANNOUNCEMENTS;
    point->announce_at_ms = now_ms;
    return true;
}

static uint32_t serve(struct access_point *point, uint32_t now_ms)
{
    uint32_t wait_ms = LEASES_MS;
    uint8_t to[4];

    th_dhcp_answer(&point->dhcp, th_span_of(NULL, 0), now_ms, NULL, 0, to);
    for (int i = 0; i < 3; i++) {
        if (!point->watches[i].ready)
            continue;
        point->watches[i].ready = false;
        receive(point, i, now_ms);
        if (point->watches[i].ready)
            wait_ms = 0;
    }
    if (point->announcements > 0 && th_time_reached(now_ms, point->announce_at_ms)) {
        announce(point, false);
        point->announcements--;
        point->announce_at_ms = now_ms + SPRING_MS;
    }
    if (point->announcements > 0)
        wait_ms = th_time_sooner(wait_ms, th_time_until(now_ms, point->announce_at_ms));
    return wait_ms;
}

uint32_t access_point_step(struct access_point *point, const struct th_device *device,
                           const struct th_config_mode *page,
                           const struct th_linux_listen *listener, uint32_t now_ms)
{
    struct th_address at;

    if (!point->interface[0] || !th_config_mode_open(page) || !th_linux_listen_at(listener, &at)) {
        if (point->open)
            announce(point, true);
        access_point_close(point);
        point->tried = false;
        return TH_FOREVER;
    }
    if (!point->open && !point->tried) {
        point->tried = true;
        if (!begin(point, device, at.port, now_ms))
            fprintf(stderr,
                    "thimble-device: no access point on %s: %s\n  next: give the interface that "
                    "address, end other servers of DHCP and DNS there, or run as root\n",
                    point->interface, strerror(point->error));
    }
    return point->open ? serve(point, now_ms) : TH_FOREVER;
}
