/* SPDX-License-Identifier: MIT */
/* O14 R3 R8: the contract of the log: limits, versions, and numbers that wrap. Its power cuts are
 * in test/power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/crc.h>
#include <thimble/log.h>

#include "ports/sim/flash.h"
#include "store/log.h"

#define UNIT 512u

static uint8_t cells[2 * UNIT], weak[2 * UNIT];
static struct sim_flash flash;
static struct th_log log_;
static const struct th_log_region whole = {0, 2, 1};

static enum th_error mount(struct th_log_region region)
{
    sim_flash_power_on(&flash, 3);
    return th_log_mount(&log_, &sim_flash_ops, &flash, region, 77);
}

static int blank(void **state)
{
    (void)state;
    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    return mount(whole) == TH_OK ? 0 : -1;
}

static bool holds(uint8_t kind, const char *record)
{
    uint8_t found[64];

    return th_log_read(&log_, kind, 0, found, sizeof found) == strlen(record) &&
           memcmp(found, record, strlen(record)) == 0;
}

static void change_unit_times(unsigned times)
{
    uint32_t before = flash.erases;

    while (flash.erases < before + times)
        assert_int_equal(th_log_write(&log_, 0, TH_SPAN("what this version writes")), TH_OK);
}

/* A version N+1 has a kind of its own; this one runs for a while, then N+1 again. */
static void a_kind_that_only_a_newer_version_knows_is_kept(void **state)
{
    (void)state;
    assert_int_equal(th_log_write(&log_, 13, TH_SPAN("of version N+1")), TH_OK);
    change_unit_times(5);
    assert_int_equal(mount(whole), TH_OK);
    change_unit_times(5);
    assert_true(holds(13, "of version N+1"));
}

/* And marks of its own: they are passed over, and so is what they stand between. */
static void a_mark_that_only_a_newer_version_knows_is_passed_over(void **state)
{
    (void)state;
    const struct mark newer = {.type = 0x77, .sequence = log_.sequence};

    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("one")), TH_OK);
    assert_true(log_mark_program(&log_, &newer));
    assert_int_equal(mount(whole), TH_OK);
    assert_true(holds(1, "one"));
    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("two")), TH_OK);
    assert_int_equal(mount(whole), TH_OK);
    assert_true(holds(1, "two"));
}

/* R3: all of the unit but its header. */
static void a_unit_that_is_half_erased_is_not_used(void **state)
{
    (void)state;
    change_unit_times(1);
    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("kept")), TH_OK);
    uint32_t other = log_.unit == 0 ? UNIT : 0;
    for (uint32_t from = 0; from < UNIT; from += 16) {
        uint8_t before[UNIT];

        memcpy(before, cells + other, UNIT);
        memset(cells + other + from, 0xFF, UNIT - from);
        assert_int_equal(mount(whole), TH_OK);
        assert_true(holds(1, "kept"));
        memcpy(cells + other, before, UNIT);
    }
}

/* R8 */
static void unit_numbers_wrap(void **state)
{
    (void)state;
    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("kept")), TH_OK);
    uint8_t *header = cells + log_.unit * UNIT;
    memset(header + 8, 0xFF, 4);
    uint32_t crc = th_crc32(0, header, 28);
    for (int i = 0; i < 4; i++)
        header[28 + i] = (uint8_t)(crc >> 8 * i);
    assert_int_equal(mount(whole), TH_OK);
    assert_int_equal(log_.unit_number, UINT32_MAX);
    change_unit_times(1);
    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("newer")), TH_OK);
    assert_int_equal(mount(whole), TH_OK);
    assert_int_equal(log_.unit_number, 0);
    assert_true(holds(1, "newer"));
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static uint8_t big[UNIT];
    uint32_t operations = flash.operation;

    assert_int_equal(th_log_write(&log_, TH_LOG_KINDS, TH_SPAN("x")), TH_ERR_INVALID);
    assert_int_equal(th_log_write(&log_, 0, th_span_of(big, UNIT - 95)), TH_ERR_TOO_LARGE);
    assert_int_equal(flash.operation, operations);
    assert_int_equal(th_log_write(&log_, 0, th_span_of(big, UNIT - 96)), TH_OK);
    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("no room besides")), TH_ERR_TOO_LARGE);
    assert_int_equal(mount(whole), TH_OK);
    assert_int_equal(th_log_len(&log_, 0), UNIT - 96);
    /* Taken away, it makes room. */
    assert_int_equal(th_log_write(&log_, 0, th_span_of(NULL, 0)), TH_OK);
    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("room again")), TH_OK);
}

static void a_region_that_does_not_fit_the_flash_is_refused(void **state)
{
    (void)state;
    static const struct th_log_region bad[] = {
        {0, 1, 1}, {0, 3, 1}, {UNIT, 2, 1}, {16, 2, 1}, {0, 2, 2}, {0, 17, 1}, {4 * UNIT, 2, 1},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(mount(bad[i]), TH_ERR_CONFIG);
}

/* Cells that read differently at each read: a record that was cut is whole or not, never half. */
static void restless_cells_leave_the_old_record_or_the_new_one(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 400; seed++) {
        blank(NULL);
        assert_int_equal(th_log_write(&log_, 1, TH_SPAN("the old record")), TH_OK);
        sim_flash_cut(&flash, flash.operation + seed % 3, SIM_TEAR_FADING);
        th_log_write(&log_, 1, TH_SPAN("the new record, longer"));
        sim_flash_power_on(&flash, seed);
        flash.restless = true;
        assert_int_equal(th_log_mount(&log_, &sim_flash_ops, &flash, whole, 1), TH_OK);
        bool was_new = holds(1, "the new record, longer");
        assert_true(was_new || holds(1, "the old record"));
        assert_int_equal(mount(whole), TH_OK);
        assert_true(holds(1, was_new ? "the new record, longer" : "the old record"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_kind_that_only_a_newer_version_knows_is_kept, blank),
        cmocka_unit_test_setup(a_mark_that_only_a_newer_version_knows_is_passed_over, blank),
        cmocka_unit_test_setup(a_unit_that_is_half_erased_is_not_used, blank),
        cmocka_unit_test_setup(unit_numbers_wrap, blank),
        cmocka_unit_test_setup(what_does_not_fit_is_refused_and_changes_nothing, blank),
        cmocka_unit_test_setup(a_region_that_does_not_fit_the_flash_is_refused, blank),
        cmocka_unit_test_setup(restless_cells_leave_the_old_record_or_the_new_one, blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
