/* SPDX-License-Identifier: MIT */
/* Linked into every unit test of a mutation build: scripts/conformance runs one test (TH_TEST) with
 * one switch thrown (TH_MUTANT), and no test program has to know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rule.h"

__attribute__((constructor)) static void read_environment(void)
{
    const char *test = getenv("TH_TEST");
    const char *mutant = getenv("TH_MUTANT");

    if (test != NULL && *test != '\0')
        cmocka_set_test_filter(test);
    if (mutant != NULL && *mutant != '\0')
        th_mutant = mutant;
}
