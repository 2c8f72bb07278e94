/* SPDX-License-Identifier: MIT */
#ifndef TH_MPS2_H
#define TH_MPS2_H

#include <stdint.h>
#include <thimble/board.h>

/* What the CPU stacks at an exception, ARMv7-M §B1.5.6. */
struct th_mps2_frame {
    uint32_t r[4], r12, lr, pc, xpsr;
};

/* --- rtc.c --- */
void th_mps2_rtc_start(void);
extern const struct th_rtc_ops th_mps2_rtc_ops;
_Noreturn void th_mps2_keep_crash(enum th_reset_reason reason, const struct th_mps2_frame *frame);

#endif
