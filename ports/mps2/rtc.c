/* SPDX-License-Identifier: MIT */
/* PSRAM stands for RTC memory: a reset leaves it alone, an end of the emulator does not. */
#include <cpu.h>
#include <string.h>
#include <thimble/crc.h>

#include "../common/machine.h"
#include "mps2.h"

#define MAGIC 0x31525454u /* "TTR1" */

struct rtc {
    uint32_t magic;
    uint32_t state; /* enum th_reset_reason: what a reset that comes now will mean */
    uint32_t entropy_mark;
    struct th_crash crash;
    uint32_t crash_crc;
    uint8_t user[TH_RTC_BYTES];
};

#define RUNNING TH_RESET_UNKNOWN

static struct {
    enum th_reset_reason reason;
    bool crash_valid;
} start;

static inline struct rtc *rtc(void)
{
    return (struct rtc *)MPS2_RTC;
}

static uint32_t crash_crc(void)
{
    return th_crc32(0, &rtc()->crash, sizeof(rtc()->crash));
}

void th_mps2_rtc_start(void)
{
    if (rtc()->magic != MAGIC || rtc()->state > RUNNING) {
        memset(rtc(), 0, sizeof(struct rtc));
        rtc()->magic = MAGIC;
    }
    start.reason = (enum th_reset_reason)rtc()->state;
    start.crash_valid = (start.reason == TH_RESET_CRASH || start.reason == TH_RESET_WATCHDOG) &&
                        rtc()->crash_crc == crash_crc();
    rtc()->state = RUNNING;
}

enum th_reset_reason th_machine_reset_reason(void)
{
    return start.reason;
}

struct th_machine_slot th_machine_slot(void)
{
    return (struct th_machine_slot){.index = 0};
}

bool th_machine_crash(struct th_crash *out)
{
    if (start.crash_valid)
        *out = rtc()->crash;
    return start.crash_valid;
}

uint32_t th_machine_entropy_mark(uint32_t mark)
{
    uint32_t before = rtc()->entropy_mark;
    rtc()->entropy_mark = mark;
    return before;
}

static _Noreturn void reset(enum th_reset_reason reason)
{
    rtc()->state = reason;
    __asm__ volatile("dsb" : : : "memory");
    for (;;)
        MPS2_REG(SCB_AIRCR) = 0x05FA0004; /* SYSRESETREQ */
}

_Noreturn void th_machine_restart(void)
{
    th_cpu_irq_save();
    reset(TH_RESET_REQUESTED);
}

_Noreturn void th_mps2_keep_crash(enum th_reset_reason reason, const struct th_mps2_frame *frame)
{
    rtc()->crash = (struct th_crash){
        .reason = reason,
        .pc = frame->pc,
        .return_address = frame->lr,
        .cause = MPS2_REG(SCB_CFSR),
        .address = MPS2_REG(SCB_BFAR),
        .uptime_ms = th_timer_now_ms(),
    };
    rtc()->crash_crc = crash_crc();
    reset(reason);
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

const struct th_rtc_ops th_mps2_rtc_ops = {rtc_read, rtc_write};
