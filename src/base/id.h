/* SPDX-License-Identifier: MIT */
/* Names of devices, users and callers: one namespace, one rule (F7). */
#ifndef TH_BASE_ID_H
#define TH_BASE_ID_H

#include <stdbool.h>

#include <thimble/span.h>

#define TH_ID_MAX 32 /* bytes */

/* [a-z0-9][a-z0-9_-]{0,31} */
bool th_id_valid(struct th_span name);

#endif
