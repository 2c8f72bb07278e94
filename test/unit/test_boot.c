/* SPDX-License-Identifier: MIT */
/* The boot record of docs/flash-format.md: layout, choice, and power cuts while it is written. */
#include <thimble/boot.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define UNIT 256

static const uint32_t units[2] = {UNIT, 2 * UNIT};

/* A NOR chip that loses power after `operations_left` more bytes programmed or units erased, in the
 * middle of one: half of an erase's bytes, half of a byte's bits. */
struct nor {
    uint8_t bytes[4 * UNIT];
    int operations_left;
};

static struct th_flash_geometry nor_geometry(void *ctx)
{
    (void)ctx;
    return (struct th_flash_geometry){4 * UNIT, UNIT, 4};
}

static bool nor_read(void *ctx, uint32_t offset, uint8_t *into, size_t len)
{
    struct nor *nor = ctx;
    memcpy(into, nor->bytes + offset, len);
    return true;
}

static bool nor_program(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len)
{
    struct nor *nor = ctx;

    for (size_t i = 0; i < len; i++) {
        if (nor->operations_left == 0) {
            nor->bytes[offset + i] &= bytes[i] | 0x55;
            return false;
        }
        nor->operations_left--;
        nor->bytes[offset + i] &= bytes[i];
    }
    return true;
}

static bool nor_erase(void *ctx, uint32_t offset)
{
    struct nor *nor = ctx;
    bool powered = nor->operations_left != 0;

    memset(nor->bytes + offset, 0xFF, powered ? UNIT : UNIT / 8);
    nor->operations_left -= powered;
    return powered;
}

static const struct th_flash_ops nor_ops = {nor_geometry, nor_read, nor_program, nor_erase};

static struct th_boot_record trial_of(uint8_t slot)
{
    struct th_boot_record record = {.slot = slot, .trial = true, .attempts = 3, .epoch = 7};
    memset(record.image, 0xAB, sizeof(record.image));
    record.starts = record.failures = record.refused = UINT32_MAX;
    return record;
}

static void the_layout_is_the_documented_one(void **state)
{
    (void)state;
    struct th_boot_record record = trial_of(1), back;
    uint8_t bytes[TH_BOOT_RECORD_BYTES];

    record.sequence = 0x01020304;
    th_boot_encode(&record, bytes);
    assert_memory_equal(bytes, "THBR\x01\x01\x01\x03\x04\x03\x02\x01\x07\0\0\0\xAB", 17);
    assert_memory_equal(bytes + 48, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    assert_memory_equal(bytes + 64,
                        "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 16);
    assert_true(th_boot_decode(bytes, &back));
    assert_memory_equal(&record.image, &back.image, sizeof(back.image));
    assert_int_equal(back.sequence, 0x01020304);
    assert_int_equal(back.epoch, 7);
    assert_true(back.trial && back.slot == 1 && back.attempts == 3);
}

static void no_flipped_bit_before_the_bit_fields_goes_unnoticed(void **state)
{
    (void)state;
    struct th_boot_record record = trial_of(0), back;
    uint8_t bytes[TH_BOOT_RECORD_BYTES];

    th_boot_encode(&record, bytes);
    for (unsigned bit = 0; bit < TH_BOOT_BITS_OFFSET * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(th_boot_decode(bytes, &back));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(th_boot_decode(bytes, &back));
}

static void the_newest_of_two_counts_also_where_the_sequence_wraps(void **state)
{
    (void)state;
    struct nor nor = {.operations_left = -1};
    struct th_boot_record record = trial_of(0), read;
    uint8_t bytes[TH_BOOT_RECORD_BYTES];

    memset(nor.bytes, 0xFF, sizeof(nor.bytes));
    assert_int_equal(th_boot_read(&nor_ops, &nor, units, &read), -1);
    record.sequence = UINT32_MAX;
    th_boot_encode(&record, bytes);
    memcpy(nor.bytes + units[0], bytes, sizeof(bytes));
    record.slot = 1;
    assert_true(th_boot_write(&nor_ops, &nor, units, &record));
    assert_int_equal(record.sequence, 0);
    assert_int_equal(th_boot_read(&nor_ops, &nor, units, &read), 1);
    assert_int_equal(read.slot, 1);
}

/* O9, R1: every byte is a moment for the power to go, with bits half programmed. */
static void a_power_cut_leaves_the_old_record_or_the_new_one(void **state)
{
    (void)state;
    for (int cut = 0;; cut++) {
        struct nor nor = {.operations_left = -1};
        struct th_boot_record old = trial_of(0), new = trial_of(1), read;

        memset(nor.bytes, 0, sizeof(nor.bytes));
        assert_true(th_boot_write(&nor_ops, &nor, units, &old));
        nor.operations_left = cut;
        bool done = th_boot_write(&nor_ops, &nor, units, &new);
        nor.operations_left = -1;
        assert_int_not_equal(th_boot_read(&nor_ops, &nor, units, &read), -1);
        assert_true(read.slot == 0 || read.slot == 1);
        assert_true(!done || read.slot == 1);
        /* The next write finds its way, whatever the cut left. */
        assert_true(th_boot_write(&nor_ops, &nor, units, &new));
        th_boot_read(&nor_ops, &nor, units, &read);
        assert_int_equal(read.slot, 1);
        if (done)
            break;
        assert_in_range(cut, 0, 200);
    }
}

static void follow(struct th_boot_record *record, const struct th_boot_choice *choice)
{
    record->starts &= choice->starts;
    record->failures &= choice->failures;
    record->refused &= choice->refused;
}

/* O11 */
static void a_trial_that_crashes_is_given_up_after_its_attempts(void **state)
{
    (void)state;
    struct th_boot_record record = trial_of(1);
    bool crashed = true; /* of the old image: not the trial's fault */

    for (int start = 0; start < 3; start++) {
        struct th_boot_choice choice = th_boot_choose(&record, crashed);
        assert_true(choice.trial && choice.slot == 1 && !choice.reverted);
        follow(&record, &choice);
    }
    struct th_boot_choice choice = th_boot_choose(&record, true);
    assert_true(choice.reverted && choice.slot == 0 && !choice.trial);
    follow(&record, &choice);
    choice = th_boot_choose(&record, false); /* and stays so */
    assert_true(choice.reverted && choice.slot == 0);
}

/* O10 */
static void power_cuts_do_not_condemn_a_trial_until_there_were_32(void **state)
{
    (void)state;
    struct th_boot_record record = trial_of(1);

    for (int start = 0; start < 32; start++) {
        struct th_boot_choice choice = th_boot_choose(&record, false);
        assert_true(choice.trial && choice.slot == 1);
        follow(&record, &choice);
        assert_int_equal(record.failures, UINT32_MAX);
    }
    struct th_boot_choice choice = th_boot_choose(&record, false);
    assert_true(choice.reverted && choice.slot == 0);
}

static void a_confirmed_record_is_followed_whatever_crashed(void **state)
{
    (void)state;
    struct th_boot_record record = trial_of(1);

    record.trial = false;
    struct th_boot_choice choice = th_boot_choose(&record, true);
    assert_true(choice.slot == 1 && !choice.trial && !choice.reverted);
    assert_int_equal(choice.failures, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(no_flipped_bit_before_the_bit_fields_goes_unnoticed),
        cmocka_unit_test(the_newest_of_two_counts_also_where_the_sequence_wraps),
        cmocka_unit_test(a_power_cut_leaves_the_old_record_or_the_new_one),
        cmocka_unit_test(a_trial_that_crashes_is_given_up_after_its_attempts),
        cmocka_unit_test(power_cuts_do_not_condemn_a_trial_until_there_were_32),
        cmocka_unit_test(a_confirmed_record_is_followed_whatever_crashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
