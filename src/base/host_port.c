/* SPDX-License-Identifier: MIT */
#include "base/host_port.h"

#include <string.h>

static void read_port(const char *text, uint16_t *port)
{
    uint32_t value = 0;

    while (*text >= '0' && *text <= '9' && value <= UINT16_MAX)
        value = value * 10 + (uint32_t)(*text++ - '0');
    if (*text == '\0' && value > 0 && value <= UINT16_MAX)
        *port = (uint16_t)value;
}

char *th_host_port(char *text, uint16_t *port)
{
    char *colon = strrchr(text, ':'), *bracket = strchr(text, ']');

    if (text[0] == '[' && bracket) {
        if (bracket[1] == ':')
            read_port(bracket + 2, port);
        *bracket = '\0';
        return text + 1;
    }
    if (!colon || strchr(text, ':') != colon)
        return text; /* no port, or an IPv6 address without brackets */
    read_port(colon + 1, port);
    *colon = '\0';
    return text;
}
