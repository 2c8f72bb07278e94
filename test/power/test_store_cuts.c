/* SPDX-License-Identifier: MIT */
/*
 * R1 C1 O10 O11: settings, trials, the clock floor and the boot record, with power cut at each
 * operation of the flash under each tear, and again in the recovery from that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot_device.h"
#include "store_device.h"

/* One cut everywhere under three seeds, then two cuts: in the first two actions, or with --full in
 * all of them. */
static void cut(const struct power_scenario *scenario, const uint8_t *actions, size_t count)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");
    bool full = mode != NULL && strcmp(mode, "full") == 0;
    uint64_t single = 0, pairs = 0;
    bool good = power_cut(scenario, actions, count, 0, 3, &single) &&
                power_cut(scenario, actions, full ? count : 2, power_second_tears(), 1, &pairs);

    print_message("%s: %llu cuts, %llu with a second one\n", scenario->name,
                  (unsigned long long)single, (unsigned long long)pairs);
    assert_true(good);
}

#define CUT(scenario, ...)                           \
    do {                                             \
        static const uint8_t list[] = {__VA_ARGS__}; \
        cut(scenario, list, sizeof list);            \
    } while (0)

static void a_settings_commit_is_the_old_set_or_the_new_one(void **state)
{
    (void)state;
    CUT(&store_settings, STORE_COMMIT, STORE_COMMIT, STORE_COMMIT, STORE_COMMIT);
}

static void the_clock_floor_only_rises(void **state)
{
    (void)state;
    CUT(&store_settings, STORE_FLOOR, STORE_COMMIT, STORE_FLOOR, STORE_FLOOR, STORE_FLOOR);
}

static void a_trial_that_is_proved_is_kept(void **state)
{
    (void)state;
    CUT(&store_trials, STORE_BEGIN, STORE_PROVED, STORE_BEGIN, STORE_PROVED, STORE_COMMIT);
}

static void a_trial_with_evidence_against_it_is_taken_back(void **state)
{
    (void)state;
    CUT(&store_trials, STORE_BEGIN, STORE_FAILED, STORE_PROVED, STORE_COMMIT);
}

/* I6: both sets fail, the surroundings are at fault, and the candidate is tried again. */
static void a_trial_where_both_fail_goes_on(void **state)
{
    (void)state;
    CUT(&store_trials, STORE_BEGIN, STORE_FAILED, STORE_FAILED, STORE_FAILED, STORE_FAILED,
        STORE_PROVED);
}

static void a_trial_that_crashes_is_taken_back(void **state)
{
    (void)state;
    CUT(&store_trials, STORE_BEGIN, STORE_CRASH, STORE_CRASH, STORE_COMMIT);
}

/* O9 */
static void the_boot_record_is_the_old_one_or_the_new_one(void **state)
{
    (void)state;
    CUT(&boot_record, BOOT_TRY_OTHER, BOOT_CONFIRM, BOOT_TRY_OTHER, BOOT_CRASH, BOOT_CONFIRM,
        BOOT_TRY_OTHER, BOOT_CRASH, BOOT_CRASH, BOOT_CRASH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_settings_commit_is_the_old_set_or_the_new_one),
        cmocka_unit_test(the_clock_floor_only_rises),
        cmocka_unit_test(a_trial_that_is_proved_is_kept),
        cmocka_unit_test(a_trial_with_evidence_against_it_is_taken_back),
        cmocka_unit_test(a_trial_where_both_fail_goes_on),
        cmocka_unit_test(a_trial_that_crashes_is_taken_back),
        cmocka_unit_test(the_boot_record_is_the_old_one_or_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
