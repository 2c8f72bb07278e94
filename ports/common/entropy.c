/* SPDX-License-Identifier: MIT */
/* Random bytes of the host, judged as a noise source of the board would be. The parameter `entropy`
 * names another file, so that tests can supply a broken source. */
#include <string.h>

#include "health.h"
#include "host.h"
#include "machine.h"

static struct {
    struct th_health health;
    int file;
    bool open;
} source;

/* False when the host has no more bytes: an exhausted source counts as failed. */
static bool draw(uint8_t *into, size_t len)
{
    while (len > 0) {
        int got = th_host_read(source.file, into, len);
        if (got <= 0)
            return false;
        if (!th_health_feed(&source.health, into, (size_t)got))
            return false;
        into += got;
        len -= (size_t)got;
    }
    return true;
}

/* The source must not begin as it began before the reset: some chips' registers do. */
static bool start(void)
{
    const char *path = th_host_param("entropy");
    uint8_t discarded[64];

    th_health_start(&source.health);
    source.file = th_host_open(path != NULL ? path : "/dev/urandom", TH_HOST_READ);
    if (source.file < 0)
        return false;
    for (unsigned done = 0; done < TH_HEALTH_START_BYTES; done += sizeof(discarded))
        if (!draw(discarded, sizeof(discarded)))
            return false;
    uint32_t mark = (uint32_t)(source.health.first ^ source.health.first >> 32);
    return th_machine_entropy_mark(mark) != mark;
}

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    if (!source.open) {
        source.open = true;
        source.health.failed = !start();
    }
    bool good = !source.health.failed && draw(into, len);
    if (!good) {
        source.health.failed = true;
        memset(into, 0, len);
    }
    return good;
}

const struct th_entropy_ops th_entropy_host_ops = {fill};
