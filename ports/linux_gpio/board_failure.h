/* SPDX-License-Identifier: MIT */
#ifndef TH_LINUX_GPIO_BOARD_FAILURE_H
#define TH_LINUX_GPIO_BOARD_FAILURE_H

#include <thimble/linux_gpio.h>

/* What the kernel's error number means for something of the board that was to be opened. */
enum th_error board_failure(struct th_failure *failure, const char *name, int error_number);

#endif
