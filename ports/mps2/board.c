/* SPDX-License-Identifier: MIT */
#include <cpu.h>

#include "../common/host.h"
#include "../common/machine.h"
#include "mps2.h"

enum uart { DATA = 0x0, STATE = 0x4, CONTROL = 0x8, INTERRUPT = 0xC, DIVIDER = 0x10 };
enum { TX_FULL = 1, RX_FULL = 2 };
enum { TX_ON = 1, RX_ON = 2, RX_IRQ_ON = 8, RX_IRQ = 2 };

static inline volatile uint32_t *uart(enum uart offset)
{
    return &MPS2_REG(MPS2_UART + offset);
}

void th_machine_start(void)
{
    th_host_start();
    th_mps2_rtc_start();
    *uart(DIVIDER) = MPS2_CLOCK_HZ / 115200;
    *uart(CONTROL) = TX_ON | RX_ON | RX_IRQ_ON;
    th_cpu_start_cycles();
    th_pins_start();
    th_timer_start();
}

void th_machine_put(void *unused, char c)
{
    (void)unused;
    while ((*uart(STATE) & TX_FULL) != 0)
        continue;
    *uart(DATA) = (uint8_t)c;
}

int th_machine_get(void)
{
    if ((*uart(STATE) & RX_FULL) == 0)
        return -1;
    *uart(INTERRUPT) = RX_IRQ;
    return (int)(*uart(DATA) & 0xFF);
}

/* No flash: this board shows networks and timers, not storage. */
struct th_board th_machine_board(struct th_net net)
{
    return (struct th_board){
        .clock = {&th_machine_clock_ops, NULL},
        .entropy = {&th_entropy_host_ops, NULL},
        .pins = {&th_pins_ops, NULL},
        .analog = {&th_analog_ops, NULL},
        .rtc = {&th_mps2_rtc_ops, NULL},
        .system = {&th_machine_system_ops, NULL},
        .net = net,
    };
}

_Noreturn void th_machine_crash_now(void)
{
    for (;;)
        __asm__ volatile("udf #0");
}
