/* SPDX-License-Identifier: MIT */
/* Virtual wires: lines of a fixed length in a file that is mapped. */
#ifndef TH_LINUX_PINS_FILE_H
#define TH_LINUX_PINS_FILE_H

#include <thimble/linux_pins.h>

#define PIN_LINE "pin 00 --- 0 in 1\n"
#define SPI_LINE "spi ff\n"
#define ADC_LINE "adc 0 000000\n"

#define PIN_LEN (sizeof PIN_LINE - 1)
#define SPI_AT  (TH_LINUX_PINS * PIN_LEN)
#define ADC_AT  (SPI_AT + sizeof SPI_LINE - 1)
#define ADC_LEN (sizeof ADC_LINE - 1)

#define OFF_LINE "off 00 - 000000000000\n" /* pins, then bits: "off s0 …" */
#define OFF_AT   (ADC_AT + TH_LINUX_ADCS * ADC_LEN)
#define OFF_LEN  (sizeof OFF_LINE - 1)
#define OFFS     (TH_LINUX_PINS + 8)

#define PINS_FILE (OFF_AT + OFFS * OFF_LEN)

#define OFF_SAFE   7 /* '0', '1', or '-' while it was never on a lease */
#define OFF_TIME   9
#define OFF_DIGITS 12

#define PIN_OUT   7  /* "out" or "---" */
#define PIN_LEVEL 11 /* it is driven to */
#define PIN_IN    16 /* an input shows */
#define ADC_VALUE 6  /* six digits */

/* Made anew and mapped; NULL with errno. */
char *pins_file_open(const char *path);
void pins_file_close(char *file);

/* The wires that stand in that file. */
struct th_linux_wires pins_file_wires(char *file);

#endif
