/* SPDX-License-Identifier: MIT */
#include <cpu.h>

#include "../common/machine.h"
#include "lx106.h"

static inline uint32_t pending(void)
{
    uint32_t bits;
    __asm__ volatile("rsr %0, interrupt" : "=a"(bits));
    return bits;
}

/* From start.S. Card and console interrupt by level: they are masked here, and the loop, awake now,
 * looks at them. */
TH_IN_RAM void th_lx_interrupt(uint32_t pc, uint32_t a0, uint32_t sp)
{
    if ((pending() & LX_IRQ_TIMER) != 0 && th_timer_interrupt())
        th_lx_watchdog_expired(pc, a0, sp);
    th_cpu_listen(TH_LISTEN_TIMER);
}
