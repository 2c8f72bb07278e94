/* SPDX-License-Identifier: MIT */
/* Making and signing the next trust bundle of an installation. */
#ifndef TOOL_TRUST_SIGN_H
#define TOOL_TRUST_SIGN_H

#include "trust_bundle.h"

struct trust_sign {
    const char *key, *pass_file, *hardware, *out; /* NULL: the usual ones */
    long sequence, epoch;                         /* sequence 0: the next one */
    struct trust_release release;
    struct trust_order order;
};

/* Writes the bundle and tells where; says nothing when all is well. */
int trust_sign_now(struct home *home, struct trust_sign *how, struct path *path);

#endif
