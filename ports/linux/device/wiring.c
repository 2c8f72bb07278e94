/* SPDX-License-Identifier: MIT */
/* The board's pins: virtual ones in a file, or those of the host. */
#include "machine.h"

#ifdef THIMBLE_GPIO
static enum th_error open_real(struct machine *machine, uint32_t (*now_ms)(void *ctx),
                               struct th_failure *failure)
{
    const struct machine_options *options = &machine->options;

    if (options->adc &&
        th_linux_adc_open(&machine->adc, options->sysfs, options->adc, failure) != TH_OK)
        return failure->error;
    if (!options->real.chip && !options->real.spi)
        return TH_OK;
    if (th_linux_gpio_open(&machine->gpio, &options->real, failure) != TH_OK)
        return failure->error;
    th_linux_pins_guard(&machine->pins, th_linux_gpio_wires(&machine->gpio), now_ms, machine,
                        failure);
    /* The guard has its own. */
    th_linux_gpio_close(&machine->gpio);
    return machine->pins.pid > 0 ? TH_OK : failure->error;
}

static bool rescue_real(struct machine *machine)
{
    struct th_failure failure;

    if (th_linux_gpio_open(&machine->gpio, &machine->options.real, &failure) != TH_OK)
        return false;
    struct th_linux_wires wires = th_linux_gpio_wires(&machine->gpio);
    bool good = th_linux_pins_rescue(&machine->pins, &wires);
    th_linux_gpio_close(&machine->gpio);
    return good;
}
#else
static bool rescue_real(struct machine *machine)
{
    (void)machine;
    return false;
}

static enum th_error open_real(struct machine *machine, uint32_t (*now_ms)(void *ctx),
                               struct th_failure *failure)
{
    const struct machine_options *options = &machine->options;

    (void)now_ms;
    if (!options->adc && !options->real.chip && !options->real.spi)
        return TH_OK;
    *failure = th_failure_of(TH_ERR_BOARD_MISSING);
    th_failure_name(failure, th_span_str("built without libgpiod 1.x"));
    return failure->error;
}
#endif

enum th_error wiring_open(struct machine *machine, uint32_t (*now_ms)(void *ctx),
                          struct th_failure *failure)
{
    if (!machine->options.pins)
        return open_real(machine, now_ms, failure);
    return th_linux_pins_open(&machine->pins, machine->options.pins, now_ms, machine, failure);
}

void wiring_close(struct machine *machine)
{
    th_linux_pins_close(&machine->pins);
}

bool wiring_rescue(struct machine *machine)
{
    return machine->options.pins ? th_linux_pins_rescue(&machine->pins, NULL)
                                 : rescue_real(machine);
}
