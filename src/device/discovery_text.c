/* SPDX-License-Identifier: MIT */
/*
 * The discovery message. It is larger than any buffer of a small device, so that it is written
 * through a window: everything before `skip` is passed over, what fits is put down, the rest is
 * counted.
 */
#include <thimble/discovery.h>

#include "base/text.h"

struct out {
    uint8_t *at, *end;
    uint32_t skip, total;
};

static void put_char(struct out *out, char c)
{
    if (out->total >= out->skip && out->at != out->end)
        *out->at++ = (uint8_t)c;
    out->total++;
}

static void put(struct out *out, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(out, *text);
}

static void put_number(struct out *out, uint32_t number)
{
    char digits[12];
    struct th_text text = th_text_init(digits, sizeof digits);

    th_text_decimal(&text, number);
    put(out, digits);
}

/* For what the application has named: a unit may hold anything. */
static void put_quoted(struct out *out, const char *text)
{
    put_char(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            put_char(out, '\\');
        put_char(out, (uint8_t)*text < 0x20 ? ' ' : *text);
    }
    put_char(out, '"');
}

/* ,"name":"…first…second" */
static void put_member(struct out *out, const char *name, const char *first, const char *second)
{
    put(out, ",\"");
    put(out, name);
    put(out, "\":\"");
    put(out, first);
    put(out, second);
    put_char(out, '"');
}

/* "garden_zone1":{"platform":"valve","unique_id":"garden_zone1","name":"Zone 1" */
static void open_component(struct out *out, const char *device, const char *platform,
                           const char *kind, uint32_t number, const char *name)
{
    for (int part = 0; part < 2; part++) {
        put(out, part == 0 ? "\"" : ",\"unique_id\":\"");
        put(out, device);
        put_char(out, '_');
        put(out, kind);
        if (number > 0)
            put_number(out, number);
        else
            put(out, name);
        put_char(out, '"');
        if (part == 0) {
            put(out, ":{\"platform\":\"");
            put(out, platform);
            put_char(out, '"');
        }
    }
}

/* A frame as a string in JSON: without an id, so that nothing is answered. */
static void put_command(struct out *out, const char *name, const char *method, uint32_t zone,
                        uint32_t seconds)
{
    put(out, ",\"");
    put(out, name);
    put(out, "\":\"{\\\"method\\\":\\\"");
    put(out, method);
    put(out, "\\\",\\\"params\\\":{\\\"zone\\\":");
    put_number(out, zone);
    if (seconds > 0) {
        put(out, ",\\\"seconds\\\":");
        put_number(out, seconds);
    }
    put(out, "}}\"");
}

static void put_zone(struct out *out, const struct th_discovery *discovery, const char *device,
                     uint32_t zone)
{
    uint32_t seconds = discovery->zones->zones.config.rules[zone - 1].most_s;
    bool valve = discovery->valves;

    open_component(out, device, valve ? "valve" : "switch", "zone", zone, "");
    put(out, ",\"name\":\"Zone ");
    put_number(out, zone);
    put_char(out, '"');
    put(out, ",\"state_topic\":\"");
    put(out, device);
    put(out, "/zone/");
    put_number(out, zone);
    put_char(out, '"');
    put(out, ",\"command_topic\":\"");
    put(out, device);
    put(out, "/from/");
    put(out, discovery->caller);
    put(out, "/rpc\"");
    put_member(out, "value_template",
               valve ? "{{ 'open' if value_json.on else 'closed' }}"
                     : "{{ 'on' if value_json.on else 'off' }}",
               "");
    put_command(out, valve ? "payload_open" : "payload_on", "Zone.On", zone, seconds);
    put_command(out, valve ? "payload_close" : "payload_off", "Zone.Off", zone, 0);
    put(out,
        valve ? ",\"device_class\":\"water\"}" : ",\"state_on\":\"on\",\"state_off\":\"off\"}");
}

static void put_sensor(struct out *out, const char *device, const struct th_sensor *sensor)
{
    bool digital = sensor->kind == TH_SENSOR_DIGITAL;

    open_component(out, device, digital ? "binary_sensor" : "sensor", "", 0, sensor->name);
    put_member(out, "name", sensor->name, "");
    put(out, ",\"state_topic\":\"");
    put(out, device);
    put(out, "/telemetry/");
    put(out, sensor->name);
    put_char(out, '"');
    put_member(out, "value_template", "{{ value_json.value }}", "");
    if (digital) {
        put(out, ",\"payload_on\":\"1\",\"payload_off\":\"0\"}");
        return;
    }
    if (sensor->unit) {
        put(out, ",\"unit_of_measurement\":");
        put_quoted(out, sensor->unit);
    }
    put(out, ",\"state_class\":\"measurement\"}");
}

static void put_components(struct out *out, const struct th_discovery *discovery,
                           const char *device)
{
    bool comma = false;

    for (uint32_t zone = 1; discovery->zones && discovery->zones->ready &&
                            zone <= discovery->zones->zones.config.count;
         zone++, comma = true) {
        put(out, comma ? "," : "");
        put_zone(out, discovery, device, zone);
    }
    for (uint8_t i = 0; discovery->sensors && i < discovery->sensors->count; i++, comma = true) {
        put(out, comma ? "," : "");
        put_sensor(out, device, &discovery->sensors->table[i]);
    }
}

size_t th_discovery_read(const struct th_discovery *discovery, uint32_t offset, uint8_t *into,
                         size_t room)
{
    const struct th_device_config *config = discovery->device->config;
    const char *device = th_device_id(discovery->device);
    struct out out = {into, into ? into + room : NULL, offset, 0};

    put(&out, "{\"device\":{\"identifiers\":[\"");
    put(&out, device);
    put(&out, "\"]");
    put_member(&out, "name", device, "");
    put(&out, ",\"model\":");
    put_quoted(&out, config->product);
    put(&out, ",\"sw_version\":");
    put_quoted(&out, config->version);
    put(&out, "},\"origin\":{\"name\":\"thimble\",\"sw\":");
    put_quoted(&out, config->version);
    put_char(&out, '}');
    put_member(&out, "availability_topic", device, "/status");
    put(&out, ",\"qos\":1,\"components\":{");
    put_components(&out, discovery, device);
    put(&out, "}}");
    return into ? (size_t)(out.at - into) : out.total;
}
