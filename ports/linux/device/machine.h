/* SPDX-License-Identifier: MIT */
/* The machine that thimble-device runs on: a Linux host that passes for a board. */
#ifndef TH_LINUX_DEVICE_MACHINE_H
#define TH_LINUX_DEVICE_MACHINE_H

#include <thimble/button_service.h>
#include <thimble/config_mode.h>
#include <thimble/device.h>
#include <thimble/discovery.h>
#include <thimble/enrol.h>
#include <thimble/gpio_service.h>
#include <thimble/legacy.h>
#include <thimble/linux.h>
#include <thimble/linux_gpio.h>
#include <thimble/linux_pins.h>
#include <thimble/log_service.h>
#include <thimble/renew.h>
#include <thimble/requests.h>
#include <thimble/sensor_service.h>
#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>
#include <thimble/zone_service.h>

#include "access_point.h"
#include "console.h"

/* A network in a file: `ssid`, `pass`, `gone`, `mute` and `dhcp_silent`, a `name=value` a line,
 * read again whenever the radio is asked. Somebody who edits it walks out of range. */
struct radio {
    const char *path; /* NULL: the board has no Wi-Fi, and the host's network is the network */
    struct th_wifi_network joined;
    enum th_wifi_status status;
    bool ap_open;
};

extern const struct th_wifi_ops radio_ops; /* its context is the struct radio */

/* What is there now, by the file. */
enum th_wifi_status radio_status(struct radio *radio);

/* What the host knows of itself: analog inputs. */
enum { HOST_TEMPERATURE = 100, HOST_LOAD, HOST_MEMORY };
#define MACHINE_AINS    8
#define MACHINE_SENSORS (MACHINE_AINS + 3)
extern const struct th_analog_ops host_analog_ops; /* its context is the struct machine */

struct machine;

/* Fills machine->sensor_table: the analog inputs there are, and what the host knows of itself.
 * Returns how many. */
uint8_t host_sensors(struct machine *machine);

/* Bytes of memory that can be had. */
uint32_t host_heap(void *ctx);

#define MACHINE_BUFFER   4096
#define MACHINE_READINGS 1000
#define MACHINE_LINES    16384

struct machine_options {
    const char *flash;                /* file */
    const char *geometry;             /* "chip" or "lx106" */
    const char *console;              /* terminal, or "-", or NULL */
    const char *wifi;                 /* file of the radio, or NULL */
    const char *pins;                 /* file of the pins, or NULL: the board has none */
    struct th_linux_gpio_config real; /* pins instead of virtual ones */
    const char *adc;                  /* converter, or NULL */
    const char *sysfs;                /* where converters are looked for */
    uint8_t mux_pins[3];              /* of a multiplexer before the converter */
    bool has_mux;
    const char *backend;      /* "openssl" or "bearssl" */
    const char *dns;          /* servers instead of the system's, or NULL */
    const char *access_point; /* INTERFACE=ADDRESS, or NULL */
    struct th_address http;   /* where the page is in configuration mode; family 0: nowhere */
    enum th_reset_reason reset;
    int64_t clock_off_s; /* the counter's and the time servers' affair stays: for tests */
    bool host_clock;     /* the host's clock, with that offset, is trusted */
    uint32_t counter_ms; /* added to the board's counter: for its wrap */
};

/* All that a device needs while it runs; nothing else is ever reserved. */
struct machine {
    struct machine_options options;
    struct th_linux loop;
    struct th_linux_net net;
    struct th_linux_udp udp;
    struct th_linux_flash flash;
    struct console console;
    struct access_point point;
    struct radio radio;
    struct th_linux_pins pins;
    struct th_linux_gpio gpio;
    struct th_linux_adc adc;
    struct th_board board, host;
    uint8_t rtc[TH_RTC_BYTES];
    enum th_reset_reason reset;
    bool restart; /* the device has asked for it */
    struct th_openssl_shared shared;
    struct th_openssl openssl;
    struct th_bearssl bearssl;
    struct th_crypto crypto;
    struct th_outbox_ram outbox;
    struct th_device_config config;
    struct th_recovery recovery;
    struct th_requests requests;
    struct th_gpio_service hand;
    struct th_zone_service zones;
    struct th_sensor_service sensors;
    struct th_sensor sensor_table[MACHINE_SENSORS];
    struct th_sensor_reading readings[MACHINE_READINGS];
    struct th_discovery discovery;
    struct th_log_service log;
    uint8_t lines[MACHINE_LINES];
    struct th_config_mode page;
    struct th_linux_listen listener;
    struct th_legacy legacy;
    struct th_legacy_http legacy_http;
    struct th_button_service button;
    struct th_service services[10];
    /* A handshake, or in configuration mode the page: never both. */
    union {
        uint64_t align;
        uint8_t handshake[8192];
        struct th_config_mode_arena page;
    } lent;
    _Alignas(8) uint8_t outbox_bytes[65536];
    uint16_t inbound[16];
    uint8_t tls_in[TH_BEARSSL_IN(MACHINE_BUFFER)], tls_out[TH_BEARSSL_OUT(MACHINE_BUFFER)];
    uint8_t session[TH_SESSION_OPENSSL], trust[TH_TRUST_BUNDLE_MAX], chain[TH_CHAIN_MAX];
    struct th_renew renew;
    uint8_t renewal[TH_CHAIN_MAX];
    uint8_t work[TH_SETTINGS_MAX], rx[MACHINE_BUFFER];
    uint8_t answers[MACHINE_BUFFER], bundle[TH_ENROL_BUNDLE_MAX];
};

/* The board's pins and converter, virtual or real, and their guard. TH_OK, or `failure` and nothing
 * is open. First of all: the guard must not inherit what is opened later. */
enum th_error wiring_open(struct machine *machine, uint32_t (*now_ms)(void *ctx),
                          struct th_failure *failure);
void wiring_close(struct machine *machine);
/* The guard has gone: everything off from here. */
bool wiring_rescue(struct machine *machine);

/* TH_OK, or `failure` says what is in the way and nothing is open. The struct must not move. */
enum th_error machine_open(struct machine *machine, const struct machine_options *options,
                           struct th_failure *failure);
void machine_close(struct machine *machine);

#endif
