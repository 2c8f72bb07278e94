/* SPDX-License-Identifier: MIT */
/*
 * A NOR flash that loses power in the middle of an operation, in the ways real ones do, and wears.
 * Deterministic: what a cut leaves behind follows from the seed alone.
 */
#ifndef THIMBLE_SIM_FLASH_H
#define THIMBLE_SIM_FLASH_H

#include <string.h>

#include <thimble/board.h>

/* What the operation in which power dies leaves behind. */
enum sim_tear {
    SIM_TEAR_NOTHING,  /* as if it had not begun */
    SIM_TEAR_WHOLE,    /* as if it had just ended */
    SIM_TEAR_SOME,     /* about a quarter of the bits have changed */
    SIM_TEAR_MOST,     /* nearly all have */
    SIM_TEAR_CHUNKS,   /* whole 16-byte pieces have, in any order */
    SIM_TEAR_MARGINAL, /* every bit that should change reads as either, differently at each start */
    SIM_TEAR_FADING,   /* as WHOLE, but one byte in eight is marginal */
    SIM_TEAR_HEAD,     /* the first half has changed */
    SIM_TEAR_TAIL,     /* the second half has */
    SIM_TEAR_KINDS,
};

/* How the weak bits of a grain (16 bytes) read. */
enum sim_reading { SIM_READS_ONES, SIM_READS_ZEROS, SIM_READS_MIXED, SIM_READINGS };

#define SIM_GRAIN 16

struct sim_flash {
    struct th_flash_geometry geometry;
    uint8_t *cells, *weak; /* geometry.size bytes each: value, and which bits read as either */
    uint32_t operation;    /* programs and erases since power came on */
    uint32_t cut_at;       /* the operation in which power dies; UINT32_MAX: never */
    uint32_t fail_from, fail_to; /* operations [from, to) that fail with power on: wear */
    enum sim_tear tear;
    bool by_count; /* a tear chooses bits by counting those that would change, not by chance: what
                      remains is of the same kind whatever the content is */
    uint32_t counted;
    bool restless;  /* a weak bit reads differently at each read, not at each start */
    uint32_t reads; /* since power came on */
    uint32_t fail_reads_from, fail_reads_to; /* those that fail */
    const uint8_t *readings; /* an enum sim_reading for each grain; NULL: by chance */
    uint32_t seed;
    bool dead;
    uint32_t erases, programs; /* ever */
    uint32_t *unit_erases;     /* one for each erase unit, counted; NULL: not */
};

extern const struct th_flash_ops sim_flash_ops; /* its context is the struct sim_flash */

/* `cells` and `weak`: geometry.size bytes each, the caller's. Starts erased, with power on. */
void sim_flash_init(struct sim_flash *flash, struct th_flash_geometry geometry, uint8_t *cells,
                    uint8_t *weak, uint32_t seed);

/* Power comes back: what is weak reads as this start's seed decides. */
void sim_flash_power_on(struct sim_flash *flash, uint32_t seed);

/* Power dies in the operation of that number, counted from power-on. */
void sim_flash_cut(struct sim_flash *flash, uint32_t operation, enum sim_tear tear);

/* What a byte reads in one of the ways. */
uint8_t sim_flash_reading(const struct sim_flash *flash, uint32_t at, enum sim_reading reading);

#endif
