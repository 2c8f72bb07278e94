/* SPDX-License-Identifier: MIT */
/* A listening socket over lwIP's raw API: struct th_listen_ops. The connection it takes is the
 * th_lwip's one wire, so it listens only while there is no link: configuration mode. */
#ifndef TH_LWIP_LISTEN_H
#define TH_LWIP_LISTEN_H

#include <thimble/board.h>

#include "th_lwip.h"

/* Fields are private. */
struct th_lwip_listen {
    struct th_lwip *lwip;
    struct tcp_pcb *listener; /* NULL: it does not listen */
    struct tcp_pcb *next;     /* who waits to be taken */
    struct pbuf *first;       /* of what they have sent; the rest waits in lwIP */
    bool ended;
    uint16_t port;
};

extern const struct th_listen_ops th_lwip_listen_ops; /* its context is the struct */

void th_lwip_listen_init(struct th_lwip_listen *listen, struct th_lwip *lwip, uint16_t port);

#endif
