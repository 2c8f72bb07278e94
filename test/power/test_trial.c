/* SPDX-License-Identifier: MIT */
/* I6 O10 O11: the trial engine, through every path and with power cut at each of its writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/trial.h>

#include "ports/sim/flash.h"

#define UNIT 512u
#define KIND 2

static uint8_t cells[3 * UNIT], weak[3 * UNIT];
static struct sim_flash flash;
static struct th_log log_;
static struct th_trial trial;

static const struct th_trial_plan plan = {
    .component = TH_TRIAL_TRUST,
    .layers = 1u << TH_LAYER_TRUST | 1u << TH_LAYER_DATE,
    .attempts = 2,
    .crashes = 2,
};

static enum th_trial_order start(bool crash)
{
    const struct th_log_region region = {0, 3, 1};

    sim_flash_power_on(&flash, flash.seed + 1);
    assert_int_equal(th_log_mount(&log_, &sim_flash_ops, &flash, region, flash.seed), TH_OK);
    return th_trial_load(&trial, &log_, KIND, crash);
}

static int blank(void **state)
{
    (void)state;
    sim_flash_init(&flash, (struct th_flash_geometry){3 * UNIT, UNIT, 4}, cells, weak, 1);
    return start(false) == TH_TRIAL_GO_ON ? 0 : -1;
}

static enum th_trial_order lose(enum th_error error)
{
    struct th_failure failure = {.error = error};

    return th_trial_failed(&trial, &failure);
}

static void begin(void)
{
    assert_int_equal(th_trial_begin(&trial, &plan), TH_OK);
    assert_true(th_trial_running(&trial));
}

static void a_candidate_that_is_proved_is_kept(void **state)
{
    (void)state;
    begin();
    assert_int_equal(th_trial_proved(&trial), TH_TRIAL_KEEP);
    assert_int_equal(start(false), TH_TRIAL_KEEP); /* cut before the owner carried it out */
    assert_int_equal(th_trial_done(&trial), TH_OK);
    assert_int_equal(start(false), TH_TRIAL_GO_ON);
    assert_true(th_trial_last(&trial)->kept);
    assert_int_equal(th_trial_last(&trial)->component, TH_TRIAL_TRUST);
}

static void evidence_takes_it_back_once_the_old_set_is_proved(void **state)
{
    (void)state;
    begin();
    assert_int_equal(lose(TH_ERR_TRUST_UNKNOWN_CA), TH_TRIAL_GO_ON);
    assert_int_equal(lose(TH_ERR_TRUST_UNKNOWN_CA), TH_TRIAL_USE_OLD);
    assert_false(th_trial_running(&trial));
    assert_int_equal(th_trial_proved(&trial), TH_TRIAL_REVERT);
    assert_int_equal(th_trial_done(&trial), TH_OK);
    assert_false(th_trial_last(&trial)->kept);
    assert_int_equal(th_trial_last(&trial)->reason, TH_ERR_TRUST_UNKNOWN_CA);
}

static void failures_in_other_layers_are_no_evidence(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 50; i++) {
        assert_int_equal(lose(TH_ERR_TCP_TIMEOUT), TH_TRIAL_GO_ON);
        assert_int_equal(lose(TH_ERR_NAME_NOT_FOUND), TH_TRIAL_GO_ON);
    }
    assert_true(th_trial_running(&trial));
}

static void when_both_fail_the_surroundings_are_at_fault(void **state)
{
    (void)state;
    begin();
    for (int round = 1; round <= 3; round++) {
        lose(TH_ERR_TRUST_UNKNOWN_CA);
        assert_int_equal(lose(TH_ERR_DATE_EXPIRED), TH_TRIAL_USE_OLD);
        lose(TH_ERR_TCP_TIMEOUT);
        assert_int_equal(lose(TH_ERR_TCP_TIMEOUT), TH_TRIAL_USE_NEW);
    }
    assert_int_equal(th_trial_proved(&trial), TH_TRIAL_KEEP);
    th_trial_done(&trial);
    assert_int_equal(th_trial_last(&trial)->swaps, 3);
}

/* O10 */
static void power_cuts_are_no_evidence(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 100; i++) {
        lose(TH_ERR_TRUST_UNKNOWN_CA);
        assert_int_equal(start(false), TH_TRIAL_USE_NEW);
    }
}

/* O11 */
static void crashes_take_it_back_at_once(void **state)
{
    (void)state;
    begin();
    assert_int_equal(start(true), TH_TRIAL_USE_NEW);
    assert_int_equal(start(false), TH_TRIAL_USE_NEW);
    assert_int_equal(start(true), TH_TRIAL_REVERT);
    assert_int_equal(th_trial_done(&trial), TH_OK);
    assert_true(th_trial_last(&trial)->crashed);
    assert_int_equal(start(true), TH_TRIAL_GO_ON);
}

static void a_crash_of_the_old_set_is_not_the_candidates(void **state)
{
    (void)state;
    begin();
    lose(TH_ERR_TRUST_PIN);
    lose(TH_ERR_TRUST_PIN);
    for (int i = 0; i < 9; i++)
        assert_int_equal(start(true), TH_TRIAL_USE_OLD);
}

static void there_is_one_candidate_at_a_time(void **state)
{
    (void)state;
    begin();
    assert_int_equal(th_trial_begin(&trial, &plan), TH_ERR_BAD_STATE);
    assert_int_equal(th_trial_done(&trial), TH_ERR_BAD_STATE);
}

static void a_record_of_another_version_is_no_trial(void **state)
{
    (void)state;
    uint8_t raw[16] = {2, 1, 1, 3, 3};

    th_log_write(&log_, KIND, th_span_of(raw, sizeof raw));
    assert_int_equal(start(false), TH_TRIAL_GO_ON);
    raw[0] = 1;
    raw[1] = 77;
    th_log_write(&log_, KIND, th_span_of(raw, sizeof raw));
    assert_int_equal(start(true), TH_TRIAL_GO_ON);
}

/* A whole trial, both endings, with power cut at each flash operation: it always comes to the same
 * end once cuts stop, and never gives an order that contradicts one already carried out. */
static void cuts_anywhere_lead_to_the_same_end(void **state)
{
    (void)state;
    for (int ending = 0; ending < 2; ending++) {
        for (int tear = 0; tear < SIM_TEAR_KINDS; tear++) {
            for (uint32_t at = 0; at < 24; at++) {
                blank(NULL);
                sim_flash_cut(&flash, flash.operation + at, (enum sim_tear)tear);
                enum th_trial_order order =
                    th_trial_begin(&trial, &plan) ? start(false) : TH_TRIAL_USE_NEW;
                bool begun = order == TH_TRIAL_USE_NEW;
                for (int step = 0;
                     begun && order != TH_TRIAL_KEEP && order != TH_TRIAL_REVERT && step < 40;
                     step++) {
                    if (flash.dead)
                        order = start(false);
                    else if (trial.state == TH_TRIAL_NEW && ending == 1)
                        order = lose(TH_ERR_TRUST_PIN);
                    else
                        order = th_trial_proved(&trial);
                }
                if (!begun)
                    continue;
                assert_int_equal(order, ending ? TH_TRIAL_REVERT : TH_TRIAL_KEEP);
                if (th_trial_done(&trial) != TH_OK) {
                    enum th_trial_order again = start(false);
                    assert_true(again == order || again == TH_TRIAL_GO_ON);
                    if (again == order)
                        assert_int_equal(th_trial_done(&trial), TH_OK);
                }
                assert_int_equal(start(false), TH_TRIAL_GO_ON);
                assert_int_equal(th_trial_last(&trial)->kept, !ending);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_candidate_that_is_proved_is_kept, blank),
        cmocka_unit_test_setup(evidence_takes_it_back_once_the_old_set_is_proved, blank),
        cmocka_unit_test_setup(failures_in_other_layers_are_no_evidence, blank),
        cmocka_unit_test_setup(when_both_fail_the_surroundings_are_at_fault, blank),
        cmocka_unit_test_setup(power_cuts_are_no_evidence, blank),
        cmocka_unit_test_setup(crashes_take_it_back_at_once, blank),
        cmocka_unit_test_setup(a_crash_of_the_old_set_is_not_the_candidates, blank),
        cmocka_unit_test_setup(there_is_one_candidate_at_a_time, blank),
        cmocka_unit_test_setup(a_record_of_another_version_is_no_trial, blank),
        cmocka_unit_test(cuts_anywhere_lead_to_the_same_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
