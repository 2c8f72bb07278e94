/* SPDX-License-Identifier: MIT */
#include "../common/machine.h"
#include "lx106.h"

enum { DATA = 0, INTERRUPT_ENABLE = 1, FIFO = 2, LINE_STATUS = 5 };
enum { DATA_READY = 0x01, TRANSMITTER_EMPTY = 0x20 };

static volatile uint32_t *uart(int index)
{
    return (volatile uint32_t *)LX_UART_BASE + index;
}

void th_machine_put(void *unused, char c)
{
    (void)unused;
    while ((*uart(LINE_STATUS) & TRANSMITTER_EMPTY) == 0)
        continue;
    *uart(DATA) = (uint8_t)c;
}

int th_machine_get(void)
{
    if ((*uart(LINE_STATUS) & DATA_READY) == 0)
        return -1;
    return (int)(*uart(DATA) & 0xFF);
}

void th_lx_uart_start(void)
{
    *uart(FIFO) = 0x01;             /* the 16-byte buffer: input is not lost during a handshake */
    *uart(INTERRUPT_ENABLE) = 0x01; /* received data wakes the idle loop */
}
