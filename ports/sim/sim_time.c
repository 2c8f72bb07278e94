/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim_time.h"

#include <string.h>

#include <thimble/time.h>

#define NTP_AHEAD_S INT64_C(2208988800) /* seconds from 1900 to 1970 */

int64_t sim_time_now(struct sim_time *time)
{
    uint32_t now = time->board->clock.ops->now_ms(time->board->clock.ctx);

    time->true_ms += (uint32_t)(now - time->at_ms);
    time->at_ms = now;
    return time->true_ms;
}

static void put_time(uint8_t at[8], int64_t time_ms)
{
    uint32_t seconds = (uint32_t)(time_ms / 1000 + NTP_AHEAD_S);
    uint32_t fraction = (uint32_t)(((uint64_t)(time_ms % 1000) << 32) / 1000);

    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(seconds >> (24 - 8 * i));
        at[4 + i] = (uint8_t)(fraction >> (24 - 8 * i));
    }
}

static void ask(void *ctx, const char *host, uint16_t port, const uint8_t *bytes, size_t len)
{
    struct sim_time *time = ctx;

    time->answering = NULL;
    for (int i = 0; i < SIM_TIME_SERVERS; i++) {
        struct sim_time_server *server = &time->servers[i];

        if (!server->name || strcmp(server->name, host) != 0 || port != TH_SNTP_PORT ||
            len != TH_SNTP_PACKET)
            continue;
        server->asked++;
        memcpy(time->request, bytes, len);
        time->answering = server->silent ? NULL : server;
        time->answer_ms = time->board->clock.ops->now_ms(time->board->clock.ctx) + server->delay_ms;
    }
}

static size_t answer(void *ctx, uint8_t *into, size_t room)
{
    struct sim_time *time = ctx;
    struct sim_time_server *server = time->answering;
    uint8_t packet[TH_SNTP_PACKET] = {4 << 3 | 4, 2};

    int64_t now_ms = sim_time_now(time);
    if (!server || !th_time_reached(time->at_ms, time->answer_ms))
        return 0;
    time->answering = NULL;
    if (server->kiss)
        packet[1] = 0;
    if (server->unsynchronised)
        packet[0] |= 3 << 6;
    if (!server->forged)
        memcpy(packet + 24, time->request + 40, 8);
    put_time(packet + 32, now_ms + server->off_ms);
    put_time(packet + 40, now_ms + server->off_ms);
    memcpy(into, packet, room < sizeof packet ? room : sizeof packet);
    return room < sizeof packet ? room : sizeof packet;
}

static void cancel(void *ctx)
{
    struct sim_time *time = ctx;

    time->answering = NULL;
}

const struct th_udp_ops sim_time_ops = {ask, answer, cancel};
