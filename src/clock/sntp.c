/* SPDX-License-Identifier: MIT */
#include <thimble/sntp.h>

#define ERA_S         ((int64_t)1 << 32)
#define NTP_TO_UNIX_S INT64_C(2208988800) /* 1900 to 1970 */
#define ROOT_MAX_MS   1000
#define VERSION       4
#define MODE_CLIENT   3
#define MODE_SERVER   4
#define LEAP_ALARM    3
#define STRATUM_MAX   15

enum field { /* offsets, RFC 5905 figure 8 */
             STRATUM = 1,
             ROOT_DELAY = 4,
             ROOT_DISPERSION = 8,
             ORIGIN = 24,
             RECEIVE = 32,
             TRANSMIT = 40,
};

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A 64-bit timestamp in milliseconds of its era. */
static int64_t timestamp_ms(const uint8_t *at)
{
    return (int64_t)get32(at) * 1000 + (int64_t)((uint64_t)get32(at + 4) * 1000 >> 32);
}

/* 16.16 seconds, rounded up. */
static uint32_t short_ms(const uint8_t *at)
{
    uint64_t ms = ((uint64_t)get32(at) * 1000 + 0xFFFF) >> 16;

    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* The time of that era-less timestamp which is the first not before `not_before_s`. */
static int64_t unix_ms(int64_t era_ms, int64_t not_before_s)
{
    int64_t time_ms = era_ms - NTP_TO_UNIX_S * 1000;

    while (time_ms < not_before_s * 1000)
        time_ms += ERA_S * 1000;
    return time_ms;
}

void th_sntp_request(struct th_sntp *sntp, const uint8_t nonce[8], uint32_t now_ms,
                     uint8_t packet[TH_SNTP_PACKET])
{
    memset(packet, 0, TH_SNTP_PACKET);
    packet[0] = VERSION << 3 | MODE_CLIENT;
    memcpy(packet + TRANSMIT, nonce, sizeof sntp->nonce);
    memcpy(sntp->nonce, nonce, sizeof sntp->nonce);
    sntp->sent_ms = now_ms;
    sntp->waiting = true;
}

static bool is_ours(const struct th_sntp *sntp, struct th_span datagram)
{
    const uint8_t *at = datagram.at;

    return sntp->waiting && datagram.len >= TH_SNTP_PACKET && (at[0] & 7) == MODE_SERVER &&
           (at[0] >> 3 & 7) >= 3 && memcmp(at + ORIGIN, sntp->nonce, sizeof sntp->nonce) == 0;
}

enum th_sntp_verdict th_sntp_answer(struct th_sntp *sntp, struct th_span datagram,
                                    int64_t not_before_s, uint32_t now_ms,
                                    struct th_sntp_sample *sample)
{
    const uint8_t *at = datagram.at;

    if (!is_ours(sntp, datagram))
        return TH_SNTP_NOT_OURS;
    if (at[STRATUM] == 0)
        return TH_SNTP_KISS;
    if (at[0] >> 6 == LEAP_ALARM || at[STRATUM] > STRATUM_MAX)
        return TH_SNTP_UNSYNCHRONISED;

    int64_t received_ms = timestamp_ms(at + RECEIVE), sent_ms = timestamp_ms(at + TRANSMIT);
    int64_t held_ms = sent_ms - received_ms; /* with the server */
    uint32_t round_ms = now_ms - sntp->sent_ms;
    uint32_t root_ms = short_ms(at + ROOT_DELAY) / 2 + short_ms(at + ROOT_DISPERSION);

    if (held_ms < -ERA_S * 500)
        held_ms += ERA_S * 1000; /* the era changed while it was there */
    bool unset = (get32(at + TRANSMIT) | get32(at + TRANSMIT + 4)) == 0;
    if (unset || held_ms < 0 || held_ms > round_ms || root_ms > ROOT_MAX_MS)
        return TH_SNTP_INSANE;

    uint32_t travel_ms = round_ms - (uint32_t)held_ms;
    sample->time_ms = unix_ms(sent_ms, not_before_s) + travel_ms / 2;
    sample->read_ms = now_ms;
    sample->error_ms = travel_ms / 2 + 1 + root_ms;
    sntp->waiting = false;
    return TH_SNTP_TIME;
}

/* Both brought to the same moment. */
static bool agree_with(const struct th_sntp_sample *a, const struct th_sntp_sample *b,
                       uint32_t slack_ms)
{
    int64_t apart = (a->time_ms - b->time_ms) - (int32_t)(a->read_ms - b->read_ms);
    int64_t allowed = (int64_t)a->error_ms + b->error_ms + slack_ms;

    return apart <= allowed && apart >= -allowed;
}

int th_sntp_choose(const struct th_sntp_sample *samples, int count, uint32_t slack_ms, int *agree)
{
    int best = 0, centre = 0;

    *agree = 0;
    for (int i = 0; i < count; i++) {
        int friends = 0;

        for (int j = 0; j < count; j++)
            friends += agree_with(&samples[i], &samples[j], slack_ms);
        if (friends > *agree) {
            *agree = friends;
            centre = best = i;
        }
    }
    for (int i = 0; i < count; i++) {
        if (agree_with(&samples[centre], &samples[i], slack_ms) &&
            samples[i].error_ms < samples[best].error_ms)
            best = i;
    }
    return best;
}
