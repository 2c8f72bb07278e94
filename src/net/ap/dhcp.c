/* SPDX-License-Identifier: MIT */
/* Addresses for whoever joins the access point: RFC 2131, with the options of RFC 2132. */
#include <string.h>

#include <thimble/time.h>

#include "net/ap/packet.h"

/* Where the fields of a message lie: RFC 2131 §2. */
#define OPTIONS  240 /* behind the magic cookie */
#define SHORTEST 300 /* of what BOOTP clients take, RFC 1542 §2.1 */

enum { BOOT_REQUEST = 1, BOOT_REPLY = 2, ETHERNET = 1, BROADCAST = 0x8000 };

enum message {
    DISCOVER = 1,
    OFFER,
    REQUEST,
    DECLINE,
    ACK,
    NAK,
    RELEASE,
    INFORM,
};

enum option {
    PAD = 0,
    NETMASK = 1,
    ROUTER = 3,
    NAME_SERVER = 6,
    REQUESTED = 50,
    LEASE_TIME = 51,
    MESSAGE_TYPE = 53,
    SERVER = 54,
    RENEWAL = 58,
    REBINDING = 59,
    CLIENT_ID = 61,
    PORTAL = 114, /* RFC 8910 §2.1 */
    END = 255,
};

enum state { FREE, OFFERED, LEASED, DECLINED };

static const uint8_t cookie[] = {99, 130, 83, 99};
static const uint8_t nowhere[4], everybody[] = {255, 255, 255, 255};

/* ---- messages ---- */

struct message_in {
    uint8_t transaction[4], client_address[4], hardware[16];
    uint16_t flags;
    uint8_t type;
    uint64_t client;
    bool has_requested, has_server;
    uint8_t requested[4], server[4];
};

/* FNV-1a: whoever forges the other one's can as well forge his hardware address. */
static uint64_t digest_of(uint8_t kind, struct th_span bytes)
{
    uint64_t digest = (14695981039346656037u ^ kind) * 1099511628211u;

    for (size_t i = 0; i < bytes.len; i++)
        digest = (digest ^ bytes.at[i]) * 1099511628211u;
    return digest;
}

static bool take_option(struct message_in *in, uint8_t code, struct th_span value)
{
    switch (code) {
    case MESSAGE_TYPE: in->type = value.len == 1 ? value.at[0] : 0; return value.len == 1;
    case REQUESTED:
    case SERVER:
        if (value.len != 4)
            return false;
        memcpy(code == SERVER ? in->server : in->requested, value.at, 4);
        in->has_server |= code == SERVER;
        in->has_requested |= code == REQUESTED;
        return true;
    case CLIENT_ID:
        if (value.len < 2) /* RFC 2132 §9.14 */
            return false;
        in->client = digest_of(CLIENT_ID, value);
        return true;
    default: return true;
    }
}

/* Options in the fields for names (RFC 2131, option 52) are not looked at: no client needs them. */
static bool read_options(struct message_in *in, struct th_reader *reader)
{
    while (th_read_left(reader) > 0) {
        uint8_t code = th_read_u8(reader);
        struct th_span value;
        if (code == END)
            return true;
        if (code == PAD)
            continue;
        th_read(reader, th_read_u8(reader), &value);
        if (reader->failed || !take_option(in, code, value))
            return false;
    }
    return true; /* without an END: many leave it out when there is no room */
}

static bool copied(struct th_reader *reader, uint8_t *into, size_t len)
{
    struct th_span bytes;

    th_read(reader, len, &bytes);
    if (!reader->failed)
        memcpy(into, bytes.at, len);
    return !reader->failed;
}

/* False: not a message of a client that is on our own network. */
static bool read_message(struct th_span packet, struct message_in *in)
{
    struct th_reader reader = th_reader_of(packet);
    uint8_t head[4], between[4], found[4], relay[4];
    struct th_span skipped;

    memset(in, 0, sizeof *in);
    if (packet.len < OPTIONS || !copied(&reader, head, 4) || head[0] != BOOT_REQUEST ||
        head[1] != ETHERNET || head[2] != 6)
        return false;
    copied(&reader, in->transaction, 4);
    copied(&reader, between, 2); /* seconds */
    in->flags = th_read_u16(&reader);
    copied(&reader, in->client_address, 4);
    copied(&reader, between, 4); /* yiaddr */
    copied(&reader, between, 4); /* siaddr */
    copied(&reader, relay, 4);
    copied(&reader, in->hardware, sizeof in->hardware);
    th_read(&reader, 64 + 128, &skipped); /* names */
    if (!copied(&reader, found, 4) || memcmp(found, cookie, 4) != 0 ||
        memcmp(relay, nowhere, 4) != 0)
        return false;
    in->client = digest_of(0, th_span_of(in->hardware, 6));
    return read_options(in, &reader) && in->type >= DISCOVER && in->type <= INFORM;
}

/* ---- leases ---- */

void th_dhcp_init(struct th_dhcp *dhcp, const struct th_ap_config *config)
{
    memset(dhcp, 0, sizeof *dhcp);
    dhcp->config = config;
}

static void expire(struct th_dhcp *dhcp, uint32_t now_ms)
{
    for (int i = 0; i < TH_DHCP_LEASES; i++) {
        if (dhcp->leases[i].state != FREE && th_time_reached(now_ms, dhcp->leases[i].until_ms))
            dhcp->leases[i].state = FREE;
    }
}

/* The addresses are 1 to 9 of our network (or, where ours is high, some below it) without ours. */
static uint8_t host_of(const struct th_dhcp *dhcp, int lease)
{
    uint8_t ours = dhcp->config->address[3];
    uint8_t first = ours > 0 && ours < 255 - TH_DHCP_LEASES ? ours + 1 : 1;

    return (uint8_t)(first + lease);
}

static void address_of(const struct th_dhcp *dhcp, int lease, uint8_t into[4])
{
    memcpy(into, dhcp->config->address, 3);
    into[3] = host_of(dhcp, lease);
}

/* -1: not one of those that are given out. */
static int lease_of(const struct th_dhcp *dhcp, const uint8_t address[4])
{
    for (int i = 0; i < TH_DHCP_LEASES; i++) {
        uint8_t one[4];
        address_of(dhcp, i, one);
        if (memcmp(one, address, 4) == 0)
            return i;
    }
    return -1;
}

static int lease_for(const struct th_dhcp *dhcp, uint64_t client)
{
    for (int i = 0; i < TH_DHCP_LEASES; i++) {
        const struct th_dhcp_lease *lease = &dhcp->leases[i];
        if ((lease->state == OFFERED || lease->state == LEASED) && lease->client == client)
            return i;
    }
    return -1;
}

/* What the client has, what it asks for, the one it had last, any: RFC 2131 §4.3.1. -1: all are
 * taken. */
static int choose(const struct th_dhcp *dhcp, const struct message_in *in)
{
    int lease = lease_for(dhcp, in->client);

    if (lease >= 0)
        return lease;
    lease = in->has_requested ? lease_of(dhcp, in->requested) : -1;
    if (lease >= 0 && dhcp->leases[lease].state == FREE)
        return lease;
    lease = -1;
    for (int i = 0; i < TH_DHCP_LEASES; i++) {
        if (dhcp->leases[i].state != FREE)
            continue;
        if (dhcp->leases[i].client == in->client)
            return i;
        /* One that nobody has had before one that somebody may come back for. */
        if (lease < 0 || (dhcp->leases[lease].client != 0 && dhcp->leases[i].client == 0))
            lease = i;
    }
    return lease;
}

static void take(struct th_dhcp *dhcp, int lease, const struct message_in *in, enum state state,
                 uint32_t until_ms)
{
    dhcp->leases[lease] =
        (struct th_dhcp_lease){.client = in->client, .until_ms = until_ms, .state = (uint8_t)state};
}

static void give_up(struct th_dhcp *dhcp, const struct message_in *in)
{
    int lease = lease_for(dhcp, in->client);

    if (lease >= 0)
        dhcp->leases[lease].state = FREE;
}

/* ---- answers ---- */

static void put_option(struct ap_writer *writer, enum option code, const void *bytes, size_t len)
{
    ap_put_u8(writer, (uint8_t)code);
    ap_put_u8(writer, (uint8_t)len);
    ap_put(writer, bytes, len);
}

static void put_seconds(struct ap_writer *writer, enum option code, uint32_t seconds)
{
    ap_put_u8(writer, (uint8_t)code);
    ap_put_u8(writer, 4);
    ap_put_u32(writer, seconds);
}

static void put_network(struct ap_writer *writer, const struct th_ap_config *config)
{
    static const uint8_t netmask[] = {255, 255, 255, 0};
    size_t portal = config->portal ? strlen(config->portal) : 0;

    put_option(writer, NETMASK, netmask, 4);
    put_option(writer, ROUTER, config->address, 4);
    put_option(writer, NAME_SERVER, config->address, 4);
    if (portal > 0 && portal <= 128)
        put_option(writer, PORTAL, config->portal, portal);
}

/* `yours`: the address that is given; that of nobody for NAK and INFORM. */
static size_t answer(const struct th_dhcp *dhcp, const struct message_in *in, enum message type,
                     const uint8_t yours[4], uint8_t *into, size_t room, uint8_t to[4])
{
    struct ap_writer writer = ap_writer_of(into, room);
    static const uint8_t zeros[64 + 128];
    const uint8_t head[] = {BOOT_REPLY, ETHERNET, 6, 0}, kind = (uint8_t)type;
    bool has_address = type != NAK && memcmp(in->client_address, nowhere, 4) != 0;

    ap_put(&writer, head, sizeof head);
    ap_put(&writer, in->transaction, 4);
    ap_put_u16(&writer, 0);
    ap_put_u16(&writer, in->flags);
    ap_put(&writer, type == ACK ? in->client_address : nowhere, 4);
    ap_put(&writer, yours, 4);
    ap_put(&writer, nowhere, 4);
    ap_put(&writer, nowhere, 4);
    ap_put(&writer, in->hardware, sizeof in->hardware);
    ap_put(&writer, zeros, sizeof zeros);
    ap_put(&writer, cookie, sizeof cookie);
    put_option(&writer, MESSAGE_TYPE, &kind, 1);
    put_option(&writer, SERVER, dhcp->config->address, 4);
    if (type != NAK && in->type != INFORM) {
        put_seconds(&writer, LEASE_TIME, TH_DHCP_LEASE_S);
        put_seconds(&writer, RENEWAL, TH_DHCP_LEASE_S / 2);
        put_seconds(&writer, REBINDING, TH_DHCP_LEASE_S / 8 * 7);
    }
    if (type != NAK)
        put_network(&writer, dhcp->config);
    ap_put_u8(&writer, END);
    while (!writer.failed && writer.at - writer.begin < SHORTEST)
        ap_put_u8(&writer, PAD);
    /* RFC 2131 §4.1; one that has no address yet is reached by broadcast alone, through a socket.
     */
    memcpy(to, has_address && !(in->flags & BROADCAST) ? in->client_address : everybody, 4);
    return ap_written(&writer);
}

static size_t offer(struct th_dhcp *dhcp, const struct message_in *in, uint32_t now_ms,
                    uint8_t *into, size_t room, uint8_t to[4])
{
    uint8_t yours[4];
    int lease = choose(dhcp, in);

    if (lease < 0)
        return 0;
    if (dhcp->leases[lease].state != LEASED)
        take(dhcp, lease, in, OFFERED, now_ms + TH_DHCP_OFFER_MS);
    address_of(dhcp, lease, yours);
    return answer(dhcp, in, OFFER, yours, into, room, to);
}

/* An address that nobody else has may be kept, also one from before our restart: we are the only
 * server of this network. */
static size_t request(struct th_dhcp *dhcp, const struct message_in *in, uint32_t now_ms,
                      uint8_t *into, size_t room, uint8_t to[4])
{
    const uint8_t *wanted = in->has_requested ? in->requested : in->client_address;

    if (in->has_server && memcmp(in->server, dhcp->config->address, 4) != 0) {
        give_up(dhcp, in); /* it took another server's offer */
        return 0;
    }
    int lease = lease_of(dhcp, wanted), has = lease_for(dhcp, in->client);
    bool free = lease >= 0 && (dhcp->leases[lease].state == FREE || lease == has);
    if (!free)
        return answer(dhcp, in, NAK, nowhere, into, room, to);
    if (has >= 0 && has != lease)
        dhcp->leases[has].state = FREE;
    take(dhcp, lease, in, LEASED, now_ms + TH_DHCP_LEASE_S * 1000u);
    return answer(dhcp, in, ACK, wanted, into, room, to);
}

static void decline(struct th_dhcp *dhcp, const struct message_in *in, uint32_t now_ms)
{
    int lease = in->has_requested ? lease_of(dhcp, in->requested) : -1;

    /* Only its own: nobody takes addresses away from others. */
    if (lease >= 0 && lease == lease_for(dhcp, in->client))
        take(dhcp, lease, in, DECLINED, now_ms + TH_DHCP_DECLINE_MS);
}

size_t th_dhcp_answer(struct th_dhcp *dhcp, struct th_span packet, uint32_t now_ms, uint8_t *into,
                      size_t room, uint8_t to[4])
{
    struct message_in in;

    expire(dhcp, now_ms);
    if (!read_message(packet, &in))
        return 0;
    switch ((enum message)in.type) {
    case DISCOVER: return offer(dhcp, &in, now_ms, into, room, to);
    case REQUEST: return request(dhcp, &in, now_ms, into, room, to);
    case INFORM:
        return memcmp(in.client_address, nowhere, 4) == 0
                   ? 0
                   : answer(dhcp, &in, ACK, nowhere, into, room, to);
    case DECLINE: decline(dhcp, &in, now_ms); return 0;
    case RELEASE: give_up(dhcp, &in); return 0;
    case OFFER:
    case ACK:
    case NAK: break; /* of another server */
    }
    return 0;
}
