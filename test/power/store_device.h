/* SPDX-License-Identifier: MIT */
/* A device with settings, changes of them on trial, and a clock floor, all in one log. */
#ifndef TH_TEST_STORE_DEVICE_H
#define TH_TEST_STORE_DEVICE_H

#include "power.h"

enum { STORE_COMMIT, STORE_FLOOR, STORE_BEGIN, STORE_PROVED, STORE_FAILED, STORE_CRASH };

/* The first one commits settings and raises the floor; the second has trials besides. Two units of
 * 256 bytes. */
extern const struct power_scenario store_settings, store_trials;

#endif
