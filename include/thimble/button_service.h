/* SPDX-License-Identifier: MIT */
/*
 * A button that brings the page back (docs/config-mode.md, "Coming back"): the pin of the setting
 * sys.button, held for three seconds, switches from MQTT mode to configuration mode as Mode.Set
 * does. It opens the page and proves nothing: the set-up code is asked for as ever.
 */
#ifndef THIMBLE_BUTTON_SERVICE_H
#define THIMBLE_BUTTON_SERVICE_H

#include <thimble/device.h>

#define TH_BUTTON_HELD_MS 3000u
#define TH_BUTTON_LOOK_MS 100u /* between two looks at the pin; shorter bounces are not seen */

/* Fields private. */
struct th_button_service {
    uint32_t since_ms; /* held since */
    uint8_t pin;
    bool used, low, released, held;
};

/* For the device's configuration. `button` lives as long as the device. */
struct th_service th_button_service(struct th_button_service *button);

#endif
