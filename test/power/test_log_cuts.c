/* SPDX-License-Identifier: MIT */
/*
 * R1 R3: the log under power cuts. Its writes and wipes are run with power cut at each flash
 * operation, under each tear, and again in the recovery from that; afterwards each kind holds its
 * old record or its new one, whole, and every further start reads the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log_device.h"

#define UNIT 256u

/* Enough to change the unit twice. */
static const uint8_t writes[] = {0, 1, 0, 1, 0, 0, 1, 2, 0, 1};

static void a_cut_in_any_operation_leaves_old_or_new(void **state)
{
    (void)state;
    uint64_t cases = 0;
    bool good = power_cut(&log_of_two_kinds, writes, sizeof writes, 0, 8, &cases);

    print_message("%llu cuts\n", (unsigned long long)cases);
    assert_true(good);
}

static void a_second_cut_in_the_recovery_changes_nothing(void **state)
{
    (void)state;
    uint64_t cases = 0;
    bool good =
        power_cut(&log_of_two_kinds, writes, sizeof writes, power_second_tears(), 1, &cases);

    print_message("%llu cuts and double cuts\n", (unsigned long long)cases);
    assert_true(good);
}

/* What a cut between the two erases of a unit leaves. */
static void so_it_is_where_a_unit_has_several_erase_units(void **state)
{
    (void)state;
    uint64_t cases = 0;
    uint8_t many[40];

    for (size_t i = 0; i < sizeof many; i++)
        many[i] = writes[i % sizeof writes];
    bool good = power_cut(&log_of_long_units, many, sizeof many, 0, 2, &cases);

    print_message("%llu cuts\n", (unsigned long long)cases);
    assert_true(good);
}

/* ---- what was wrong once ---- */

static uint8_t cells[2 * UNIT], weak[2 * UNIT], readings[2 * UNIT / SIM_GRAIN];
static struct sim_flash flash;
static struct th_log log_;

static enum th_error start(enum sim_reading reading, uint32_t cut_at, enum sim_tear tear)
{
    const struct th_log_region region = {0, 2, 1};

    memset(readings, (int)reading, sizeof readings);
    sim_flash_power_on(&flash, 1);
    sim_flash_cut(&flash, cut_at, tear);
    return th_log_mount(&log_, &sim_flash_ops, &flash, region, 1);
}

static int old_record(void **state)
{
    (void)state;
    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    flash.readings = readings;
    assert_int_equal(start(SIM_READS_ONES, UINT32_MAX, SIM_TEAR_WHOLE), TH_OK);
    assert_int_equal(th_log_write(&log_, 1, TH_SPAN("old")), TH_OK);
    return 0;
}

static bool holds(const char *record)
{
    char found[8] = {0};

    return th_log_read(&log_, 1, 0, (uint8_t *)found, sizeof found) == strlen(record) &&
           memcmp(found, record, strlen(record)) == 0;
}

/* A start found the record whole and was cut while it wrote it again; the next one found it broken
 * and wrote its decision over the weak mark of that copy, which later read as nothing. */
static void a_decision_is_not_written_over_weak_cells(void **state)
{
    (void)state;
    for (uint32_t operation = 0; operation < 6; operation++) {
        old_record(NULL);
        sim_flash_cut(&flash, flash.operation + 1, SIM_TEAR_MARGINAL); /* in the record's bytes */
        assert_int_equal(th_log_write(&log_, 1, TH_SPAN("new")), TH_ERR_STORE);
        start(SIM_READS_ZEROS, operation, SIM_TEAR_MARGINAL);
        if (!flash.dead)
            break;
        assert_int_equal(start(SIM_READS_ONES, UINT32_MAX, SIM_TEAR_WHOLE), TH_OK);
        bool was_old = holds("old");
        assert_true(was_old || holds("new"));
        assert_int_equal(start(SIM_READS_ZEROS, UINT32_MAX, SIM_TEAR_WHOLE), TH_OK);
        assert_true(holds(was_old ? "old" : "new"));
    }
}

/* The last mark of a new unit was cut; a start that did not see it was cut while it erased that
 * unit; the next one saw the unit whole and used it, until its cells read as erased. */
static void a_unit_that_is_given_up_does_not_come_back(void **state)
{
    (void)state;
    for (uint32_t operation = 0; operation < 8; operation++) {
        old_record(NULL);
        while (flash.erases < 2) { /* fill the unit up to the write that changes it */
            uint32_t before = flash.operation;
            struct sim_flash saved = flash;
            struct th_log log = log_;
            uint8_t kept[2 * UNIT];

            memcpy(kept, cells, sizeof kept);
            assert_int_equal(th_log_write(&log_, 1, TH_SPAN("new")), TH_OK);
            if (flash.erases < 2)
                continue;
            uint32_t operations = flash.operation - before;
            flash = saved;
            log_ = log;
            memcpy(cells, kept, sizeof kept);
            sim_flash_cut(&flash, before + operations - 1, SIM_TEAR_MARGINAL);
            assert_int_equal(th_log_write(&log_, 1, TH_SPAN("newer")), TH_ERR_STORE);
            break;
        }
        start(SIM_READS_ONES, operation, SIM_TEAR_MARGINAL);
        if (!flash.dead)
            break;
        assert_int_equal(start(SIM_READS_ZEROS, UINT32_MAX, SIM_TEAR_WHOLE), TH_OK);
        bool was_newer = holds("newer");
        assert_true(was_newer || holds("new"));
        assert_int_equal(start(SIM_READS_ONES, UINT32_MAX, SIM_TEAR_WHOLE), TH_OK);
        assert_true(holds(was_newer ? "newer" : "new"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_in_any_operation_leaves_old_or_new),
        cmocka_unit_test(a_second_cut_in_the_recovery_changes_nothing),
        cmocka_unit_test(so_it_is_where_a_unit_has_several_erase_units),
        cmocka_unit_test_setup(a_decision_is_not_written_over_weak_cells, old_record),
        cmocka_unit_test_setup(a_unit_that_is_given_up_does_not_come_back, old_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
