/* SPDX-License-Identifier: MIT */
/* I7: a fleet behind a broker whose revocation list has expired: nobody renews, the agent is asked
 * in turns that do not come together, and all are back when the list is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recovery_agent.h"

#define MINUTE  60000u
#define HOUR    (60 * MINUTE)
#define SECONDS (24 * 3600)

static struct device_world world;
static struct recovery_agent agent;
static uint16_t asked[SECONDS]; /* in each second of the outage, by all devices */

static void begin(uint64_t seed)
{
    world_begin(&world, seed, 0);
    world_recovers(&world);
    recovery_agent_begin(&agent, &world);
    agent.valid = true;
    world_enrol(&world, true);
    assert_true(world_comes_up(&world, MINUTE));
}

static unsigned writes_of_an_outage(void)
{
    unsigned before = world.flash.operation;

    world.servers[0].refuses_old = world.servers[1].refuses_old = true;
    th_link_restart(&world.device.link, th_sim_now_ms(world.sim), true);
    th_sim_node_wake_in(&world.node, 0);
    for (int second = 0; second < SECONDS; second++) {
        unsigned checks = agent.checks;

        world_run(&world, 1000);
        asked[second] += (uint16_t)(agent.checks - checks);
    }
    return world.flash.operation - before;
}

static void an_expired_list_sends_no_fleet_into_renewal(void **state)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");
    unsigned devices = mode && strcmp(mode, "full") == 0 ? 1000 : 20;
    unsigned renewals = 0, checks = 0, back = 0, most = 0, most_writes = 0;

    (void)state;
    for (unsigned i = 0; i < devices; i++) {
        begin(i + 1);
        unsigned writes = writes_of_an_outage();
        most_writes = writes > most_writes ? writes : most_writes;
        world.servers[0].refuses_old = false;
        back += world_comes_up(&world, 5 * MINUTE);
        renewals += agent.renewals;
        checks += agent.checks;
        world_end(&world);
    }
    for (int second = 60; second < SECONDS; second++)
        most = asked[second] > most ? asked[second] : most;
    printf("%u devices, 24 hours: %u renewals, %u checks, at most %u in a second after the first "
           "minute; %u are back; at most %u flash operations each\n",
           devices, renewals, checks, most, back, most_writes);
    assert_int_equal(renewals, 0);
    assert_int_equal(back, devices);
    assert_true(checks <= devices * 150 && most <= devices / 8 + 2 && most_writes <= 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expired_list_sends_no_fleet_into_renewal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
