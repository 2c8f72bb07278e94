/* SPDX-License-Identifier: MIT */
/* SMSC LAN9118: frames go through two FIFOs, word by word. */
#include <lwip/etharp.h>
#include <lwip/pbuf.h>
#include <string.h>

#include "../common/host.h"
#include "../lwip/th_lwip.h"
#include "regs.h"

enum reg {
    RX_DATA = 0x00,
    TX_DATA = 0x20,
    RX_STATUS = 0x40,
    IRQ_CFG = 0x54,
    INT_STS = 0x58,
    INT_EN = 0x5C,
    FIFO_INT = 0x68,
    HW_CFG = 0x74,
    TX_CFG = 0x70,
    RX_FIFO_INF = 0x7C,
    TX_FIFO_INF = 0x80,
    MAC_CSR_CMD = 0xA4,
    MAC_CSR_DATA = 0xA8,
};

enum mac { MAC_CR = 1, MAC_ADDRH = 2, MAC_ADDRL = 3 };

#define IRQ_ON         0x111u /* enabled, active high, push-pull */
#define RECEIVED       0x08u  /* RX status FIFO above its level */
#define SOFT_RESET     0x1u
#define TX_FIFO_5K     0x00050000u
#define TX_ON          0x2u
#define TX_ONE_BUFFER  0x3000u /* first and last segment */
#define MAC_DUPLEX     0x00100000u
#define MAC_TX_RX      0x0Cu
#define MAC_BUSY       0x80000000u
#define CRC_BYTES      4
#define FRAMES_A_ROUND 8
#define CHUNK          64

static uint32_t dropped;

uint32_t th_machine_card_dropped(void)
{
    return dropped;
}

static inline volatile uint32_t *reg(enum reg offset)
{
    return &MPS2_REG(MPS2_ETH + (uint32_t)offset);
}

static void write_mac(enum mac index, uint32_t value)
{
    *reg(MAC_CSR_DATA) = value;
    *reg(MAC_CSR_CMD) = MAC_BUSY | (uint32_t)index;
    while ((*reg(MAC_CSR_CMD) & MAC_BUSY) != 0)
        continue;
}

static err_t send(struct netif *netif, struct pbuf *packet)
{
    uint32_t words[CHUNK / 4];
    uint16_t length = (uint16_t)(packet->tot_len - ETH_PAD_SIZE);

    (void)netif;
    if ((*reg(TX_FIFO_INF) & 0xFFFF) < (uint32_t)length + 16)
        return ERR_MEM;
    *reg(TX_DATA) = TX_ONE_BUFFER | length;
    *reg(TX_DATA) = length;
    for (uint16_t at = 0; at < length;) {
        uint16_t part = pbuf_copy_partial(packet, words, CHUNK, (uint16_t)(at + ETH_PAD_SIZE));
        for (unsigned i = 0; i < (part + 3u) / 4; i++)
            *reg(TX_DATA) = words[i];
        at = (uint16_t)(at + part);
    }
    return ERR_OK;
}

/* Out of pbufs the frame is read and dropped; TCP sends it again. */
static void receive(struct netif *netif, uint16_t length)
{
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (uint16_t)(length + ETH_PAD_SIZE), PBUF_POOL);

    for (uint16_t at = 0; at < length; at = (uint16_t)(at + 4)) {
        uint32_t word = *reg(RX_DATA);
        uint16_t part = length - at < 4 ? (uint16_t)(length - at) : 4;
        if (packet != NULL)
            pbuf_take_at(packet, &word, part, (uint16_t)(at + ETH_PAD_SIZE));
    }
    if (packet == NULL)
        dropped++;
    else if (netif->input(packet, netif) != ERR_OK)
        pbuf_free(packet);
}

bool th_machine_card_poll(struct netif *netif)
{
    bool any = false;

    /* Acknowledged before looking: a frame that comes meanwhile interrupts again. */
    *reg(INT_STS) = RECEIVED;
    for (unsigned i = 0; i < FRAMES_A_ROUND && (*reg(RX_FIFO_INF) >> 16 & 0xFF) != 0; i++) {
        uint32_t length = *reg(RX_STATUS) >> 16 & 0x3FFF;
        uint16_t frame = (uint16_t)(length - CRC_BYTES);
        receive(netif, frame);
        /* The CRC fills the frame's last word and the one behind it. */
        for (unsigned word = (frame + 3u) / 4; word < (length + 3u) / 4; word++)
            (void)*reg(RX_DATA);
        any = true;
    }
    return any;
}

err_t th_machine_card_start(struct netif *netif)
{
    static const uint8_t address[ETH_HWADDR_LEN] = {0x02, 0x54, 0x48, 0x4D, 0x03, 0x85};

    memcpy(netif->hwaddr, address, sizeof(address));
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->mtu = 1500;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = send;

    *reg(HW_CFG) = SOFT_RESET;
    while ((*reg(HW_CFG) & SOFT_RESET) != 0)
        continue;
    *reg(HW_CFG) = TX_FIFO_5K;
    *reg(TX_CFG) = TX_ON;
    write_mac(MAC_ADDRL, (uint32_t)address[0] | (uint32_t)address[1] << 8 |
                             (uint32_t)address[2] << 16 | (uint32_t)address[3] << 24);
    write_mac(MAC_ADDRH, (uint32_t)address[4] | (uint32_t)address[5] << 8);
    *reg(FIFO_INT) = 0;
    *reg(INT_STS) = UINT32_MAX;
    *reg(INT_EN) = RECEIVED;
    *reg(IRQ_CFG) = IRQ_ON;
    write_mac(MAC_CR, MAC_DUPLEX | MAC_TX_RX);
    return ERR_OK;
}
