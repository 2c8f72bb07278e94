/* SPDX-License-Identifier: MIT */
/* A function beside the way to the deepest calls of all, signatures and handshakes: it is not
 * inlined, so that its locals do not lie under them. */
#ifndef TH_OFF_STACK_H
#define TH_OFF_STACK_H

#ifdef __GNUC__
#define OFF_THE_STACK __attribute__((noinline))
#else
#define OFF_THE_STACK
#endif

#endif
