/* SPDX-License-Identifier: MIT */
#ifndef TH_TEST_BOARD_STORE_H
#define TH_TEST_BOARD_STORE_H

#include <thimble/board.h>

/* Counts a setting up for ever, in plain commits and in changes on trial; each line it says names a
 * value that is durable. Returns only when something is wrong. */
int board_store_run(const struct th_board *board, uint32_t nonce,
                    void (*say)(const char *word, unsigned number));

#endif
