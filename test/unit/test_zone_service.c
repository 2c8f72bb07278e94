/* SPDX-License-Identifier: MIT */
/* Zones on a whole device: settings, requests, what is told, and every way off. R7, R9, F6, F11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/requests.h>
#include <thimble/zone_service.h>

#include "ports/sim/sim_pins.h"
#include "service_rig.h"

#define MINUTE 60000u

static struct device_world *const world = &rig.world;
static struct sim_pins pins;
static struct th_zone_service zones;
static char told[9][160];

static void hear(const char *topic, const char *payload)
{
    if (strncmp(topic, "zone/", 5) == 0)
        snprintf(told[topic[5] - '0'], sizeof told[0], "%.159s", payload);
}

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

/* A relay that is active low: on is a pin driven low. */
static bool on(uint8_t pin)
{
    return (pins.is_output >> pin & 1) && !(pins.levels >> pin & 1);
}

static int begin(void **state)
{
    (void)state;
    memset(told, 0, sizeof told);
    rig_begin(NULL, 0);
    rig.told = hear;
    rig.run = run;
    sim_pins_init(&pins, UINT32_MAX - 60000, (struct sim_pins_watch){nothing, NULL});
    world->board.pins.ops = pins.board.pins.ops;
    world->board.pins.ctx = pins.board.pins.ctx;
    world->board.spi.ops = pins.board.spi.ops;
    world->board.spi.ctx = pins.board.spi.ctx;
    th_zone_service_init(&zones);
    assert_true(th_requests_add(&rig.requests, th_zone_methods(&zones)));
    rig_start(th_zone_service(&zones));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(world);
    return 0;
}

/* Three relays on pins 5, 4 and 14, zones 1 and 2 excluding each other. */
static void wire_three(void)
{
    expect("Config.Set",
           "{\"config\":{\"zones\":{\"count\":3,\"pins\":\"5,4,14\",\"most_s\":\"600,300\","
           "\"groups\":\"1,1,0\"}}}",
           "{\"trial\":true}");
    run(MINUTE);
    assert_string_equal(world_setting(world, "zones.count"), "3");
}

static void without_settings_there_are_no_zones(void **state)
{
    (void)state;
    expect("Zone.On", "{\"zone\":1,\"seconds\":5}", "\"code\":409");
    expect("Zone.Status", "{}", "no zones are configured");
}

static void a_zone_is_on_for_its_time_and_not_longer(void **state) /* R9 */
{
    (void)state;
    wire_three();
    expect("Zone.On", "{\"zone\":2,\"seconds\":120}", "{\"zone\":2,\"on\":true,\"seconds\":120}");
    assert_true(on(4));
    assert_false(on(5));
    assert_non_null(
        strstr(told[2], "\"on\":true,\"actual\":true,\"seconds\":120,\"cause\":\"command\""));
    run(119000);
    assert_true(on(4));
    run(1500);
    assert_false(on(4));
    assert_non_null(
        strstr(told[2], "\"on\":false,\"actual\":false,\"seconds\":0,\"cause\":\"lease\""));
}

static void zones_are_held_to_their_rules(void **state)
{
    (void)state;
    wire_three();
    expect("Zone.On", "{\"zone\":4,\"seconds\":5}", "\"code\":404");
    expect("Zone.On", "{\"zone\":9,\"seconds\":5}", "\"code\":422");
    expect("Zone.On", "{\"zone\":3,\"seconds\":301}", "\"code\":422");
    expect("Zone.On", "{\"zone\":1}", "\"code\":422");
    expect("Zone.On", "{\"zone\":1,\"seconds\":60}", "\"on\":true");
    expect("Zone.On", "{\"zone\":2,\"seconds\":60}", "\"on\":true");
    assert_false(on(5));
    assert_true(on(4));
    expect("Zone.Off", "{\"zone\":2}", "\"on\":false");
    expect("Zone.Off", "{\"zone\":0}", "\"code\":422");
    expect("Zone.Off", "{\"zones\":2}", "\"code\":422");
    expect("Zone.On", "{\"zone\":2,\"seconds\":9}", "\"on\":true");
    expect("Zone.On", "{\"zone\":3,\"seconds\":9}", "\"on\":true");
    expect("Zone.Off", "{}", "{\"zone\":0,\"on\":false,\"seconds\":0}");
    assert_false(on(5) || on(4) || on(14));
    assert_false(on(4));
    expect("Zone.Status", "{}",
           "{\"zone\":1,\"on\":false,\"actual\":false,\"seconds\":0,\"cause\":\"group\"}");
}

static void a_repeated_command_does_not_lengthen_the_run(void **state) /* F11 */
{
    (void)state;
    static const char frame[] =
        "{\"id\":1,\"method\":\"Zone.On\",\"nonce\":\"n\",\"params\":{\"zone\":1,"
        "\"seconds\":30}}";
    wire_three();
    for (int i = 0; i < 3; i++) {
        th_sim_broker_publish(world->servers[0].broker, TH_SPAN("lamp/from/alice/rpc"),
                              TH_SPAN(frame), 1);
        run(8000);
        assert_non_null(strstr(rig.answer, "\"seconds\":30"));
        assert_true(on(5));
    }
    run(6500);
    assert_false(on(5));
}

static void without_the_network_it_goes_off_all_the_same(void **state) /* R7 */
{
    (void)state;
    wire_three();
    expect("Zone.On", "{\"zone\":1,\"seconds\":60}", "\"on\":true");
    world->radio.gone = true;
    for (int i = 0; i < 2; i++)
        th_sim_broker_stop(world->servers[i].broker);
    run(58000);
    assert_true(on(5));
    run(3000);
    assert_false(on(5));
    world->radio.gone = false;
    for (int i = 0; i < 2; i++)
        th_sim_broker_start(world->servers[i].broker, false);
    told[1][0] = '\0';
    run(3 * MINUTE);
    assert_non_null(strstr(told[1], "\"on\":false"));
}

static void a_restart_and_a_change_of_mode_pass_through_off(void **state) /* R9 */
{
    (void)state;
    wire_three();
    expect("Zone.On", "{\"zone\":1,\"seconds\":600}", "\"on\":true");
    expect("Sys.Reboot", "{}", "true");
    run(2000);
    assert_false(on(5));
    run(MINUTE);
    expect("Zone.On", "{\"zone\":1,\"seconds\":600}", "\"on\":true");
    expect("Mode.Set", "{\"mode\":\"config\"}", "{\"trial\":true}");
    run(5000);
    assert_int_equal(th_device_mode(&world->device), TH_MODE_CONFIG);
    assert_false(on(5));
}

static void a_crash_is_followed_by_off(void **state) /* R9 */
{
    (void)state;
    wire_three();
    expect("Zone.On", "{\"zone\":1,\"seconds\":600}", "\"on\":true");
    assert_true(on(5));
    world_start(world, TH_RESET_WATCHDOG); /* the pins keep what they had until somebody acts */
    assert_false(on(5));
}

static void settings_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *config, *why;
    } rows[] = {
        {"{\"zones\":{\"pins\":\"5,4,x\"}}", "a decimal number is expected"},
        {"{\"zones\":{\"most_s\":\"0\"}}", "outside the allowed range"},
        {"{\"zones\":{\"groups\":\"1;2\"}}", "a decimal number is expected"},
        {"{\"zones\":{\"start1\":\"tomorrow\"}}", "weekly starts are expected"},
    };

    (void)state;
    wire_three();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char params[200];
        snprintf(params, sizeof params, "{\"config\":%s}", rows[i].config);
        expect("Config.Set", params, rows[i].why);
    }
    expect("Zone.On", "{\"zone\":1,\"seconds\":5}", "\"on\":true");
}

static void settings_that_do_not_fit_each_other_leave_everything_off(void **state)
{
    static const struct {
        const char *config, *why;
    } rows[] = {
        {"{\"zones\":{\"pins\":\"5,4\"}}", "does not name a pin"},
        {"{\"zones\":{\"pins\":\"5,4,5\"}}", "names a pin twice"},
        {"{\"zones\":{\"pins\":\"5,4,14\",\"most_s\":\"\"}}", "no list of seconds"},
        {"{\"zones\":{\"most_s\":\"60\",\"start1\":\"daily 06:00 600\"}}", "no schedule"},
    };

    (void)state;
    wire_three();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char params[200];
        snprintf(params, sizeof params, "{\"config\":%s}", rows[i].config);
        expect("Config.Set", params, "{\"trial\":true}");
        run(MINUTE);
        expect("Zone.Status", "{}", rows[i].why);
    }
}

static void eight_zones_over_spi(void **state)
{
    (void)state;
    expect("Config.Set", "{\"config\":{\"zones\":{\"count\":8,\"driver\":\"spi\"}}}",
           "{\"trial\":true}");
    run(MINUTE);
    expect("Zone.On", "{\"zone\":8,\"seconds\":10}", "\"on\":true");
    assert_int_equal(pins.byte, 0x7F);
    run(10500);
    assert_int_equal(pins.byte, 0xFF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_settings_there_are_no_zones),
        TEST(a_zone_is_on_for_its_time_and_not_longer),
        TEST(zones_are_held_to_their_rules),
        TEST(a_repeated_command_does_not_lengthen_the_run),
        TEST(without_the_network_it_goes_off_all_the_same),
        TEST(a_restart_and_a_change_of_mode_pass_through_off),
        TEST(a_crash_is_followed_by_off),
        TEST(settings_that_make_no_sense_are_refused),
        TEST(settings_that_do_not_fit_each_other_leave_everything_off),
        TEST(eight_zones_over_spi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
