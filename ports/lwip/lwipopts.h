/* SPDX-License-Identifier: MIT */
/* lwIP for one TLS connection at max_fragment_length 512: raw API, no operating system, static
 * memory. docs/footprint.md has what each size costs. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET          0
#define LWIP_NETCONN         0

#define LWIP_IPV6     0
#define LWIP_RAW      0
#define LWIP_IGMP     0
#define LWIP_AUTOIP   0
#define LWIP_ACD      0
#define LWIP_DHCP     1
#define LWIP_DNS      1
#define LWIP_ICMP     1
#define LWIP_STATS    0
#define IP_REASSEMBLY 0
#define IP_FRAG       0
/* One ARP request with a packet waiting is all a client needs. */
#define ARP_QUEUEING        0
#define ARP_TABLE_SIZE      4
#define DNS_TABLE_SIZE      1
#define DNS_MAX_NAME_LENGTH 128
#define LWIP_DNS_SECURE                                                   \
    (LWIP_DNS_SECURE_RAND_XID | LWIP_DNS_SECURE_NO_MULTIPLE_OUTSTANDING | \
     LWIP_DNS_SECURE_RAND_SRC_PORT)
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define DHCP_DOES_ARP_CHECK      0

#define MEM_ALIGNMENT           4
#define MEM_SIZE                3072
#define MEMP_NUM_PBUF           4
#define MEMP_NUM_TCP_PCB        2
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG        8
#define MEMP_NUM_UDP_PCB        4
#define MEMP_NUM_REASSDATA      0
#define PBUF_POOL_SIZE          6

#define TCP_MSS          536
#define TCP_WND          (4 * TCP_MSS)
#define TCP_SND_BUF      (3 * TCP_MSS)
#define TCP_SND_QUEUELEN 8
#define TCP_QUEUE_OOSEQ  0
/* One may wait; whoever comes behind tries again in a second. */
#define TCP_LISTEN_BACKLOG 1
/* The port of the page may be listened on again while its last connections are in TIME_WAIT. */
#define SO_REUSE           1
#define LWIP_TCP_KEEPALIVE 0

#define LWIP_NETIF_LINK_CALLBACK   0
#define LWIP_NETIF_STATUS_CALLBACK 0
#define LWIP_NETIF_HOSTNAME        0

/* Two bytes before the Ethernet header align the IP header to a word. */
#define ETH_PAD_SIZE 2

#define LWIP_NO_CTYPE_H 1

#endif
