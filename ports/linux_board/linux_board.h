/* SPDX-License-Identifier: MIT */
#ifndef TH_LINUX_BOARD_H
#define TH_LINUX_BOARD_H

#include <thimble/board.h>

/* --- main.c --- */
/* The program anew in the same process, as after a reset. Async-signal-safe. */
_Noreturn void th_linux_board_reset(void);

/* --- cpu.c --- */
void th_linux_board_cpu_start(void);
void th_linux_board_wake_by(int fd); /* when it is readable */
void th_linux_board_console_read(void);

/* --- rtc.c --- */
void th_linux_board_rtc_start(void);
extern const struct th_rtc_ops th_linux_board_rtc_ops;
/* `context` is a signal handler's. */
_Noreturn void th_linux_board_keep_crash(enum th_reset_reason reason, int signal,
                                         const void *address, const void *context);

#endif
