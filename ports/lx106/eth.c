/* SPDX-License-Identifier: MIT */
/* OpenCores Ethernet. Frames stay in the card's own 16 KiB, outside the 80 KiB of the chip: a real
 * ESP8266 keeps them in the vendor's Wi-Fi library. */
#include <lwip/etharp.h>
#include <lwip/pbuf.h>
#include <string.h>

#include "../common/host.h"
#include "../lwip/th_lwip.h"
#include "lx106.h"

enum reg { /* word index */
           MODER = 0,
           INT_SOURCE = 1,
           INT_MASK = 2,
           PACKETLEN = 6,
           TX_BD_NUM = 8,
           MAC_ADDR0 = 16,
           MAC_ADDR1 = 17,
};

/* MODER. Bit 3 would refuse broadcasts, and with them DHCP. */
#define MODE_PAD    0x8000u
#define MODE_CRC    0x2000u
#define MODE_DUPLEX 0x0400u
#define MODE_RESET  0x0800u
#define MODE_TX     0x0002u
#define MODE_RX     0x0001u

/* Descriptors */
#define BD_OWNED 0x8000u /* by the card */
#define BD_IRQ   0x4000u
#define BD_WRAP  0x2000u
#define BD_PAD   0x1000u
#define BD_CRC   0x0800u

#define IRQ_RECEIVED 0x14u /* frame received, or none could be */
#define CRC_BYTES    4
#define FRAME_BYTES  1536
#define TX_COUNT     2
#define RX_COUNT     8

_Static_assert((TX_COUNT + RX_COUNT) * FRAME_BYTES <= LX_ETH_RAM_SIZE, "frames exceed the card");

struct descriptor {
    uint32_t control; /* length in the upper half */
    uint32_t address;
};

static unsigned next_tx, next_rx;
static uint32_t dropped;

static inline volatile uint32_t *reg(enum reg index)
{
    return (volatile uint32_t *)LX_ETH_BASE + index;
}

static inline volatile struct descriptor *descriptor(unsigned index)
{
    return (volatile struct descriptor *)LX_ETH_BD + index;
}

static inline uint8_t *frame(unsigned index)
{
    return (uint8_t *)LX_ETH_RAM + (size_t)index * FRAME_BYTES;
}

static inline uint32_t wrap(unsigned index, unsigned count)
{
    return index == count - 1 ? BD_WRAP : 0;
}

/* Parameter `mac`: twelve hexadecimal digits; else a fixed address of Espressif's. */
static err_t send(struct netif *netif, struct pbuf *packet)
{
    volatile struct descriptor *bd = descriptor(next_tx);

    (void)netif;
    if ((bd->control & BD_OWNED) != 0)
        return ERR_MEM;
    uint16_t length = pbuf_copy_partial(packet, frame(next_tx), FRAME_BYTES, ETH_PAD_SIZE);
    bd->address = (uint32_t)(uintptr_t)frame(next_tx);
    bd->control = ((uint32_t)length << 16) | BD_OWNED | BD_PAD | BD_CRC | wrap(next_tx, TX_COUNT);
    next_tx = (next_tx + 1) % TX_COUNT;
    return ERR_OK;
}

static void give_to_card(unsigned index)
{
    volatile struct descriptor *bd = descriptor(TX_COUNT + index);
    bd->address = (uint32_t)(uintptr_t)frame(TX_COUNT + index);
    bd->control = BD_OWNED | BD_IRQ | wrap(index, RX_COUNT);
}

/* Out of pbufs the frame is dropped, as a busy radio would; TCP sends it again. */
static void receive(struct netif *netif, const uint8_t *bytes, uint16_t length)
{
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (uint16_t)(length + ETH_PAD_SIZE), PBUF_POOL);

    if (packet == NULL) {
        dropped++;
        return;
    }
    pbuf_take_at(packet, bytes, length, ETH_PAD_SIZE);
    if (netif->input(packet, netif) != ERR_OK)
        pbuf_free(packet);
}

uint32_t th_machine_card_dropped(void)
{
    return dropped;
}

static bool pending(void)
{
    return (descriptor(TX_COUNT + next_rx)->control & BD_OWNED) == 0;
}

bool th_machine_card_poll(struct netif *netif)
{
    bool any = false;

    /* Acknowledged before looking: a frame that comes meanwhile interrupts again. */
    *reg(INT_SOURCE) = *reg(INT_SOURCE);
    /* At most one round of the ring, so that a flood cannot hold the loop. */
    for (unsigned i = 0; i < RX_COUNT && pending(); i++) {
        uint32_t length = descriptor(TX_COUNT + next_rx)->control >> 16;
        if (length > CRC_BYTES)
            receive(netif, frame(TX_COUNT + next_rx), (uint16_t)(length - CRC_BYTES));
        give_to_card(next_rx);
        next_rx = (next_rx + 1) % RX_COUNT;
        any = true;
    }
    return any;
}

static unsigned hex_value(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)((digit | 0x20) - 'a' + 10);
}

static void set_address(struct netif *netif)
{
    const char *text = th_host_param("mac");

    if (text == NULL || strlen(text) != 2 * ETH_HWADDR_LEN)
        text = "5ccf7f123456";
    for (unsigned i = 0; i < ETH_HWADDR_LEN; i++)
        netif->hwaddr[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    netif->hwaddr_len = ETH_HWADDR_LEN;
}

err_t th_machine_card_start(struct netif *netif)
{
    set_address(netif);
    const uint8_t *mac = netif->hwaddr;
    netif->mtu = 1500;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = send;

    *reg(MODER) = MODE_RESET;
    *reg(MODER) = 0;
    *reg(TX_BD_NUM) = TX_COUNT;
    for (unsigned i = 0; i < TX_COUNT; i++)
        descriptor(i)->control = wrap(i, TX_COUNT);
    for (unsigned i = 0; i < RX_COUNT; i++)
        give_to_card(i);
    next_tx = next_rx = 0;
    *reg(MAC_ADDR1) = (uint32_t)mac[0] << 8 | mac[1];
    *reg(MAC_ADDR0) =
        (uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
    *reg(PACKETLEN) = 64u << 16 | FRAME_BYTES;
    *reg(INT_SOURCE) = 0x7F;
    *reg(INT_MASK) = IRQ_RECEIVED;
    *reg(MODER) = MODE_PAD | MODE_CRC | MODE_DUPLEX | MODE_TX | MODE_RX;
    return ERR_OK;
}
