/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "ports/linux/linux_port.h"

/*
 * The health tests of NIST SP 800-90B §4.4 that make sense behind a generator that is already
 * conditioned: a run of equal bytes (repetition count, cut-off for a false alarm once in 2^64
 * bytes) and a block that comes twice. One failure sticks: nothing is keyed from that source again
 * (T13).
 */
enum { RUN_MAX = 9 };

long th_linux_getrandom(void *into, size_t len)
{
    return getrandom(into, len, 0);
}

static bool draw(struct th_linux_entropy *entropy, uint8_t *into, size_t len)
{
    for (size_t done = 0; done < len;) {
        long got = entropy->source(into + done, len - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || (size_t)got > len - done)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool has_long_run(const uint8_t *bytes, size_t len)
{
    size_t run = 1;
    for (size_t i = 1; i < len; i++) {
        run = bytes[i] == bytes[i - 1] ? run + 1 : 1;
        if (run >= RUN_MAX)
            return true;
    }
    return false;
}

static bool healthy(struct th_linux_entropy *entropy)
{
    uint8_t block[sizeof entropy->last];
    if (!draw(entropy, block, sizeof block) || has_long_run(block, sizeof block))
        return false;
    if (entropy->drawn && memcmp(block, entropy->last, sizeof block) == 0)
        return false;
    memcpy(entropy->last, block, sizeof block);
    entropy->drawn = true;
    return true;
}

bool th_linux_random(void *ctx, uint8_t *into, size_t len)
{
    struct th_linux_net *net = ctx;
    struct th_linux_entropy *entropy = &net->loop->entropy;
    if (entropy->broken || !healthy(entropy) || !draw(entropy, into, len) ||
        has_long_run(into, len)) {
        entropy->broken = true;
        memset(into, 0, len);
        return false;
    }
    return true;
}
