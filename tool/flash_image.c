/* SPDX-License-Identifier: MIT */
#include "flash_image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include <thimble/crc.h>

#include "exits.h"
#include "term.h"

#define IMAGE_MAX  (64u << 20)
#define UNIT_MAGIC 0x4C4F4754u

static const struct th_flash_map *const maps[] = {&th_flash_map_chip, &th_flash_map_lx106,
                                                  &th_flash_map_sim};
#define MAPS (sizeof maps / sizeof maps[0])

/* ---- NOR, in memory ---- */

static bool within(const struct flash_image *image, uint32_t offset, size_t len)
{
    return offset <= image->size && len <= image->size - offset;
}

static struct th_flash_geometry geometry(void *ctx)
{
    const struct flash_image *image = ctx;
    return (struct th_flash_geometry){image->size, image->map->erase_unit, 4};
}

static bool read_flash(void *ctx, uint32_t offset, uint8_t *into, size_t len)
{
    const struct flash_image *image = ctx;
    if (!within(image, offset, len))
        return false;
    memcpy(into, image->copy + offset, len);
    return true;
}

static bool program(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len)
{
    struct flash_image *image = ctx;
    if (!within(image, offset, len))
        return false;
    for (size_t i = 0; i < len; i++)
        image->copy[offset + i] &= bytes[i];
    return true;
}

static bool erase(void *ctx, uint32_t offset)
{
    struct flash_image *image = ctx;
    if (!within(image, offset, image->map->erase_unit))
        return false;
    memset(image->copy + offset, 0xFF, image->map->erase_unit);
    return true;
}

static const struct th_flash_ops flash_ops = {geometry, read_flash, program, erase};

/* ---- which map ---- */

static uint32_t get32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint32_t flash_image_used(const struct flash_image *image, uint32_t offset, uint32_t size)
{
    while (size > 0 && image->raw[offset + size - 1] == 0xFF)
        size--;
    return size;
}

/* docs/flash-format.md, 'Unit'. */
size_t flash_image_units(const struct flash_image *image, enum th_flash_use use,
                         struct flash_unit units[TH_LOG_UNITS])
{
    const struct th_flash_area *area = &image->map->areas[use];
    size_t count = area->unit ? area->size / area->unit : 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t offset = area->offset + (uint32_t)i * area->unit;
        const uint8_t *header = image->raw + offset;
        units[i] = (struct flash_unit){.used = flash_image_used(image, offset, area->unit)};
        if (get32(header) != UNIT_MAGIC || get32(header + 28) != th_crc32(0, header, 28))
            continue;
        units[i].whole = true;
        units[i].number = get32(header + 8);
        units[i].erases = get32(header + 16);
    }
    return count;
}

static size_t whole_units(const struct flash_image *image)
{
    static const enum th_flash_use logs[] = {TH_FLASH_LOG, TH_FLASH_FACTORY, TH_FLASH_IDENTITY};
    struct flash_unit units[TH_LOG_UNITS];
    size_t whole = 0;
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        size_t count = flash_image_units(image, logs[i], units);
        for (size_t j = 0; j < count; j++)
            whole += units[j].whole;
    }
    return whole;
}

static int choose_map(struct flash_image *image, const char *name)
{
    const struct th_flash_map *best = NULL;
    size_t most = 0;
    bool known = false;
    for (size_t i = 0; i < MAPS; i++) {
        known |= name && strcmp(maps[i]->name, name) == 0;
        if (maps[i]->size != image->size || (name && strcmp(maps[i]->name, name) != 0))
            continue;
        image->map = maps[i];
        size_t whole = whole_units(image);
        if (!best || whole > most) {
            best = maps[i];
            most = whole;
        }
    }
    image->map = best;
    image->guessed = !name && most == 0;
    if (name && !known)
        return fail(EXIT_USAGE, "there is no map '%s'\n--map chip, --map lx106 or --map sim", name);
    if (!best)
        return fail(EXIT_INPUT,
                    "%s has %u bytes, and flash images have 4194304 (chip, lx106) or 131072 (sim)\n"
                    "name the whole image of a flash",
                    image->path, image->size);
    return EXIT_OK;
}

/* ---- the file ---- */

static int read_file(struct flash_image *image, FILE *file)
{
    image->raw = malloc(IMAGE_MAX + 1);
    if (!image->raw)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    size_t got = fread(image->raw, 1, IMAGE_MAX + 1, file);
    if (ferror(file))
        return fail(EXIT_INPUT, "cannot read %s: %s\ncheck the file", image->path, strerror(errno));
    if (got > IMAGE_MAX)
        return fail(EXIT_INPUT, "%s is larger than 64 MiB\nname the image of a flash", image->path);
    image->size = (uint32_t)got;
    image->copy = malloc(got + 1);
    if (!image->copy)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    memcpy(image->copy, image->raw, got);
    return EXIT_OK;
}

int flash_image_open(struct flash_image *image, const char *path, const char *map)
{
    memset(image, 0, sizeof *image);
    image->path = path;
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(EXIT_INPUT, "cannot open %s: %s\ncheck the path and its permissions", path,
                    strerror(errno));
    int code = read_file(image, file);
    fclose(file);
    if (code == EXIT_OK)
        code = choose_map(image, map);
    image->board.flash.ops = &flash_ops;
    image->board.flash.ctx = image;
    if (code != EXIT_OK)
        flash_image_close(image);
    return code;
}

static void wipe(uint8_t *bytes, size_t len)
{
    if (bytes)
        OPENSSL_cleanse(bytes, len);
    free(bytes);
}

void flash_image_close(struct flash_image *image)
{
    wipe(image->raw, image->size);
    wipe(image->copy, image->size);
    image->raw = image->copy = NULL;
}
