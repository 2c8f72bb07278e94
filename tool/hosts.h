/* SPDX-License-Identifier: MIT */
/* The names and addresses a broker on this machine can be reached by, for its certificate. */
#ifndef TOOL_HOSTS_H
#define TOOL_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/link.h>

#define HOSTS_MAX  64
#define HOSTS_TEXT 256

struct hosts {
    char at[HOSTS_MAX][HOSTS_TEXT];
    size_t count;
};

/* Appends, unless it is there already or the list is full. */
void hosts_add(struct hosts *hosts, const char *host);

/* The machine's own name, the same with ".local" (mDNS), "localhost", and the address of every
 * interface. IPv6 link-local addresses need a zone, which no certificate can hold: left out. */
void hosts_of_this_machine(struct hosts *hosts);

/* False when this machine finds no address for it within three seconds. Addresses are true, and
 * names in ".local": who answers to them is found without a name server. */
bool hosts_resolve(const char *host);

/* The addresses of a name or literal, as the links try them; 0 when there is none. */
size_t hosts_addresses(const char *host, uint16_t port,
                       struct th_address out[TH_LINK_ADDRESSES_MAX]);

#endif
