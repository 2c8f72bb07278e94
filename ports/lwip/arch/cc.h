/* SPDX-License-Identifier: MIT */
/* What lwIP wants to know of compiler and machine. */
#ifndef TH_LWIP_CC_H
#define TH_LWIP_CC_H

#include <stdint.h>
#include <stdlib.h>

/* A broken invariant of lwIP: the port crashes the machine, and its crash report tells the place.
 */
_Noreturn void th_lwip_broken(void);
/* Unpredictable: port numbers, sequence numbers, DNS and DHCP transactions come from it. */
uint32_t th_lwip_random(void);

#define LWIP_PLATFORM_DIAG(text) \
    do {                         \
    } while (0)
#define LWIP_PLATFORM_ASSERT(text) th_lwip_broken()
#define LWIP_RAND()                th_lwip_random()

#define LWIP_NO_INTTYPES_H 1
#define U16_F              "u"
#define S16_F              "d"
#define X16_F              "x"
#define U32_F              "u"
#define S32_F              "d"
#define X32_F              "x"
#define SZT_F              "u"

#endif
