/* SPDX-License-Identifier: MIT */
/* A Linux process as ports/common sees a CPU: the alarm is a timer of the process, an interrupt is
 * its signal. */
#ifndef TH_CPU_H
#define TH_CPU_H

#include <stdint.h>

#define TH_IN_RAM

#define TH_CYCLES_A_MS  1000
#define TH_MAX_SLEEP_MS 1000000 /* the counter wraps after 4,294 s */

enum { TH_LISTEN_TIMER = 1, TH_LISTEN_CARD = 2, TH_LISTEN_CONSOLE = 4 };

uint32_t th_cpu_cycles(void); /* microseconds */
void th_cpu_set_alarm(uint32_t cycles);

/* Masks the alarm; give the result to th_cpu_irq_restore(). */
uint32_t th_cpu_irq_save(void);
void th_cpu_irq_restore(uint32_t mask);

/* With the alarm masked: until it comes, or the network or the console has something. */
void th_cpu_wait(void);

/* All sources wake th_cpu_wait(), and nothing else interrupts. */
static inline void th_cpu_listen(uint32_t sources)
{
    (void)sources;
}

static inline void th_cpu_mark(unsigned number)
{
    (void)number;
}

#endif
