/* SPDX-License-Identifier: MIT */
/*
 * Real pins on Linux, such as those of a Raspberry Pi: lines of one GPIO chip (libgpiod 1.x), a
 * byte to a SPI device (spidev), voltages of a converter (IIO). Pin n is line n of the chip.
 * Outputs are wires of a guard (linux_pins.h), which alone requests the lines: a line is requested
 * when it is first used, and given back when the guard ends. What a line that was given back does
 * then is its driver's affair, which is why the guard drives to the safe level first.
 */
#ifndef THIMBLE_LINUX_GPIO_H
#define THIMBLE_LINUX_GPIO_H

#include <thimble/linux_pins.h>

enum th_linux_pull { TH_LINUX_PULL_UP, TH_LINUX_PULL_DOWN, TH_LINUX_PULL_NONE };

struct th_linux_gpio_config {
    const char *chip;        /* name, number, label or path; NULL: no pins */
    const char *spi;         /* "/dev/spidev0.0"; NULL: no SPI */
    enum th_linux_pull pull; /* of inputs, where the chip has it */
};

struct gpiod_chip;
struct gpiod_line;

/* Fields private. */
struct th_linux_gpio {
    struct gpiod_chip *chip;
    struct gpiod_line *lines[TH_LINUX_WIRES]; /* requested ones */
    bool outputs[TH_LINUX_WIRES];
    enum th_linux_pull pull;
    char name[32]; /* of the chip */
    unsigned count;
    int spi;
};

/* Opens chip and device; no line is requested and nothing sent. OK, or BOARD_MISSING, BOARD_DENIED,
 * BOARD_KIND, BOARD_SYSTEM with `failure`, and nothing is open. */
enum th_error th_linux_gpio_open(struct th_linux_gpio *gpio,
                                 const struct th_linux_gpio_config *config,
                                 struct th_failure *failure);

/* For th_linux_pins_guard(). */
struct th_linux_wires th_linux_gpio_wires(struct th_linux_gpio *gpio);

/* The copies of this process; the guard's stay. */
void th_linux_gpio_close(struct th_linux_gpio *gpio);

/* ---- converter ---- */

#define TH_LINUX_ADC_INPUTS 16

/* Fields private. */
struct th_linux_adc {
    char directory[192];
    uint16_t inputs; /* bit n: there is in_voltage<n>_raw */
    bool scaled;
    double scale[TH_LINUX_ADC_INPUTS]; /* millivolts a step */
    int32_t offset[TH_LINUX_ADC_INPUTS];
};

/* `name` is a directory of <sysfs>/bus/iio/devices ("iio:device0") or what such a one has as its
 * name ("mcp3008"). Errors as above. */
enum th_error th_linux_adc_open(struct th_linux_adc *adc, const char *sysfs, const char *name,
                                struct th_failure *failure);

/* There is such an input. */
bool th_linux_adc_has(const struct th_linux_adc *adc, uint8_t input);

/* Readings are millivolts: the driver tells a scale for every input. Else they are its raw steps.
 */
bool th_linux_adc_scaled(const struct th_linux_adc *adc);

/* The context is the struct th_linux_adc. A conversion takes as long as the driver does. */
extern const struct th_analog_ops th_linux_adc_ops;

#endif
