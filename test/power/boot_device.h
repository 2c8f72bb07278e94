/* SPDX-License-Identifier: MIT */
/* A loader with its two copies of the boot record, and an image that confirms, tries and crashes.
 */
#ifndef TH_TEST_BOOT_DEVICE_H
#define TH_TEST_BOOT_DEVICE_H

#include "power.h"

enum { BOOT_CONFIRM, BOOT_TRY_OTHER, BOOT_CRASH, BOOT_ACTIONS };

extern const struct power_scenario boot_record;

#endif
