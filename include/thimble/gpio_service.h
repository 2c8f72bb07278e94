/* SPDX-License-Identifier: MIT */
/*
 * Pins by hand, for trying out what is wired where: Gpio.Read, Gpio.Write and Gpio.Toggle
 * (docs/rpc.md), for admins alone. The level a pin shows before it is first driven is its rest. To
 * the other level it goes for a time, which is armed in hardware before (struct th_pin_ops, R9),
 * and it is at rest again after a change of settings or mode and before a restart. Pins of zones
 * and of inputs are left to them.
 */
#ifndef THIMBLE_GPIO_SERVICE_H
#define THIMBLE_GPIO_SERVICE_H

#include <thimble/device.h>
#include <thimble/rpc.h>
#include <thimble/sensor_service.h>

#define TH_GPIO_PINS        8    /* away from rest at once */
#define TH_GPIO_SECONDS     60   /* unless told otherwise */
#define TH_GPIO_SECONDS_MAX 3600 /* away from rest, at most */

/* Fields private. */
struct th_gpio_service {
    struct th_device *device;
    const struct th_sensor_service *sensors;
    struct th_rpc_set set;
    struct {
        uint8_t pin;
        bool used, rest;
    } pins[TH_GPIO_PINS];
};

/* `sensors` has the multiplexer's pins, and may be NULL. Both live as long as the device. */
void th_gpio_service_init(struct th_gpio_service *service, const struct th_sensor_service *sensors);

/* For the device's configuration; before the zones, which may be given its pins. */
struct th_service th_gpio_service(struct th_gpio_service *service);

/* Gpio.Read, Gpio.Write, Gpio.Toggle; for th_requests_add(). */
const struct th_rpc_set *th_gpio_methods(struct th_gpio_service *service);

#endif
