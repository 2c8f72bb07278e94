/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <lwip/tcp.h>
#include <string.h>

/* ---- who waits ---- */

/* lwIP keeps what is refused, and offers it again until somebody takes it. */
static err_t hold(void *argument, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    (void)argument;
    (void)pcb;
    (void)error;
    return packet != NULL ? ERR_MEM : ERR_OK;
}

/* lwIP has freed the pcb. */
static void lost(void *argument, err_t error)
{
    struct th_lwip_listen *listen = argument;

    (void)error;
    listen->next = NULL;
}

static void forget(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
}

/* A third one is turned away, and a browser tries again. */
static err_t arrived(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct th_lwip_listen *listen = argument;

    if (error != ERR_OK || pcb == NULL)
        return ERR_VAL;
    if (listen->next != NULL) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    listen->next = pcb;
    tcp_arg(pcb, listen);
    tcp_recv(pcb, hold);
    tcp_err(pcb, lost);
    tcp_nagle_disable(pcb);
    return ERR_OK;
}

/* ---- th_listen_ops ---- */

static bool open_(void *ctx)
{
    struct th_lwip_listen *listen = ctx;

    if (listen->listener != NULL)
        return true;
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_V4);
    if (pcb == NULL)
        return false;
    if (tcp_bind(pcb, IP4_ADDR_ANY, listen->port) != ERR_OK) {
        tcp_abort(pcb);
        return false;
    }
    listen->listener = tcp_listen(pcb);
    if (listen->listener == NULL) {
        tcp_abort(pcb);
        return false;
    }
    tcp_arg(listen->listener, listen);
    tcp_accept(listen->listener, arrived);
    return true;
}

static void close_(void *ctx)
{
    struct th_lwip_listen *listen = ctx;

    if (listen->next != NULL) {
        forget(listen->next);
        tcp_abort(listen->next);
        listen->next = NULL;
    }
    if (listen->listener != NULL)
        tcp_close(listen->listener); /* of a listener it cannot fail */
    listen->listener = NULL;
}

static bool accept_(void *ctx, struct th_wire *wire, struct th_address *local)
{
    struct th_lwip_listen *listen = ctx;
    struct tcp_pcb *pcb = listen->next;

    if (pcb == NULL)
        return false;
    listen->next = NULL;
    *local = (struct th_address){.family = 4, .port = pcb->local_port};
    memcpy(local->bytes, &ip_2_ip4(&pcb->local_ip)->addr, 4);
    forget(pcb);
    *wire = th_lwip_adopt(listen->lwip, pcb);
    return true;
}

static bool waiting(void *ctx)
{
    const struct th_lwip_listen *listen = ctx;

    return listen->next != NULL;
}

const struct th_listen_ops th_lwip_listen_ops = {open_, close_, accept_, waiting};

void th_lwip_listen_init(struct th_lwip_listen *listen, struct th_lwip *lwip, uint16_t port)
{
    *listen = (struct th_lwip_listen){.lwip = lwip, .port = port};
}
