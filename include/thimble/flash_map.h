/* SPDX-License-Identifier: MIT */
/*
 * What lies where on the flash: one const table a geometry. Bit-exact: docs/flash-format.md,
 * chapter "The map".
 */
#ifndef THIMBLE_FLASH_MAP_H
#define THIMBLE_FLASH_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/error.h>
#include <thimble/log.h>

struct th_flash_area {
    uint32_t offset, size; /* bytes, multiples of the erase unit */
    uint32_t unit;         /* of an area that is a log: bytes of one of its units; else 0 */
};

enum th_flash_use {
    TH_FLASH_BOOT_0,   /* boot record, copy 0 */
    TH_FLASH_BOOT_1,   /* and copy 1 */
    TH_FLASH_LOG,      /* log: settings, failures, counters, entropy seed */
    TH_FLASH_FACTORY,  /* log: set-up code, IDevID, calibration */
    TH_FLASH_IDENTITY, /* log: LDevID, trust sets, stored session */
    TH_FLASH_SLOT_A,
    TH_FLASH_SLOT_B,
    TH_FLASH_COPROC_NEW,  /* the co-processor's image that was sent, */
    TH_FLASH_COPROC_GOOD, /* and the last one that worked */
    TH_FLASH_USES,
};

struct th_flash_map {
    const char *name;
    uint32_t size, erase_unit; /* of the geometry it is for */
    struct th_flash_area areas[TH_FLASH_USES];
};

extern const struct th_flash_map th_flash_map_lx106; /* 4 MiB, erase unit 64 KiB */
extern const struct th_flash_map th_flash_map_chip;  /* 4 MiB, erase unit 4 KiB */
extern const struct th_flash_map th_flash_map_sim;   /* 128 KiB, erase unit 1 KiB */

/* The map of a geometry; NULL when there is none. */
const struct th_flash_map *th_flash_map_for(struct th_flash_geometry geometry);

/* TH_ERR_CONFIG when the geometry is not the map's, when an area is not made of whole erase units,
 * lies outside the flash or over another one, or when a log's area is not 2..TH_LOG_UNITS whole
 * units. Every function that takes a map checks it so. */
enum th_error th_flash_map_check(const struct th_flash_map *map, struct th_flash_geometry geometry);

/* The region of an area that is a log. */
struct th_log_region th_flash_map_region(const struct th_flash_map *map, enum th_flash_use use);

#endif
