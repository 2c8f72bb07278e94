/* SPDX-License-Identifier: MIT */
/*
 * No loss at QoS 1, exactly once at QoS 2, order kept: over every cut, every crash and some
 * thousands of schedules in which everything goes wrong at once. What fails prints the seed that
 * replays it: test_qos_model SEED [MUTANT].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "qos_model.h"

/* Seeds tried: more of them in a full test. */
static uint64_t random_runs(void)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");
    return mode != NULL && strcmp(mode, "full") == 0 ? 100000 : 4000;
}

static void check(const struct model_plan *plan, const char *what, uint32_t a, uint32_t b)
{
    struct model_result result = model_run(plan);
    if (result.wrong != NULL)
        fail_msg("%s %u %u, version %u, seed %llu: %s (%u)", what, a, b, plan->version,
                 (unsigned long long)plan->seed, result.wrong, result.number);
}

static void without_a_fault_everything_arrives_once(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        for (uint8_t version = 4; version <= 5; version++) {
            struct model_plan plan = model_plan_of(seed, version);
            plan.out_count = plan.in_count = 30;
            struct model_result result = model_run(&plan);
            if (result.wrong != NULL)
                fail_msg("version %u, seed %llu: %s (%u)", version, (unsigned long long)seed,
                         result.wrong, result.number);
            assert_int_equal(result.repeats, 0);
            assert_int_equal(result.connections, 1);
        }
    }
}

/* One direction of the first connection, cut or silent after every byte of it in turn. */
static void each_byte(uint8_t version, bool up, bool silent)
{
    for (uint32_t at = 1;; at++) {
        struct model_plan plan = model_plan_of(at, version);
        struct th_sim_fault *fault = &plan.faults[0];
        *(up ? (silent ? &fault->silent_up : &fault->cut_up)
             : (silent ? &fault->silent_down : &fault->cut_down)) = at;
        struct model_result result = model_run(&plan);
        if (result.wrong != NULL)
            fail_msg("version %u, %s %s after byte %u: %s (%u)", version, up ? "up" : "down",
                     silent ? "silent" : "cut", at, result.wrong, result.number);
        if (result.connections == 1)
            break;
        assert_true(at < 2000);
    }
}

static void a_cut_after_any_byte_in_either_direction_loses_and_repeats_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++)
        each_byte(i & 1 ? 5 : 4, i & 2, i & 4);
}

/* The broker goes away once, and comes back knowing nobody or everybody. */
static void a_cut_after_any_byte_and_a_broker_that_restarts_lose_nothing(void **state)
{
    (void)state;
    for (uint32_t at = 1; at < 260; at++) {
        for (uint32_t variant = 0; variant < 8; variant++) {
            struct model_plan plan = model_plan_of(at, variant & 1 ? 5 : 4);
            plan.faults[0].cut_up = variant & 2 ? at : 0;
            plan.faults[0].cut_down = variant & 2 ? 0 : at;
            plan.loses_session = variant & 4;
            plan.restart_every_ms = 200; /* between 100 and 300 ms */
            plan.faults_until_ms = 300;
            check(&plan, "restart, cut", variant, at);
        }
    }
}

/* Two cuts: the second one in the repetition that follows the first. */
static void a_cut_after_any_byte_and_another_one_after_it(void **state)
{
    (void)state;
    for (uint32_t first = 20; first < 260; first += 3) {
        for (uint32_t second = 1; second < 200; second += 4) {
            struct model_plan plan = model_plan_of(first * 1000 + second, first & 1 ? 5 : 4);
            plan.faults[0].cut_up = first & 2 ? first : 0;
            plan.faults[0].cut_down = first & 2 ? 0 : first;
            plan.faults[1].cut_up = second & 4 ? second : 0;
            plan.faults[1].cut_down = second & 4 ? 0 : second;
            check(&plan, "cuts", first, second);
        }
    }
}

/* R5, DESIGN "What QoS promises": the client dies before or after each change of its outbox. */
static void a_crash_in_any_change_of_the_outbox_loses_and_repeats_nothing(void **state)
{
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        for (uint32_t op = 1;; op++) {
            struct model_plan plan = model_plan_of(op, variant & 1 ? 5 : 4);
            plan.crash_in_op[0] = op;
            plan.crash_after[0] = variant & 2;
            plan.crash_loses_sent = variant & 4;
            struct model_result result = model_run(&plan);
            if (result.wrong != NULL)
                fail_msg("variant %d, crash in change %u: %s (%u)", variant, op, result.wrong,
                         result.number);
            if (result.crashes == 0)
                break;
            assert_true(op < 500);
        }
    }
}

static void a_crash_in_any_change_and_another_one_after_the_restart(void **state)
{
    (void)state;
    for (uint32_t first = 1; first < 36; first++) {
        for (uint32_t second = 1; second < 30; second++) {
            for (uint32_t variant = 0; variant < 8; variant++) {
                struct model_plan plan = model_plan_of(first * 100 + second, variant & 1 ? 5 : 4);
                plan.crash_in_op[0] = first;
                plan.crash_in_op[1] = second;
                plan.crash_after[0] = plan.crash_after[1] = variant & 2;
                plan.crash_loses_sent = variant & 4;
                check(&plan, "crashes", first, second);
            }
        }
    }
}

/* R5: the medium refuses the n-th change, once, and then for good; here for long. */
static void a_medium_that_fails_in_any_change_loses_and_repeats_nothing(void **state)
{
    (void)state;
    for (uint32_t variant = 0; variant < 8; variant++) {
        for (uint32_t op = 1; op < 45; op++) {
            struct model_plan plan = model_plan_of(op, variant & 1 ? 5 : 4);
            plan.medium_fails = op;
            plan.medium_fails_for = variant & 2 ? 20 : 1;
            plan.streams = variant & 4;
            check(&plan, "medium", variant, op);
        }
    }
}

/* Messages whose payload is read from a source while they leave, again from its beginning after
 * each cut. */
static void a_cut_after_any_byte_of_streamed_messages_loses_and_repeats_nothing(void **state)
{
    (void)state;
    for (uint32_t at = 1; at < 700; at++) {
        for (uint8_t version = 4; version <= 5; version++) {
            struct model_plan plan = model_plan_of(at, version);
            plan.streams = true;
            plan.out_count = 7;
            plan.faults[0].cut_up = plan.faults[1].cut_up = at;
            check(&plan, "streamed, cut", at, at);
        }
    }
}

static void everything_at_once_by_many_seeds(void **state)
{
    (void)state;
    uint64_t connections = 0, crashes = 0, losses = 0, repeats = 0, runs = random_runs();
    for (uint64_t seed = 0; seed < runs; seed++) {
        struct model_plan plan = model_plan_random(seed);
        struct model_result result = model_run(&plan);
        if (result.wrong != NULL)
            fail_msg("replay with: test_qos_model %llu: %s (%u)", (unsigned long long)seed,
                     result.wrong, result.number);
        connections += result.connections;
        crashes += result.crashes;
        losses += result.losses;
        repeats += result.repeats;
    }
    print_message("%llu runs: %llu connections, %llu crashes, %llu sessions lost, %llu repeats\n",
                  (unsigned long long)runs, (unsigned long long)connections,
                  (unsigned long long)crashes, (unsigned long long)losses,
                  (unsigned long long)repeats);
    assert_true(connections > 3 * runs && crashes > runs && losses > runs / 5 && repeats > runs);
}

/* The test can fail: each client that does one thing wrong is found out. */
static void every_mutant_breaks_a_promise(void **state)
{
    (void)state;
    for (int mutant = MODEL_NO_MUTANT + 1; mutant < MODEL_MUTANTS; mutant++) {
        uint64_t seed = 0;
        struct model_result result = {.wrong = NULL};
        while (seed < 400 && result.wrong == NULL) {
            struct model_plan plan = model_plan_random(seed++);
            plan.mutant = (enum model_mutant)mutant;
            result = model_run(&plan);
        }
        if (result.wrong == NULL)
            fail_msg("mutant %d was not found out", mutant);
        print_message("mutant %d: seed %llu: %s\n", mutant, (unsigned long long)seed - 1,
                      result.wrong);
    }
}

static int replay(const char *seed, const char *mutant)
{
    struct model_plan plan = model_plan_random(strtoull(seed, NULL, 10));
    plan.mutant = (enum model_mutant)(mutant != NULL ? atoi(mutant) : 0);
    struct model_result result = model_run(&plan);
    printf("%u connections, %u crashes, %u sessions lost, %u repeats: %s (%u)\n",
           result.connections, result.crashes, result.losses, result.repeats,
           result.wrong != NULL ? result.wrong : "all promises kept", result.number);
    return result.wrong != NULL;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fault_everything_arrives_once),
        cmocka_unit_test(a_cut_after_any_byte_in_either_direction_loses_and_repeats_nothing),
        cmocka_unit_test(a_cut_after_any_byte_and_a_broker_that_restarts_lose_nothing),
        cmocka_unit_test(a_cut_after_any_byte_and_another_one_after_it),
        cmocka_unit_test(a_crash_in_any_change_of_the_outbox_loses_and_repeats_nothing),
        cmocka_unit_test(a_crash_in_any_change_and_another_one_after_the_restart),
        cmocka_unit_test(a_medium_that_fails_in_any_change_loses_and_repeats_nothing),
        cmocka_unit_test(a_cut_after_any_byte_of_streamed_messages_loses_and_repeats_nothing),
        cmocka_unit_test(everything_at_once_by_many_seeds),
        cmocka_unit_test(every_mutant_breaks_a_promise),
    };
    if (argc > 1)
        return replay(argv[1], argc > 2 ? argv[2] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
