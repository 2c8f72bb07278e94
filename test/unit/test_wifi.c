/* SPDX-License-Identifier: MIT */
/* R8: the Wi-Fi station against a radio with every fault, over the counter's wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/time.h>
#include <thimble/wifi.h>

#include "ports/sim/sim_radio.h"

#define WRAP_START (UINT32_MAX - 1000 + 1) /* one second before the counter's wrap */

static struct sim_radio radio;
static struct th_wifi wifi;
static struct th_wifi_config config;
static struct th_board board;
static uint32_t now, chance;
static unsigned ups, opened, closed, failures;
static enum th_error last;
static uint8_t address[4];

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        chance = chance * 1664525 + 1013904223;
        into[i] = (uint8_t)(chance >> 24);
    }
    return true;
}

static const struct th_entropy_ops entropy = {fill};

static void begin(uint32_t at_ms)
{
    memset(&radio, 0, sizeof radio);
    memset(&config, 0, sizeof config);
    board = (struct th_board){.entropy = {&entropy, NULL}, .wifi = {&sim_radio_ops, &radio}};
    strcpy(radio.ssid, "garden");
    strcpy(radio.pass, "secret words");
    config.board = &board;
    strcpy(config.network.ssid, "garden");
    strcpy(config.network.pass, "secret words");
    strcpy(config.ap_ssid, "thimble-1");
    strcpy(config.ap_pass, "ABCDEFGH");
    config.fallback_s = 600;
    now = at_ms;
    ups = opened = closed = failures = 0;
    last = TH_OK;
}

static void start(void)
{
    th_wifi_start(&wifi, &config, now);
}

static void note(const struct th_wifi_event *event)
{
    switch (event->kind) {
    case TH_WIFI_EVENT_UP:
        ups++;
        memcpy(address, event->address, 4);
        break;
    case TH_WIFI_EVENT_FAILED:
        failures++;
        last = event->failure.error;
        break;
    case TH_WIFI_EVENT_AP_OPEN: opened++; break;
    case TH_WIFI_EVENT_AP_CLOSED: closed++; break;
    }
}

/* As a main loop does it: sleeps until the deadline, never longer. */
static void run(uint32_t for_ms)
{
    uint32_t end = now + for_ms;

    for (;;) {
        struct th_wifi_event event;

        for (int turns = 0; th_wifi_next(&wifi, now, &event); turns++) {
            assert_in_range(turns, 0, 9);
            note(&event);
        }
        uint32_t wait = th_wifi_deadline(&wifi, now);
        if (th_time_until(now, end) == 0)
            return;
        if (wait == 0)
            wait = 1;
        now += th_time_sooner(wait, th_time_until(now, end));
    }
}

static void it_joins_and_says_its_address(void **state)
{
    const uint8_t dhcp[4] = {192, 0, 2, 77};

    (void)state;
    begin(WRAP_START);
    start();
    run(3000);
    assert_int_equal(ups, 1);
    assert_true(th_wifi_up(&wifi));
    assert_memory_equal(address, dhcp, 4);
    assert_int_equal(failures, 0);
    assert_false(radio.ap_open);
}

static void a_fixed_address_needs_no_dhcp(void **state)
{
    const uint8_t fixed[4] = {10, 1, 2, 3};

    (void)state;
    begin(0);
    radio.dhcp_silent = true;
    config.network.fixed = true;
    memcpy(config.network.address, fixed, 4);
    start();
    run(3000);
    assert_int_equal(ups, 1);
    assert_memory_equal(address, fixed, 4);
}

/* Each fault is named, tried again for ever, and the access point opens once, in time. */
static void stays_without(enum th_error error, uint32_t at_ms)
{
    start();
    run(599 * 1000);
    assert_false(radio.ap_open);
    assert_true(failures >= 5);
    assert_int_equal(last, error);
    run(2000);
    assert_true(radio.ap_open);
    assert_int_equal(opened, 1);
    assert_string_equal(radio.ap_ssid, "thimble-1");
    assert_string_equal(radio.ap_pass, "ABCDEFGH");
    uint32_t joins = radio.joins;
    run(600 * 1000);
    assert_true(radio.joins > joins + 5);
    assert_int_equal(opened, 1);
    assert_int_equal(now, at_ms + 1201 * 1000);
}

static void comes_back(void)
{
    radio.gone = radio.mute = radio.dhcp_silent = false;
    strcpy(radio.pass, "secret words");
    run(2 * TH_WIFI_LONGEST_MS);
    assert_int_equal(ups, 1);
    assert_int_equal(closed, 1);
    assert_false(radio.ap_open);
}

static void a_wrong_password_opens_the_access_point_until_it_is_right(void **state)
{
    (void)state;
    begin(WRAP_START);
    strcpy(radio.pass, "other words");
    stays_without(TH_ERR_WIFI_REFUSED, WRAP_START);
    comes_back();
}

static void a_network_that_is_away_opens_the_access_point_until_it_is_back(void **state)
{
    (void)state;
    begin(WRAP_START - 300000);
    radio.gone = true;
    stays_without(TH_ERR_WIFI_NOT_FOUND, WRAP_START - 300000);
    comes_back();
}

static void a_silent_network_is_given_up_after_a_bounded_time(void **state)
{
    (void)state;
    begin(WRAP_START - 600000);
    radio.mute = true;
    stays_without(TH_ERR_WIFI_TIMEOUT, WRAP_START - 600000);
    comes_back();
}

static void silent_dhcp_is_given_up_after_a_bounded_time(void **state)
{
    (void)state;
    begin(WRAP_START);
    radio.dhcp_silent = true;
    stays_without(TH_ERR_WIFI_NO_ADDRESS, WRAP_START);
    comes_back();
}

static void a_network_that_flaps_sees_ever_longer_waits_and_no_access_point(void **state)
{
    (void)state;
    begin(WRAP_START);
    start();
    for (int i = 0; i < 2000; i++) {
        radio.gone = i % 2 == 1;
        run(5000);
    }
    assert_true(ups > 20);
    /* Waits of half a minute in the mean: not one join in each of the 1000 times it is there. */
    assert_in_range(radio.joins, 100, 600);
    assert_int_equal(opened, closed);
}

static void without_a_fallback_the_access_point_stays_closed(void **state)
{
    (void)state;
    begin(0);
    config.fallback_s = 0;
    radio.gone = true;
    start();
    run(86400 * 1000);
    assert_int_equal(radio.ap_starts, 0);
}

static void configuration_mode_keeps_the_access_point_open_also_beside_a_network(void **state)
{
    (void)state;
    begin(WRAP_START);
    config.ap_always = true;
    start();
    run(86400 * 1000);
    assert_int_equal(ups, 1);
    assert_true(radio.ap_open);
    assert_int_equal(radio.ap_starts, 1);
}

static void without_a_network_to_join_the_access_point_opens_at_once(void **state)
{
    (void)state;
    begin(WRAP_START);
    config.network.ssid[0] = '\0';
    start();
    run(10);
    assert_true(radio.ap_open);
    assert_int_equal(radio.joins, 0);
    assert_int_equal(th_wifi_deadline(&wifi, now), TH_FOREVER);
}

static void an_access_point_that_cannot_open_is_tried_again(void **state)
{
    (void)state;
    begin(WRAP_START);
    radio.gone = radio.ap_broken = true;
    start();
    run(700 * 1000);
    assert_false(radio.ap_open);
    radio.ap_broken = false;
    run(TH_WIFI_JOIN_MS + 1000);
    assert_true(radio.ap_open);
}

/* R8: a year, whatever the surroundings do; the states stay what they say. */
static void a_year_of_chance_keeps_its_invariants(void **state)
{
    (void)state;
    begin(WRAP_START);
    start();
    for (uint32_t hour = 0; hour < 365 * 24; hour++) {
        uint8_t dice[2];

        fill(NULL, dice, sizeof dice);
        radio.gone = (dice[0] & 7) == 0;
        radio.mute = (dice[0] & 56) == 0;
        radio.dhcp_silent = (dice[1] & 7) == 0;
        run(3600 * 1000);
        bool good = !radio.gone && !radio.mute && !radio.dhcp_silent;
        if (good)
            assert_true(th_wifi_up(&wifi));
        assert_int_equal(radio.ap_open, th_wifi_ap_open(&wifi));
        assert_int_equal(radio.ap_open, !th_wifi_up(&wifi));
    }
}

static void stopping_leaves_nothing_behind(void **state)
{
    (void)state;
    begin(0);
    config.ap_always = true;
    start();
    run(3000);
    th_wifi_stop(&wifi);
    assert_false(radio.ap_open);
    assert_false(sim_radio_up(&radio));
    run(100000);
    assert_int_equal(radio.joins, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_joins_and_says_its_address),
        cmocka_unit_test(a_fixed_address_needs_no_dhcp),
        cmocka_unit_test(a_wrong_password_opens_the_access_point_until_it_is_right),
        cmocka_unit_test(a_network_that_is_away_opens_the_access_point_until_it_is_back),
        cmocka_unit_test(a_silent_network_is_given_up_after_a_bounded_time),
        cmocka_unit_test(silent_dhcp_is_given_up_after_a_bounded_time),
        cmocka_unit_test(a_network_that_flaps_sees_ever_longer_waits_and_no_access_point),
        cmocka_unit_test(without_a_fallback_the_access_point_stays_closed),
        cmocka_unit_test(configuration_mode_keeps_the_access_point_open_also_beside_a_network),
        cmocka_unit_test(without_a_network_to_join_the_access_point_opens_at_once),
        cmocka_unit_test(an_access_point_that_cannot_open_is_tried_again),
        cmocka_unit_test(a_year_of_chance_keeps_its_invariants),
        cmocka_unit_test(stopping_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
