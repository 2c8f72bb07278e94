/* SPDX-License-Identifier: MIT */
/*
 * The entropy seed: 32 bytes in the log that make each start's random numbers differ from those of
 * every start before, even where the board's source begins again with the same numbers. It is
 * advanced and written before its first use: whenever power is cut, no two starts use the same one.
 * Who reads the flash finds it, and the one before it until the log's unit is erased: against that
 * only the board's source helps. Stored form: docs/flash-format.md, chapter "Seed". Requirement T13
 * stays with the board's source: where that fails, so does this one.
 */
#ifndef THIMBLE_SEED_H
#define THIMBLE_SEED_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/crypto.h>
#include <thimble/log.h>

#define TH_SEED_BYTES 32

/* Fields private. Holds a secret; it must stay where it is while a board names it. */
struct th_seed {
    const struct th_crypto *crypto;
    const struct th_entropy_ops *source;
    void *source_ctx;
    uint8_t key[TH_SEED_BYTES];
    bool seeded; /* else the source alone is given out */
};

/* Once a start, before anything is drawn: writes the next seed, then takes this start's key from
 * the one before. `board` gives the source; it and `crypto` live as long as `seed`. Costs one
 * write. TLS_ENTROPY: the source fails; nothing was written. STORE: the flash fails. After both
 * `seed` can be used all the same: it is as good, or as failed, as the source. */
enum th_error th_seed_start(struct th_seed *seed, struct th_log *log, uint8_t kind,
                            const struct th_crypto *crypto, const struct th_board *board);

/* The source to put into the board instead; its context is the struct th_seed. */
extern const struct th_entropy_ops th_seed_entropy_ops;

#endif
