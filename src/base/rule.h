/* SPDX-License-Identifier: MIT */
/*
 * Mutation switches: each normative statement that binds us names one, in
 * docs/mqtt-conformance.tsv, and scripts/conformance proves that the statement's test fails when
 * the switch is thrown.
 *
 *   TH_RULE(name, cond)       a check. `cond` says "the rule is broken"; thrown, it is never so.
 *   TH_VALUE(name, good, bad) what we do. Thrown, `bad` is done instead of `good`.
 *
 * A name is an identifier, not a string: TH_RULE(connack_flags_reserved, (flags & 0xFE) != 0).
 * Without TH_MUTATION both are exactly the plain expression: no code, no data, no name in the
 * image. `bad` is then not compiled, so it must not be the only use of anything.
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

#else

#define TH_RULE(name, cond)       (cond)
#define TH_VALUE(name, good, bad) (good)

#endif

#endif
