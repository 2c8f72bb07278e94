/* SPDX-License-Identifier: MIT */
/*
 * What the bare-metal ports have in common. Each port supplies `cpu.h` (found by its include path)
 * and the functions marked "port"; the rest is in this folder. An image is linked for one machine,
 * so here, and only here, state is global.
 */
#ifndef TH_PORT_MACHINE_H
#define TH_PORT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>

/* ---- what an image supplies ---- */

/* Called once, with memory cleared and interrupts off; its result ends the emulator. */
int th_main(void);

/* ---- start, idle, end ---- */

/* Console, clock, parameters, reset reason, pins. First call of th_main(). */
void th_machine_start(void); /* port */

struct th_board th_machine_board(struct th_net net); /* port */
/* For the ports' th_machine_board(). */
extern const struct th_clock_ops th_machine_clock_ops;
extern const struct th_system_ops th_machine_system_ops;
enum th_reset_reason th_machine_reset_reason(void); /* port */
_Noreturn void th_machine_restart(void);            /* port */

/* Sleeps until the network card or the console has something, or until `at_ms`. */
void th_machine_idle(uint32_t at_ms);

/* Bytes of stack used so far at the deepest; 0 where it is not the board's. The start-up code
 * paints the stack. */
#define TH_STACK_PAINT 0xA5A5A5A5u
extern uint32_t __stack_bottom[], __stack_top[]; /* linker script */
size_t th_machine_stack_peak(void);

/* What the loader did. A machine without one has slot 0, confirmed. */
struct th_machine_slot {
    unsigned index;
    bool trial, reverted;
};

struct th_machine_slot th_machine_slot(void); /* port */

/* ---- network, for images that use it: ports/lwip/machine_net.c, or the port's own ---- */

void th_machine_net_start(void);
struct th_net th_machine_net(void);
/* Once in each round of the loop, and the milliseconds until it must be called again. */
void th_machine_net_poll(void);
uint32_t th_machine_net_deadline(void);
/* The address that DHCP gave; 0.0.0.0 where the system has it. */
void th_machine_net_address(uint8_t ip[4]);
/* Frames dropped since the start because there was no memory for them. */
uint32_t th_machine_net_dropped(void);

/* ---- console ---- */
void th_machine_put(void *unused, char c); /* port */
int th_machine_get(void);                  /* port; -1: nothing has come */

/* ---- crashes ---- */

/* What led to this start, when that was a crash or the watchdog. The record stays until the next.
 */
struct th_crash {
    enum th_reset_reason reason;
    uint32_t pc, return_address, cause, address, uptime_ms;
};

bool th_machine_crash(struct th_crash *out); /* port */

/* Registers of the place go into the record; then the machine starts again. */
_Noreturn void th_machine_crash_now(void); /* port */

/* ---- timer.c: one alarm for the watchdog, for armed outputs and for the idle loop ---- */
void th_timer_start(void);
uint32_t th_timer_now_ms(void);
void th_timer_watchdog_start(uint32_t timeout_ms);
void th_timer_watchdog_feed(void);
void th_timer_changed(void); /* an output was armed */
/* From the timer interrupt. True: the watchdog has expired. */
bool th_timer_interrupt(void);

/* ---- pins.c ---- */
#define TH_PINS         16
#define TH_ANALOG_COUNT 8

void th_pins_start(void);
extern const struct th_pin_ops th_pins_ops;
int th_analog_mv(unsigned channel);              /* -1: nothing is connected */
extern const struct th_analog_ops th_analog_ops; /* inputs 0..7, in millivolts */
/* For timer.c, interrupts masked. */
bool th_pins_next_off(uint32_t *at_ms);
void th_pins_expire(uint32_t now_ms);

/* ---- entropy.c ---- */
extern const struct th_entropy_ops th_entropy_host_ops;
/* Keeps over a reset how the source began; returns the mark of the start before. */
uint32_t th_machine_entropy_mark(uint32_t mark); /* port */

#endif
