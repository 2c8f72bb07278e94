/* SPDX-License-Identifier: MIT */
/* What lwIP asks of the machine. */
#include <lwip/sys.h>

#include "../common/machine.h"

u32_t sys_now(void)
{
    return th_timer_now_ms();
}

/* Without entropy there is no handshake either (T13), so what lwIP gets then protects nothing. */
uint32_t th_lwip_random(void)
{
    uint32_t value;
    th_entropy_host_ops.fill(NULL, (uint8_t *)&value, sizeof(value));
    return value;
}

_Noreturn void th_lwip_broken(void)
{
    th_machine_crash_now();
}
