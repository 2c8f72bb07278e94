/* SPDX-License-Identifier: MIT */
#include <thimble/flash_map.h>

#define KIB 1024u

const struct th_flash_map th_flash_map_lx106 = {
    "lx106",
    4096 * KIB,
    64 * KIB,
    {
        [TH_FLASH_BOOT_0] = {0x010000, 64 * KIB, 0},
        [TH_FLASH_BOOT_1] = {0x020000, 64 * KIB, 0},
        [TH_FLASH_LOG] = {0x030000, 256 * KIB, 64 * KIB},
        [TH_FLASH_FACTORY] = {0x070000, 128 * KIB, 64 * KIB},
        [TH_FLASH_IDENTITY] = {0x090000, 128 * KIB, 64 * KIB},
        [TH_FLASH_SLOT_A] = {0x100000, 1024 * KIB, 0},
        [TH_FLASH_SLOT_B] = {0x200000, 1024 * KIB, 0},
        [TH_FLASH_COPROC_NEW] = {0x300000, 64 * KIB, 0},
        [TH_FLASH_COPROC_GOOD] = {0x310000, 64 * KIB, 0},
    },
};

const struct th_flash_map th_flash_map_chip = {
    "chip",
    4096 * KIB,
    4 * KIB,
    {
        [TH_FLASH_BOOT_0] = {0x010000, 4 * KIB, 0},
        [TH_FLASH_BOOT_1] = {0x020000, 4 * KIB, 0},
        [TH_FLASH_LOG] = {0x030000, 64 * KIB, 8 * KIB},
        [TH_FLASH_FACTORY] = {0x070000, 8 * KIB, 4 * KIB},
        [TH_FLASH_IDENTITY] = {0x090000, 64 * KIB, 32 * KIB},
        [TH_FLASH_SLOT_A] = {0x100000, 1024 * KIB, 0},
        [TH_FLASH_SLOT_B] = {0x200000, 1024 * KIB, 0},
        [TH_FLASH_COPROC_NEW] = {0x300000, 64 * KIB, 0},
        [TH_FLASH_COPROC_GOOD] = {0x310000, 64 * KIB, 0},
    },
};

const struct th_flash_map th_flash_map_sim = {
    "sim",
    128 * KIB,
    1 * KIB,
    {
        [TH_FLASH_BOOT_0] = {0x00400, 1 * KIB, 0},
        [TH_FLASH_BOOT_1] = {0x00800, 1 * KIB, 0},
        [TH_FLASH_LOG] = {0x02000, 16 * KIB, 4 * KIB},
        [TH_FLASH_FACTORY] = {0x01000, 4 * KIB, 2 * KIB},
        [TH_FLASH_IDENTITY] = {0x08000, 32 * KIB, 16 * KIB},
        [TH_FLASH_SLOT_A] = {0x10000, 16 * KIB, 0},
        [TH_FLASH_SLOT_B] = {0x14000, 16 * KIB, 0},
        [TH_FLASH_COPROC_NEW] = {0x18000, 16 * KIB, 0},
        [TH_FLASH_COPROC_GOOD] = {0x1C000, 16 * KIB, 0},
    },
};

static bool same(const struct th_flash_map *map, struct th_flash_geometry geometry)
{
    return map->size == geometry.size && map->erase_unit == geometry.erase_unit;
}

const struct th_flash_map *th_flash_map_for(struct th_flash_geometry geometry)
{
    static const struct th_flash_map *const maps[] = {&th_flash_map_lx106, &th_flash_map_chip,
                                                      &th_flash_map_sim};

    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        if (same(maps[i], geometry))
            return maps[i];
    }
    return NULL;
}

/* ---- judging a map ---- */

static bool is_log(enum th_flash_use use)
{
    return use == TH_FLASH_LOG || use == TH_FLASH_FACTORY || use == TH_FLASH_IDENTITY;
}

static bool units_fit(const struct th_flash_area *area, uint32_t erase_unit)
{
    uint32_t unit = area->unit;

    return unit >= erase_unit && unit % erase_unit == 0 && unit / erase_unit <= UINT8_MAX &&
           area->size % unit == 0 && area->size / unit >= 2 && area->size / unit <= TH_LOG_UNITS;
}

static bool area_fits(const struct th_flash_map *map, enum th_flash_use use)
{
    const struct th_flash_area *area = &map->areas[use];

    return area->size > 0 && area->offset % map->erase_unit == 0 &&
           area->size % map->erase_unit == 0 && area->offset <= map->size &&
           area->size <= map->size - area->offset &&
           (is_log(use) ? units_fit(area, map->erase_unit) : area->unit == 0);
}

static bool apart(const struct th_flash_area *a, const struct th_flash_area *b)
{
    return a->offset + a->size <= b->offset || b->offset + b->size <= a->offset;
}

enum th_error th_flash_map_check(const struct th_flash_map *map, struct th_flash_geometry geometry)
{
    if (!same(map, geometry) || geometry.erase_unit == 0 || geometry.program_align > TH_LOG_GRAIN)
        return TH_ERR_CONFIG;
    for (int use = 0; use < TH_FLASH_USES; use++) {
        if (!area_fits(map, (enum th_flash_use)use))
            return TH_ERR_CONFIG;
        for (int other = 0; other < use; other++) {
            if (!apart(&map->areas[use], &map->areas[other]))
                return TH_ERR_CONFIG;
        }
    }
    return TH_OK;
}

struct th_log_region th_flash_map_region(const struct th_flash_map *map, enum th_flash_use use)
{
    const struct th_flash_area *area = &map->areas[use];

    return (struct th_log_region){area->offset, (uint8_t)(area->size / area->unit),
                                  (uint8_t)(area->unit / map->erase_unit)};
}
