/* SPDX-License-Identifier: MIT */
/*
 * Mutation switches: each normative statement that binds us names one, in
 * docs/mqtt-conformance.tsv, and scripts/conformance proves that the statement's test fails when
 * the switch is thrown.
 *
 *   TH_RULE(name, cond)       a check. `cond` says "the rule is broken"; thrown, it is never so.
 *   TH_VALUE(name, good, bad) what we do. Thrown, `bad` is done instead of `good`.
 *   TH_WRONG(name, cond)      what we never do. Thrown, it is done where `cond` holds.
 *
 * A name is an identifier, not a string: TH_RULE(connack_flags_reserved, (flags & 0xFE) != 0).
 * Without TH_MUTATION the first two are exactly the plain expression and the third is false: no
 * code, no data, no name in the image. `bad` is then not compiled, so it must not be the only use
 * of anything.
 */
#ifndef TH_BASE_RULE_H
#define TH_BASE_RULE_H

#include <stdbool.h>

#ifdef TH_MUTATION

/* The one switch that is thrown, or NULL. Set by the test program, before its first test. */
extern const char *th_mutant;

bool th_mutant_is(const char *name);

#define TH_RULE(name, cond)       ((cond) && !th_mutant_is(#name))
#define TH_VALUE(name, good, bad) (th_mutant_is(#name) ? (bad) : (good))
#define TH_WRONG(name, cond)      (th_mutant_is(#name) && (cond))

#else

#define TH_RULE(name, cond)       (cond)
#define TH_VALUE(name, good, bad) (good)
#define TH_WRONG(name, cond)      (false && (cond))

#endif

#endif
