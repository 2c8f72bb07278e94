/* SPDX-License-Identifier: MIT */
#ifndef TH_TEST_STORE_CHECK_H
#define TH_TEST_STORE_CHECK_H

#include <thimble/log.h>

#define STORE_CHECK_REGION ((struct th_log_region){0x030000, 4, 1}) /* docs/flash-format.md */

/* The kinds of the records it writes. */
enum { STORE_IN_FORCE, STORE_NEXT, STORE_TRIAL };

#define STORE_COUNTER "telemetry.interval_s" /* the setting that counts; 60 begins */

#endif
