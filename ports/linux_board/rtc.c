/* SPDX-License-Identifier: MIT */
/* RTC memory is a file without a name: it outlives a reset, which is an exec, and ends with the
 * process, as with the power. Its descriptor goes on in the environment. */
#include <cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <thimble/crc.h>
#include <ucontext.h>
#include <unistd.h>

#include "../common/host.h"
#include "../common/machine.h"
#include "linux_board.h"

#define VARIABLE "THIMBLE_RTC"
#define RUNNING  TH_RESET_UNKNOWN /* what a reset that comes now will mean */

extern const char __executable_start[];

struct rtc {
    uint32_t state; /* enum th_reset_reason */
    uint32_t entropy_mark;
    struct th_crash crash;
    uint32_t crash_crc;
    uint8_t user[TH_RTC_BYTES];
};

static struct rtc *rtc;

static struct {
    enum th_reset_reason reason;
    bool crash_valid;
} start;

static uint32_t crash_crc(void)
{
    return th_crc32(0, &rtc->crash, sizeof(rtc->crash));
}

static int make(void)
{
    char text[16];
    int file = memfd_create("rtc", 0);

    if (file < 0 || ftruncate(file, sizeof(struct rtc)) != 0)
        return -1;
    snprintf(text, sizeof(text), "%d", file);
    return setenv(VARIABLE, text, 1) == 0 ? file : -1;
}

void th_linux_board_rtc_start(void)
{
    const char *kept = getenv(VARIABLE);
    int file = kept != NULL ? (int)strtol(kept, NULL, 10) : make();

    rtc = mmap(NULL, sizeof(struct rtc), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (rtc == MAP_FAILED) {
        perror("no RTC memory");
        th_host_exit(2);
    }
    start.reason = (enum th_reset_reason)rtc->state;
    start.crash_valid = (start.reason == TH_RESET_CRASH || start.reason == TH_RESET_WATCHDOG) &&
                        rtc->crash_crc == crash_crc();
    rtc->state = RUNNING;
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
        *out = rtc->crash;
    return start.crash_valid;
}

uint32_t th_machine_entropy_mark(uint32_t mark)
{
    uint32_t before = rtc->entropy_mark;
    rtc->entropy_mark = mark;
    return before;
}

_Noreturn void th_machine_restart(void)
{
    th_cpu_irq_save();
    rtc->state = TH_RESET_REQUESTED;
    th_linux_board_reset();
}

static uintptr_t interrupted_at(const void *context)
{
#if defined __x86_64__
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* The place is counted from where the program was loaded: that is what its symbols say. */
_Noreturn void th_linux_board_keep_crash(enum th_reset_reason reason, int signal,
                                         const void *address, const void *context)
{
    rtc->crash = (struct th_crash){
        .reason = reason,
        .pc = (uint32_t)(interrupted_at(context) - (uintptr_t)__executable_start),
        .cause = (uint32_t)signal,
        .address = (uint32_t)(uintptr_t)address,
        .uptime_ms = th_timer_now_ms(),
    };
    rtc->crash_crc = crash_crc();
    rtc->state = reason;
    th_linux_board_reset();
}

static bool rtc_read(void *ctx, uint8_t into[TH_RTC_BYTES])
{
    (void)ctx;
    memcpy(into, rtc->user, TH_RTC_BYTES);
    return true;
}

static bool rtc_write(void *ctx, const uint8_t from[TH_RTC_BYTES])
{
    (void)ctx;
    memcpy(rtc->user, from, TH_RTC_BYTES);
    return true;
}

const struct th_rtc_ops th_linux_board_rtc_ops = {rtc_read, rtc_write};
