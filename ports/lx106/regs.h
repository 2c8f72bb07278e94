/* SPDX-License-Identifier: MIT */
/* Addresses and bits of the lx60-nommu machine with the ESP8266's CPU. Defines only: the
 * assembler reads this file too. */
#ifndef TH_LX106_REGS_H
#define TH_LX106_REGS_H

#define LX_UART_BASE    0x9D050020 /* 16550, one register a word */
#define LX_FPGA_BASE    0x9D020000
#define LX_ETH_BASE     0x9D030000
#define LX_ETH_BD       0x9D030400 /* buffer descriptors, two words each */
#define LX_ETH_RAM      0x9D800000
#define LX_ETH_RAM_SIZE 0x4000
#define LX_FLASH_BASE   0x98000000
#define LX_FLASH_SIZE   0x400000
#define LX_FLASH_SECTOR 0x10000

/* RTC user memory, which survives a reset: blocks 64 to 191 of the ESP8266's map. */
#define LX_RTC_BASE 0x60001100
#define LX_RTC_SIZE 512

/* Where the emulator's arguments are kept: no part of the chip, so outside its 80 KiB. */
#define LX_HOST_RAM      0x60010000
#define LX_HOST_RAM_SIZE 0x4000

/* Offsets in RTC memory; rtc.c asserts that they agree with the structs. */
#define LX_RTC_CRASH 32

#define LX_CLOCK_HZ    40000000
#define LX_CYCLES_A_MS 40000

#define LX_IRQ_UART  (1 << 0)
#define LX_IRQ_ETH   (1 << 1)
#define LX_IRQ_TIMER (1 << 6)

/* EXCCAUSE */
#define LX_CAUSE_LEVEL1 4

/* QEMU's semihosting calls */
#define LX_SIM_EXIT    1
#define LX_SIM_READ    3
#define LX_SIM_WRITE   4
#define LX_SIM_OPEN    5
#define LX_SIM_CLOSE   6
#define LX_SIM_LSEEK   19
#define LX_SIM_ARGC    1000
#define LX_SIM_ARGV_SZ 1001
#define LX_SIM_ARGV    1002

#endif
