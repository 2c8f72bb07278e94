/* SPDX-License-Identifier: MIT */
/*
 * The Wi-Fi station: joins, waits for an address, tries again with full-jitter back-off, and opens
 * an access point of its own when that has gone on for too long. It never blocks; the radio is
 * polled through th_wifi_ops.
 *
 *             join            address
 *   WAITING ───────► JOINING ─────────► UP
 *      ▲                │                │
 *      └────────────────┴────────────────┘  not found, refused, silent, no address, lost
 *
 * Beside that, the access point: opens after `fallback_s` without the network, closes as soon as
 * the network is back. While it is open the station goes on trying.
 */
#ifndef THIMBLE_WIFI_H
#define THIMBLE_WIFI_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/failure.h>

#define TH_WIFI_JOIN_MS    20000 /* association and address, each */
#define TH_WIFI_FIRST_MS   1000  /* the first wait is 0..this; it doubles … */
#define TH_WIFI_LONGEST_MS 60000 /* … up to 0..this */

/* Lives and stays unchanged from th_wifi_start() to the next. */
struct th_wifi_config {
    const struct th_board *board;   /* wifi and entropy */
    struct th_wifi_network network; /* an empty name: no station */
    uint32_t fallback_s;            /* at most 86,400; 0: no access point but for `ap_always` */
    bool ap_always;                 /* open from the start and for ever: configuration mode */
    char ap_ssid[TH_WIFI_SSID_MAX + 1], ap_pass[TH_WIFI_PASS_MAX + 1];
};

enum th_wifi_state {
    TH_WIFI_STATE_OFF,
    TH_WIFI_STATE_WAITING,
    TH_WIFI_STATE_JOINING,
    TH_WIFI_STATE_UP
};

enum th_wifi_event_kind {
    TH_WIFI_EVENT_UP,     /* there is an address: `address` */
    TH_WIFI_EVENT_FAILED, /* `failure` of layer wifi; it goes on by itself after `retry_ms` */
    TH_WIFI_EVENT_AP_OPEN,
    TH_WIFI_EVENT_AP_CLOSED,
};

struct th_wifi_event {
    enum th_wifi_event_kind kind;
    uint8_t address[4];
    struct th_failure failure;
    uint32_t retry_ms;
};

/* Fields private. */
struct th_wifi {
    const struct th_wifi_config *config;
    uint8_t state;
    bool addressing, ap_open, ap_due;
    uint32_t until_ms;   /* the end of a wait, or the limit of a join */
    uint32_t fall_at_ms; /* when the access point opens */
    uint32_t backoff_ms;
};

/* Begins, or begins anew with another configuration. */
void th_wifi_start(struct th_wifi *wifi, const struct th_wifi_config *config, uint32_t now_ms);

/* Leaves the network and closes the access point. */
void th_wifi_stop(struct th_wifi *wifi);

/* The next event; false when there is none now. */
bool th_wifi_next(struct th_wifi *wifi, uint32_t now_ms, struct th_wifi_event *event);

/* Milliseconds until th_wifi_next() must be called. */
uint32_t th_wifi_deadline(const struct th_wifi *wifi, uint32_t now_ms);

bool th_wifi_up(const struct th_wifi *wifi);
bool th_wifi_ap_open(const struct th_wifi *wifi);

#endif
