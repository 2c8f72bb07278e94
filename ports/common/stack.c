/* SPDX-License-Identifier: MIT */
#include "machine.h"

size_t th_machine_stack_peak(void)
{
    const uint32_t *at = __stack_bottom;

    while (at < __stack_top && *at == TH_STACK_PAINT)
        at++;
    return (size_t)(__stack_top - at) * sizeof(uint32_t);
}
