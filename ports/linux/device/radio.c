/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* The surroundings as the file has them. */
struct surroundings {
    char ssid[TH_WIFI_SSID_MAX + 1], pass[TH_WIFI_PASS_MAX + 1];
    bool gone, mute, dhcp_silent;
};

static void take_line(struct surroundings *around, char *line)
{
    char *value = strchr(line, '=');

    line[strcspn(line, "\r\n")] = '\0';
    if (!value)
        return;
    *value++ = '\0';
    if (strcmp(line, "ssid") == 0)
        snprintf(around->ssid, sizeof around->ssid, "%s", value);
    else if (strcmp(line, "pass") == 0)
        snprintf(around->pass, sizeof around->pass, "%s", value);
    else if (strcmp(line, "gone") == 0)
        around->gone = value[0] == '1';
    else if (strcmp(line, "mute") == 0)
        around->mute = value[0] == '1';
    else if (strcmp(line, "dhcp_silent") == 0)
        around->dhcp_silent = value[0] == '1';
}

/* Without the file there is no network. */
static struct surroundings look(const struct radio *radio)
{
    struct surroundings around = {.gone = true};
    char line[160];
    FILE *file = fopen(radio->path, "r");

    if (!file)
        return around;
    around.gone = false;
    while (fgets(line, sizeof line, file))
        take_line(&around, line);
    fclose(file);
    return around;
}

static enum th_wifi_status judge(const struct radio *radio, const struct surroundings *around)
{
    if (around->mute)
        return TH_WIFI_JOINING;
    if (around->gone || strcmp(radio->joined.ssid, around->ssid) != 0)
        return TH_WIFI_NOT_FOUND;
    if (strcmp(radio->joined.pass, around->pass) != 0)
        return TH_WIFI_REFUSED;
    return around->dhcp_silent && !radio->joined.fixed ? TH_WIFI_ADDRESSING : TH_WIFI_JOINED;
}

enum th_wifi_status radio_status(struct radio *radio)
{
    if (radio->status == TH_WIFI_IDLE || radio->status == TH_WIFI_LOST)
        return radio->status;
    struct surroundings around = look(radio);
    enum th_wifi_status now = judge(radio, &around);
    if (radio->status == TH_WIFI_JOINED && now != TH_WIFI_JOINED)
        now = TH_WIFI_LOST;
    radio->status = now;
    return now;
}

static void join(void *ctx, const struct th_wifi_network *network)
{
    struct radio *radio = ctx;

    radio->joined = *network;
    radio->status = TH_WIFI_JOINING;
}

static void leave(void *ctx)
{
    struct radio *radio = ctx;

    memset(&radio->joined, 0, sizeof radio->joined);
    radio->status = TH_WIFI_IDLE;
}

static enum th_wifi_status status(void *ctx)
{
    return radio_status(ctx);
}

/* What an access point at home would give out. */
static bool address(void *ctx, uint8_t into[4])
{
    static const uint8_t by_dhcp[4] = {192, 168, 4, 2};
    struct radio *radio = ctx;

    memcpy(into, radio->joined.fixed ? radio->joined.address : by_dhcp, 4);
    return radio->status == TH_WIFI_JOINED;
}

static bool ap_start(void *ctx, const char *ssid, const char *pass)
{
    struct radio *radio = ctx;

    (void)ssid;
    (void)pass;
    radio->ap_open = true;
    return true;
}

static void ap_stop(void *ctx)
{
    struct radio *radio = ctx;

    radio->ap_open = false;
}

static void scan(void *ctx)
{
    (void)ctx;
}

static int found(void *ctx, char (*ssids)[TH_WIFI_SSID_MAX + 1], int8_t *rssi, size_t max)
{
    struct surroundings around = look(ctx);

    if (around.mute)
        return -1;
    if (around.gone || max == 0)
        return 0;
    memcpy(ssids[0], around.ssid, sizeof around.ssid);
    rssi[0] = -50;
    return 1;
}

const struct th_wifi_ops radio_ops = {join, leave, status, address, ap_start, ap_stop, scan, found};
