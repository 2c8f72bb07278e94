/* SPDX-License-Identifier: MIT */
#include "machine.h"

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return th_timer_now_ms();
}

static enum th_reset_reason reset_reason(void *ctx)
{
    (void)ctx;
    return th_machine_reset_reason();
}

static void feed_watchdog(void *ctx)
{
    (void)ctx;
    th_timer_watchdog_feed();
}

static void restart(void *ctx)
{
    (void)ctx;
    th_machine_restart();
}

static bool crash(void *ctx, struct th_crash_place *out)
{
    struct th_crash found;

    (void)ctx;
    if (!th_machine_crash(&found))
        return false;
    *out = (struct th_crash_place){.pc = found.pc,
                                   .return_address = found.return_address,
                                   .cause = found.cause,
                                   .address = found.address,
                                   .uptime_ms = found.uptime_ms};
    return true;
}

const struct th_clock_ops th_machine_clock_ops = {now_ms};
const struct th_system_ops th_machine_system_ops = {reset_reason, feed_watchdog, restart, crash};
