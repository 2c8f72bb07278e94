/* SPDX-License-Identifier: MIT */
/* What the files of this port share beyond ports/common/machine.h. */
#ifndef TH_LX106_H
#define TH_LX106_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>

#include "regs.h"

#define LX_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* --- start.S and the linker script --- */
int th_lx_simcall(int call, uintptr_t a, uintptr_t b, uintptr_t c);

void th_lx_main(void); /* C begins here */
void th_lx_interrupt(uint32_t pc, uint32_t a0, uint32_t sp);

/* --- uart.c --- */
void th_lx_uart_start(void);

/* --- flash.c --- */
extern const struct th_flash_ops th_lx_flash_ops;

/* --- rtc.c: memory that survives a reset, why the machine was reset, crash records --- */
#define TH_LX_STACK_WORDS 24

/* start.S fills `pc` to `a`; the offsets are fixed there. */
struct th_lx_crash {
    uint32_t reason; /* enum th_reset_reason; 0: no record */
    uint32_t pc;
    uint32_t ps;
    uint32_t cause; /* EXCCAUSE */
    uint32_t vaddr; /* EXCVADDR */
    uint32_t a[16];
    uint32_t stack[TH_LX_STACK_WORDS]; /* from a[1] upwards; zeros when a[1] is no stack */
    uint32_t uptime_ms;
    uint32_t crc;
};

void th_lx_rtc_start(void); /* once, before anything else looks at RTC memory */
extern const struct th_rtc_ops th_lx_rtc_ops;
_Noreturn void th_lx_watchdog_expired(uint32_t pc, uint32_t a0, uint32_t sp);
_Noreturn void th_lx_crashed(void);

/* The loader asks before th_lx_rtc_start(), and leaves word of what it did. */
#define TH_LX_BOOT_SLOT     1u
#define TH_LX_BOOT_TRIAL    0x100u
#define TH_LX_BOOT_REVERTED 0x200u
bool th_lx_reset_was_crash(void);
void th_lx_rtc_boot_notes(uint32_t notes);

#endif
