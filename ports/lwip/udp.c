/* SPDX-License-Identifier: MIT */
#include "udp.h"

#include <lwip/dns.h>
#include <lwip/udp.h>
#include <string.h>

static void cancel(void *ctx)
{
    struct th_lwip_udp *udp = ctx;

    udp->got = udp->len = 0; /* a name that is answered later asks nothing */
    if (udp->pcb != NULL)
        udp_remove(udp->pcb);
    udp->pcb = NULL;
}

/* A second answer before the first was taken is dropped: it is asked again anyway. */
static void received(void *argument, struct udp_pcb *pcb, struct pbuf *bytes, const ip_addr_t *from,
                     u16_t port)
{
    struct th_lwip_udp *udp = argument;

    (void)pcb;
    (void)from;
    (void)port; /* the socket is connected: only that address and port come here */
    if (udp->got == 0)
        udp->got = (uint8_t)pbuf_copy_partial(bytes, udp->answer, sizeof(udp->answer), 0);
    pbuf_free(bytes);
}

static void send_to(struct th_lwip_udp *udp, const ip_addr_t *to)
{
    udp->pcb = udp_new();
    if (udp->pcb == NULL)
        return;
    udp_recv(udp->pcb, received, udp);
    struct pbuf *bytes = pbuf_alloc(PBUF_TRANSPORT, udp->len, PBUF_RAM);
    if (bytes == NULL)
        return;
    pbuf_take(bytes, udp->packet, udp->len);
    if (udp_connect(udp->pcb, to, udp->port) == ERR_OK)
        udp_send(udp->pcb, bytes);
    pbuf_free(bytes);
}

/* lwIP calls it once for each look-up, whoever asked in the meantime. */
static void udp_name_answered(const char *name, const ip_addr_t *address, void *argument)
{
    struct th_lwip_udp *udp = argument;

    (void)name;
    if (address != NULL && udp->pcb == NULL && udp->len > 0)
        send_to(udp, address);
}

static void ask(void *ctx, const char *host, uint16_t port, const uint8_t *bytes, size_t len)
{
    struct th_lwip_udp *udp = ctx;

    cancel(udp);
    udp->port = port;
    udp->len = (uint8_t)(len < sizeof(udp->packet) ? len : sizeof(udp->packet));
    memcpy(udp->packet, bytes, udp->len);
    if (dns_gethostbyname(host, &udp->address, udp_name_answered, udp) == ERR_OK)
        send_to(udp, &udp->address);
}

static size_t answer(void *ctx, uint8_t *into, size_t room)
{
    struct th_lwip_udp *udp = ctx;
    size_t len = udp->got < room ? udp->got : room;

    memcpy(into, udp->answer, len);
    udp->got = 0;
    return len;
}

const struct th_udp_ops th_lwip_udp_ops = {ask, answer, cancel};
