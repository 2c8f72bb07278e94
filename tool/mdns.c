/* SPDX-License-Identifier: MIT */
/* One-shot multicast DNS: a question from a port of its own, answers directly (RFC 6762 §5.1,
 * §6.7). */
#include "mdns.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT      5353
#define HEADER    12
#define PACKET    1500
#define NAME      256 /* with dots and a NUL; no name is longer (RFC 1035 §2.3.4) */
#define TYPE_A    1
#define CLASS_IN  1
#define TRIES     3
#define TRY_MS    1000
#define NAMES_MAX 64 /* labels and pointers of a name */

bool mdns_is_local(const char *name)
{
    size_t len = strlen(name);
    return len > 6 && len < NAME - 2 && strcasecmp(name + len - 6, ".local") == 0;
}

/* ---- packets ---- */

struct packet {
    uint8_t at[PACKET];
    size_t len;
};

static void put_u16(struct packet *packet, unsigned value)
{
    packet->at[packet->len++] = (uint8_t)(value >> 8);
    packet->at[packet->len++] = (uint8_t)value;
}

/* False when a label is empty or too long. */
static bool ask(struct packet *packet, unsigned id, const char *name)
{
    *packet = (struct packet){.len = 0};
    put_u16(packet, id);
    put_u16(packet, 0);
    put_u16(packet, 1);
    packet->len = HEADER;
    while (*name) {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > 63)
            return false;
        packet->at[packet->len++] = (uint8_t)label;
        memcpy(packet->at + packet->len, name, label);
        packet->len += label;
        name += label + (name[label] == '.');
    }
    packet->at[packet->len++] = 0;
    put_u16(packet, TYPE_A);
    put_u16(packet, CLASS_IN);
    return true;
}

static unsigned u16_at(const struct packet *packet, size_t at)
{
    return at + 2 <= packet->len ? (unsigned)packet->at[at] << 8 | packet->at[at + 1] : 0;
}

/* The name at `at` with dots; returns where it ends, 0 when it is broken. */
static size_t read_name(const struct packet *packet, size_t at, char into[NAME])
{
    size_t used = 0, end = 0;
    for (int i = 0; i < NAMES_MAX && at < packet->len; i++) {
        uint8_t label = packet->at[at];
        if (label >= 0xC0) {
            if (at + 2 > packet->len)
                return 0;
            end = end ? end : at + 2;
            at = u16_at(packet, at) & 0x3FFF;
            continue;
        }
        if (label > 63 || at + 1 + label > packet->len || used + label + 2 > NAME)
            return 0;
        if (label == 0) {
            into[used > 0 ? used - 1 : 0] = '\0';
            return end ? end : at + 1;
        }
        memcpy(into + used, packet->at + at + 1, label);
        used += label;
        into[used++] = '.';
        at += 1 + (size_t)label;
    }
    return 0;
}

static bool answers(const struct packet *packet, unsigned id, const char *name,
                    struct in_addr *address)
{
    char owner[NAME];
    size_t at = HEADER;
    if (packet->len < HEADER || u16_at(packet, 0) != id || !(packet->at[2] & 0x80))
        return false;
    for (unsigned i = u16_at(packet, 4); i > 0; i--) {
        at = read_name(packet, at, owner);
        if (at == 0)
            return false;
        at += 4;
    }
    for (unsigned i = u16_at(packet, 6); i > 0; i--) {
        at = read_name(packet, at, owner);
        if (at == 0 || at + 10 > packet->len)
            return false;
        size_t data = at + 10, len = u16_at(packet, at + 8);
        if (data + len > packet->len)
            return false;
        /* The class's upper bit asks caches to forget others (§10.2). */
        if (u16_at(packet, at) == TYPE_A && (u16_at(packet, at + 2) & 0x7FFF) == CLASS_IN &&
            len == 4 && strcasecmp(owner, name) == 0) {
            memcpy(address, packet->at + data, 4);
            return true;
        }
        at = data + len;
    }
    return false;
}

/* ---- the local link ---- */

static void send_everywhere(int fd, const struct packet *packet)
{
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct ifaddrs *all = NULL;
    group.sin_addr.s_addr = htonl(0xE00000FB); /* 224.0.0.251 */
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        struct sockaddr_in own;
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !(at->ifa_flags & IFF_UP) ||
            !(at->ifa_flags & IFF_MULTICAST))
            continue;
        memcpy(&own, at->ifa_addr, sizeof own);
        if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &own.sin_addr, sizeof own.sin_addr) == 0)
            (void)sendto(fd, packet->at, packet->len, 0, (struct sockaddr *)&group, sizeof group);
    }
    freeifaddrs(all);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* From the port of multicast DNS alone (§6). */
static bool listen_until(int fd, int64_t until_ms, unsigned id, const char *name,
                         struct in_addr *address)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct packet packet;
    for (int64_t left; (left = until_ms - now_ms()) > 0;) {
        struct sockaddr_in from = {.sin_port = 0};
        socklen_t size = sizeof from;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        ssize_t got = recvfrom(fd, packet.at, sizeof packet.at, 0, (struct sockaddr *)&from, &size);
        packet.len = got > 0 ? (size_t)got : 0;
        if (from.sin_port == htons(PORT) && answers(&packet, id, name, address))
            return true;
    }
    return false;
}

bool mdns_find(const char *name, struct in_addr *address)
{
    struct packet packet;
    uint16_t id;
    bool found = false;
    if (!mdns_is_local(name) || getrandom(&id, sizeof id, 0) != sizeof id ||
        !ask(&packet, id, name))
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    for (int i = 0; i < TRIES && !found; i++) {
        send_everywhere(fd, &packet);
        found = listen_until(fd, now_ms() + TRY_MS, id, name, address);
    }
    close(fd);
    return found;
}
