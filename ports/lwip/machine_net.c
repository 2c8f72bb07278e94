/* SPDX-License-Identifier: MIT */
/* The one network card of a bare-metal board. */
#include <lwip/dhcp.h>
#include <string.h>

#include "../common/machine.h"
#include "th_lwip.h"

static struct th_lwip lwip;

void th_machine_net_start(void)
{
    th_lwip_start(&lwip, th_machine_card_start, th_machine_card_poll);
}

struct th_net th_machine_net(void)
{
    return th_lwip_net(&lwip);
}

void th_machine_net_poll(void)
{
    th_lwip_poll(&lwip);
}

uint32_t th_machine_net_deadline(void)
{
    return th_lwip_deadline(&lwip);
}

void th_machine_net_address(uint8_t ip[4])
{
    memcpy(ip, &netif_ip4_addr(&lwip.netif)->addr, 4);
}

uint32_t th_machine_net_dropped(void)
{
    return th_machine_card_dropped();
}
