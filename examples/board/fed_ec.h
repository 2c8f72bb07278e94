/* SPDX-License-Identifier: MIT */
/* Elliptic curves that feed the watchdog before each operation. */
#ifndef BOARD_FED_EC_H
#define BOARD_FED_EC_H

#include <bearssl.h>

extern const br_ec_impl demo_fed_ec;

#endif
