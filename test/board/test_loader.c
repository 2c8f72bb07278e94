/* SPDX-License-Identifier: MIT */
/* The lx106 loader: which slot it starts, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <thimble/boot.h>

#include "../../ports/lx106/image.h"
#include "qemu.h"

#define RUN ((const char *const[]){"run=entropy", NULL})

static const uint32_t units[2] = TH_LX_BOOT_UNITS;
static const uint32_t slots[2] = TH_LX_SLOTS;
static struct qemu qemu;

static int start(void **state)
{
    (void)state;
    qemu_prepare(&qemu, &qemu_lx106, "board_check.elf", "board_check.elf");
    return 0;
}

static int clear(void **state)
{
    (void)state;
    qemu_clear(&qemu);
    return 0;
}

static void peek(uint32_t offset, void *into, size_t length)
{
    FILE *file = fopen(qemu_path(&qemu, "flash"), "rb");

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fread(into, 1, length, file), length);
    fclose(file);
}

static void poke(uint32_t offset, const void *bytes, size_t length)
{
    FILE *file = fopen(qemu_path(&qemu, "flash"), "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void flip(uint32_t offset)
{
    uint8_t byte;

    peek(offset, &byte, 1);
    byte ^= 0x10;
    poke(offset, &byte, 1);
}

static void put_record(unsigned copy, uint32_t sequence, uint8_t slot, bool trial)
{
    struct th_boot_record record = {
        .sequence = sequence, .slot = slot, .trial = trial, .attempts = 2};
    uint8_t bytes[TH_BOOT_RECORD_BYTES];

    peek(slots[slot] + TH_LX_IMAGE_DIGEST, record.image, sizeof(record.image));
    record.starts = record.failures = record.refused = UINT32_MAX;
    th_boot_encode(&record, bytes);
    poke(units[copy], bytes, sizeof(bytes));
}

static void expect_slot(unsigned slot)
{
    char line[64];

    qemu_start(&qemu, RUN, NULL);
    int status = qemu_wait(&qemu, 10000);
    snprintf(line, sizeof(line), "starting slot %u\n", slot);
    if (status != 0 || strstr(qemu.text, line) == NULL)
        fail_msg("not slot %u; exit status %d, console:\n%s", slot, status, qemu.text);
}

static void the_newest_valid_record_decides(void **state)
{
    (void)state;
    expect_slot(0);
    put_record(1, 2, 1, false);
    expect_slot(1);
    flip(units[1] + 20);
    expect_slot(0);
}

static void without_any_record_the_first_good_slot_is_started(void **state)
{
    (void)state;
    flip(units[0]);
    expect_slot(0);
    flip(slots[0] + 5000);
    expect_slot(1);
}

/* R2, O7: in the header, the table, the first and the last byte. */
static void no_damaged_image_is_started(void **state)
{
    (void)state;
    uint32_t length;

    peek(slots[0] + TH_LX_IMAGE_LENGTH, &length, sizeof(length));
    const uint32_t places[] = {0,  3,  4,  6,  7,  8,  39, 40,  41,         42,
                               44, 47, 48, 51, 52, 55, 60, 100, length / 2, length - 1};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        flip(slots[0] + places[i]);
        expect_slot(1);
        flip(slots[0] + places[i]);
    }
    expect_slot(0);
}

static void with_two_damaged_slots_it_says_so_and_stops(void **state)
{
    (void)state;
    flip(slots[0] + 60);
    flip(slots[1] + 60);
    qemu_start(&qemu, RUN, NULL);
    assert_int_equal(qemu_wait(&qemu, 10000), 3);
    assert_non_null(strstr(qemu.text, "no slot can be started"));
}

/* O10: each start here is a power-on. */
static void power_cuts_leave_a_trial_on_trial(void **state)
{
    (void)state;
    put_record(1, 2, 1, true);
    for (int i = 0; i < 4; i++)
        expect_slot(1);
    uint8_t bits[TH_BOOT_BITS_BYTES];
    peek(units[1] + TH_BOOT_BITS_OFFSET, bits, sizeof(bits));
    assert_memory_equal(bits, "\xF0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12);
}

/* O11: the image in slot B crashes at each start. */
static void a_trial_that_crashes_is_reverted_after_its_attempts_and_stays_so(void **state)
{
    (void)state;
    put_record(1, 2, 1, true);
    qemu_start(&qemu, (const char *const[]){"run=crash-on-trial", NULL}, NULL);
    assert_int_equal(qemu_wait(&qemu, 10000), 0);
    assert_non_null(strstr(qemu.text, "slot 0, reverted"));
    expect_slot(0);
}

static void a_trial_record_that_names_another_image_is_refused(void **state)
{
    (void)state;
    put_record(1, 2, 1, true);
    struct th_boot_record record;
    uint8_t bytes[TH_BOOT_RECORD_BYTES];
    peek(units[1], bytes, sizeof(bytes));
    assert_true(th_boot_decode(bytes, &record));
    record.image[0] ^= 1;
    th_boot_encode(&record, bytes);
    poke(units[1], bytes, sizeof(bytes));
    expect_slot(0);
    peek(units[1] + TH_BOOT_BITS_OFFSET + 8, bytes, 4);
    assert_memory_equal(bytes, "\0\0\0\0", 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_valid_record_decides),
        TEST(without_any_record_the_first_good_slot_is_started),
        TEST(no_damaged_image_is_started),
        TEST(with_two_damaged_slots_it_says_so_and_stops),
        TEST(power_cuts_leave_a_trial_on_trial),
        TEST(a_trial_that_crashes_is_reverted_after_its_attempts_and_stays_so),
        TEST(a_trial_record_that_names_another_image_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
