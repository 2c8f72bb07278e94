/* SPDX-License-Identifier: MIT */
/* The CPU as ports/common sees it. */
#ifndef TH_CPU_H
#define TH_CPU_H

#include "regs.h"

/* All of this machine's memory can run code, and there is no flash to wait for. */
#define TH_IN_RAM

#define TH_CYCLES_A_MS  MPS2_CYCLES_A_MS
#define TH_MAX_SLEEP_MS 80000 /* the counter wraps after 171 s */

enum {
    TH_LISTEN_TIMER = 1 << MPS2_IRQ_TIMER,
    TH_LISTEN_CARD = 1 << MPS2_IRQ_ETH,
    TH_LISTEN_CONSOLE = 1 << MPS2_IRQ_UART_RX,
};

enum {
    DUALTIMER_ONESHOT = 0x01,
    DUALTIMER_32_BIT = 0x02,
    DUALTIMER_IRQ = 0x20,
    DUALTIMER_ON = 0x80
};

/* Timer 1 of the pair counts down for ever. */
static inline uint32_t th_cpu_cycles(void)
{
    return ~MPS2_REG(MPS2_DUALTIMER + 0x04);
}

static inline void th_cpu_start_cycles(void)
{
    MPS2_REG(MPS2_DUALTIMER + 0x08) = DUALTIMER_32_BIT | DUALTIMER_ON;
}

/* Timer 2 counts down once, to the alarm. */
static inline void th_cpu_set_alarm(uint32_t cycles)
{
    uint32_t left = cycles - th_cpu_cycles();

    MPS2_REG(MPS2_DUALTIMER + 0x28) = 0;
    MPS2_REG(MPS2_DUALTIMER + 0x20) = left;
    MPS2_REG(MPS2_DUALTIMER + 0x2C) = 1;
    MPS2_REG(MPS2_DUALTIMER + 0x28) =
        DUALTIMER_ONESHOT | DUALTIMER_32_BIT | DUALTIMER_IRQ | DUALTIMER_ON;
}

/* Tells a measuring emulator (test/board/plugin.c) where the program is; else it does nothing. */
static inline void th_cpu_mark(unsigned number)
{
    MPS2_REG(0x4000F000 + 4 * number) = 0;
}

/* Masks all interrupts; give the result to th_cpu_irq_restore(). */
static inline uint32_t th_cpu_irq_save(void)
{
    uint32_t mask;
    __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(mask) : : "memory");
    return mask;
}

static inline void th_cpu_irq_restore(uint32_t mask)
{
    __asm__ volatile("msr primask, %0" : : "r"(mask) : "memory");
}

/* Which sources may interrupt, once interrupts are not masked. */
static inline void th_cpu_listen(uint32_t sources)
{
    MPS2_REG(NVIC_DISABLE) = ~sources;
    MPS2_REG(NVIC_ENABLE) = sources;
}

/* A masked interrupt that is pending ends the wait too, so none is slept over. */
static inline void th_cpu_wait(void)
{
    __asm__ volatile("wfi\n\tcpsie i\n\tisb" : : : "memory");
}

#endif
