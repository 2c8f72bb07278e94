/* SPDX-License-Identifier: MIT */
/* A flash image from a file, of which any bytes are taken: what looks at it works on a copy in
 * memory, so that the mounting that a device would do changes nothing in the file. */
#ifndef TOOL_FLASH_IMAGE_H
#define TOOL_FLASH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/flash_map.h>

struct flash_image {
    const char *path;
    uint8_t *raw;  /* as in the file */
    uint8_t *copy; /* what is mounted */
    uint32_t size;
    const struct th_flash_map *map;
    bool guessed; /* nothing in the image says that the map is the right one */
    struct th_board board;
};

/* `map` NULL: the one whose size and units fit. Prints its error. */
int flash_image_open(struct flash_image *image, const char *path, const char *map);

/* Wipes what was read: there are keys in it. */
void flash_image_close(struct flash_image *image);

/* What a unit of a log says of itself, in the file. */
struct flash_unit {
    bool whole; /* its header is */
    uint32_t number, erases;
    uint32_t used; /* bytes up to the last that is not erased */
};

/* Returns how many units the area has, at most TH_LOG_UNITS. */
size_t flash_image_units(const struct flash_image *image, enum th_flash_use use,
                         struct flash_unit units[TH_LOG_UNITS]);

/* Bytes up to the last that is not erased. */
uint32_t flash_image_used(const struct flash_image *image, uint32_t offset, uint32_t size);

#endif
