/* SPDX-License-Identifier: MIT */
/*
 * R2: whatever the flash holds, every start is defined: it comes to its end, says the same at the
 * next one, and what is written then is there. Random images, and those of a device's life with
 * bits flipped, runs overwritten, blocks moved: a few thousand in every run, a million with --full.
 * ANY_FLASH_SEED=N replays a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/boot.h>
#include <thimble/settings.h>
#include <thimble/trial.h>

#include "identity_life.h"

#define USED 0x2000u /* of the flash: what follows are slots */

static uint32_t chance;

static uint32_t draw(uint32_t below)
{
    chance = chance * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(chance >> 4) * below >> 28);
}

/* ---- images ---- */

static uint8_t lives[LIFE_STEPS][USED];

static int live(void **state)
{
    (void)state;
    memset(&life_world, 0, sizeof life_world);
    sim_flash_init(&life_world.flash, (struct th_flash_geometry){LIFE_FLASH, 512, 4},
                   life_world.cells, life_world.weak, 1);
    if (life_start(1) != TH_OK)
        return -1;
    for (size_t i = 0; i < LIFE_STEPS; i++) {
        if (life_steps[i].run() != TH_OK)
            return -1;
        memcpy(lives[i], life_world.cells, USED);
    }
    return 0;
}

static void mutate(uint8_t *image)
{
    uint32_t at = draw(USED), len = 1 + draw(draw(8) ? 40 : 1024), from = draw(USED);

    if (len > USED - at)
        len = USED - at;
    if (len > USED - from)
        len = USED - from;
    switch (draw(6)) {
    case 0: image[at] ^= (uint8_t)(1u << draw(8)); break;
    case 1: memset(image + at, 0xFF, len); break;
    case 2: memset(image + at, 0, len); break;
    case 3: memmove(image + at, image + from, len); break;
    case 4: /* one erase unit as it was at another time */
        memcpy(image + at / 512 * 512, lives[draw(LIFE_STEPS)] + at / 512 * 512, 512);
        break;
    default:
        for (uint32_t i = 0; i < len; i++)
            image[at + i] = (uint8_t)draw(256);
    }
}

static void make_image(uint8_t *image)
{
    if (draw(50) == 0) {
        for (uint32_t i = 0; i < USED; i++)
            image[i] = (uint8_t)draw(256);
        return;
    }
    memcpy(image, lives[draw(LIFE_STEPS)], USED);
    for (uint32_t i = 1 + draw(8); i > 0; i--)
        mutate(image);
}

/* ---- one of them ---- */

static void look_around(void)
{
    const uint32_t units[2] = {life_map.areas[TH_FLASH_BOOT_0].offset,
                               life_map.areas[TH_FLASH_BOOT_1].offset};
    const struct th_settings settings = {&life_world.log, 0};
    struct th_boot_record record;
    struct th_trial trial;
    char value[TH_SETTING_VALUE_MAX + 1];
    const char *why;

    if (th_boot_read(&sim_flash_ops, &life_world.flash, units, &record) >= 0)
        assert_in_range(th_boot_choose(&record, true).slot, 0, 1);
    th_trial_load(&trial, &life_world.log, 1, true);
    for (uint16_t i = 0; i < th_settings_count; i++) {
        size_t len = th_settings_get(&settings, &th_settings_schema[i], value);

        assert_int_equal(th_setting_check(&th_settings_schema[i], th_span_of(value, len), &why),
                         TH_OK);
    }
}

static void start_from(const uint8_t *image, uint32_t number)
{
    struct life_view first, second;
    char found[5];

    memcpy(life_world.cells, image, USED);
    if (life_start(number) != TH_OK)
        fail_msg("image %u: it does not start", number);
    life_see(&first);
    if (life_start(number + 1) != TH_OK)
        fail_msg("image %u: it does not start again", number);
    life_see(&second);
    if (!life_same(&first, &second))
        fail_msg("image %u: the second start finds something else", number);
    look_around();
    enum th_error error = th_log_write(&life_world.log, 5, TH_SPAN("hello"));
    if (error == TH_ERR_TOO_LARGE)
        return; /* the other records fill it */
    assert_int_equal(error, TH_OK);
    assert_int_equal(life_start(number + 2), TH_OK);
    assert_int_equal(th_log_read(&life_world.log, 5, 0, (uint8_t *)found, sizeof found), 5);
    assert_memory_equal(found, "hello", 5);
}

static void every_start_is_defined(void **state)
{
    (void)state;
    const char *mode = getenv("THIMBLE_TEST_MODE"), *seed = getenv("ANY_FLASH_SEED");
    uint32_t images = mode != NULL && strcmp(mode, "full") == 0 ? 1000000 : 10000;
    static uint8_t image[USED];

    chance = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) : 1;
    print_message("ANY_FLASH_SEED=%u, %u images\n", chance, images);
    for (uint32_t i = 0; i < images; i++) {
        make_image(image);
        start_from(image, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_start_is_defined, live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
