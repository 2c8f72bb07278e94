/* SPDX-License-Identifier: MIT */
/*
 * Where code is cheap, usual packets have ways of their own; where it is dear, the compiler drops
 * them. -DTH_FAST=0 takes the small ways on a large machine too: scripts/conformance tests both.
 */
#ifndef TH_BASE_FAST_H
#define TH_BASE_FAST_H

#include <stdbool.h>
#include <stddef.h>

#ifndef TH_FAST
#define TH_FAST (sizeof(size_t) == 8)
#endif

/* The ways of their own have no mutation switches: they decide nothing, and are left out where
 * switches are thrown. */
#ifdef TH_MUTATION
#define TH_FAST_PACKETS false
#else
#define TH_FAST_PACKETS TH_FAST
#endif

/* A function with much to save on its stack, called from one that usually returns before: apart
 * from it, the usual way does not pay for that. Small machines have no usual way, and save the
 * call. */
#if defined(__GNUC__) && defined(__LP64__)
#define TH_APART __attribute__((noinline))
#else
#define TH_APART
#endif

#endif
