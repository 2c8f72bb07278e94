/* SPDX-License-Identifier: MIT */
/* Pins by hand on a whole device: never away from rest without a bound (R9), strict (R10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/gpio_service.h>
#include <thimble/zone_service.h>

#include "ports/sim/sim_pins.h"
#include "service_rig.h"

#define MINUTE 60000u

static struct device_world *const world = &rig.world;
static struct sim_pins pins;
static struct th_gpio_service gpio;
static struct th_sensor_service sensors;
static struct th_sensor_reading readings[4];

static void nothing(void *ctx, uint8_t output, bool level, uint64_t at_ms)
{
    (void)ctx;
    (void)output;
    (void)level;
    (void)at_ms;
}

/* The world and the machine's outputs share the time. */
static void run(uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i += 10) {
        world_run(world, 10);
        sim_pins_pass(&pins, th_sim_elapsed_ms(world->sim) - pins.now_ms);
    }
}

static void expect(const char *method, const char *params, const char *in_answer)
{
    rig_expect(method, params, in_answer);
}

static bool driven(uint8_t pin)
{
    return pins.is_output >> pin & 1;
}

static bool high(uint8_t pin)
{
    return pins.levels >> pin & 1;
}

/* Resistors pull all inputs low: a rest that is low. */
static void pull_low(void)
{
    pins.pulls = 0;
    sim_pins_reset(&pins);
}

static int begin(void **state)
{
    static const struct th_sensor table[] = {{.name = "Ain0", .kind = TH_SENSOR_MUXED}};
    const struct th_sensor_service_config config = {.fixed = table,
                                                    .fixed_count = 1,
                                                    .mux_pins = {9, 10, 11},
                                                    .queue = readings,
                                                    .queue_room = 4};

    (void)state;
    rig_begin(NULL, 0);
    rig.run = run;
    sim_pins_init(&pins, UINT32_MAX - 60000, (struct sim_pins_watch){nothing, NULL});
    world->board.pins.ops = pins.board.pins.ops;
    world->board.pins.ctx = pins.board.pins.ctx;
    th_sensor_service_init(&sensors, &config);
    th_gpio_service_init(&gpio, &sensors);
    assert_true(th_requests_add(&rig.requests, th_gpio_methods(&gpio)));
    rig_start(th_gpio_service(&gpio));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(world);
    return 0;
}

static void a_pin_is_read_without_being_driven(void **state)
{
    (void)state;
    expect("Gpio.Read", "{\"pin\":5}", "\"result\":{\"pin\":5,\"value\":1}");
    pull_low();
    expect("Gpio.Read", "{\"pin\":5}", "\"result\":{\"pin\":5,\"value\":0}");
    assert_false(driven(5));
}

static void away_from_rest_it_goes_for_its_time_alone(void **state) /* R9 */
{
    (void)state;
    expect("Gpio.Write", "{\"pin\":5,\"value\":0,\"seconds\":30}",
           "\"result\":{\"pin\":5,\"value\":0,\"seconds\":30}");
    assert_true(driven(5));
    assert_false(high(5));
    expect("Gpio.Read", "{\"pin\":5}", "\"value\":0");
    run(26000);
    assert_false(high(5));
    run(4000);
    assert_true(high(5));
    assert_true(driven(5));
}

static void without_a_time_it_is_a_minute(void **state) /* R9 */
{
    (void)state;
    pull_low();
    expect("Gpio.Write", "{\"pin\":4,\"value\":1}", "{\"pin\":4,\"value\":1,\"seconds\":60}");
    run(58000);
    assert_true(high(4));
    run(2000);
    assert_false(high(4));
}

static void rest_is_what_it_was_at_first_and_lasts(void **state) /* R9 */
{
    (void)state;
    expect("Gpio.Write", "{\"pin\":5,\"value\":0}", "\"seconds\":60");
    expect("Gpio.Write", "{\"pin\":5,\"value\":0,\"seconds\":5}", "\"seconds\":5");
    run(6000);
    assert_true(high(5));
    expect("Gpio.Write", "{\"pin\":5,\"value\":1,\"seconds\":3600}", "\"value\":1,\"seconds\":0");
    expect("Gpio.Toggle", "{\"pin\":5,\"seconds\":7}", "{\"pin\":5,\"value\":0,\"seconds\":7}");
    assert_false(high(5));
    expect("Gpio.Toggle", "{\"pin\":5}", "{\"pin\":5,\"value\":1,\"seconds\":0}");
    assert_true(high(5));
    run(2 * MINUTE);
    assert_true(high(5));
}

static void the_loop_held_or_the_network_gone_it_returns_all_the_same(void **state) /* R9 */
{
    (void)state;
    expect("Gpio.Write", "{\"pin\":5,\"value\":0,\"seconds\":10}", "\"seconds\":10");
    assert_false(high(5));
    sim_pins_pass(&pins, 11000); /* nobody runs but the timer */
    assert_true(high(5));
}

static void a_restart_and_a_change_put_every_pin_at_rest(void **state) /* R9 */
{
    (void)state;
    expect("Gpio.Write", "{\"pin\":5,\"value\":0,\"seconds\":3600}", "\"value\":0");
    expect("Sys.Reboot", "{}", "true");
    run(2000);
    assert_true(high(5));
    run(MINUTE);
    expect("Gpio.Write", "{\"pin\":5,\"value\":0,\"seconds\":3600}", "\"value\":0");
    expect("Config.Set", "{\"config\":{\"telemetry\":{\"interval_s\":30}}}", "\"trial\":true");
    run(MINUTE);
    assert_true(high(5));
}

static void what_zones_and_inputs_have_is_left_to_them(void **state)
{
    (void)state;
    expect(
        "Config.Set",
        "{\"config\":{\"zones\":{\"count\":2,\"pins\":\"5,14\"},\"inputs\":{\"pins\":\"12,3\"}}}",
        "\"trial\":true");
    run(MINUTE);
    expect("Gpio.Write", "{\"pin\":14,\"value\":0}", "\"code\":409,\"message\":\"the pin belongs");
    expect("Gpio.Toggle", "{\"pin\":5}", "\"code\":409,\"message\":\"the pin belongs to a zone");
    expect("Gpio.Write", "{\"pin\":3,\"value\":0}", "\"code\":409,\"message\":\"the pin is an inp");
    expect("Gpio.Write", "{\"pin\":10,\"value\":1}", "\"code\":409,\"message\":\"the pin selects");
    expect("Gpio.Write", "{\"pin\":1,\"value\":1}", "\"result\"");
    expect("Gpio.Read", "{\"pin\":14}", "\"value\":1");
    assert_false(driven(14) || driven(5) || driven(3) || driven(10));
}

static void a_pin_that_becomes_a_zone_is_not_switched_by_what_was_armed(void **state) /* R9 */
{
    (void)state;
    pull_low();
    expect("Gpio.Write", "{\"pin\":5,\"value\":1,\"seconds\":300}", "\"value\":1");
    expect("Config.Set", "{\"config\":{\"zones\":{\"count\":1,\"pins\":\"5\"}}}", "\"trial\":true");
    run(MINUTE);
    assert_false(high(5));
    /* As zones drive it off. */
    pins.board.pins.ops->arm_off(pins.board.pins.ctx, 5, TH_PIN_HIGH, UINT32_MAX);
    pins.board.pins.ops->set(pins.board.pins.ctx, 5, TH_PIN_HIGH);
    run(5 * MINUTE);
    assert_true(high(5));
}

static void parameters_are_taken_as_they_are_described_and_no_other_way(void **state) /* R10 */
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"pin\":5}",
        "{\"value\":1}",
        "{\"pin\":-1,\"value\":1}",
        "{\"pin\":255,\"value\":1}",
        "{\"pin\":5,\"value\":2}",
        "{\"pin\":5,\"value\":true}",
        "{\"pin\":\"5\",\"value\":1}",
        "{\"pin\":5.0,\"value\":1}",
        "{\"pin\":5,\"value\":1,\"seconds\":0}",
        "{\"pin\":5,\"value\":1,\"seconds\":3601}",
        "{\"pin\":5,\"value\":1,\"seconds\":4294967297}",
        "{\"pin\":5,\"value\":1,\"secnods\":5}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect("Gpio.Write", bad[i], "\"code\":422");
        assert_false(driven(5));
    }
    expect("Gpio.Read", "{\"pin\":5,\"seconds\":5}", "\"code\":422");
    expect("Gpio.Read", "{\"pin\":16}", "\"code\":404");
    expect("Gpio.Write", "{\"pin\":16,\"value\":1}", "\"code\":404");
    expect("Rpc.Describe", "{\"name\":\"Gpio.Write\"}", "\"role\":\"admin\"");
}

static void eight_pins_may_be_away_and_no_more(void **state)
{
    (void)state;
    char params[40];

    for (int pin = 0; pin < 8; pin++) {
        snprintf(params, sizeof params, "{\"pin\":%d,\"value\":0}", pin);
        expect("Gpio.Write", params, "\"value\":0");
    }
    expect("Gpio.Write", "{\"pin\":8,\"value\":0}", "\"code\":409,\"message\":\"eight pins");
    assert_false(driven(8));
    expect("Gpio.Write", "{\"pin\":3,\"value\":1}", "\"seconds\":0");
    expect("Gpio.Write", "{\"pin\":8,\"value\":0}", "\"value\":0");
    expect("Gpio.Write", "{\"pin\":3,\"value\":0}", "\"code\":409");
}

static void a_board_that_refuses_is_told(void **state)
{
    (void)state;
    pins.broken = true;
    expect("Gpio.Write", "{\"pin\":5,\"value\":0}", "\"code\":500");
    pins.broken = false;
    world->board.pins.ops = NULL;
    expect("Gpio.Read", "{\"pin\":5}", "\"code\":409,\"message\":\"this board has no pins");
    world->board.pins.ops = pins.board.pins.ops;
}

static void nobody_unknown_drives_a_pin(void **state)
{
    (void)state;
    static const char frame[] =
        "{\"id\":1,\"method\":\"Gpio.Write\",\"params\":{\"pin\":5,\"value\":0}}";

    rig_send("mallory", frame, 2000);
    assert_false(driven(5));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pin_is_read_without_being_driven),
        TEST(away_from_rest_it_goes_for_its_time_alone),
        TEST(without_a_time_it_is_a_minute),
        TEST(rest_is_what_it_was_at_first_and_lasts),
        TEST(the_loop_held_or_the_network_gone_it_returns_all_the_same),
        TEST(a_restart_and_a_change_put_every_pin_at_rest),
        TEST(what_zones_and_inputs_have_is_left_to_them),
        TEST(a_pin_that_becomes_a_zone_is_not_switched_by_what_was_armed),
        TEST(parameters_are_taken_as_they_are_described_and_no_other_way),
        TEST(eight_pins_may_be_away_and_no_more),
        TEST(a_board_that_refuses_is_told),
        TEST(nobody_unknown_drives_a_pin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
