/* SPDX-License-Identifier: MIT */
/*
 * I5 I6 I7 I9 O10 R1 T11: the whole device with power cut at every flash operation of a change,
 * under each tear, and once more while it recovers (a fifth of them under each tear, all in full
 * mode). Afterwards: old or new, whole; it connects; the trial ends; what was reset is gone.
 * THIMBLE_TEST_MODE=full cuts twice under all tears.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recovery_agent.h"
#include "world_renewals.h"

#define MINUTE    60000u
#define FLASH     (128u * 1024)
#define NEVER     UINT32_MAX
#define LATER_MAX 12 /* operations of a recovery that are cut as well */

static struct device_world world;
static struct world_renewals renewals;
static struct recovery_agent recoveries;
static uint8_t enrolled_flash[2][FLASH]; /* without and with an agent */
static uint8_t key[TH_SEC1_KEY];         /* of the enrolled device */
static unsigned runs;

static int enrol_once(void **state)
{
    (void)state;
    world_renewals_root();
    for (int agent = 0; agent < 2; agent++) {
        world_begin(&world, 1, 0);
        world_recovers(&world);
        world_enrol(&world, agent == 1);
        assert_true(world_comes_up(&world, MINUTE));
        world_run(&world, 5000);
        memcpy(enrolled_flash[agent], world.flash.cells, FLASH);
        if (agent == 0)
            memcpy(key, world.device.credential.key, sizeof key);
        world_end(&world);
    }
    return 0;
}

static int free_root(void **state)
{
    (void)state;
    world_renewals_end();
    return 0;
}

/* ---- changes ---- */

static void change_keep_alive(void)
{
    world_try(&world, "", "mqtt.keep_alive", "30", NULL);
}

static void change_to_a_bad_broker(void)
{
    world_try(&world, "", "mqtt.server", "nowhere.example", "mqtt.keep_alive", "30", NULL);
}

static void bundle_of(const struct world_bundle *bundle)
{
    static uint8_t bytes[TH_TRUST_BUNDLE_MAX];
    size_t len = world_bundle(&world, bundle, bytes);

    th_device_try_trust(&world.device, th_span_of(bytes, len), "", th_sim_now_ms(world.sim));
}

static void good_bundle(void)
{
    bundle_of(&(struct world_bundle){.sequence = 2, .broker = "two.example"});
}

static void bad_bundle(void)
{
    bundle_of(&(struct world_bundle){.sequence = 2, .anchor = 2});
}

static void renewal(void)
{
    static const uint8_t chain[] = {0x30, 8, 'c', 'h', 'a', 'i', 'n', '-', 'n', '2'};
    struct th_device *device = &world.device;

    if (th_identity_next_make(&device->identity, &world.crypto, &world.board, TH_SPAN("lamp")) ==
            TH_OK &&
        th_identity_next_certify(&device->identity, th_span_of(chain, sizeof chain)) == TH_OK)
        th_device_try_identity(device, "", th_sim_now_ms(world.sim));
}

static void refused_renewal(void)
{
    world.servers[0].refuses_next = true;
    renewal();
}

/* Key, request, agent, certificate and trial: all of it. */
static void renewal_by_the_agent(void)
{
    th_renew_now(&renewals.renew, th_sim_now_ms(world.sim));
}

/* The certificate has ended: the birth certificate gets another. */
static void recovery(void)
{
    world.servers[0].refuses_old = true;
    th_link_restart(&world.device.link, th_sim_now_ms(world.sim), true);
}

static void factory_reset(void)
{
    th_device_factory_reset(&world.device, TH_RESET_FACTORY, th_sim_now_ms(world.sim));
}

/* ---- what must hold when all is over ---- */

static bool connected_and_decided(void)
{
    return world_is_up(&world) && th_trial_component(&world.device.trial) == TH_TRIAL_NOTHING &&
           strcmp(world_setting(&world, "wifi.sta.pass"), "secret words") == 0 &&
           strcmp(world_setting(&world, "mode"), "mqtt") == 0 &&
           th_log_len(&world.device.log, TH_RECORD_SETTINGS_NEXT) == 0;
}

static bool keep_alive_is(const char *value)
{
    return strcmp(world_setting(&world, "mqtt.keep_alive"), value) == 0;
}

static bool old_or_new_settings(void)
{
    return connected_and_decided() && (keep_alive_is("30") || keep_alive_is("60"));
}

static bool old_settings(void)
{
    return connected_and_decided() && keep_alive_is("60") &&
           world_setting(&world, "mqtt.server")[0] == '\0';
}

static bool old_or_new_broker(void)
{
    return connected_and_decided() &&
           (th_sim_broker_has(world.servers[0].broker, "lamp") ||
            th_sim_broker_has(world.servers[1].broker, "lamp")) &&
           th_identity_trust_len(&world.device.identity, TH_NEXT) == 0;
}

static bool old_broker(void)
{
    return connected_and_decided() && th_sim_broker_has(world.servers[0].broker, "lamp") &&
           th_identity_trust_len(&world.device.identity, TH_NEXT) == 0;
}

/* A next key whose trial was never begun may stay: the renewal goes on with it. */
static bool old_or_new_identity(void)
{
    return connected_and_decided() &&
           world_holds(&world, "chain-o1", 8) !=
               (world.device.us.chain[0].len > 9 && world.device.us.chain[0].at[8] == 'n');
}

static bool old_identity(void)
{
    return connected_and_decided() && world.device.us.chain[0].at[8] == 'o';
}

/* What was asked for is asked for again after the cut: then it is done, over one key or another. */
static bool renewed_in_the_end(void)
{
    struct th_identity_report report;

    if (!connected_and_decided())
        return false;
    world_renews_now(&renewals);
    th_identity_report(&world.device.identity, &report);
    return connected_and_decided() && !report.requested && !world_holds(&world, "chain-o1", 8) &&
           renewals.issued <= 2;
}

static bool another_identity(void)
{
    return connected_and_decided() && world.device.us.chain[0].len > 100 &&
           !world_holds(&world, "chain-o1", 8);
}

static bool untouched_or_without_a_secret(void)
{
    if (th_device_mode(&world.device) == TH_MODE_MQTT)
        return connected_and_decided();
    return th_device_mode(&world.device) == TH_MODE_CONFIG && !world_holds(&world, key + 7, 32) &&
           !world_holds(&world, "secret words", 12) && !world_holds(&world, "SSSSSSSS", 8) &&
           !world_holds(&world, "chain-o1", 8);
}

static const struct scenario {
    const char *name;
    void (*act)(void);
    bool (*holds)(void);
    int agent;
} scenarios[] = {
    {"settings that connect", change_keep_alive, old_or_new_settings, 0},
    {"settings with a bad broker", change_to_a_bad_broker, old_settings, 0},
    {"a trust bundle", good_bundle, old_or_new_broker, 0},
    {"a trust bundle that locks out", bad_bundle, old_broker, 0},
    {"a renewal", renewal, old_or_new_identity, 0},
    {"a refused renewal", refused_renewal, old_identity, 0},
    {"a renewal by the agent", renewal_by_the_agent, renewed_in_the_end, 1},
    {"a recovery", recovery, another_identity, 0},
    {"a factory reset", factory_reset, untouched_or_without_a_secret, 0},
};

/* ---- cutting ---- */

struct cuts {
    uint32_t first, second; /* operations since power came on, NEVER: none */
    enum sim_tear first_tear, second_tear;
};

/* Runs up to the next cut, or for three minutes; true when power was cut. */
static bool run_to_cut(uint32_t operation, enum sim_tear tear)
{
    sim_flash_cut(&world.flash, operation, tear);
    for (int second = 0; second < 180 && !world.flash.dead; second++) {
        if (world.restarts)
            world_start(&world, TH_RESET_REQUESTED);
        th_sim_run(world.sim, 1000);
    }
    bool dead = world.flash.dead;
    sim_flash_cut(&world.flash, NEVER, SIM_TEAR_NOTHING);
    return dead;
}

/* False once the first cut would come after the last operation. `*again`: the second one came. */
static bool run_one(const struct scenario *scenario, const struct cuts *cuts, bool *again)
{
    bool cut;

    runs++;
    world_begin(&world, cuts->first * 7 + cuts->second, 0);
    world_recovers(&world);
    recovery_agent_begin(&recoveries, &world);
    if (scenario->agent)
        world_renewals_begin(&renewals, &world);
    memcpy(world.flash.cells, enrolled_flash[scenario->agent], FLASH);
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(world_comes_up(&world, MINUTE));
    uint32_t before = world.flash.operation;
    sim_flash_cut(&world.flash, cuts->first == NEVER ? NEVER : before + cuts->first,
                  cuts->first_tear);
    scenario->act();
    th_sim_node_wake_in(&world.node, 0);
    cut = world.flash.dead ||
          run_to_cut(cuts->first == NEVER ? NEVER : before + cuts->first, cuts->first_tear);
    *again = false;
    if (cut) {
        world_start(&world, TH_RESET_POWER_ON);
        if (cuts->second != NEVER)
            *again = run_to_cut(cuts->second, cuts->second_tear);
        if (*again)
            world_start(&world, TH_RESET_POWER_ON);
    }
    world_run(&world, 5 * MINUTE);
    if (!scenario->holds())
        fail_msg("%s: cut at %u (tear %d), then at %u (tear %d)", scenario->name, cuts->first,
                 cuts->first_tear, cuts->second, cuts->second_tear);
    world_end(&world);
    return cut;
}

static void cut_twice(const struct scenario *scenario, struct cuts cuts, bool full)
{
    bool again = true;

    for (int tear = 0; tear < SIM_TEAR_KINDS; tear++) {
        if (!full && tear != SIM_TEAR_SOME && tear != SIM_TEAR_MARGINAL)
            continue;
        cuts.second_tear = (enum sim_tear)tear;
        again = true;
        for (cuts.second = 0; again && cuts.second < LATER_MAX; cuts.second += full ? 1 : 3)
            run_one(scenario, &cuts, &again);
    }
}

static unsigned cut_everywhere(const struct scenario *scenario)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");
    bool full = mode && strcmp(mode, "full") == 0, again;
    unsigned operations = 0;
    uint32_t step = full ? 1 : 5;

    for (int tear = 0; tear < SIM_TEAR_KINDS; tear++) {
        struct cuts cuts = {
            .first = (uint32_t)tear % step, .second = NEVER, .first_tear = (enum sim_tear)tear};

        while (run_one(scenario, &cuts, &again)) {
            if (full || tear == SIM_TEAR_MARGINAL)
                cut_twice(scenario, cuts, full);
            cuts.second = NEVER;
            cuts.first += step;
        }
        operations = cuts.first;
    }
    return operations;
}

static void a_cut_anywhere_leaves_old_or_new(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        runs = 0;
        unsigned operations = cut_everywhere(&scenarios[i]);
        printf("%-30s %3u operations, %6u runs\n", scenarios[i].name, operations, runs);
        assert_true(operations > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_cut_anywhere_leaves_old_or_new)};

    return cmocka_run_group_tests(tests, enrol_once, free_root);
}
