/* SPDX-License-Identifier: MIT */
/* Pins by hand, as a service of the device. */
#include <thimble/gpio_service.h>
#include <thimble/json.h>

#include "device/parts.h"

static const struct th_board *board_of(const struct th_gpio_service *service)
{
    return service->device->config->board;
}

static enum th_pin_level level_of(bool high)
{
    return high ? TH_PIN_HIGH : TH_PIN_LOW;
}

/* ---- whose pin it is ---- */

static bool selects_inputs(const struct th_sensor_service *sensors, uint8_t pin)
{
    for (uint8_t i = 0; sensors && i < sensors->config.fixed_count; i++) {
        if (sensors->config.fixed[i].kind == TH_SENSOR_MUXED)
            return memchr(sensors->config.mux_pins, pin, sizeof sensors->config.mux_pins) != NULL;
    }
    return false;
}

/* NULL: it is free. */
static const char *taken_by(const struct th_gpio_service *service, uint8_t pin)
{
    if (th_device_pin_named(service->device, "zones.pins", pin))
        return "the pin belongs to a zone: see zones.pins, and Zone.On";
    if (th_device_pin_named(service->device, "inputs.pins", pin))
        return "the pin is an input: see inputs.pins, and Sensor.Read";
    if (th_device_pin_named(service->device, "sys.button", pin))
        return "the pin is the button's: see sys.button";
    return selects_inputs(service->sensors, pin)
               ? "the pin selects what the converter measures: see Sensor.Read"
               : NULL;
}

/* ---- rest ---- */

static bool is_high(const struct th_gpio_service *service, uint8_t pin, bool *high)
{
    const struct th_board *board = board_of(service);
    enum th_pin_level level = TH_PIN_LOW;
    bool ok = board->pins.ops->get(board->pins.ctx, pin, &level);

    *high = level == TH_PIN_HIGH;
    return ok;
}

/* The pin's place; one that is at rest is given away when there is none left. -1: none. */
static int place_of(struct th_gpio_service *service, uint8_t pin)
{
    int free = -1;
    bool high;

    for (int i = 0; i < TH_GPIO_PINS; i++) {
        if (service->pins[i].used && service->pins[i].pin == pin)
            return i;
        if (!service->pins[i].used ||
            (is_high(service, service->pins[i].pin, &high) && high == service->pins[i].rest))
            free = i;
    }
    if (free >= 0)
        service->pins[free].used = false;
    return free;
}

static void all_at_rest(struct th_gpio_service *service, uint32_t now_ms)
{
    for (int i = 0; i < TH_GPIO_PINS; i++) {
        const struct th_board *board = board_of(service);
        enum th_pin_level rest = level_of(service->pins[i].rest);

        if (!service->pins[i].used)
            continue;
        /* The time first: what was armed must not act on what the pin is next. */
        board->pins.ops->arm_off(board->pins.ctx, service->pins[i].pin, rest, now_ms);
        board->pins.ops->set(board->pins.ctx, service->pins[i].pin, rest);
        service->pins[i].used = false;
    }
}

/* ---- methods ---- */

static void answer(struct th_rpc_call *call, uint8_t pin, bool high, int32_t seconds)
{
    th_json_open(call->result, '{');
    th_json_name(call->result, "pin");
    th_json_put_integer(call->result, pin);
    th_json_name(call->result, "value");
    th_json_put_integer(call->result, high);
    if (seconds >= 0) {
        th_json_name(call->result, "seconds");
        th_json_put_integer(call->result, seconds);
    }
    th_json_close(call->result, '}');
}

static bool has_pins(const struct th_gpio_service *service, struct th_rpc_call *call)
{
    const struct th_board *board = board_of(service);

    if (board->pins.ops)
        return true;
    th_rpc_fail(call, TH_RPC_CONFLICT, "this board has no pins");
    return false;
}

static const char unreadable[] = "the board does not let this pin be read";

static void gpio_read(void *ctx, struct th_rpc_call *call)
{
    const struct th_gpio_service *service = ctx;
    uint8_t pin = (uint8_t)th_rpc_integer(call, 0, 0);
    bool high;

    if (!has_pins(service, call))
        return;
    if (is_high(service, pin, &high))
        answer(call, pin, high, -1);
    else
        th_rpc_fail(call, TH_RPC_NOT_FOUND, unreadable);
}

static void write_level(struct th_gpio_service *service, struct th_rpc_call *call, int place,
                        bool high, int32_t seconds)
{
    const struct th_board *board = board_of(service);
    uint8_t pin = service->pins[place].pin;
    bool rest = service->pins[place].rest;
    uint32_t off_at_ms = call->now.ms + 1000 * (uint32_t)seconds;

    /* Also to its rest: from then on the board itself holds the pin to a lease. */
    if (board->pins.ops->arm_off(board->pins.ctx, pin, level_of(rest), off_at_ms) &&
        board->pins.ops->set(board->pins.ctx, pin, level_of(high)))
        answer(call, pin, high, high == rest ? 0 : seconds);
    else
        th_rpc_fail(call, TH_RPC_INTERNAL, "the board does not let this pin be driven");
}

/* Finds the pin's place, with its rest and the level it has. False: the call has failed. */
static bool begin(struct th_gpio_service *service, struct th_rpc_call *call, int *place, bool *high)
{
    uint8_t pin = (uint8_t)th_rpc_integer(call, 0, 0);
    const char *taken;

    if (!has_pins(service, call))
        return false;
    taken = taken_by(service, pin);
    *place = taken ? -1 : place_of(service, pin);
    if (*place < 0) {
        th_rpc_fail(call, TH_RPC_CONFLICT,
                    taken ? taken : "eight pins are away from rest: put one back first");
        return false;
    }
    if (!is_high(service, pin, high)) {
        th_rpc_fail(call, TH_RPC_NOT_FOUND, unreadable);
        return false;
    }
    if (!service->pins[*place].used) {
        service->pins[*place].used = true;
        service->pins[*place].pin = pin;
        service->pins[*place].rest = *high;
    }
    return true;
}

static void gpio_write(void *ctx, struct th_rpc_call *call)
{
    struct th_gpio_service *service = ctx;
    bool high;
    int place;

    if (begin(service, call, &place, &high))
        write_level(service, call, place, th_rpc_integer(call, 1, 0) != 0,
                    th_rpc_integer(call, 2, TH_GPIO_SECONDS));
}

static void gpio_toggle(void *ctx, struct th_rpc_call *call)
{
    struct th_gpio_service *service = ctx;
    bool high;
    int place;

    if (begin(service, call, &place, &high))
        write_level(service, call, place, !high, th_rpc_integer(call, 1, TH_GPIO_SECONDS));
}

#define PIN                                                      \
    {                                                            \
        "pin", TH_RPC_INTEGER, true, 0, 254, "number of the pin" \
    }
#define SECONDS                                                   \
    {                                                             \
        "seconds", TH_RPC_INTEGER, false, 1, TH_GPIO_SECONDS_MAX, \
            "until it is at rest again; 60 unless given"          \
    }

static const struct th_rpc_param write_params[] = {
    PIN, {"value", TH_RPC_INTEGER, true, 0, 1, "its level: 0 is low, 1 is high"}, SECONDS};
static const struct th_rpc_param toggle_params[] = {PIN, SECONDS};

static const struct th_rpc_method methods[] = {
    {"Gpio.Read", TH_ROLE_ADMIN, false, 1, toggle_params, "The level of a pin.", gpio_read},
    {"Gpio.Write", TH_ROLE_ADMIN, true, 3, write_params,
     "Drives a pin; away from the level it had at first it goes for a time alone.", gpio_write},
    {"Gpio.Toggle", TH_ROLE_ADMIN, true, 2, toggle_params,
     "Drives a pin to its other level, in the same way.", gpio_toggle},
};

/* ---- the service ---- */

/* A device that starts again without losing its memory: what was away is not. */
static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_gpio_service *service = ctx;

    service->device = device;
    all_at_rest(service, now_ms);
}

static void at_rest(void *ctx, struct th_device *device, uint32_t now_ms)
{
    (void)device;
    all_at_rest(ctx, now_ms);
}

void th_gpio_service_init(struct th_gpio_service *service, const struct th_sensor_service *sensors)
{
    memset(service, 0, sizeof *service);
    service->sensors = sensors;
    service->set = (struct th_rpc_set){methods, sizeof methods / sizeof methods[0], service};
}

struct th_service th_gpio_service(struct th_gpio_service *service)
{
    static const struct th_service_ops ops = {
        .start = start, .entered = at_rest, .leaving = at_rest};

    return (struct th_service){&ops, service};
}

const struct th_rpc_set *th_gpio_methods(struct th_gpio_service *service)
{
    return &service->set;
}
