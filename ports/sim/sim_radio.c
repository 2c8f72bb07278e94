/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim_radio.h"

#include <string.h>

/* What stands now, with the surroundings as they are now. */
static enum th_wifi_status status(void *ctx)
{
    struct sim_radio *radio = ctx;
    const struct th_wifi_network *wanted = &radio->joined;

    if (radio->status == TH_WIFI_IDLE)
        return TH_WIFI_IDLE;
    if (radio->status == TH_WIFI_JOINED) {
        if (radio->gone)
            radio->status = TH_WIFI_LOST;
        return radio->status;
    }
    if (radio->status == TH_WIFI_LOST)
        return radio->status;
    if (radio->mute)
        radio->status = TH_WIFI_JOINING;
    else if (radio->gone || strcmp(wanted->ssid, radio->ssid) != 0)
        radio->status = TH_WIFI_NOT_FOUND;
    else if (strcmp(wanted->pass, radio->pass) != 0)
        radio->status = TH_WIFI_REFUSED;
    else if (radio->dhcp_silent && !wanted->fixed)
        radio->status = TH_WIFI_ADDRESSING;
    else
        radio->status = TH_WIFI_JOINED;
    return radio->status;
}

static void join(void *ctx, const struct th_wifi_network *network)
{
    struct sim_radio *radio = ctx;

    radio->joined = *network;
    radio->joins++;
    radio->status = TH_WIFI_JOINING;
}

static void leave(void *ctx)
{
    struct sim_radio *radio = ctx;

    memset(&radio->joined, 0, sizeof radio->joined);
    radio->status = TH_WIFI_IDLE;
}

static bool address(void *ctx, uint8_t into[4])
{
    struct sim_radio *radio = ctx;
    static const uint8_t by_dhcp[4] = {192, 0, 2, 77};

    memcpy(into, radio->joined.fixed ? radio->joined.address : by_dhcp, 4);
    return sim_radio_up(radio);
}

static bool ap_start(void *ctx, const char *ssid, const char *pass)
{
    struct sim_radio *radio = ctx;

    if (radio->ap_broken)
        return false;
    strncpy(radio->ap_ssid, ssid, sizeof radio->ap_ssid - 1);
    strncpy(radio->ap_pass, pass, sizeof radio->ap_pass - 1);
    radio->ap_open = true;
    radio->ap_starts++;
    return true;
}

static void ap_stop(void *ctx)
{
    struct sim_radio *radio = ctx;

    radio->ap_open = false;
}

static void scan(void *ctx)
{
    (void)ctx;
}

static int found(void *ctx, char (*ssids)[TH_WIFI_SSID_MAX + 1], int8_t *rssi, size_t max)
{
    struct sim_radio *radio = ctx;

    if (radio->mute)
        return -1;
    if (radio->gone || max == 0)
        return 0;
    memcpy(ssids[0], radio->ssid, sizeof radio->ssid);
    rssi[0] = -50;
    return 1;
}

const struct th_wifi_ops sim_radio_ops = {join,     leave,   status, address,
                                          ap_start, ap_stop, scan,   found};

bool sim_radio_up(const struct sim_radio *radio)
{
    return radio->status == TH_WIFI_JOINED && !radio->gone;
}
