/* SPDX-License-Identifier: MIT */
/*
 * A radio and what is around it, without time of its own: what `join` comes to follows from the
 * fields, which a test changes at any moment.
 */
#ifndef THIMBLE_SIM_RADIO_H
#define THIMBLE_SIM_RADIO_H

#include <thimble/board.h>

struct sim_radio {
    /* The surroundings. */
    char ssid[TH_WIFI_SSID_MAX + 1], pass[TH_WIFI_PASS_MAX + 1]; /* the network there is */
    bool gone;                                                   /* it is not there */
    bool mute;                                                   /* it never answers */
    bool dhcp_silent;                                            /* it gives no addresses */
    bool ap_broken; /* our own access point cannot be opened */
    /* What the device has made of it. */
    enum th_wifi_status status;
    struct th_wifi_network joined;
    bool ap_open;
    char ap_ssid[TH_WIFI_SSID_MAX + 1], ap_pass[TH_WIFI_PASS_MAX + 1];
    uint32_t joins, ap_starts;
};

extern const struct th_wifi_ops sim_radio_ops; /* its context is the struct sim_radio */

/* True when the station has an address: what th_net_ops.up() says. */
bool sim_radio_up(const struct sim_radio *radio);

#endif
