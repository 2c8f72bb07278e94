/* SPDX-License-Identifier: MIT */
/* RTC memory: survives every reset, not a loss of power. Words only, as on the chip. */
#include <cpu.h>
#include <string.h>
#include <thimble/crc.h>

#include "../common/machine.h"
#include "lx106.h"

#define MAGIC 0x31525454u /* "TTR1" */

/* The state says what a reset that comes now will mean. */
struct boot {
    uint32_t magic;
    uint32_t state;     /* enum th_reset_reason; RUNNING until somebody announces a reset */
    uint32_t state_not; /* its complement */
    uint32_t entropy_mark;
    uint32_t notes; /* of the loader */
    uint32_t spare[3];
};

#define LX_CRASH_WORDS (sizeof(struct th_lx_crash) / sizeof(uint32_t))
#define RUNNING        TH_RESET_UNKNOWN

struct rtc {
    struct boot boot;
    struct th_lx_crash crash;
    uint32_t user[TH_RTC_BYTES / sizeof(uint32_t)];
};

_Static_assert(offsetof(struct rtc, crash) == LX_RTC_CRASH, "start.S stores registers there");
_Static_assert(offsetof(struct th_lx_crash, a) == 20, "start.S stores registers there");
_Static_assert(sizeof(struct rtc) <= LX_RTC_SIZE, "RTC memory is too small");

static struct {
    enum th_reset_reason reason;
    bool crash_valid;
} start;

static inline struct rtc *rtc(void)
{
    return (struct rtc *)LX_RTC_BASE;
}

static TH_IN_RAM void set_state(enum th_reset_reason state)
{
    rtc()->boot.state_not = ~(uint32_t)state;
    rtc()->boot.state = state;
}

static TH_IN_RAM uint32_t crash_crc(void)
{
    return th_crc32(0, &rtc()->crash, offsetof(struct th_lx_crash, crc));
}

static bool holds_anything(const struct boot *boot)
{
    return boot->magic == MAGIC && boot->state == ~boot->state_not && boot->state <= RUNNING;
}

bool th_lx_reset_was_crash(void)
{
    const struct boot *boot = &rtc()->boot;
    return holds_anything(boot) &&
           (boot->state == TH_RESET_CRASH || boot->state == TH_RESET_WATCHDOG);
}

void th_lx_rtc_boot_notes(uint32_t notes)
{
    rtc()->boot.notes = notes;
}

struct th_machine_slot th_machine_slot(void)
{
    uint32_t notes = rtc()->boot.notes;
    return (struct th_machine_slot){.index = notes & TH_LX_BOOT_SLOT,
                                    .trial = (notes & TH_LX_BOOT_TRIAL) != 0,
                                    .reverted = (notes & TH_LX_BOOT_REVERTED) != 0};
}

void th_lx_rtc_start(void)
{
    struct boot *boot = &rtc()->boot;

    if (holds_anything(boot)) {
        start.reason = (enum th_reset_reason)boot->state;
    } else {
        uint32_t notes = boot->notes;
        memset(rtc(), 0, sizeof(struct rtc));
        boot->notes = notes;
        boot->magic = MAGIC;
        start.reason = TH_RESET_POWER_ON;
    }
    start.crash_valid = (start.reason == TH_RESET_CRASH || start.reason == TH_RESET_WATCHDOG) &&
                        rtc()->crash.crc == crash_crc();
    set_state(RUNNING);
}

enum th_reset_reason th_machine_reset_reason(void)
{
    return start.reason;
}

bool th_machine_crash(struct th_crash *out)
{
    const struct th_lx_crash *crash = &rtc()->crash;

    if (start.crash_valid)
        *out = (struct th_crash){.reason = start.reason,
                                 .pc = crash->pc,
                                 .return_address = crash->a[0],
                                 .cause = crash->cause,
                                 .address = crash->vaddr,
                                 .uptime_ms = crash->uptime_ms};
    return start.crash_valid;
}

uint32_t th_machine_entropy_mark(uint32_t mark)
{
    uint32_t before = rtc()->boot.entropy_mark;
    rtc()->boot.entropy_mark = mark;
    return before;
}

static TH_IN_RAM _Noreturn void reset(void)
{
    /* What was written to RTC memory is for the next start; to the compiler nobody reads it. */
    __asm__ volatile("memw" : : : "memory");
    for (;;)
        LX_REG(LX_FPGA_BASE + 0x10) = 0xDEAD;
}

_Noreturn void th_machine_restart(void)
{
    th_cpu_irq_save();
    set_state(TH_RESET_REQUESTED);
    reset();
}

static TH_IN_RAM void keep_stack(struct th_lx_crash *crash)
{
    uintptr_t from = crash->a[1];
    uintptr_t end = (uintptr_t)__stack_top;

    for (unsigned i = 0; i < TH_LX_STACK_WORDS; i++, from += sizeof(uint32_t)) {
        bool in_stack = from % sizeof(uint32_t) == 0 && from >= (uintptr_t)__stack_bottom &&
                        from + sizeof(uint32_t) <= end;
        crash->stack[i] = in_stack ? LX_REG(from) : 0;
    }
}

static TH_IN_RAM _Noreturn void keep_and_reset(enum th_reset_reason reason)
{
    struct th_lx_crash *crash = &rtc()->crash;

    keep_stack(crash);
    crash->reason = reason;
    crash->uptime_ms = th_timer_now_ms();
    crash->crc = crash_crc();
    set_state(reason);
    reset();
}

/* From start.S: registers are in RTC memory, the stack is fresh. The words of the old stack that
 * this function's own frames overwrite are the outermost ones. */
TH_IN_RAM _Noreturn void th_lx_crashed(void)
{
    keep_and_reset(TH_RESET_CRASH);
}

TH_IN_RAM _Noreturn void th_lx_watchdog_expired(uint32_t pc, uint32_t a0, uint32_t sp)
{
    struct th_lx_crash *crash = &rtc()->crash;

    for (size_t i = 0; i < LX_CRASH_WORDS; i++)
        LX_REG(LX_RTC_BASE + LX_RTC_CRASH + i * sizeof(uint32_t)) = 0;
    crash->pc = pc;
    crash->a[0] = a0;
    crash->a[1] = sp;
    keep_and_reset(TH_RESET_WATCHDOG);
}

static bool rtc_read(void *ctx, uint8_t into[TH_RTC_BYTES])
{
    (void)ctx;
    memcpy(into, rtc()->user, TH_RTC_BYTES);
    return true;
}

static bool rtc_write(void *ctx, const uint8_t from[TH_RTC_BYTES])
{
    (void)ctx;
    memcpy(rtc()->user, from, TH_RTC_BYTES);
    return true;
}

const struct th_rtc_ops th_lx_rtc_ops = {rtc_read, rtc_write};
