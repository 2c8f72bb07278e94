/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Topics and users of our own, and of the systems Thimble talks to. */
static const char *const reserved[] = {"agent",      "keeper",  "homeassistant",
                                       "irrigation", "recover", "status"};
static const char *const reserved_beginnings[] = {"mqtt_rx_", "mqtt_tx_"};

const char *names_fault(const char *name)
{
    size_t len = strlen(name);
    if (len == 0)
        return "it is empty";
    if (len > 32)
        return "it is longer than 32 characters";
    if (!strchr(LOWER DIGITS, name[0]))
        return "it must begin with a lower-case letter or a digit";
    if (strspn(name, LOWER DIGITS "_-") != len)
        return "only a-z, 0-9, '_' and '-' may be in it";
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(name, reserved[i]) == 0)
            return "it is reserved";
    }
    for (size_t i = 0; i < sizeof reserved_beginnings / sizeof reserved_beginnings[0]; i++) {
        if (strncmp(name, reserved_beginnings[i], strlen(reserved_beginnings[i])) == 0)
            return "names that begin with mqtt_rx_ and mqtt_tx_ are reserved";
    }
    return NULL;
}

const char *names_host_fault(const char *host)
{
    uint8_t address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return NULL;
    size_t len = strlen(host);
    if (len == 0 || len > 253)
        return "a host name has 1 to 253 characters";
    if (strspn(host, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-_.") != len)
        return "only letters, digits, '-', '_' and '.' may be in it";
    size_t label = 0;
    for (const char *at = host; *at; at++) {
        label = *at == '.' ? 0 : label + 1;
        if (label > 63 || (*at == '.' && (at == host || at[-1] == '.')))
            return "each part between dots has 1 to 63 characters";
    }
    return NULL;
}
