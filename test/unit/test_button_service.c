/* SPDX-License-Identifier: MIT */
/* A button on a whole device: held for three seconds it brings the page back, else nothing. F4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/button_service.h>
#include <thimble/gpio_service.h>

#include "service_rig.h"

#define BUTTON 14
#define MINUTE 60000u

static struct device_world *const world = &rig.world;
static struct th_button_service button;
static struct th_gpio_service gpio;
static enum th_pin_level level;

static bool get(void *ctx, uint8_t pin, enum th_pin_level *out)
{
    (void)ctx;
    *out = pin == BUTTON ? level : TH_PIN_HIGH;
    return pin < 20;
}

static const struct th_pin_ops pin_ops = {NULL, get, NULL};

static void set(const char *sys)
{
    char params[200];

    snprintf(params, sizeof params, "{\"config\":{\"sys\":%s}}", sys);
    rig_expect("Config.Set", params, "{\"trial\":true}");
    world_run(world, 20000);
    assert_true(world_is_up(world));
}

static void hold(uint32_t ms)
{
    level = TH_PIN_LOW;
    world_run(world, ms);
    level = TH_PIN_HIGH;
    world_run(world, 2000);
}

static bool page_is_back(void)
{
    return th_device_mode(&world->device) == TH_MODE_CONFIG;
}

static int begin(void **state)
{
    (void)state;
    rig_begin(NULL, 0);
    world->board.pins.ops = &pin_ops;
    level = TH_PIN_HIGH;
    th_gpio_service_init(&gpio, NULL);
    gpio.device = &world->device;
    assert_true(th_requests_add(&rig.requests, th_gpio_methods(&gpio)));
    rig_start(th_button_service(&button));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(world);
    return 0;
}

static void held_for_three_seconds_it_brings_the_page_back(void **state)
{
    (void)state;
    set("{\"button\":\"14\"}");
    hold(3300);
    assert_true(page_is_back());
    assert_string_equal(world_setting(world, "mode"), "config");
    assert_int_equal(world_said(world, "the button was held: configuration mode"), 1);
}

static void pressed_for_less_it_does_nothing(void **state)
{
    (void)state;
    set("{\"button\":\"14\"}");
    for (int i = 0; i < 5; i++)
        hold(2700);
    assert_false(page_is_back());
}

static void without_the_setting_no_pin_is_a_button(void **state)
{
    (void)state;
    hold(MINUTE);
    assert_false(page_is_back());
}

static void one_that_is_high_while_it_is_held(void **state)
{
    (void)state;
    level = TH_PIN_LOW;
    set("{\"button\":\"14\",\"button_active_low\":false}");
    world_run(world, MINUTE);
    assert_false(page_is_back());
    level = TH_PIN_HIGH;
    world_run(world, 5000);
    assert_true(page_is_back());
}

/* Wired the other way round, or stuck, it must not keep a device off its broker. */
static void it_counts_only_once_it_was_seen_released(void **state)
{
    (void)state;
    level = TH_PIN_LOW;
    set("{\"button\":\"14\"}");
    world_run(world, MINUTE);
    assert_false(page_is_back());
    level = TH_PIN_HIGH;
    world_run(world, 1000);
    hold(3300);
    assert_true(page_is_back());
}

static void it_works_where_no_broker_answers(void **state)
{
    (void)state;
    set("{\"button\":\"14\"}");
    for (int i = 0; i < 2; i++)
        th_sim_broker_stop(world->servers[i].broker);
    world_run(world, 5 * MINUTE);
    assert_false(world_is_up(world));
    hold(20000);
    assert_true(page_is_back());
}

static void a_pin_of_a_zone_or_none_of_the_board_is_told(void **state)
{
    (void)state;
    rig_expect("Config.Set",
               "{\"config\":{\"zones\":{\"pins\":\"5,14\"},\"sys\":{\"button\":\"14\"}}}", "true");
    world_run(world, 20000);
    assert_true(world_said(world, "sys.button is a pin of zones.pins") > 0);
    hold(MINUTE);
    assert_false(page_is_back());
    set("{\"button\":\"200\"}");
    assert_true(world_said(world, "sys.button is no pin of this board") > 0);
}

static void nobody_drives_it_by_hand(void **state)
{
    (void)state;
    set("{\"button\":\"14\"}");
    rig_expect("Gpio.Write", "{\"pin\":14,\"value\":0}", "the pin is the button's");
    assert_false(page_is_back());
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(held_for_three_seconds_it_brings_the_page_back),
        CASE(pressed_for_less_it_does_nothing),
        CASE(without_the_setting_no_pin_is_a_button),
        CASE(one_that_is_high_while_it_is_held),
        CASE(it_counts_only_once_it_was_seen_released),
        CASE(it_works_where_no_broker_answers),
        CASE(a_pin_of_a_zone_or_none_of_the_board_is_told),
        CASE(nobody_drives_it_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
