/* SPDX-License-Identifier: MIT */
/*
 * Working clock and floor are two things.
 *
 *   floor    the highest lower bound of the time ever signed by a CA or update key. It only rises,
 *            only by what was signed (C1), and no server of time can move it (C3).
 *   working  what time it probably is: nothing, a hint (SNTP), or trusted (the host's own clock, or
 *            the agent's answer inside the session).
 *
 * docs/clock.md has the table of verdicts; `th_trust_date()` applies it.
 */
#ifndef THIMBLE_CLOCK_H
#define THIMBLE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/trust.h>

/* The working clock is kept as a pair of readings; call any function below at least once in 2^31 ms
 * (24 days) so that the counter's wrap is never missed. Fields private. */
struct th_clock {
    enum th_clock_kind kind;
    int64_t floor_s;
    int64_t set_ms;   /* working clock, milliseconds since 1970 … */
    uint32_t read_ms; /* … at this reading of the counter */
};

/* `floor_s`: the stored floor or the build time, whichever is later; 0: none. */
void th_clock_init(struct th_clock *clock, int64_t floor_s, uint32_t now_ms);

/* Sets the working clock. A hint does not replace a trusted clock; a time before the floor is not
 * possible and is refused (false), whoever says it. */
bool th_clock_set(struct th_clock *clock, enum th_clock_kind kind, int64_t time_ms,
                  uint32_t now_ms);

/* For what was signed: a manifest's time, notBefore of a *verified server* chain, never of our own
 * certificate. True when the floor rose: store it then. A working clock that turns out to be before
 * the new floor is dropped. */
bool th_clock_raise_floor(struct th_clock *clock, int64_t signed_s, uint32_t now_ms);

/* What a policy judges by now. */
struct th_clock_view th_clock_read(struct th_clock *clock, uint32_t now_ms);

/* Milliseconds since 1970; the floor when there is no working clock. */
int64_t th_clock_ms(struct th_clock *clock, uint32_t now_ms);

#endif
