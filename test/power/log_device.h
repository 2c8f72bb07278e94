/* SPDX-License-Identifier: MIT */
/* A device that writes records of one or two kinds into its log, takes them away, and wipes the
 * last kind. */
#ifndef TH_TEST_LOG_DEVICE_H
#define TH_TEST_LOG_DEVICE_H

#include "power.h"

/* Units of 256 bytes, the smallest there are. */
extern const struct power_scenario log_smallest, log_of_one_kind, log_of_two_kinds,
    log_in_three_units, log_of_long_units;

#endif
