/* SPDX-License-Identifier: MIT */
/* One question by UDP at a time over lwIP's raw API: struct th_udp_ops. */
#ifndef TH_LWIP_UDP_H
#define TH_LWIP_UDP_H

#include <lwip/ip_addr.h>
#include <thimble/board.h>

#define TH_LWIP_UDP_MAX 64

struct udp_pcb;

/* Fields are private. One exists for each network card, for ever. */
struct th_lwip_udp {
    struct udp_pcb *pcb; /* NULL: nothing is asked */
    ip_addr_t address;
    uint16_t port;
    uint8_t len, got; /* bytes of the question, 0: none, and of its answer */
    uint8_t packet[TH_LWIP_UDP_MAX], answer[TH_LWIP_UDP_MAX];
};

extern const struct th_udp_ops th_lwip_udp_ops; /* its context is the struct th_lwip_udp, zeroed */

#endif
