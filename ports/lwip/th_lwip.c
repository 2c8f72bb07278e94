/* SPDX-License-Identifier: MIT */
#include "th_lwip.h"

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <string.h>
#include <thimble/time.h>

/* ---- interface ---- */

void th_lwip_start(struct th_lwip *lwip, netif_init_fn start_card,
                   bool (*poll_card)(struct netif *netif))
{
    memset(lwip, 0, sizeof(*lwip));
    lwip->poll_card = poll_card;
    lwip_init();
    netif_add(&lwip->netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4, lwip, start_card,
              ethernet_input);
    netif_set_default(&lwip->netif);
    netif_set_up(&lwip->netif);
    dhcp_start(&lwip->netif);
}

void th_lwip_poll(struct th_lwip *lwip)
{
    lwip->wire.fresh = false;
    lwip->poll_card(&lwip->netif);
    sys_check_timeouts();
}

uint32_t th_lwip_deadline(const struct th_lwip *lwip)
{
    if (lwip->wire.received != NULL && lwip->wire.fresh)
        return 0;
    uint32_t wait = sys_timeouts_sleeptime();
    return wait == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? TH_FOREVER : wait;
}

static bool up(void *ctx)
{
    struct th_lwip *lwip = ctx;
    return dhcp_supplied_address(&lwip->netif) && netif_is_link_up(&lwip->netif);
}

/* ---- names ---- */

static void name_answered(const char *name, const ip_addr_t *address, void *argument)
{
    struct th_lwip *lwip = argument;

    (void)name;
    if (lwip->name.state != TH_LWIP_NAME_ASKED)
        return;
    lwip->name.state = address != NULL ? TH_LWIP_NAME_FOUND : TH_LWIP_NAME_MISSING;
    if (address != NULL)
        lwip->name.address = *address;
}

static void resolve(void *ctx, const char *name, uint16_t port)
{
    struct th_lwip *lwip = ctx;

    lwip->name.port = port;
    lwip->name.state = TH_LWIP_NAME_ASKED;
    err_t error = dns_gethostbyname(name, &lwip->name.address, name_answered, lwip);
    if (error == ERR_OK)
        lwip->name.state = TH_LWIP_NAME_FOUND;
    else if (error != ERR_INPROGRESS)
        lwip->name.state = TH_LWIP_NAME_MISSING;
}

static struct th_address address_of(const ip_addr_t *from, uint16_t port)
{
    struct th_address address = {.family = 4, .port = port};
    memcpy(address.bytes, &ip_2_ip4(from)->addr, 4);
    return address;
}

static int resolved(void *ctx, struct th_address *out, size_t max, struct th_failure *out_failure)
{
    struct th_lwip *lwip = ctx;

    if (lwip->name.state == TH_LWIP_NAME_ASKED)
        return 0;
    if (lwip->name.state == TH_LWIP_NAME_FOUND && max > 0) {
        out[0] = address_of(&lwip->name.address, lwip->name.port);
        return 1;
    }
    *out_failure = th_failure_of(TH_ERR_NAME_NOT_FOUND);
    return -1;
}

static void resolve_cancel(void *ctx)
{
    struct th_lwip *lwip = ctx;
    lwip->name.state = TH_LWIP_NAME_IDLE;
}

/* ---- wire ---- */

/* See keep(). */
_Static_assert(PBUF_POOL_SIZE >= TCP_WND / TCP_MSS + 2, "acknowledgements must find a buffer");

static enum th_error error_of(err_t error, bool was_open)
{
    switch (error) {
    case ERR_RST: return was_open ? TH_ERR_TCP_RESET : TH_ERR_TCP_REFUSED;
    case ERR_ABRT: /* retransmissions ran out */
    case ERR_TIMEOUT: return TH_ERR_TCP_TIMEOUT;
    case ERR_RTE: return TH_ERR_TCP_UNREACHABLE;
    case ERR_CLSD: return TH_ERR_TCP_CLOSED;
    default: return TH_ERR_TCP_OTHER;
    }
}

static void fail(struct th_lwip *lwip, err_t error)
{
    bool was_open = lwip->wire.state == TH_STREAM_OPEN;

    lwip->wire.error = error_of(error, was_open);
    lwip->wire.detail = error;
    lwip->wire.state = TH_STREAM_FAILED;
}

static err_t on_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct th_lwip *lwip = argument;

    (void)pcb;
    (void)error; /* always ERR_OK, says lwIP */
    lwip->wire.state = TH_STREAM_OPEN;
    return ERR_OK;
}

/* Bytes free behind what a buffer of the pool holds. */
static size_t room_behind(const struct pbuf *packet)
{
    const uint8_t *end = (const uint8_t *)packet + LWIP_MEM_ALIGN_SIZE(sizeof(*packet)) +
                         LWIP_MEM_ALIGN_SIZE(PBUF_POOL_BUFSIZE);

    return (size_t)(end - ((const uint8_t *)packet->payload + packet->len));
}

/* One buffer behind the others, which it fills up first. */
static void keep_one(struct th_lwip *lwip, struct pbuf *packet)
{
    struct pbuf *last = lwip->wire.received;

    while (last != NULL && last->next != NULL)
        last = last->next;
    size_t room = last != NULL ? room_behind(last) : 0;
    uint16_t part = (uint16_t)(packet->len < room ? packet->len : room);
    if (part > 0) {
        memcpy((uint8_t *)last->payload + last->len, packet->payload, part);
        last->len = (uint16_t)(last->len + part);
        for (struct pbuf *each = lwip->wire.received; each != NULL; each = each->next)
            each->tot_len = (uint16_t)(each->tot_len + part);
        packet->len = packet->tot_len = (uint16_t)(packet->len - part);
        memmove(packet->payload, (const uint8_t *)packet->payload + part, packet->len);
    }
    if (packet->len == 0)
        pbuf_free(packet);
    else if (last != NULL)
        pbuf_cat(lwip->wire.received, packet);
    else
        lwip->wire.received = packet;
}

/* Each small segment would hold a whole buffer of the pool. While we wait for room to answer, and
 * do not read, they would hold all of them, and the acknowledgement that makes room would find
 * none. So the buffers are filled up: a window of bytes and one buffer begun leave one of the pool
 * free. */
static void keep(struct th_lwip *lwip, struct pbuf *packet)
{
    while (packet != NULL) {
        struct pbuf *rest = packet->next;

        if (rest != NULL)
            pbuf_ref(rest); /* else it goes with the chain */
        pbuf_dechain(packet);
        keep_one(lwip, packet);
        packet = rest;
    }
}

static err_t on_received(void *argument, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct th_lwip *lwip = argument;

    (void)pcb;
    (void)error;
    lwip->wire.fresh = true;
    if (packet == NULL)
        lwip->wire.end_received = true;
    else
        keep(lwip, packet);
    return ERR_OK;
}

/* lwIP has freed the pcb. */
static void on_error(void *argument, err_t error)
{
    struct th_lwip *lwip = argument;

    lwip->wire.pcb = NULL;
    fail(lwip, error);
}

/* What was received before the peer's end is read first. */
static enum th_stream_state wire_state(void *ctx)
{
    struct th_lwip *lwip = ctx;

    if (lwip->wire.state == TH_STREAM_OPEN && lwip->wire.end_received &&
        lwip->wire.received == NULL)
        return TH_STREAM_ENDED;
    return lwip->wire.state;
}

static size_t wire_read(void *ctx, uint8_t *into, size_t room)
{
    struct th_lwip *lwip = ctx;
    size_t done = 0;

    while (done < room && lwip->wire.received != NULL) {
        struct pbuf *first = lwip->wire.received;
        size_t left = first->len - lwip->wire.used;
        size_t part = left < room - done ? left : room - done;

        memcpy(into + done, (const uint8_t *)first->payload + lwip->wire.used, part);
        done += part;
        lwip->wire.used = (uint16_t)(lwip->wire.used + part);
        if (part == left) {
            lwip->wire.received = pbuf_free_header(first, first->len);
            lwip->wire.used = 0;
        }
    }
    lwip->wire.fresh |= done > 0;
    if (done > 0 && lwip->wire.pcb != NULL)
        tcp_recved(lwip->wire.pcb, (uint16_t)done);
    return done;
}

static size_t wire_write(void *ctx, const uint8_t *bytes, size_t len, bool more)
{
    struct th_lwip *lwip = ctx;
    struct tcp_pcb *pcb = lwip->wire.pcb;

    if (pcb == NULL || lwip->wire.state != TH_STREAM_OPEN)
        return 0;
    size_t room = tcp_sndbuf(pcb);
    size_t part = len < room ? len : room;
    uint8_t flags = TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0);
    /* ERR_MEM leaves the connection as it was: the caller comes again. */
    if (part > 0 && tcp_write(pcb, bytes, (uint16_t)part, flags) != ERR_OK)
        part = 0;
    if (!more || part < len)
        tcp_output(pcb);
    return part;
}

static void drop_received(struct th_lwip *lwip)
{
    if (lwip->wire.received != NULL)
        pbuf_free(lwip->wire.received);
    lwip->wire.received = NULL;
    lwip->wire.used = 0;
}

static void wire_close(void *ctx, bool orderly)
{
    struct th_lwip *lwip = ctx;
    struct tcp_pcb *pcb = lwip->wire.pcb;

    lwip->wire.pcb = NULL;
    drop_received(lwip);
    /* Nobody answered: a neighbour's address may be wrong (ARP believes anybody), so it is asked
     * for anew, and not only after lwIP's five minutes. */
    if (pcb != NULL && lwip->wire.state == TH_STREAM_OPENING)
        etharp_cleanup_netif(&lwip->netif);
    if (lwip->wire.state != TH_STREAM_FAILED)
        lwip->wire.state = TH_STREAM_ENDED;
    if (pcb == NULL)
        return;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
    if (!orderly || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

static void wire_failure(void *ctx, struct th_failure *out)
{
    struct th_lwip *lwip = ctx;

    *out = th_failure_of(lwip->wire.error);
    out->detail = lwip->wire.detail;
}

static const struct th_wire_ops wire_ops = {wire_state, wire_read, wire_write, wire_close,
                                            wire_failure};

static err_t start_connection(struct th_lwip *lwip, const struct th_address *to)
{
    ip_addr_t address;

    if (to->family != 4)
        return ERR_RTE;
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_V4);
    if (pcb == NULL)
        return ERR_MEM;
    /* The layers above coalesce, and say with `more` when to wait. */
    tcp_nagle_disable(pcb);
    tcp_arg(pcb, lwip);
    tcp_recv(pcb, on_received);
    tcp_err(pcb, on_error);
    memcpy(&ip_2_ip4(&address)->addr, to->bytes, 4);
    lwip->wire.pcb = pcb;
    err_t error = tcp_connect(pcb, &address, to->port, on_connected);
    if (error != ERR_OK) {
        lwip->wire.pcb = NULL;
        tcp_arg(pcb, NULL);
        tcp_err(pcb, NULL);
        tcp_abort(pcb);
    }
    return error;
}

static struct th_wire connect(void *ctx, const struct th_address *to)
{
    struct th_lwip *lwip = ctx;

    wire_close(lwip, false);
    memset(&lwip->wire, 0, sizeof(lwip->wire));
    lwip->wire.state = TH_STREAM_OPENING;
    err_t error = start_connection(lwip, to);
    if (error != ERR_OK)
        fail(lwip, error);
    return (struct th_wire){&wire_ops, lwip};
}

struct th_wire th_lwip_adopt(struct th_lwip *lwip, struct tcp_pcb *pcb, struct pbuf *received,
                             bool ended)
{
    wire_close(lwip, false);
    memset(&lwip->wire, 0, sizeof(lwip->wire));
    lwip->wire.state = TH_STREAM_OPEN;
    lwip->wire.pcb = pcb;
    lwip->wire.received = received;
    lwip->wire.end_received = ended;
    lwip->wire.fresh = received != NULL;
    tcp_arg(pcb, lwip);
    tcp_recv(pcb, on_received);
    tcp_err(pcb, on_error);
    return (struct th_wire){&wire_ops, lwip};
}

static const struct th_net_ops net_ops = {up, resolve, resolved, resolve_cancel, connect};

struct th_net th_lwip_net(struct th_lwip *lwip)
{
    return (struct th_net){&net_ops, lwip};
}
