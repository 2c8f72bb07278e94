/* SPDX-License-Identifier: MIT */
/* ARM's MPS2 board with the AN385 image (Cortex-M3), as QEMU's mps2-an385 has it. */
#ifndef TH_MPS2_REGS_H
#define TH_MPS2_REGS_H

#include <stdint.h>

#define MPS2_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define MPS2_DUALTIMER 0x40002000
#define MPS2_UART      0x40004000
#define MPS2_ETH       0x40200000 /* LAN9118 */
#define MPS2_RTC       0x21000000 /* start of the PSRAM, which a reset leaves alone */

#define MPS2_CLOCK_HZ    25000000
#define MPS2_CYCLES_A_MS 25000

#define MPS2_IRQ_UART_RX 0
#define MPS2_IRQ_TIMER   10
#define MPS2_IRQ_ETH     13

/* ARMv7-M system registers */
#define NVIC_ENABLE  0xE000E100
#define NVIC_DISABLE 0xE000E180
#define SCB_AIRCR    0xE000ED0C
#define SCB_CFSR     0xE000ED28
#define SCB_BFAR     0xE000ED38

#endif
