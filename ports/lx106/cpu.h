/* SPDX-License-Identifier: MIT */
/* The CPU as ports/common sees it. */
#ifndef TH_CPU_H
#define TH_CPU_H

#include <stdint.h>

#include "regs.h"

/* In IRAM: code that must run while the flash is busy. */
#define TH_IN_RAM __attribute__((section(".iram.text")))

#define TH_CYCLES_A_MS  LX_CYCLES_A_MS
#define TH_MAX_SLEEP_MS 50000 /* CCOUNT wraps after 107 s */

enum {
    TH_LISTEN_TIMER = LX_IRQ_TIMER,
    TH_LISTEN_CARD = LX_IRQ_ETH,
    TH_LISTEN_CONSOLE = LX_IRQ_UART
};

static inline uint32_t th_cpu_cycles(void)
{
    uint32_t value;
    __asm__ volatile("rsr %0, ccount" : "=a"(value));
    return value;
}

/* Writing the comparator also clears its interrupt. */
static inline void th_cpu_set_alarm(uint32_t cycles)
{
    __asm__ volatile("wsr %0, ccompare0\n\tesync" : : "a"(cycles) : "memory");
}

/* Tells a measuring emulator (test/board/plugin.c) where the program is; else it does nothing. */
static inline void th_cpu_mark(unsigned number)
{
    *(volatile uint32_t *)(uintptr_t)(0x9D02F000 + 4 * number) = 0;
}

/* Masks all interrupts; give the result to th_cpu_irq_restore(). */
static inline uint32_t th_cpu_irq_save(void)
{
    uint32_t ps;
    __asm__ volatile("rsil %0, 1" : "=a"(ps) : : "memory");
    return ps;
}

static inline void th_cpu_irq_restore(uint32_t ps)
{
    __asm__ volatile("wsr %0, ps\n\trsync" : : "a"(ps) : "memory");
}

/* Which sources may interrupt, once interrupts are not masked. */
static inline void th_cpu_listen(uint32_t sources)
{
    __asm__ volatile("wsr %0, intenable\n\trsync" : : "a"(sources) : "memory");
}

/* Unmasks and waits in one step, so that an interrupt that is already pending is not slept over. */
static inline void th_cpu_wait(void)
{
    __asm__ volatile("waiti 0" : : : "memory");
}

#endif
