/* SPDX-License-Identifier: MIT */
/* Sensors on a whole device: rules by settings, readings that wait for the network. R7, R10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/requests.h>
#include <thimble/sensor_service.h>

#include "service_rig.h"

#define MINUTE 60000u

static struct device_world *const world = &rig.world;
static struct th_sensor_service sensors;
static struct th_sensor_reading readings[16];
static char told[200];
static unsigned told_count;
static int32_t soil, door;

static const struct th_sensor table[] = {
    {.name = "soil", .kind = TH_SENSOR_ANALOG, .input = 0},
    {.name = "temp", .unit = "C", .kind = TH_SENSOR_ANALOG, .input = 1, .decimals = 2},
};

static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    (void)ctx;
    *raw = input == 0 ? soil : 2150;
    return true;
}

static bool get(void *ctx, uint8_t pin, enum th_pin_level *level)
{
    (void)ctx;
    *level = pin == 12 && door ? TH_PIN_LOW : TH_PIN_HIGH;
    return true;
}

static const struct th_analog_ops analog_ops = {convert};
static const struct th_pin_ops pin_ops = {NULL, get, NULL};

static void hear(const char *topic, const char *payload)
{
    if (strncmp(topic, "telemetry/", 10) != 0)
        return;
    snprintf(told, sizeof told, "%.30s %.150s", topic + 10, payload);
    told_count++;
}

static int begin(void **state)
{
    (void)state;
    const struct th_sensor_service_config config = {
        .fixed = table, .fixed_count = 2, .queue = readings, .queue_room = 16};

    soil = 500;
    door = 0;
    told_count = 0;
    rig_begin(NULL, 0);
    rig.told = hear;
    world->board.analog.ops = &analog_ops;
    world->board.pins.ops = &pin_ops;
    th_sensor_service_init(&sensors, &config);
    assert_true(th_requests_add(&rig.requests, th_sensor_methods(&sensors)));
    rig_start(th_sensor_service(&sensors));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(world);
    return 0;
}

static void set(const char *config)
{
    char params[400];

    snprintf(params, sizeof params, "{\"config\":%s}", config);
    rig_expect("Config.Set", params, "\"trial\":true");
    world_run(world, MINUTE);
}

static void every_sensor_is_told_and_can_be_asked(void **state)
{
    (void)state;
    assert_int_equal(told_count, 2);
    rig_expect("Sensor.Read", "{}", "\"result\":{\"soil\":500,\"temp\":21.50}");
}

static void the_interval_is_the_settings(void **state)
{
    (void)state;
    set("{\"telemetry\":{\"interval_s\":10}}");
    told_count = 0;
    world_run(world, MINUTE);
    assert_in_range(told_count, 10, 14);
}

static void a_threshold_is_told_at_once(void **state)
{
    (void)state;
    set("{\"telemetry\":{\"interval_s\":3600,\"alarms\":\"soil<300, soil > 900,temp>30.5\"}}");
    told_count = 0;
    world_run(world, MINUTE);
    assert_int_equal(told_count, 0);
    soil = 299;
    world_run(world, 2000);
    assert_int_equal(told_count, 1);
    assert_memory_equal(told, "soil {\"value\":299,\"alarm\":\"low\",", 31);
}

static void a_digital_input_is_told_when_it_changes(void **state)
{
    (void)state;
    set("{\"inputs\":{\"pins\":\"12,13\"},\"telemetry\":{\"interval_s\":3600}}");
    told_count = 0;
    door = 1;
    world_run(world, 1000);
    assert_int_equal(told_count, 1);
    assert_memory_equal(told, "in1 {\"value\":1,", 15);
}

static void offline_readings_wait_with_their_time(void **state) /* R7 */
{
    (void)state;
    for (int i = 0; i < 2; i++)
        th_sim_broker_stop(world->servers[i].broker);
    world_run(world, 5 * MINUTE);
    told_count = 0;
    for (int i = 0; i < 2; i++)
        th_sim_broker_start(world->servers[i].broker, false);
    world_run(world, 2 * MINUTE);
    assert_in_range(told_count, 10, 18);
}

static void settings_that_make_no_sense_are_told(void **state)
{
    (void)state;
    set("{\"telemetry\":{\"alarms\":\"snow<1\"}}");
    assert_true(world_said(world, "names a sensor that this device has not") > 0);
}

static void thresholds_are_read_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {"soil",     "soil=3",     "soil<",         "soil<a",
                                      "soil<1.5", "temp<1.555", "soil<1 soil<2", "soil<99999999999",
                                      "<3",       "temp<-",     "soi<1"};
    struct th_sensor_rule rules[2];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!th_sensor_alarms(bad[i], table, 2, rules))
            fail_msg("taken: %s", bad[i]);
    }
    memset(rules, 0, sizeof rules);
    assert_null(th_sensor_alarms(" temp < -3.5 ,soil>900,", table, 2, rules));
    assert_int_equal(rules[1].low, -350);
    assert_true(rules[1].low_set && !rules[1].high_set && rules[0].high_set);
    assert_int_equal(rules[0].high, 900);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_sensor_is_told_and_can_be_asked),
        TEST(the_interval_is_the_settings),
        TEST(a_threshold_is_told_at_once),
        TEST(a_digital_input_is_told_when_it_changes),
        TEST(offline_readings_wait_with_their_time),
        TEST(settings_that_make_no_sense_are_told),
        cmocka_unit_test(thresholds_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
