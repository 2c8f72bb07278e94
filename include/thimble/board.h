/* SPDX-License-Identifier: MIT */
/*
 * What a machine supplies, as small const vtables with their context first. Nothing is global, so
 * that thousands of devices live in one process and the simulator owns every source of chance.
 */
#ifndef THIMBLE_BOARD_H
#define THIMBLE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/net.h>

struct th_clock_ops {
    /* Monotonic milliseconds, wrapping at 2^32; never goes back within one start. */
    uint32_t (*now_ms)(void *ctx);
};

struct th_entropy_ops {
    /* Fills `into` with `len` unpredictable bytes. False when the source fails its health test
     * (stuck or repeating): then nothing may be keyed from it, and no handshake starts (T13). */
    bool (*fill)(void *ctx, uint8_t *into, size_t len);
};

struct th_flash_geometry {
    uint32_t size;          /* bytes, a multiple of erase_unit */
    uint32_t erase_unit;    /* bytes, for example 4096 */
    uint32_t program_align; /* offset and length of a program are multiples of it: 1 or 4 */
};

struct th_flash_ops {
    struct th_flash_geometry (*geometry)(void *ctx);
    /* Offsets and lengths within the geometry; false on a device error. */
    bool (*read)(void *ctx, uint32_t offset, uint8_t *into, size_t len);
    /* NOR: only clears bits. */
    bool (*program)(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len);
    /* One erase unit; sets every bit. */
    bool (*erase)(void *ctx, uint32_t offset);
};

enum th_pin_level { TH_PIN_LOW, TH_PIN_HIGH };

struct th_pin_ops {
    bool (*set)(void *ctx, uint8_t pin, enum th_pin_level level);
    bool (*get)(void *ctx, uint8_t pin, enum th_pin_level *level);
    /* From a timer interrupt that lives in RAM, puts the pin to `safe` at `at_ms` (of now_ms),
     * whatever the loop is doing then. A later call for the same pin replaces the time. OFF needs
     * nobody. */
    bool (*arm_off)(void *ctx, uint8_t pin, enum th_pin_level safe, uint32_t at_ms);
    /* A pin that was armed once is on a lease for ever: `set` to another level than the safe one is
     * refused (false) unless a time is armed and has not come. One step with the change, so that a
     * loop that was held between arming and setting does not switch on what is over. */
};

/* A step of outputs behind a shift register or co-processor: one byte, and when it is due. */
struct th_spi_step {
    uint32_t at_ms;
    uint8_t byte;
};

#define TH_SPI_STEPS 8

struct th_spi_ops {
    /* Sends `byte` now (2 MHz, most significant bit first, mode 0), and each step's when its time
     * has come: from a timer interrupt that lives in RAM, whatever the loop is doing then. Steps
     * are in the order of time, at most TH_SPI_STEPS; they replace those of the call before. When a
     * step's time has come already, its byte is sent instead of what stands before it. */
    bool (*output)(void *ctx, uint8_t byte, const struct th_spi_step *steps, uint8_t count);
    /* The byte that was sent last. */
    bool (*last)(void *ctx, uint8_t *byte);
};

struct th_analog_ops {
    /* One conversion of that input, in the converter's own units, within a millisecond; false when
     * there is no such input or it cannot be read now. What a host knows of itself (temperature,
     * load) are inputs too. */
    bool (*read)(void *ctx, uint8_t input, int32_t *raw);
};

#define TH_RTC_BYTES 256 /* kept over resets, lost with power */

struct th_rtc_ops {
    bool (*read)(void *ctx, uint8_t into[TH_RTC_BYTES]);
    bool (*write)(void *ctx, const uint8_t from[TH_RTC_BYTES]);
};

enum th_reset_reason {
    TH_RESET_POWER_ON,
    TH_RESET_REQUESTED,
    TH_RESET_WATCHDOG,
    TH_RESET_CRASH,
    TH_RESET_UNKNOWN,
};

/* Where a crash happened; 0 for what the machine does not know. */
struct th_crash_place {
    uint32_t pc, return_address, cause, address, uptime_ms;
};

struct th_system_ops {
    enum th_reset_reason (*reset_reason)(void *ctx);
    void (*feed_watchdog)(void *ctx);
    void (*restart)(void *ctx);
    /* The crash or watchdog that led to this start; false when it was something else, or nothing
     * is known of it. NULL: a machine that keeps no record. */
    bool (*crash)(void *ctx, struct th_crash_place *out);
};

/* One question by UDP at a time: a name looked up, one datagram there, datagrams from there back.
 * Failures are silent: whoever asks has a time-out of its own. */
struct th_udp_ops {
    /* Sends a copy of `bytes` (at most 64) to `host` from a fresh local port. What was asked before
     * is forgotten. `host` lives until the next ask or cancel. */
    void (*ask)(void *ctx, const char *host, uint16_t port, const uint8_t *bytes, size_t len);
    /* The next datagram from that address and port, cut to `room`; 0 when there is none now. */
    size_t (*answer)(void *ctx, uint8_t *into, size_t room);
    void (*cancel)(void *ctx);
};

/* A listening TCP socket, of configuration mode: one connection at a time. */
struct th_listen_ops {
    /* Begins to listen; true also when it does already. */
    bool (*open)(void *ctx);
    /* Ends, and closes the connection that was taken. */
    void (*close)(void *ctx);
    /* The next connection, and which of our addresses it came to; false when nobody waits. The wire
     * of the last one is closed before. */
    bool (*accept)(void *ctx, struct th_wire *wire, struct th_address *local);
    /* Somebody waits to be taken. */
    bool (*waiting)(void *ctx);
};

/* ---- Wi-Fi ---- */

#define TH_WIFI_SSID_MAX 32
#define TH_WIFI_PASS_MAX 64

/* What the station joins. */
struct th_wifi_network {
    char ssid[TH_WIFI_SSID_MAX + 1], pass[TH_WIFI_PASS_MAX + 1];
    bool fixed; /* the four addresses below count, IPv4, network order */
    uint8_t address[4], netmask[4], gateway[4], nameserver[4];
};

enum th_wifi_status {
    TH_WIFI_IDLE,
    TH_WIFI_JOINING,    /* looking for the network, or authenticating */
    TH_WIFI_ADDRESSING, /* associated; waiting for DHCP */
    TH_WIFI_JOINED,     /* with an address */
    TH_WIFI_NOT_FOUND,  /* the network is not there. Final until the next join, as the two below */
    TH_WIFI_REFUSED,    /* wrong password, most likely */
    TH_WIFI_LOST,       /* it was joined, and is gone */
};

struct th_wifi_ops {
    /* Begins to join; replaces what was joined or being joined. `network` lives for the call. */
    void (*join)(void *ctx, const struct th_wifi_network *network);
    void (*leave)(void *ctx);
    enum th_wifi_status (*status)(void *ctx);
    /* The station's IPv4 address; false when it has none. */
    bool (*address)(void *ctx, uint8_t address[4]);
    /* An access point of that name and pass-phrase (empty: open) beside the station. */
    bool (*ap_start)(void *ctx, const char *ssid, const char *pass);
    void (*ap_stop)(void *ctx);
    /* Begins a scan; `found` then gives the networks, strongest first, and their count; -1 as long
     * as it goes on. */
    void (*scan)(void *ctx);
    int (*found)(void *ctx, char (*ssids)[TH_WIFI_SSID_MAX + 1], int8_t *rssi, size_t max);
};

/* A part a machine does not have is {NULL, NULL}. Clock and entropy are required. */
struct th_board {
    struct {
        const struct th_clock_ops *ops;
        void *ctx;
    } clock;
    struct {
        const struct th_entropy_ops *ops;
        void *ctx;
    } entropy;
    struct {
        const struct th_flash_ops *ops;
        void *ctx;
    } flash;
    struct {
        const struct th_pin_ops *ops;
        void *ctx;
    } pins;
    struct {
        const struct th_spi_ops *ops;
        void *ctx;
    } spi;
    struct {
        const struct th_analog_ops *ops;
        void *ctx;
    } analog;
    struct {
        const struct th_rtc_ops *ops;
        void *ctx;
    } rtc;
    struct {
        const struct th_system_ops *ops;
        void *ctx;
    } system;
    struct th_net net;
    struct {
        const struct th_udp_ops *ops;
        void *ctx;
    } udp;
    struct {
        const struct th_wifi_ops *ops;
        void *ctx;
    } wifi;
    struct {
        const struct th_listen_ops *ops;
        void *ctx;
    } listen;
};

#endif
