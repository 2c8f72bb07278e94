/* SPDX-License-Identifier: MIT */
/*
 * lwIP's raw API behind struct th_net: one network interface, one look-up and one TCP connection at
 * a time. Shared by the bare-metal ports. A port supplies the network card's driver, sys_now(),
 * th_lwip_random() and th_lwip_broken().
 */
#ifndef TH_LWIP_H
#define TH_LWIP_H

#include <stdbool.h>

#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <thimble/net.h>

struct pbuf;
struct tcp_pcb;

enum th_lwip_name {
    TH_LWIP_NAME_IDLE,
    TH_LWIP_NAME_ASKED,
    TH_LWIP_NAME_FOUND,
    TH_LWIP_NAME_MISSING,
};

/* Fields are private. One exists for each network card, for ever. */
struct th_lwip {
    struct netif netif;
    bool (*poll_card)(struct netif *netif);
    struct {
        enum th_lwip_name state;
        ip_addr_t address;
        uint16_t port;
    } name;
    struct {
        struct tcp_pcb *pcb; /* NULL: lwIP holds nothing of ours */
        struct pbuf *received;
        uint16_t used; /* bytes of the first of `received` that were read */
        bool end_received;
        bool fresh; /* since the last poll something was received or read */
        enum th_stream_state state;
        enum th_error error;
        int8_t detail;
    } wire;
};

/* Brings lwIP and the interface up and starts DHCP. `start_card` is a netif init function;
 * `poll_card` hands received frames to the netif and says whether there were any. */
void th_lwip_start(struct th_lwip *lwip, netif_init_fn start_card,
                   bool (*poll_card)(struct netif *netif));

/* Takes in what the card has received and runs lwIP's timers. Call it in each round of the loop. */
void th_lwip_poll(struct th_lwip *lwip);

/* Milliseconds until th_lwip_poll() must run even if nothing is received; 0 while the connection
 * has bytes that the link has not come to yet. Bytes that it left in a whole round do not count: it
 * waits for room to answer, and that comes with a frame. */
uint32_t th_lwip_deadline(const struct th_lwip *lwip);

struct th_net th_lwip_net(struct th_lwip *lwip);

/* The wire of a connection that somebody else has begun, with what it has received; it is the
 * th_lwip's from now on. */
struct th_wire th_lwip_adopt(struct th_lwip *lwip, struct tcp_pcb *pcb, struct pbuf *received,
                             bool ended);

/* What a port supplies: its network card, as th_lwip_start() takes it. */
err_t th_machine_card_start(struct netif *netif);
bool th_machine_card_poll(struct netif *netif);
/* Frames dropped since the start because lwIP was out of packet buffers. */
uint32_t th_machine_card_dropped(void);

#endif
