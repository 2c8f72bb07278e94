/* SPDX-License-Identifier: MIT */
/* A button held for three seconds, as a service of the device. */
#include <thimble/button_service.h>

#include "device/parts.h"

static const char *configure(struct th_button_service *button, struct th_device *device)
{
    const struct th_board *board = device->config->board;
    int pin = th_device_first_pin(device, "sys.button");
    enum th_pin_level level;

    *button =
        (struct th_button_service){.low = th_device_number(device, "sys.button_active_low") != 0};
    if (pin < 0 || th_device_mode(device) != TH_MODE_MQTT)
        return NULL;
    button->pin = (uint8_t)pin;
    /* An output of ours would press it. */
    if (th_device_pin_named(device, "zones.pins", button->pin))
        return "sys.button is a pin of zones.pins: the button is not looked at";
    if (!board->pins.ops || !board->pins.ops->get(board->pins.ctx, button->pin, &level))
        return "sys.button is no pin of this board: the button is not looked at";
    button->used = true;
    return NULL;
}

static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    const char *wrong = configure(ctx, device);

    (void)now_ms;
    if (wrong)
        th_device_log(device, TH_LEVEL_WARN, wrong);
}

static bool pressed(const struct th_button_service *button, const struct th_board *board)
{
    enum th_pin_level level;

    return board->pins.ops->get(board->pins.ctx, button->pin, &level) &&
           (level == TH_PIN_LOW) == button->low;
}

/* A handshake may have been lent the memory that a change needs. */
static bool may_change(const struct th_device *device)
{
    enum th_link_state state = device->linked ? th_link_state(&device->link) : TH_LINK_DOWN;

    return state < TH_LINK_TLS || state == TH_LINK_UP;
}

/* A button that is stuck, or wired the other way round, must not keep a device off its broker: it
 * counts once it was seen released. What cannot be done now is tried again while it is held. */
static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_button_service *button = ctx;
    bool is = button->used && pressed(button, device->config->board);

    if (!button->used)
        return TH_FOREVER;
    if (is && !button->held)
        button->since_ms = now_ms;
    button->held = is;
    button->released |= !is;
    if (is && button->released && now_ms - button->since_ms >= TH_BUTTON_HELD_MS &&
        may_change(device) && th_device_try_mode(device, "config", now_ms) == TH_OK) {
        th_device_log(device, TH_LEVEL_INFO, "the button was held: configuration mode");
        button->used = false;
    }
    return TH_BUTTON_LOOK_MS;
}

struct th_service th_button_service(struct th_button_service *button)
{
    static const struct th_service_ops ops = {.entered = entered, .step = step};

    return (struct th_service){&ops, button};
}
