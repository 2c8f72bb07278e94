/* SPDX-License-Identifier: MIT */
#include <thimble/seed.h>

#include "base/wipe.h"

#define RECORD_VERSION 1
#define RECORD_BYTES   (4 + TH_SEED_BYTES) /* version and three zeros before it */

static bool derive(const struct th_seed *seed, const uint8_t key[TH_SEED_BYTES], const char *use,
                   struct th_span more, uint8_t into[TH_SEED_BYTES])
{
    const struct th_span parts[] = {th_span_str(use), more};

    return seed->crypto->ops->hmac(seed->crypto->ctx, th_span_of(key, TH_SEED_BYTES), parts, 2,
                                   into);
}

/* The stored seed; zeros when there is none yet, or one of another version. */
static void stored_seed(const struct th_log *log, uint8_t kind, uint8_t into[TH_SEED_BYTES])
{
    uint8_t version;

    memset(into, 0, TH_SEED_BYTES);
    if (th_log_read(log, kind, 0, &version, 1) == 1 && version == RECORD_VERSION)
        th_log_read(log, kind, RECORD_BYTES - TH_SEED_BYTES, into, TH_SEED_BYTES);
}

static enum th_error write_next(const struct th_seed *seed, struct th_log *log, uint8_t kind,
                                const uint8_t old[TH_SEED_BYTES], struct th_span fresh)
{
    uint8_t record[RECORD_BYTES] = {RECORD_VERSION};
    enum th_error error = TH_ERR_STORE;

    if (derive(seed, old, "next seed", fresh, record + RECORD_BYTES - TH_SEED_BYTES))
        error = th_log_write(log, kind, th_span_of(record, sizeof record));
    th_wipe(record, sizeof record);
    return error;
}

enum th_error th_seed_start(struct th_seed *seed, struct th_log *log, uint8_t kind,
                            const struct th_crypto *crypto, const struct th_board *board)
{
    uint8_t old[TH_SEED_BYTES], fresh[TH_SEED_BYTES];
    enum th_error error = TH_ERR_TLS_ENTROPY;

    *seed = (struct th_seed){
        .crypto = crypto, .source = board->entropy.ops, .source_ctx = board->entropy.ctx};
    if (seed->source->fill(seed->source_ctx, fresh, sizeof fresh)) {
        struct th_span drawn = th_span_of(fresh, sizeof fresh);

        stored_seed(log, kind, old);
        error = write_next(seed, log, kind, old, drawn);
        seed->seeded = error == TH_OK && derive(seed, old, "this start", drawn, seed->key);
        th_wipe(old, sizeof old);
    }
    th_wipe(fresh, sizeof fresh);
    return error;
}

/* Each piece has a key of its own, and the next key replaces it: what is in memory later tells
 * nothing about numbers given out before. */
static bool mix_in(struct th_seed *seed, uint8_t *into, size_t len)
{
    while (len > 0) {
        uint8_t piece[TH_SEED_BYTES], next[TH_SEED_BYTES];
        size_t part = len < sizeof piece ? len : sizeof piece;
        bool good = derive(seed, seed->key, "out", th_span_of(NULL, 0), piece) &&
                    derive(seed, seed->key, "on", th_span_of(NULL, 0), next);

        for (size_t i = 0; good && i < part; i++)
            into[i] ^= piece[i];
        if (good)
            memcpy(seed->key, next, sizeof next);
        th_wipe(piece, sizeof piece);
        th_wipe(next, sizeof next);
        if (!good)
            return false;
        into += part;
        len -= part;
    }
    return true;
}

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    struct th_seed *seed = ctx;

    if (!seed->source->fill(seed->source_ctx, into, len))
        return false;
    return !seed->seeded || mix_in(seed, into, len);
}

const struct th_entropy_ops th_seed_entropy_ops = {fill};
