/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <stdio.h>
#include <string.h>

/* ---- the board ---- */

static uint32_t now_ms(void *ctx)
{
    const struct machine *machine = ctx;

    return th_linux_now(&machine->loop) + machine->options.counter_ms;
}

static const struct th_clock_ops clock_ops = {now_ms};

static bool rtc_read(void *ctx, uint8_t into[TH_RTC_BYTES])
{
    memcpy(into, ((struct machine *)ctx)->rtc, TH_RTC_BYTES);
    return true;
}

static bool rtc_write(void *ctx, const uint8_t from[TH_RTC_BYTES])
{
    memcpy(((struct machine *)ctx)->rtc, from, TH_RTC_BYTES);
    return true;
}

static const struct th_rtc_ops rtc_ops = {rtc_read, rtc_write};

static enum th_reset_reason reset_reason(void *ctx)
{
    return ((struct machine *)ctx)->reset;
}

static void feed(void *ctx)
{
    (void)ctx; /* the supervisor of a Linux process watches its end */
}

static void restart(void *ctx)
{
    ((struct machine *)ctx)->restart = true;
}

static const struct th_system_ops system_ops = {reset_reason, feed, restart, NULL};

/* The host's network, once the radio has joined. */
static bool up(void *ctx)
{
    struct machine *machine = ctx;

    return !machine->radio.path || machine->radio.status == TH_WIFI_JOINED;
}

static void resolve(void *ctx, const char *name, uint16_t port)
{
    struct machine *machine = ctx;

    machine->host.net.ops->resolve(machine->host.net.ctx, name, port);
}

static int resolved(void *ctx, struct th_address *out, size_t max, struct th_failure *failure)
{
    struct machine *machine = ctx;

    return machine->host.net.ops->resolved(machine->host.net.ctx, out, max, failure);
}

static void resolve_cancel(void *ctx)
{
    struct machine *machine = ctx;

    machine->host.net.ops->resolve_cancel(machine->host.net.ctx);
}

static struct th_wire connect_to(void *ctx, const struct th_address *to)
{
    struct machine *machine = ctx;

    return machine->host.net.ops->connect(machine->host.net.ctx, to);
}

static const struct th_net_ops net_ops = {up, resolve, resolved, resolve_cancel, connect_to};

static void set_board(struct machine *machine)
{
    th_linux_board(&machine->net, &machine->host);
    machine->board = (struct th_board){
        .clock = {&clock_ops, machine},
        .entropy = machine->host.entropy,
        .flash = {&th_linux_flash_ops, &machine->flash},
        .rtc = {&rtc_ops, machine},
        .system = {&system_ops, machine},
        .net = {&net_ops, machine},
        .udp = {&th_linux_udp_ops, &machine->udp},
        .analog = {&host_analog_ops, machine},
    };
    machine->board.pins.ctx = machine->board.spi.ctx = &machine->pins;
    if (machine->options.pins || machine->options.real.chip)
        machine->board.pins.ops = &th_linux_pin_ops;
    if (machine->options.pins || machine->options.real.spi)
        machine->board.spi.ops = &th_linux_spi_ops;
    if (machine->options.http.family != 0) {
        machine->board.listen.ops = &th_linux_listen_ops;
        machine->board.listen.ctx = &machine->listener;
    }
    if (machine->radio.path) {
        machine->board.wifi.ops = &radio_ops;
        machine->board.wifi.ctx = &machine->radio;
    }
}

/* ---- TLS ---- */

static bool set_tls(struct machine *machine)
{
    static const struct th_bearssl_profile *profile = &th_bearssl_host;

    if (strcmp(machine->options.backend, "bearssl") == 0) {
        th_bearssl_init(&machine->bearssl, profile, machine->tls_in, sizeof machine->tls_in,
                        machine->tls_out, sizeof machine->tls_out);
        machine->config.tls = (struct th_tls){&th_tls_bearssl, &machine->bearssl};
        return true;
    }
    if (!th_openssl_shared_init(&machine->shared))
        return false;
    th_openssl_init(&machine->openssl, &machine->shared, machine->tls_in, sizeof machine->tls_in,
                    machine->tls_out, sizeof machine->tls_out);
    machine->config.tls = (struct th_tls){&th_tls_openssl, &machine->openssl};
    return true;
}

static void set_sensors(struct machine *machine)
{
    struct th_sensor_service_config config = {.fixed = machine->sensor_table,
                                              .fixed_count = host_sensors(machine),
                                              .queue = machine->readings,
                                              .queue_room = MACHINE_READINGS};

    memcpy(config.mux_pins, machine->options.mux_pins, sizeof config.mux_pins);
    th_sensor_service_init(&machine->sensors, &config);
}

static void set_page(struct machine *machine)
{
    struct th_config_mode_options options = {.requests = &machine->requests,
                                             .arena = &machine->lent.page,
                                             .page = &th_page,
                                             .legacy = th_legacy_http,
                                             .legacy_rpc = th_legacy_rpc,
                                             .legacy_ctx = &machine->legacy_http};

    memcpy(options.ap, machine->point.config.address, sizeof options.ap);

    th_config_mode_init(&machine->page, &options);
    machine->legacy_http =
        (struct th_legacy_http){&machine->legacy, th_config_mode_session(&machine->page)};
}

static void set_config(struct machine *machine)
{
    machine->crypto = (struct th_crypto){&th_crypto_openssl, NULL};
    th_requests_init(&machine->requests, machine->answers, sizeof machine->answers, machine->bundle,
                     sizeof machine->bundle);
    set_sensors(machine);
    th_gpio_service_init(&machine->hand, &machine->sensors);
    th_requests_add(&machine->requests, th_gpio_methods(&machine->hand));
    th_zone_service_init(&machine->zones);
    th_requests_add(&machine->requests, th_zone_methods(&machine->zones));
    th_requests_add(&machine->requests, th_sensor_methods(&machine->sensors));
    th_log_service_init(&machine->log, machine->lines, sizeof machine->lines);
    th_requests_add(&machine->requests, th_log_methods(&machine->log));
    th_renew_init(&machine->renew, machine->renewal, sizeof machine->renewal);
    th_requests_add(&machine->requests, th_renew_methods(&machine->renew));
    machine->services[0] = th_gpio_service(&machine->hand);
    machine->services[1] = th_zone_service(&machine->zones);
    machine->services[2] = th_sensor_service(&machine->sensors);
    th_discovery_init(&machine->discovery, &machine->zones, &machine->sensors);
    machine->services[3] = th_renew_service(&machine->renew); /* its answers are no requests */
    machine->services[4] = th_requests_service(&machine->requests);
    machine->services[5] = th_discovery_service(&machine->discovery);
    machine->services[6] = th_log_service(&machine->log);
    th_recovery_init(&machine->recovery);
    set_page(machine);
    machine->services[7] = th_config_mode_service(&machine->page);
    const struct th_legacy_config legacy = {
        .zones = &machine->zones, .sensors = &machine->sensors, .heap = host_heap};
    th_legacy_init(&machine->legacy, &legacy);
    machine->services[8] = th_legacy_service(&machine->legacy);
    machine->services[9] = th_button_service(&machine->button);
    machine->config = (struct th_device_config){
        .board = &machine->board,
        .crypto = &machine->crypto,
        .scratch = {machine->lent.handshake, sizeof machine->lent.handshake},
        .session = machine->session,
        .session_room = sizeof machine->session,
        .trust = machine->trust,
        .trust_room = sizeof machine->trust,
        .chain = machine->chain,
        .chain_room = sizeof machine->chain,
        .work = machine->work,
        .work_room = sizeof machine->work,
        .rx = machine->rx,
        .rx_room = sizeof machine->rx,
        .outbox = th_outbox_ram_init(&machine->outbox, machine->outbox_bytes,
                                     sizeof machine->outbox_bytes, machine->inbound,
                                     sizeof machine->inbound / sizeof machine->inbound[0]),
        .recovery = &machine->recovery,
        .services = machine->services,
        .service_count = sizeof machine->services / sizeof machine->services[0],
        .v311 = &th_mqtt_v311,
        .v5 = &th_mqtt_v5,
        .product = "thimble",
        .version = THIMBLE_VERSION,
        .hardware = 1,
        .built_s = THIMBLE_BUILT_S,
    };
}

/* ---- opening and closing ---- */

static struct th_flash_geometry geometry_of(const char *name)
{
    const struct th_flash_map *map =
        strcmp(name, "lx106") == 0 ? &th_flash_map_lx106 : &th_flash_map_chip;

    return (struct th_flash_geometry){map->size, map->erase_unit, 4};
}

enum th_error machine_open(struct machine *machine, const struct machine_options *options,
                           struct th_failure *failure)
{
    memset(machine, 0, sizeof *machine);
    machine->options = *options;
    machine->reset = options->reset;
    machine->radio.path = options->wifi;
    if (wiring_open(machine, now_ms, failure) != TH_OK)
        return failure->error;
    if (th_linux_flash_open(&machine->flash, options->flash, geometry_of(options->geometry),
                            failure) != TH_OK) {
        wiring_close(machine);
        return failure->error;
    }
    if (!th_linux_init(&machine->loop, failure)) {
        th_linux_flash_close(&machine->flash);
        wiring_close(machine);
        return failure->error;
    }
    machine->loop.dns_servers = options->dns;
    if (access_point_init(&machine->point, options->access_point, &machine->loop) &&
        machine->point.interface[0] && machine->options.http.family == 0) {
        machine->options.http = (struct th_address){.family = 4, .port = 80};
        memcpy(machine->options.http.bytes, machine->point.config.address, 4);
    }
    th_linux_net_init(&machine->net, &machine->loop);
    th_linux_udp_init(&machine->udp, &machine->loop);
    th_linux_listen_init(&machine->listener, &machine->loop, &machine->options.http);
    set_board(machine);
    set_config(machine);
    *failure = th_failure_of(TH_ERR_TLS_LIBRARY);
    if (set_tls(machine) && console_open(&machine->console, options->console, &machine->loop,
                                         &machine->requests, failure)) {
        th_rpc_serial_local(&machine->console.serial, th_config_mode_session(&machine->page));
        return TH_OK;
    }
    machine_close(machine);
    return failure->error;
}

void machine_close(struct machine *machine)
{
    console_close(&machine->console);
    access_point_close(&machine->point);
    th_linux_listen_close(&machine->listener);
    th_linux_udp_close(&machine->udp);
    th_linux_net_close(&machine->net);
    th_linux_close(&machine->loop);
    th_linux_flash_close(&machine->flash);
    wiring_close(machine);
    if (machine->shared.ctx)
        th_openssl_shared_free(&machine->shared);
    volatile uint8_t *secret = machine->session;
    for (size_t i = 0; i < sizeof machine->session; i++)
        secret[i] = 0;
}
