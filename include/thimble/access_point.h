/* SPDX-License-Identifier: MIT */
/*
 * What a device says on its own network in configuration mode: addresses by DHCP (RFC 2131), every
 * name is its own by DNS (so that phones find the page), and its name on the local link by
 * multicast DNS (RFC 6762). Packet in, packet out, time as an argument; formats and limits:
 * docs/access-point.md.
 *
 * A datagram that is not understood whole is answered with nothing, or with the error its protocol
 * has; an answer is never much longer than its question. A port receives, asks, and sends.
 */
#ifndef THIMBLE_ACCESS_POINT_H
#define THIMBLE_ACCESS_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

#define TH_DHCP_SERVER_PORT 67
#define TH_DHCP_CLIENT_PORT 68
#define TH_DNS_PORT         53
#define TH_MDNS_PORT        5353 /* group 224.0.0.251, hop limit 255 */

#define TH_AP_PACKET_MAX 576 /* bytes of the largest packet that is made or looked at */

/* Lives and stays unchanged as long as what it is given to. */
struct th_ap_config {
    uint8_t address[4]; /* ours; the network is the 256 addresses it lies in */
    const char *portal; /* URL for DHCP's option 114, at most 128 bytes; NULL: none */
};

/* ---- DHCP ---- */

#define TH_DHCP_LEASES     8      /* addresses given out: the 8 behind ours, ours being left out */
#define TH_DHCP_LEASE_S    600    /* short: phones come once and with another address each time */
#define TH_DHCP_OFFER_MS   20000  /* so long an offer is kept for its client */
#define TH_DHCP_DECLINE_MS 600000 /* somebody else has this address: so long nobody gets it */

/* Private. */
struct th_dhcp_lease {
    uint64_t client; /* digest of client identifier or hardware address */
    uint32_t until_ms;
    uint8_t state;
};

/* Fields private. */
struct th_dhcp {
    const struct th_ap_config *config;
    struct th_dhcp_lease leases[TH_DHCP_LEASES];
};

void th_dhcp_init(struct th_dhcp *dhcp, const struct th_ap_config *config);

/* Answers a datagram that came to port 67, into TH_AP_PACKET_MAX bytes; returns how many, 0: says
 * nothing. `to` gets where it goes, port 68: an address of the client, or 255.255.255.255. Call it
 * at least every 20 days, with an empty packet if nothing else, or old leases come back to life. */
size_t th_dhcp_answer(struct th_dhcp *dhcp, struct th_span packet, uint32_t now_ms, uint8_t *into,
                      size_t room, uint8_t to[4]);

/* ---- DNS ---- */

#define TH_DNS_TTL_S 10 /* of an address that is a lie */

/* Answers a query that came to port 53: every name has our address, and nothing else. */
size_t th_dns_answer(const struct th_ap_config *config, struct th_span packet, uint8_t *into,
                     size_t room);

/* ---- multicast DNS ---- */

#define TH_MDNS_TTL_S 120

/* Lives and stays unchanged as long as it is used. */
struct th_mdns {
    uint8_t address[4];
    const char *name; /* of the device, at most 32 bytes: <name>.local */
    uint16_t port;    /* of the page, for _thimble._tcp */
};

/* Answers a query; `from_port` is that of whoever asks: other than 5353 is a simple resolver, which
 * is answered directly and in its own way (RFC 6762 §6.7). `*direct`: send it to where the query
 * came from, else to the group. 0: nothing is said. */
size_t th_mdns_answer(const struct th_mdns *mdns, struct th_span packet, uint16_t from_port,
                      uint8_t *into, size_t room, bool *direct);

/* What is sent to the group, twice, a second apart, when the device begins to be there; `gone`:
 * once, when it leaves. */
size_t th_mdns_announce(const struct th_mdns *mdns, bool gone, uint8_t *into, size_t room);

#endif
