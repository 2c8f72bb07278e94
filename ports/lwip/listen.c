/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <lwip/tcp.h>
#include <string.h>

/* ---- who waits ---- */

/* One packet, mostly a whole request: who is served needs the other buffers. lwIP keeps what is
 * refused, and offers it again four times a second. */
static err_t hold(void *argument, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct th_lwip_listen *listen = argument;

    (void)pcb;
    (void)error;
    if (packet != NULL && listen->first != NULL)
        return ERR_MEM;
    if (packet != NULL)
        listen->first = packet;
    else
        listen->ended = true;
    return ERR_OK;
}

static void drop_first(struct th_lwip_listen *listen)
{
    if (listen->first != NULL)
        pbuf_free(listen->first);
    listen->first = NULL;
    listen->ended = false;
}

/* lwIP has freed the pcb. */
static void lost(void *argument, err_t error)
{
    struct th_lwip_listen *listen = argument;

    (void)error;
    listen->next = NULL;
    drop_first(listen);
}

static void forget(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
}

/* Until this one is taken, lwIP hears nobody else. */
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
    tcp_backlog_delayed(pcb);
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
    ip_set_option(pcb, SOF_REUSEADDR);
    if (tcp_bind(pcb, IP4_ADDR_ANY, listen->port) != ERR_OK) {
        tcp_abort(pcb);
        return false;
    }
    listen->listener = tcp_listen_with_backlog(pcb, 1);
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
        drop_first(listen);
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
    tcp_backlog_accepted(pcb);
    *wire = th_lwip_adopt(listen->lwip, pcb, listen->first, listen->ended);
    listen->first = NULL;
    listen->ended = false;
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
