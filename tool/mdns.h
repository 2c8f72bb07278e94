/* SPDX-License-Identifier: MIT */
/*
 * Names that end in .local where the system's resolver knows no multicast DNS: a one-shot question
 * to the local link (RFC 6762 §5.1). Anybody there may answer: what is found must prove itself.
 */
#ifndef TOOL_MDNS_H
#define TOOL_MDNS_H

#include <netinet/in.h>
#include <stdbool.h>

bool mdns_is_local(const char *name);

/* Asks every network this host is on, three times within three seconds; false: nobody answers. */
bool mdns_find(const char *name, struct in_addr *address);

#endif
