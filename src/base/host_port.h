/* SPDX-License-Identifier: MIT */
/* "host", "host:port", "address", "[address]:port" as people write them. */
#ifndef TH_BASE_HOST_PORT_H
#define TH_BASE_HOST_PORT_H

#include <stdint.h>

/* Cuts the port off `text`, and the brackets around an address; returns where the host begins in
 * it. `*port` stays when there is none, or none from 1 to 65535. */
char *th_host_port(char *text, uint16_t *port);

#endif
