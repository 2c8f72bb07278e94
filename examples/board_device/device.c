/* SPDX-License-Identifier: MIT */
/*
 * The device on an emulated board: everything out of flash. Parameters of the emulator: `crash=MS`
 * plants a crash so long after the start, `crash-pin=N` and `hold-pin=N` crash or hold the loop
 * while that pin is high, `set=NAME=VALUE` puts a setting on trial at the start, `backoff=MS` is
 * the link's first wait.
 */
#include <cpu.h>
#include <string.h>
#include <thimble/time.h>

#include "../../ports/common/host.h"
#include "../../ports/common/machine.h"
#include "../../ports/common/print.h"
#include "memory.h"

#define WATCHDOG_MS 3200
#define STACK_MS    1000

static struct memory me;

static void say(void *user, const char *line)
{
    (void)user;
    th_print(th_machine_put, NULL, "%s\n", line);
}

static void configure(void)
{
    struct arena *arena = &me.arena;

    me.config = (struct th_device_config){
        .board = &me.board,
        .map = &th_flash_map_lx106,
        .crypto = &me.crypto,
        .tls = {&th_tls_bearssl, &arena->mode.mqtt.tls},
        .scratch = {arena->state.handshake, sizeof(arena->state.handshake)},
        .session = me.session,
        .session_room = sizeof(me.session),
        .trust = me.trust,
        .trust_room = sizeof(me.trust),
        .chain = me.chain,
        .chain_room = sizeof(me.chain),
        .work = arena->state.settled.work,
        .work_room = sizeof(arena->state.settled.work),
        .rx = arena->mode.mqtt.rx,
        .rx_room = sizeof(arena->mode.mqtt.rx),
        .v311 = &th_mqtt_v311,
        .v5 = &th_mqtt_v5,
        .product = "thimble",
        .version = "0.1.0",
        .hardware = 1,
        .built_s = 1767225600, /* 2026-01-01 */
        .backoff_ms = th_host_param_number("backoff", 0),
        .say = say,
    };
    me.config.outbox =
        th_outbox_ram_init(&me.outbox, (uint8_t *)me.outbox_bytes, sizeof(me.outbox_bytes),
                           me.inbound, sizeof(me.inbound) / sizeof(me.inbound[0]));
    add_services(&me);
}

/* The parameter `set`, as someone on the console would. */
static void try_setting(const char *text)
{
    const char *value = text != NULL ? strchr(text, '=') : NULL, *why;
    struct th_settings in_force = {&me.device.log, TH_RECORD_SETTINGS};
    struct th_settings_change change;

    if (value == NULL)
        return;
    const struct th_setting *setting = th_setting_find(th_span_of(text, (size_t)(value - text)));
    if (setting == NULL ||
        th_settings_begin(&change, &in_force, me.config.work, me.config.work_room) != TH_OK)
        return;
    enum th_error error = th_settings_put(&change, setting, th_span_str(value + 1), &why);
    if (error == TH_OK)
        error = th_device_try_settings(&me.device, &change, "", th_timer_now_ms());
    else
        th_settings_drop(&change);
    say(NULL, error == TH_OK ? "on trial" : th_error_text(error));
}

static bool start(void)
{
    me.board = th_machine_board(th_lwip_net(&me.lwip));
    me.board.udp.ops = &th_lwip_udp_ops;
    me.board.udp.ctx = &me.udp;
    configure();
    enum th_error error = th_device_start(&me.device, &me.config, th_timer_now_ms());
    if (error != TH_OK)
        say(NULL, th_error_text(error));
    return error == TH_OK;
}

/* As it grows: once connected a full handshake is over, in configuration mode an enrolment. */
static void tell_stack(uint32_t now_ms)
{
    static uint32_t told, next_ms;
    uint32_t peak;

    bool settled = th_device_connected(&me.device) || th_device_mode(&me.device) == TH_MODE_CONFIG;
    if (!settled || !th_time_reached(now_ms, next_ms))
        return;
    next_ms = now_ms + STACK_MS;
    peak = (uint32_t)th_machine_stack_peak();
    if (peak > told)
        th_print(th_machine_put, NULL, "stack peak %u\n", (unsigned)peak);
    told = peak;
}

static bool is_high(uint32_t pin)
{
    enum th_pin_level level;

    return pin < TH_PINS && th_pins_ops.get(NULL, (uint8_t)pin, &level) && level == TH_PIN_HIGH;
}

/* What the outputs must survive. A loop that is held does not feed the watchdog. */
static void make_trouble(uint32_t now_ms)
{
    uint32_t crash_ms = th_host_param_number("crash", 0);
    uint32_t hold_pin = th_host_param_number("hold-pin", TH_PINS);

    if ((crash_ms != 0 && now_ms >= crash_ms) ||
        is_high(th_host_param_number("crash-pin", TH_PINS)))
        th_machine_crash_now();
    while (is_high(hold_pin)) {
    }
}

static void run_once(void)
{
    th_lwip_poll(&me.lwip);
    uint32_t now = th_timer_now_ms();
    th_device_step(&me.device, now);
    tell_stack(now);
    th_lwip_poll(&me.lwip);
    make_trouble(now);
    now = th_timer_now_ms();
    uint32_t wait = th_time_sooner(th_lwip_deadline(&me.lwip), th_device_deadline(&me.device, now));
    th_machine_idle(now + th_time_sooner(wait, WATCHDOG_MS / 2));
}

int th_main(void)
{
    th_machine_start();
    th_timer_watchdog_start(WATCHDOG_MS);
    th_lwip_start(&me.lwip, th_machine_card_start, th_machine_card_poll);
    if (!start())
        return 1;
    try_setting(th_host_param("set"));
    for (;;)
        run_once();
}
