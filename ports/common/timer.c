/* SPDX-License-Identifier: MIT */
/* One hardware alarm serves three purposes: outputs switched off at an absolute time, the watchdog,
 * and the wake-up of the idle loop. All of it is in RAM and uses no flash, so that an output goes
 * off on time during an erase or a handshake. */
#include <cpu.h>
#include <thimble/time.h>

#include "machine.h"

/* More than setting the alarm takes. */
#define MARGIN_CYCLES 200

static struct {
    uint32_t cycles; /* the counter at the start of millisecond `ms` */
    uint32_t ms;
} clock;

static struct {
    uint32_t timeout_ms; /* 0: not started */
    uint32_t due_ms;
} watchdog;

static struct {
    uint32_t at_ms;
    bool set;
} wake;

/* Interrupts masked. Called at least once a wrap of the counter: the alarm sees to that. */
static TH_IN_RAM uint32_t read_clock(void)
{
    uint32_t whole = (th_cpu_cycles() - clock.cycles) / TH_CYCLES_A_MS;

    clock.cycles += whole * TH_CYCLES_A_MS;
    clock.ms += whole;
    return clock.ms;
}

TH_IN_RAM uint32_t th_timer_now_ms(void)
{
    uint32_t mask = th_cpu_irq_save();
    uint32_t now = read_clock();
    th_cpu_irq_restore(mask);
    return now;
}

static inline uint32_t sooner(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0 ? a : b;
}

/* Interrupts masked. The alarm matches one value of the counter: one that has passed by the time it
 * is set would be met a whole wrap late, so that case is looked for afterwards. */
static TH_IN_RAM void set_alarm(uint32_t now)
{
    uint32_t next = now + TH_MAX_SLEEP_MS;
    uint32_t at;

    if (th_pins_next_off(&at))
        next = sooner(next, at);
    if (watchdog.timeout_ms != 0)
        next = sooner(next, watchdog.due_ms);
    if (wake.set)
        next = sooner(next, wake.at_ms);
    uint32_t alarm = clock.cycles + (next - clock.ms) * TH_CYCLES_A_MS;
    th_cpu_set_alarm(alarm);
    while ((int32_t)(th_cpu_cycles() - alarm) >= 0) {
        alarm = th_cpu_cycles() + MARGIN_CYCLES;
        th_cpu_set_alarm(alarm);
    }
}

TH_IN_RAM void th_timer_changed(void)
{
    uint32_t mask = th_cpu_irq_save();
    set_alarm(read_clock());
    th_cpu_irq_restore(mask);
}

TH_IN_RAM bool th_timer_interrupt(void)
{
    uint32_t now = read_clock();

    th_pins_expire(now);
    if (watchdog.timeout_ms != 0 && th_time_reached(now, watchdog.due_ms))
        return true;
    if (wake.set && th_time_reached(now, wake.at_ms))
        wake.set = false;
    set_alarm(now);
    return false;
}

void th_timer_start(void)
{
    clock.cycles = th_cpu_cycles();
    th_timer_changed();
    th_cpu_listen(TH_LISTEN_TIMER);
}

void th_timer_watchdog_start(uint32_t timeout_ms)
{
    watchdog.due_ms = th_timer_now_ms() + timeout_ms;
    watchdog.timeout_ms = timeout_ms;
    th_timer_changed();
}

/* Only the due time moves: the next alarm finds that it has, and is set anew. */
void th_timer_watchdog_feed(void)
{
    watchdog.due_ms = th_timer_now_ms() + watchdog.timeout_ms;
}

TH_IN_RAM void th_machine_idle(uint32_t at_ms)
{
    uint32_t mask = th_cpu_irq_save();
    uint32_t now = read_clock();

    if (!th_time_reached(now, at_ms)) {
        wake.at_ms = at_ms;
        wake.set = true;
        set_alarm(now);
        th_cpu_listen(TH_LISTEN_TIMER | TH_LISTEN_CARD | TH_LISTEN_CONSOLE);
        th_cpu_wait();
        wake.set = false;
    }
    th_cpu_irq_restore(mask);
}
