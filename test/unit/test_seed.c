/* SPDX-License-Identifier: MIT */
/* I3 T13: the entropy seed makes each start differ, even over a source that begins anew with the
 * same numbers, and is written before it is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/seed.h>
#include <thimble/tls_openssl.h>

#include "ports/sim/flash.h"

#define UNIT 512u
#define KIND 5

static uint8_t cells[2 * UNIT], weak[2 * UNIT];
static struct sim_flash flash;
static struct th_log log_;
static struct th_seed seed;
static bool source_fails;

/* The worst there is that passes a health test: the same numbers after each start. */
static uint32_t drawn;

static bool repeat(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        into[i] = (uint8_t)(drawn++ * 37);
    return !source_fails;
}

static const struct th_entropy_ops repeating = {repeat};
static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

static enum th_error start(void)
{
    const struct th_log_region region = {0, 2, 1};
    struct th_board board = {.entropy = {&repeating, NULL}};

    drawn = 0;
    sim_flash_power_on(&flash, 3);
    assert_int_equal(th_log_mount(&log_, &sim_flash_ops, &flash, region, 1), TH_OK);
    return th_seed_start(&seed, &log_, KIND, &crypto, &board);
}

static int blank(void **state)
{
    (void)state;
    source_fails = false;
    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    return 0;
}

static void draw(uint8_t into[48])
{
    assert_true(th_seed_entropy_ops.fill(&seed, into, 48));
}

static void no_two_starts_give_the_same_numbers(void **state)
{
    (void)state;
    uint8_t given[20][48];

    for (int i = 0; i < 20; i++) {
        assert_int_equal(start(), TH_OK);
        draw(given[i]);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(given[i], given[k], 16);
    }
}

static void no_two_pieces_are_the_same(void **state)
{
    (void)state;
    uint8_t one[48], two[48];

    assert_int_equal(start(), TH_OK);
    draw(one);
    drawn = 32; /* the source repeats itself within a start as well */
    draw(two);
    assert_memory_not_equal(one, two, 32);
    assert_memory_not_equal(one, one + 32, 16);
}

/* T13 */
static void a_source_that_fails_gives_nothing(void **state)
{
    (void)state;
    uint8_t bytes[48];

    assert_int_equal(start(), TH_OK);
    source_fails = true;
    assert_false(th_seed_entropy_ops.fill(&seed, bytes, sizeof bytes));
    size_t len = th_log_len(&log_, KIND);
    assert_int_equal(start(), TH_ERR_TLS_ENTROPY);
    assert_int_equal(th_log_len(&log_, KIND), len);
    assert_false(th_seed_entropy_ops.fill(&seed, bytes, sizeof bytes));
}

/* R5: then it is as good as the source. */
static void a_flash_that_fails_leaves_the_source(void **state)
{
    (void)state;
    uint8_t one[48], plain[48];
    struct th_board board = {.entropy = {&repeating, NULL}};

    assert_int_equal(start(), TH_OK);
    flash.fail_from = 0;
    flash.fail_to = UINT32_MAX;
    assert_int_equal(th_seed_start(&seed, &log_, KIND, &crypto, &board), TH_ERR_STORE);
    drawn = 0;
    draw(one);
    drawn = 0;
    repeat(NULL, plain, sizeof plain);
    assert_memory_equal(one, plain, sizeof plain);
}

static void a_record_of_another_version_is_no_seed(void **state)
{
    (void)state;
    uint8_t record[36] = {2}, one[48], other[48];

    assert_int_equal(start(), TH_OK);
    draw(one);
    assert_int_equal(th_log_write(&log_, KIND, th_span_of(record, sizeof record)), TH_OK);
    assert_int_equal(start(), TH_OK);
    draw(other);
    assert_memory_equal(one, other, 48); /* zeros count again: the same source, the same numbers */
}

/* Whenever power is cut, each start that gets as far as giving out numbers gives out new ones. */
static void cuts_never_bring_a_seed_back(void **state)
{
    (void)state;
    uint8_t given[1000][48];
    int count = 0;

    for (int tear = 0; tear < SIM_TEAR_KINDS; tear++) {
        for (uint32_t at = 0; at < 9; at++) {
            for (int again = 0; again < 3; again++) {
                const struct th_log_region region = {0, 2, 1};
                struct th_board board = {.entropy = {&repeating, NULL}};

                drawn = 0;
                sim_flash_power_on(&flash, flash.seed + 1);
                if (again < 2)
                    sim_flash_cut(&flash, at + (uint32_t)again, (enum sim_tear)tear);
                if (th_log_mount(&log_, &sim_flash_ops, &flash, region, 1) != TH_OK ||
                    th_seed_start(&seed, &log_, KIND, &crypto, &board) != TH_OK)
                    continue;
                draw(given[count]);
                for (int k = 0; k < count; k++)
                    assert_memory_not_equal(given[count], given[k], 16);
                count++;
            }
        }
    }
    assert_in_range(count, 81, 243);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_two_starts_give_the_same_numbers, blank),
        cmocka_unit_test_setup(no_two_pieces_are_the_same, blank),
        cmocka_unit_test_setup(a_source_that_fails_gives_nothing, blank),
        cmocka_unit_test_setup(a_flash_that_fails_leaves_the_source, blank),
        cmocka_unit_test_setup(a_record_of_another_version_is_no_seed, blank),
        cmocka_unit_test_setup(cuts_never_bring_a_seed_back, blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
