/* SPDX-License-Identifier: MIT */
/* Requests of older sketches on a whole device: docs/legacy.md. I9, F3, F11, R9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/legacy.h>

#include "ports/sim/sim_pins.h"
#include "service_rig.h"

#define MINUTE 60000u
#define MAC    "18fe34000001"

static struct device_world *const world = &rig.world;
static struct sim_pins pins;
static struct th_zone_service zones;
static struct th_sensor_service sensors;
static struct th_sensor_reading readings[8];
static struct th_legacy legacy;
static struct th_service parts[2], both;
static char answer[500];
static unsigned answers;
static void (*of_rig)(void *ctx, const char *client_id, struct th_span topic,
                      struct th_span payload, uint8_t qos);
static int32_t raw;
static bool readable;

static bool convert(void *ctx, uint8_t input, int32_t *value)
{
    (void)ctx;
    *value = raw + input;
    return readable && input != 7;
}

static const struct th_analog_ops analog_ops = {convert};
static const struct th_sensor table[] = {
    {.name = "Ain0", .kind = TH_SENSOR_ANALOG, .input = 0},
    {.name = "Ain1", .kind = TH_SENSOR_ANALOG, .input = 1, .decimals = 1},
    {.name = "Ain2", .kind = TH_SENSOR_ANALOG, .input = 2, .decimals = 2},
    {.name = "Ain3", .kind = TH_SENSOR_ANALOG, .input = 3, .decimals = 3},
    {.name = "Ain7", .kind = TH_SENSOR_ANALOG, .input = 7},
};

static void overhear(void *ctx, const char *client_id, struct th_span topic, struct th_span payload,
                     uint8_t qos)
{
    if (th_span_equal(topic, TH_SPAN("mqtt_tx_" MAC))) {
        snprintf(answer, sizeof answer, "%.*s", (int)payload.len, (const char *)payload.at);
        answers++;
    }
    of_rig(ctx, client_id, topic, payload, qos);
}

static void nothing(void *ctx, uint8_t output, bool level, uint64_t at_ms)
{
    (void)ctx;
    (void)output;
    (void)level;
    (void)at_ms;
}

static void run(uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i += 10) {
        world_run(world, 10);
        sim_pins_pass(&pins, th_sim_elapsed_ms(world->sim) - pins.now_ms);
    }
}

static uint32_t heap(void *ctx)
{
    (void)ctx;
    return 25408;
}

/* The rig takes one service: these, one after the other. */
static void each_start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    (void)ctx;
    for (int i = 0; i < 2; i++)
        parts[i].ops->start(parts[i].ctx, device, now_ms);
    th_legacy_service(&legacy).ops->start(&legacy, device, now_ms);
}

static void each_entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    (void)ctx;
    for (int i = 0; i < 2; i++)
        parts[i].ops->entered(parts[i].ctx, device, now_ms);
    th_legacy_service(&legacy).ops->entered(&legacy, device, now_ms);
}

static void each_connected(void *ctx, struct th_device *device)
{
    (void)ctx;
    parts[0].ops->connected(parts[0].ctx, device);
    th_legacy_service(&legacy).ops->connected(&legacy, device);
}

static bool each_message(void *ctx, struct th_device *device, const struct th_mqtt_event *event,
                         uint32_t now_ms)
{
    (void)ctx;
    return th_legacy_service(&legacy).ops->message(&legacy, device, event, now_ms);
}

static uint32_t each_step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    uint32_t wait_ms = th_legacy_service(&legacy).ops->step(&legacy, device, now_ms);

    (void)ctx;
    for (int i = 0; i < 2; i++) {
        uint32_t one = parts[i].ops->step(parts[i].ctx, device, now_ms);
        wait_ms = one < wait_ms ? one : wait_ms;
    }
    return wait_ms;
}

static int begin(void **state)
{
    static const struct th_service_ops ops = {.start = each_start,
                                              .entered = each_entered,
                                              .connected = each_connected,
                                              .message = each_message,
                                              .step = each_step};
    const struct th_sensor_service_config sensing = {
        .fixed = table, .fixed_count = 5, .queue = readings, .queue_room = 8};
    const struct th_legacy_config config = {.zones = &zones, .sensors = &sensors, .heap = heap};

    (void)state;
    answers = 0;
    answer[0] = '\0';
    raw = 316;
    readable = true;
    rig_begin(NULL, 0);
    rig.run = run;
    sim_pins_init(&pins, UINT32_MAX - 60000, (struct sim_pins_watch){nothing, NULL});
    world->board.pins.ops = pins.board.pins.ops;
    world->board.pins.ctx = pins.board.pins.ctx;
    world->board.analog.ops = &analog_ops;
    of_rig = th_sim_broker_options(world->servers[0].broker)->message;
    th_sim_broker_options(world->servers[0].broker)->message = overhear;
    th_zone_service_init(&zones);
    th_sensor_service_init(&sensors, &sensing);
    th_legacy_init(&legacy, &config);
    parts[0] = th_zone_service(&zones);
    parts[1] = th_sensor_service(&sensors);
    both = (struct th_service){&ops, NULL};
    rig_start(both);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(world);
    return 0;
}

static void set_up(const char *config)
{
    char params[300];

    snprintf(params, sizeof params, "{\"config\":%s}", config);
    rig_expect("Config.Set", params, "{\"trial\":true}");
    run(MINUTE);
}

static void turn_on(void)
{
    set_up("{\"legacy\":{\"enable\":true,\"mac\":\"18:FE:34:00:00:01\",\"led_pin\":\"12\"},"
           "\"zones\":{\"count\":2,\"pins\":\"5,4\",\"most_s\":\"600\"}}");
}

static bool tell(const char *topic, const char *text)
{
    answer[0] = '\0';
    bool heard =
        th_sim_broker_publish(world->servers[0].broker, th_span_str(topic), th_span_str(text), 1);
    run(500);
    return heard;
}

static void expect(const char *request, const char *wanted)
{
    tell("mqtt_rx_" MAC, request);
    assert_string_equal(answer, wanted);
}

static bool led(void)
{
    return (pins.is_output >> 12 & 1) && (pins.levels >> 12 & 1);
}

static bool zone_on(uint8_t pin)
{
    return (pins.is_output >> pin & 1) && !(pins.levels >> pin & 1);
}

static void it_is_off_unless_turned_on(void **state)
{
    (void)state;
    assert_false(th_legacy_enabled(&legacy));
    assert_false(tell("mqtt_rx_" MAC, "/?request=GetSensors"));
    assert_false(tell("irrigation/zone/on", "1 60"));
    assert_int_equal(answers, 0);
}

/* Byte for byte what http_mqtt_server_SSL.ino of 2017 sends. */
static void answers_are_those_of_the_sketch(void **state)
{
    (void)state;
    turn_on();
    tell("mqtt_rx_" MAC, "/?request=GetSensors");
    char *time = strstr(answer, "\"SYS_Time\":\"");
    assert_non_null(time);
    assert_in_range(strtol(time + 12, NULL, 10), 60, 200);
    assert_string_equal(strchr(time + 12, '"'), "\"\r\n}");
    time[12] = '\0';
    assert_string_equal(answer, "{\r\n\"Ain0\":\"316.00\",\r\n\"Ain1\":\"31.70\",\r\n"
                                "\"Ain2\":\"3.18\",\r\n\"Ain3\":\"0.31\",\r\n\"Ain4\":\"\",\r\n"
                                "\"Ain5\":\"\",\r\n\"Ain6\":\"\",\r\n\"Ain7\":\"\",\r\n"
                                "\"SYS_Heap\":\"25408\",\r\n\"SYS_Time\":\"");
    expect("/?request=LedOn", "LED is now ON\n");
    assert_true(led());
    expect("/?request=LedOff", "LED is now OFF\n");
    assert_false(led());
    expect("/?request=MqttSslOn", "MQTT SSL Broker Connection Restored and HTTP Disabled\n");
    expect("/?request=OpenSesame", "Invalid Request");
    expect("GET /?request=LedOn HTTP/1.1", "LED is now ON\n");
    expect("/?request=LedOff&x=1", "LED is now OFF\n");
}

static void nothing_else_is_a_request(void **state)
{
    static const char *const bad[] = {"",
                                      "?",
                                      "/?request",
                                      "/?request=",
                                      "/LedOn",
                                      "LedOn",
                                      "/?x=1&request=LedOn",
                                      "/?Request=LedOn",
                                      "/?request=ledon",
                                      "/?request=LedOnn",
                                      "\xFF\xFE?request"};
    (void)state;
    turn_on();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(th_legacy_read(th_span_str(bad[i])), TH_LEGACY_INVALID);
        expect(bad[i], "Invalid Request");
    }
    assert_int_equal(th_legacy_read(th_span_of(NULL, 0)), TH_LEGACY_INVALID);
    assert_false(led());
}

static void largest_values_stay_within_the_answer(void **state)
{
    (void)state;
    turn_on();
    raw = INT32_MIN + 10;
    run(3000);
    tell("mqtt_rx_" MAC, "/?request=GetSensors");
    assert_true(strlen(answer) < TH_LEGACY_ANSWER_MAX - 1);
    assert_non_null(strstr(answer, "\"Ain0\":\"\",\r\n\"Ain1\":\"\",\r\n"));
    assert_non_null(strstr(answer, "\"SYS_Time\":\""));
    readable = false;
    run(3000);
    tell("mqtt_rx_" MAC, "/?request=GetSensors");
    assert_non_null(strstr(answer, "\"Ain3\":\"\""));
}

static void plaintext_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    turn_on();
    expect("/?request=MqttOn", "MQTT without TLS is refused\n");
    run(MINUTE);
    assert_true(world_is_up(world));
    assert_string_equal(world_setting(world, "mode"), "mqtt");
}

static void http_on_leads_to_configuration_mode(void **state) /* F3 */
{
    (void)state;
    turn_on();
    expect("/?request=HttpOn", "HTTP Server Restored and MQTT Disabled\n");
    run(MINUTE);
    assert_int_equal(th_device_mode(&world->device), TH_MODE_CONFIG);
    assert_string_equal(world_setting(world, "wifi.sta.ssid"), "garden");
    char into[TH_LEGACY_ANSWER_MAX];
    uint32_t now = world->board.clock.ops->now_ms(world->board.clock.ctx);
    th_legacy_answer(&legacy, th_legacy_read(TH_SPAN("/?request=MqttSslOn")), now, into,
                     sizeof into);
    assert_string_equal(into, "MQTT SSL Broker Connection Restored and HTTP Disabled\n");
    assert_true(world_comes_up(world, 5 * MINUTE));
    run(MINUTE);
    assert_string_equal(world_setting(world, "mode"), "mqtt");
}

static void reset_leaves_time_for_its_answer(void **state)
{
    (void)state;
    turn_on();
    expect("/?request=Reset", "Reset\n");
    assert_int_equal(world_said(world, "started by a restart"), 0);
    run(MINUTE);
    assert_int_equal(world_said(world, "started by a restart"), 1);
}

static void zones_are_switched_by_number_and_seconds(void **state) /* R9 */
{
    (void)state;
    turn_on();
    tell("irrigation/zone/on", "2 120");
    assert_true(zone_on(4));
    tell("irrigation/zone/on", "1 5\r\n");
    assert_true(zone_on(5));
    run(6000);
    assert_false(zone_on(5));
    tell("irrigation/zone/on", "2 0");
    assert_false(zone_on(4));
    static const char *const bad[] = {
        "",      "1",    "1 ",     " 1 60", "1  60",         "1 60 60",
        "0 60",  "3 60", "9 60",   "1 601", "1 99999999999", "-1 60",
        "1 6e2", "1,60", "one 60", "1 60s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tell("irrigation/zone/on", bad[i]);
        assert_false(zone_on(5) || zone_on(4));
    }
}

/* Another way to a zone's output would go around its lease. */
static void the_led_is_never_the_pin_of_a_zone(void **state) /* R9 */
{
    (void)state;
    set_up("{\"legacy\":{\"enable\":true,\"mac\":\"" MAC "\",\"led_pin\":\"4\"},"
           "\"zones\":{\"count\":2,\"pins\":\"5,4\"}}");
    assert_true(world_said(world, "legacy.led_pin is a pin of a zone") > 0);
    expect("/?request=LedOff", "Invalid Request");
    assert_false(zone_on(4));
    set_up("{\"legacy\":{\"led_pin\":\"\"}}");
    expect("/?request=LedOn", "Invalid Request");
}

static void a_flood_is_bounded(void **state)
{
    (void)state;
    turn_on();
    unsigned before = answers;
    for (int i = 0; i < 50; i++)
        th_sim_broker_publish(world->servers[0].broker, TH_SPAN("mqtt_rx_" MAC),
                              TH_SPAN("/?request=GetSensors"), 0);
    run(5000);
    assert_in_range(answers - before, 1, 50);
    assert_int_equal(answers - before + legacy.dropped, 50);
    expect("/?request=LedOn", "LED is now ON\n");
}

static void without_an_address_there_are_zones_alone(void **state)
{
    (void)state;
    set_up("{\"legacy\":{\"enable\":true,\"mac\":\"18:fe:34\"},"
           "\"zones\":{\"count\":1,\"pins\":\"5\"}}");
    assert_true(world_said(world, "legacy.mac is no address") > 0);
    assert_false(tell("mqtt_rx_18fe34", "/?request=LedOn"));
    tell("irrigation/zone/on", "1 5");
    assert_true(zone_on(5));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(it_is_off_unless_turned_on),
        TEST(answers_are_those_of_the_sketch),
        TEST(nothing_else_is_a_request),
        TEST(largest_values_stay_within_the_answer),
        TEST(plaintext_is_refused_and_changes_nothing),
        TEST(http_on_leads_to_configuration_mode),
        TEST(reset_leaves_time_for_its_answer),
        TEST(zones_are_switched_by_number_and_seconds),
        TEST(the_led_is_never_the_pin_of_a_zone),
        TEST(a_flood_is_bounded),
        TEST(without_an_address_there_are_zones_alone),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
