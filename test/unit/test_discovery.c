/* SPDX-License-Identifier: MIT */
/* What Home Assistant is told: include/thimble/discovery.h. Its rules are those of its MQTT
 * integration's documentation (device discovery, valve, switch, sensor, binary_sensor). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/discovery.h>
#include <thimble/json.h>

static struct th_device_config device_config;
static struct th_device device;
static struct th_zone_service zones;
static struct th_sensor_service sensors;
static struct th_discovery discovery;
static char text[16384];

static int begin(void **state)
{
    (void)state;
    memset(&device, 0, sizeof device);
    memset(&zones, 0, sizeof zones);
    memset(&sensors, 0, sizeof sensors);
    device_config.product = "thi\"mble";
    device_config.version = "1.0";
    device.config = &device_config;
    snprintf(device.id, sizeof device.id, "garden");
    zones.ready = true;
    zones.zones.config.count = 8;
    for (int i = 0; i < 8; i++)
        zones.zones.config.rules[i].most_s = 600;
    sensors.count = 3;
    sensors.table[0] = (struct th_sensor){.name = "Ain0", .kind = TH_SENSOR_MUXED};
    sensors.table[1] =
        (struct th_sensor){.name = "temp", .unit = "\xC2\xB0\x43", .kind = TH_SENSOR_ANALOG};
    sensors.table[2] = (struct th_sensor){.name = "in1", .kind = TH_SENSOR_DIGITAL};
    th_discovery_init(&discovery, &zones, &sensors);
    discovery.device = &device;
    snprintf(discovery.caller, sizeof discovery.caller, "ha");
    discovery.valves = true;
    return 0;
}

static struct th_json whole(void)
{
    struct th_json json;
    size_t at, len = th_discovery_read(&discovery, 0, NULL, 0);

    assert_true(len < sizeof text);
    assert_int_equal(th_discovery_read(&discovery, 0, (uint8_t *)text, sizeof text), len);
    if (th_json_parse(th_span_of(text, len), &json, &at) != TH_OK)
        fail_msg("no JSON at %zu: %.*s", at, (int)len, text);
    return json;
}

static struct th_json member(struct th_json json, const char *name)
{
    struct th_json found = th_json_member(json, name);

    if (found.kind == TH_JSON_NONE)
        fail_msg("no %s in %.*s", name, (int)json.text.len, (const char *)json.text.at);
    return found;
}

static void expect(struct th_json json, const char *name, const char *value)
{
    char got[200];

    assert_true(th_json_string(member(json, name), got, sizeof got));
    assert_string_equal(got, value);
}

static void the_message_says_who_and_where(void **state)
{
    (void)state;
    struct th_json json = whole();

    expect(member(json, "origin"), "name", "thimble");
    expect(member(json, "device"), "name", "garden");
    expect(member(json, "device"), "model", "thi\"mble");
    expect(json, "availability_topic", "garden/status");
    assert_true(
        th_span_equal(member(member(json, "device"), "identifiers").text, TH_SPAN("[\"garden\"]")));
}

/* Each component has a platform, an id of its own and what its platform asks for. */
static void every_component_has_what_its_platform_asks_for(void **state)
{
    (void)state;
    static const struct {
        const char *platform, *needs[5];
    } rules[] = {
        {"valve",
         {"state_topic", "command_topic", "payload_open", "payload_close", "value_template"}},
        {"switch", {"state_topic", "command_topic", "payload_on", "payload_off", "value_template"}},
        {"sensor", {"state_topic", "value_template", "state_class", "name", "unique_id"}},
        {"binary_sensor", {"state_topic", "value_template", "payload_on", "payload_off", "name"}},
    };

    for (int valves = 0; valves < 2; valves++) {
        struct th_json name, component;
        unsigned count = 0;
        discovery.valves = valves;
        struct th_json all = member(whole(), "components");
        for (size_t at = 0; th_json_next(all, &at, &name, &component); count++) {
            char platform[16], id[40], key[40];
            assert_true(th_json_string(member(component, "platform"), platform, sizeof platform));
            assert_true(th_json_string(member(component, "unique_id"), id, sizeof id));
            assert_true(th_json_string(name, key, sizeof key));
            assert_string_equal(id, key);
            size_t rule = 0;
            while (strcmp(rules[rule].platform, platform) != 0)
                assert_true(++rule < sizeof rules / sizeof rules[0]);
            for (size_t i = 0; i < 5; i++)
                member(component, rules[rule].needs[i]);
        }
        assert_int_equal(count, 11);
    }
}

static void a_command_is_a_request_for_the_zones_longest_run(void **state)
{
    (void)state;
    struct th_json zone = member(member(whole(), "components"), "garden_zone2");

    expect(zone, "command_topic", "garden/from/ha/rpc");
    expect(zone, "state_topic", "garden/zone/2");
    expect(zone, "payload_open",
           "{\"method\":\"Zone.On\",\"params\":{\"zone\":2,\"seconds\":600}}");
    expect(zone, "payload_close", "{\"method\":\"Zone.Off\",\"params\":{\"zone\":2}}");
}

static void any_window_shows_the_same(void **state)
{
    (void)state;
    static uint8_t pieces[sizeof text];
    struct th_json json = whole();
    size_t len = json.text.len;

    for (size_t room = 1; room < 700; room = room * 3 + 1) {
        size_t at = 0, got;
        while ((got = th_discovery_read(&discovery, (uint32_t)at, pieces + at,
                                        len - at < room ? len - at : room)) > 0)
            at += got;
        assert_int_equal(at, len);
        assert_memory_equal(pieces, text, len);
    }
}

static void a_device_without_zones_and_sensors_is_told_too(void **state)
{
    (void)state;
    zones.ready = false;
    sensors.count = 0;
    assert_true(th_span_equal(member(whole(), "components").text, TH_SPAN("{}")));
    discovery.zones = NULL;
    discovery.sensors = NULL;
    assert_true(th_span_equal(member(whole(), "components").text, TH_SPAN("{}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_message_says_who_and_where, begin),
        cmocka_unit_test_setup(every_component_has_what_its_platform_asks_for, begin),
        cmocka_unit_test_setup(a_command_is_a_request_for_the_zones_longest_run, begin),
        cmocka_unit_test_setup(any_window_shows_the_same, begin),
        cmocka_unit_test_setup(a_device_without_zones_and_sensors_is_told_too, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
