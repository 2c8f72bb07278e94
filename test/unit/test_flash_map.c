/* SPDX-License-Identifier: MIT */
/* The flash maps of docs/flash-format.md, and which ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/flash_map.h>

static const struct th_flash_map *const maps[] = {&th_flash_map_lx106, &th_flash_map_chip,
                                                  &th_flash_map_sim};

static struct th_flash_geometry geometry_of(const struct th_flash_map *map)
{
    return (struct th_flash_geometry){map->size, map->erase_unit, 4};
}

static void every_map_fits_its_geometry_and_is_found_by_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct th_flash_geometry geometry = geometry_of(maps[i]);

        assert_ptr_equal(th_flash_map_for(geometry), maps[i]);
        assert_int_equal(th_flash_map_check(maps[i], geometry), TH_OK);
        geometry.size += geometry.erase_unit;
        assert_null(th_flash_map_for(geometry));
        assert_int_equal(th_flash_map_check(maps[i], geometry), TH_ERR_CONFIG);
    }
}

/* What loaders and images on devices rely on. */
static void places_that_must_not_move(void **state)
{
    (void)state;
    static const uint32_t offsets[TH_FLASH_USES] = {
        [TH_FLASH_BOOT_0] = 0x010000,     [TH_FLASH_BOOT_1] = 0x020000,
        [TH_FLASH_LOG] = 0x030000,        [TH_FLASH_FACTORY] = 0x070000,
        [TH_FLASH_IDENTITY] = 0x090000,   [TH_FLASH_SLOT_A] = 0x100000,
        [TH_FLASH_SLOT_B] = 0x200000,     [TH_FLASH_COPROC_NEW] = 0x300000,
        [TH_FLASH_COPROC_GOOD] = 0x310000};

    for (int use = 0; use < TH_FLASH_USES; use++) {
        assert_int_equal(th_flash_map_lx106.areas[use].offset, offsets[use]);
        assert_int_equal(th_flash_map_chip.areas[use].offset, offsets[use]);
    }
}

static void the_regions_of_logs_count_in_erase_units(void **state)
{
    (void)state;
    struct th_log_region region = th_flash_map_region(&th_flash_map_chip, TH_FLASH_IDENTITY);

    assert_int_equal(region.offset, 0x090000);
    assert_int_equal(region.units, 2);
    assert_int_equal(region.erase_units, 8);
}

static void a_map_with_a_misplaced_area_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (int use = 0; use < TH_FLASH_USES; use++) {
            struct th_flash_map map = *maps[i];
            struct th_flash_geometry geometry = geometry_of(&map);
            struct th_flash_area *area = &map.areas[use], good = *area;

            area->offset = map.areas[(use + 1) % TH_FLASH_USES].offset; /* over another one */
            assert_int_equal(th_flash_map_check(&map, geometry), TH_ERR_CONFIG);
            *area = good;
            area->offset += 16; /* not on an erase unit */
            assert_int_equal(th_flash_map_check(&map, geometry), TH_ERR_CONFIG);
            area->offset = map.size; /* outside */
            assert_int_equal(th_flash_map_check(&map, geometry), TH_ERR_CONFIG);
            area->offset = 0u - map.erase_unit;
            assert_int_equal(th_flash_map_check(&map, geometry), TH_ERR_CONFIG);
            *area = good;
            area->size = 0;
            assert_int_equal(th_flash_map_check(&map, geometry), TH_ERR_CONFIG);
            *area = good;
            area->unit = area->unit ? area->size : map.erase_unit; /* one unit is no log */
            assert_int_equal(th_flash_map_check(&map, geometry), TH_ERR_CONFIG);
            *area = good;
            assert_int_equal(th_flash_map_check(&map, geometry), TH_OK);
        }
    }
}

static void a_coarse_program_unit_is_refused(void **state)
{
    (void)state;
    struct th_flash_geometry geometry = geometry_of(&th_flash_map_chip);

    geometry.program_align = 32;
    assert_int_equal(th_flash_map_check(&th_flash_map_chip, geometry), TH_ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_map_fits_its_geometry_and_is_found_by_it),
        cmocka_unit_test(places_that_must_not_move),
        cmocka_unit_test(the_regions_of_logs_count_in_erase_units),
        cmocka_unit_test(a_map_with_a_misplaced_area_is_refused),
        cmocka_unit_test(a_coarse_program_unit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
