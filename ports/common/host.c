/* SPDX-License-Identifier: MIT */
#include "host.h"

uint32_t th_host_param_number(const char *name, uint32_t otherwise)
{
    const char *text = th_host_param(name);
    uint32_t value = 0;

    if (text == NULL || *text == '\0')
        return otherwise;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    return value;
}
