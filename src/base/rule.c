/* SPDX-License-Identifier: MIT */
#include "base/rule.h"

#include <string.h>

#ifdef TH_MUTATION

const char *th_mutant;

bool th_mutant_is(const char *name)
{
    return th_mutant != NULL && strcmp(th_mutant, name) == 0;
}

#endif
