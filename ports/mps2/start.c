/* SPDX-License-Identifier: MIT */
/* Vectors, reset entry and exceptions of a Cortex-M3. */
#include <cpu.h>
#include <string.h>

#include "../common/host.h"
#include "../common/machine.h"
#include "mps2.h"

extern uint32_t __bss_start[], __bss_end[], __data_start[], __data_end[], __data_from[];

_Noreturn void th_mps2_reset(void);
void th_mps2_fault_entry(void);
void th_mps2_timer_entry(void);
void th_mps2_fault(const struct th_mps2_frame *frame);
void th_mps2_timer(const struct th_mps2_frame *frame);
void th_mps2_wake(void);

static void paint_stack(void)
{
    uint32_t *end;

    __asm__ volatile("mov %0, sp" : "=r"(end));
    for (volatile uint32_t *at = __stack_bottom; at < end; at++)
        *at = TH_STACK_PAINT;
}

_Noreturn void th_mps2_reset(void)
{
    memcpy(__data_start, __data_from, (size_t)((char *)__data_end - (char *)__data_start));
    memset(__bss_start, 0, (size_t)((char *)__bss_end - (char *)__bss_start));
    paint_stack();
    th_host_exit(th_main());
}

/* Both pass on where the CPU has stacked the interrupted registers. */
__attribute__((naked)) void th_mps2_fault_entry(void)
{
    __asm__ volatile("mrs r0, msp\n\tb th_mps2_fault");
}

__attribute__((naked)) void th_mps2_timer_entry(void)
{
    __asm__ volatile("mrs r0, msp\n\tb th_mps2_timer");
}

void th_mps2_fault(const struct th_mps2_frame *frame)
{
    th_mps2_keep_crash(TH_RESET_CRASH, frame);
}

void th_mps2_timer(const struct th_mps2_frame *frame)
{
    if (th_timer_interrupt())
        th_mps2_keep_crash(TH_RESET_WATCHDOG, frame);
    th_cpu_listen(TH_LISTEN_TIMER);
}

/* Card and console interrupt by level: they are masked here, and the loop, awake now, looks at
 * them. */
void th_mps2_wake(void)
{
    th_cpu_listen(TH_LISTEN_TIMER);
}

typedef void vector(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector *exceptions[15];
    vector *interrupts[32];
} vectors = {
    .stack = __stack_top,
    .exceptions =
        {
            [0] = th_mps2_reset,
            [1] = th_mps2_fault_entry,
            [2] = th_mps2_fault_entry,
            [3] = th_mps2_fault_entry,
            [4] = th_mps2_fault_entry,
            [5] = th_mps2_fault_entry,
        },
    .interrupts =
        {
            [MPS2_IRQ_TIMER] = th_mps2_timer_entry,
            [MPS2_IRQ_ETH] = th_mps2_wake,
            [MPS2_IRQ_UART_RX] = th_mps2_wake,
        },
};
