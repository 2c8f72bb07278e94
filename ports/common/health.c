/* SPDX-License-Identifier: MIT */
#include "health.h"

#include <string.h>

#define BYTES_IN_OPENING 8

void th_health_start(struct th_health *health)
{
    memset(health, 0, sizeof(*health));
}

/* SP 800-90B §4.4.1 */
static void count_repetition(struct th_health *health, uint8_t byte)
{
    bool same = health->seen > 0 && (uint8_t)health->recent == byte;

    health->run = same ? (uint8_t)(health->run + 1) : 1;
    if (health->run >= TH_HEALTH_RUN_CUTOFF)
        health->failed = true;
}

/* SP 800-90B §4.4.2 */
static void count_share(struct th_health *health, uint8_t byte)
{
    if (health->in_window == 0) {
        health->sample = byte;
        health->share = 0;
    }
    if (byte == health->sample)
        health->share++;
    if (health->share >= TH_HEALTH_SHARE_CUTOFF)
        health->failed = true;
}

/* A window's first eight bytes must not come again within it: a generator with a short period, and
 * a buffer that is handed out twice. By chance once in 2^55 windows. */
static void find_recurrence(struct th_health *health)
{
    if (health->in_window == BYTES_IN_OPENING) {
        health->opening = health->recent;
        if (health->seen == BYTES_IN_OPENING)
            health->first = health->recent;
    } else if (health->in_window > BYTES_IN_OPENING && health->recent == health->opening) {
        health->failed = true;
    }
}

bool th_health_feed(struct th_health *health, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && !health->failed; i++) {
        count_repetition(health, bytes[i]);
        count_share(health, bytes[i]);
        health->recent = health->recent << 8 | bytes[i];
        health->seen += health->seen < UINT32_MAX;
        health->in_window++;
        find_recurrence(health);
        if (health->in_window == TH_HEALTH_WINDOW)
            health->in_window = 0;
    }
    return !health->failed;
}
