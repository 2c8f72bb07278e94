/* SPDX-License-Identifier: MIT */
/* I5 I11: a device renews its certificate, and whatever the agent answers, or does not, it keeps
 * what it has until the new one has connected. Certificates are real here, TLS is a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world_renewals.h"

#define MINUTE 60000u
#define HOUR   (60u * MINUTE)
#define DAY    (24u * HOUR)

static struct device_world world;
static struct world_renewals renewals;

static void begin_for(uint64_t seed, uint32_t start_ms, int64_t valid_s)
{
    world_begin(&world, seed, start_ms);
    world_renewals_begin(&renewals, &world);
    renewals.valid_s = valid_s;
    world_enrol(&world, true);
    assert_true(world_comes_up(&world, MINUTE));
    world_run(&world, 5000);
    world_renews_now(&renewals); /* what it was enrolled with is no certificate here */
}

#define HALF_A_YEAR_S (180 * 86400)

static void begin(uint64_t seed)
{
    begin_for(seed, 0, HALF_A_YEAR_S);
}

/* In long slices: nothing dies in between. */
static void pass(uint64_t for_ms)
{
    for (; for_ms > MINUTE; for_ms -= MINUTE)
        th_sim_run(world.sim, MINUTE);
    th_sim_run(world.sim, for_ms);
}

static int64_t now_s(void)
{
    return sim_time_now(&world.times) / 1000;
}

static void pass_until(int64_t at_s)
{
    if (at_s > now_s())
        pass((uint64_t)(at_s - now_s()) * 1000);
}

static bool is_idle(void)
{
    struct th_identity_report report;

    th_identity_report(&world.device.identity, &report);
    return world_is_up(&world) && th_trial_component(&world.device.trial) == TH_TRIAL_NOTHING &&
           !report.certified;
}

static bool serial_is(const uint8_t serial[20])
{
    return memcmp(renewals.renew.serial, serial, 20) == 0;
}

/* ---- it renews ---- */

static void a_renewal_makes_a_new_key_and_the_old_one_goes(void **state)
{
    uint8_t key[TH_SEC1_KEY], serial[20];

    (void)state;
    begin(1);
    memcpy(key, world.device.credential.key, sizeof key);
    memcpy(serial, renewals.renew.serial, sizeof serial);
    unsigned full = world.servers[0].full, resumed = world.servers[0].resumed;
    uint32_t programs = world.flash.programs, erases = world.flash.erases;
    world_renews_now(&renewals);
    printf("a renewal: %u programs, %u erases\n", world.flash.programs - programs,
           world.flash.erases - erases);
    assert_memory_not_equal(world.device.credential.key, key, sizeof key);
    assert_false(serial_is(serial));
    assert_false(world_holds(&world, key + 7, 32));
    assert_int_equal(world.servers[0].full, full + 1); /* I11 */
    assert_int_equal(world.servers[0].resumed, resumed);
    assert_true(world_logged(&world, "\"component\":\"identity\",\"kept\":true") > 0);
    world_end(&world);
}

static void it_renews_by_itself_about_half_of_its_life(void **state)
{
    (void)state;
    begin(2);
    int64_t life_s = renewals.renew.not_after_s - renewals.renew.not_before_s;
    int64_t half_s = renewals.renew.not_before_s + life_s / 2, due_s = renewals.renew.due_s;
    assert_true(due_s >= half_s - life_s / 16 && due_s <= half_s + life_s / 16 + 1);
    pass_until(due_s - 60);
    assert_int_equal(renewals.issued, 1);
    world_start(&world, TH_RESET_POWER_ON); /* does not change when */
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(renewals.renew.due_s, due_s);
    pass(10 * MINUTE);
    assert_int_equal(renewals.issued, 2);
    assert_true(is_idle());
    assert_true(renewals.renew.not_before_s > due_s - 700);
    world_end(&world);
}

static void devices_of_one_day_do_not_renew_on_one_day(void **state)
{
    int64_t first_s = INT64_MAX, last_s = 0;

    (void)state;
    for (uint64_t seed = 100; seed < 120; seed++) {
        begin(seed);
        if (renewals.renew.due_s < first_s)
            first_s = renewals.renew.due_s;
        if (renewals.renew.due_s > last_s)
            last_s = renewals.renew.due_s;
        world_end(&world);
    }
    assert_true(last_s - first_s > 10 * 86400); /* of the 22 days it can be */
}

/* R8 */
static void it_renews_over_the_wrap_of_the_counter(void **state)
{
    (void)state;
    begin_for(3, UINT32_MAX - 90000, HALF_A_YEAR_S);
    assert_int_equal(renewals.issued, 1);
    pass_until(renewals.renew.due_s + 3600);
    assert_int_equal(renewals.issued, 2);
    assert_true(is_idle());
    world_end(&world);
}

/* ---- the agent's moods ---- */

static const struct {
    enum world_agent_mood mood;
    const char *reason; /* in its history */
} moods[] = {
    {AGENT_IS_AWAY, "RENEW_UNANSWERED"},
    {AGENT_GIVES_ANOTHER_KEY, "RENEW_CERTIFICATE"},
    {AGENT_GIVES_ANOTHER_NAME, "RENEW_CERTIFICATE"},
    {AGENT_REPLAYS, "RENEW_CERTIFICATE"},
    {AGENT_REPLAYS_AN_ANSWER, "RENEW_UNANSWERED"},
    {AGENT_REFUSES, "RENEW_REFUSED"},
    {AGENT_SAYS_THE_KEY_IS_USED, "RENEW_REFUSED"},
    {AGENT_BABBLES, "RENEW_CERTIFICATE"},
    {AGENT_STOPS_HALF_WAY, "RENEW_UNANSWERED"},
};

static void what_is_no_answer_changes_nothing_and_is_told(void **state)
{
    uint8_t serial[20], key[TH_SEC1_KEY];

    (void)state;
    for (size_t i = 0; i < sizeof moods / sizeof moods[0]; i++) {
        begin(10 + i);
        memcpy(serial, renewals.renew.serial, sizeof serial);
        memcpy(key, world.device.credential.key, sizeof key);
        renewals.mood = moods[i].mood;
        unsigned asked = renewals.asked;
        assert_int_equal(th_renew_now(&renewals.renew, th_sim_now_ms(world.sim)), TH_OK);
        th_sim_node_wake_in(&world.node, 0);
        world_run(&world, MINUTE);
        assert_true(renewals.asked > asked && renewals.asked <= asked + TH_RENEW_ASKS);
        assert_true(is_idle() && serial_is(serial));
        assert_memory_equal(world.device.credential.key, key, sizeof key);
        if (world_logged(&world, moods[i].reason) == 0)
            fail_msg("mood %d: no %s in the log", moods[i].mood, moods[i].reason);
        /* It comes through once the agent is as it should be. */
        renewals.mood = AGENT_GIVES;
        if (moods[i].mood == AGENT_GIVES_ANOTHER_KEY || moods[i].mood == AGENT_GIVES_ANOTHER_NAME)
            memset(&renewals.given[1], 0, sizeof renewals.given[1]);
        world_renews_now(&renewals);
        assert_false(serial_is(serial));
        world_end(&world);
    }
}

static void the_agent_may_be_away_for_a_month(void **state)
{
    uint8_t serial[20];

    (void)state;
    begin(30);
    memcpy(serial, renewals.renew.serial, sizeof serial);
    pass_until(renewals.renew.due_s - 3600);
    renewals.mood = AGENT_IS_AWAY;
    unsigned asked = renewals.asked;
    pass(2 * DAY);
    uint32_t programs = world.flash.programs, erases = world.flash.erases;
    pass(28 * DAY);
    printf("a month without the agent: asked %u times; %u programs, %u erases in 28 days\n",
           renewals.asked - asked, world.flash.programs - programs, world.flash.erases - erases);
    assert_true(renewals.asked - asked > 25 * TH_RENEW_ASKS);
    assert_true(renewals.asked - asked < 60 * TH_RENEW_ASKS);
    assert_true(world.flash.erases - erases <= 28 * 2); /* the history's budget; no keys */
    assert_true(is_idle() && serial_is(serial));
    renewals.mood = AGENT_GIVES;
    pass(36 * HOUR);
    assert_false(serial_is(serial));
    assert_true(is_idle());
    world_end(&world);
}

/* C3 C4: what it issues begins in 2040, and no broker takes it now. */
static void an_agent_in_2040_cannot_lock_the_device_out(void **state)
{
    uint8_t serial[20];

    (void)state;
    begin(31);
    int64_t floor_s = world.device.clock.floor_s;
    memcpy(serial, renewals.renew.serial, sizeof serial);
    world.agent_off_ms = 14 * WORLD_YEAR_S * 1000;
    world.servers[0].not_after_s = WORLD_NOW_S + 30 * WORLD_YEAR_S;
    unsigned issued = renewals.issued;
    uint32_t erases = world.flash.erases;
    pass(10 * DAY);
    printf("ten days with an agent in 2040: %u certificates, %u erases\n", renewals.issued - issued,
           world.flash.erases - erases);
    assert_true(renewals.issued > issued && renewals.issued - issued < 25);
    assert_true(serial_is(serial));
    assert_int_equal(world.device.clock.floor_s, floor_s); /* C1 C3 */
    assert_true(world_logged(&world, "\"component\":\"identity\",\"kept\":false") > 0);
    world.agent_off_ms = 0;
    pass(2 * DAY);
    assert_true(is_idle() && serial_is(serial)); /* it is not due by the true time */
    world_end(&world);
}

/* ---- the network ---- */

static void a_broker_that_goes_away_in_between_costs_nothing(void **state)
{
    (void)state;
    for (uint32_t after_ms = 0; after_ms < 1500; after_ms += 37) {
        uint8_t serial[20];

        begin_for(40, 0, 7200);
        memcpy(serial, renewals.renew.serial, sizeof serial);
        pass_until(renewals.renew.due_s - 1);
        world_run(&world, 1000 + after_ms);
        th_sim_broker_stop(world.servers[0].broker);
        world_run(&world, 20000);
        th_sim_broker_start(world.servers[0].broker, true);
        pass(30 * MINUTE);
        assert_true(is_idle());
        assert_false(serial_is(serial));
        assert_true(renewals.issued <= 3);
        world_end(&world);
    }
}

static void it_waits_for_another_change_on_trial(void **state)
{
    uint8_t serial[20];

    (void)state;
    begin(50);
    memcpy(serial, renewals.renew.serial, sizeof serial);
    world.agent_silent = true;
    assert_int_equal(world_try(&world, "", "mqtt.keep_alive", "30", NULL), TH_OK);
    assert_int_equal(th_renew_now(&renewals.renew, th_sim_now_ms(world.sim)), TH_ERR_BAD_STATE);
    world_run(&world, 10 * MINUTE);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_SETTINGS);
    world.agent_silent = false;
    world_run(&world, 24 * HOUR);
    assert_int_equal(th_trial_component(&world.device.trial), TH_TRIAL_NOTHING);
    assert_true(serial_is(serial));
    world_renews_now(&renewals);
    assert_false(serial_is(serial));
    world_end(&world);
}

static void a_device_without_an_agent_says_so(void **state)
{
    (void)state;
    world_begin(&world, 60, 0);
    world_renewals_begin(&renewals, &world);
    world_enrol(&world, false);
    assert_true(world_comes_up(&world, MINUTE));
    assert_int_equal(th_renew_now(&renewals.renew, th_sim_now_ms(world.sim)), TH_ERR_CONFIG);
    world_end(&world);
}

static int make_root(void **state)
{
    (void)state;
    world_renewals_root();
    return 0;
}

static int free_root(void **state)
{
    (void)state;
    world_renewals_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_renewal_makes_a_new_key_and_the_old_one_goes),
        cmocka_unit_test(it_renews_by_itself_about_half_of_its_life),
        cmocka_unit_test(devices_of_one_day_do_not_renew_on_one_day),
        cmocka_unit_test(it_renews_over_the_wrap_of_the_counter),
        cmocka_unit_test(what_is_no_answer_changes_nothing_and_is_told),
        cmocka_unit_test(the_agent_may_be_away_for_a_month),
        cmocka_unit_test(an_agent_in_2040_cannot_lock_the_device_out),
        cmocka_unit_test(a_broker_that_goes_away_in_between_costs_nothing),
        cmocka_unit_test(it_waits_for_another_change_on_trial),
        cmocka_unit_test(a_device_without_an_agent_says_so),
    };

    return cmocka_run_group_tests(tests, make_root, free_root);
}
