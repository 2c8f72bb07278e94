/* SPDX-License-Identifier: MIT */
/* Vectors, reset entry and exception entry; call0 ABI. The linker script puts the vectors at the
 * start of IRAM. Alignment is written out with jumps before it: padding is zeros, and zeros decode
 * as an illegal instruction. */
#include "regs.h"

    .section .vectors, "ax"
    .global th_lx_vectors
    .align 1024
th_lx_vectors:
    .org th_lx_vectors + 0x10
    j debug_entry
    .org th_lx_vectors + 0x20
    j nmi_entry
    .org th_lx_vectors + 0x30
    j kernel_entry
    .org th_lx_vectors + 0x50
    j user_entry
    .org th_lx_vectors + 0x70
    j double_entry

    .section .iram.text, "ax"
    .literal_position

    .global _start
    .type _start, @function
    .align 4
_start:
    movi a0, 0
    movi a1, __stack_top
    movi a2, 0
    wsr a2, intenable
    movi a2, th_lx_vectors
    wsr a2, vecbase
    movi a2, 0x20               /* PS.UM: exceptions and level-1 interrupts take the user vector */
    wsr a2, ps
    rsync
    movi a2, __bss_start
    movi a3, __bss_end
    movi a4, 0
1:  bgeu a2, a3, 2f
    s32i a4, a2, 0
    addi a2, a2, 4
    j 1b
2:  movi a2, __stack_bottom     /* paint the stack, so that its peak can be read later */
    movi a4, 0xa5a5a5a5
3:  bgeu a2, a1, 4f
    s32i a4, a2, 0
    addi a2, a2, 4
    j 3b
4:  call0 th_lx_main
5:  j 5b

/* A level-1 interrupt saves what the call0 ABI lets a function change, on the stack it met. */
#define FRAME 64

    .align 4
user_entry:
    wsr a0, excsave1
    rsr a0, exccause
    beqi a0, LX_CAUSE_LEVEL1, level1
    j save_crash

    .align 4
level1:
    addi a1, a1, -FRAME
    s32i a2, a1, 0
    s32i a3, a1, 4
    s32i a4, a1, 8
    s32i a5, a1, 12
    s32i a6, a1, 16
    s32i a7, a1, 20
    s32i a8, a1, 24
    s32i a9, a1, 28
    s32i a10, a1, 32
    s32i a11, a1, 36
    rsr a2, sar
    s32i a2, a1, 40
    rsr a3, excsave1            /* the interrupted a0 */
    s32i a3, a1, 44
    rsr a2, epc1
    addi a4, a1, FRAME
    call0 th_lx_interrupt       /* (pc, a0, sp) */
    l32i a2, a1, 40
    wsr a2, sar
    l32i a2, a1, 0
    l32i a3, a1, 4
    l32i a4, a1, 8
    l32i a5, a1, 12
    l32i a6, a1, 16
    l32i a7, a1, 20
    l32i a8, a1, 24
    l32i a9, a1, 28
    l32i a10, a1, 32
    l32i a11, a1, 36
    l32i a0, a1, 44
    addi a1, a1, FRAME
    rfe

/* Everything else is a crash: all registers go straight to RTC memory, in the layout of
 * struct th_lx_crash, then C takes over on a fresh stack and restarts the machine. */
    .align 4
debug_entry:
nmi_entry:
    wsr a0, excsave1
    j save_crash
kernel_entry:
    wsr a0, excsave1
    j save_crash
double_entry:
    wsr a0, excsave1
    rsr a0, depc
    wsr a0, epc1
    j save_crash

    .align 4
save_crash:
    movi a0, LX_RTC_BASE + LX_RTC_CRASH
    s32i a1, a0, 24
    s32i a2, a0, 28
    s32i a3, a0, 32
    s32i a4, a0, 36
    s32i a5, a0, 40
    s32i a6, a0, 44
    s32i a7, a0, 48
    s32i a8, a0, 52
    s32i a9, a0, 56
    s32i a10, a0, 60
    s32i a11, a0, 64
    s32i a12, a0, 68
    s32i a13, a0, 72
    s32i a14, a0, 76
    s32i a15, a0, 80
    rsr a2, excsave1
    s32i a2, a0, 20
    rsr a2, epc1
    s32i a2, a0, 4
    rsr a2, ps
    s32i a2, a0, 8
    rsr a2, exccause
    s32i a2, a0, 12
    rsr a2, excvaddr
    s32i a2, a0, 16
    movi a1, __stack_top
    movi a2, 0x2f               /* PS.UM, all interrupts masked, EXCM off */
    wsr a2, ps
    rsync
    call0 th_lx_crashed
6:  j 6b

    .global th_lx_simcall
    .type th_lx_simcall, @function
    .align 4
th_lx_simcall:                  /* int (call, a, b, c) */
    simcall
    ret
