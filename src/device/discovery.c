/* SPDX-License-Identifier: MIT */
/* When Home Assistant is told, and what is asked of the session for it. */
#include <thimble/discovery.h>

#include "device/parts.h"

static size_t read_source(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    return th_discovery_read(user, offset, into, room);
}

/* A name that the broker's topics can hold; anything else would be told to nobody. */
static bool is_caller(const char *name)
{
    for (; *name != '\0'; name++) {
        if (!((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '_' ||
              *name == '-'))
            return false;
    }
    return true;
}

static void read_settings(struct th_discovery *discovery)
{
    char text[TH_SETTING_VALUE_MAX + 1];

    th_device_text(discovery->device, "ha.zones", text);
    discovery->valves = text[0] == 'v';
    th_device_text(discovery->device, "ha.caller", text);
    struct th_text caller = th_text_init(discovery->caller, sizeof discovery->caller);
    th_text_str(&caller, is_caller(text) ? text : "");
    if (!is_caller(text))
        th_device_log(discovery->device, TH_LEVEL_WARN, "ha.caller is no user's name");
}

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_discovery *discovery = ctx;

    (void)now_ms;
    discovery->device = device;
    discovery->due = discovery->sending = discovery->was_told = false;
    read_settings(discovery);
}

static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    (void)device;
    (void)now_ms;
    read_settings(ctx);
}

static void connected(void *ctx, struct th_device *device)
{
    struct th_discovery *discovery = ctx;
    struct th_text topic = th_text_init(discovery->topic, sizeof discovery->topic);

    th_text_str(&topic, "homeassistant/device/");
    th_text_str(&topic, th_device_id(device));
    th_text_str(&topic, "/config");
    discovery->sending = false;
    discovery->due = discovery->caller[0] != '\0' || discovery->was_told;
}

static bool send(struct th_discovery *discovery)
{
    bool tell = discovery->caller[0] != '\0';

    discovery->source = (struct th_mqtt_source){read_source, discovery,
                                                (uint32_t)th_discovery_read(discovery, 0, NULL, 0)};
    discovery->publish = (struct th_mqtt_publish){.topic = th_span_str(discovery->topic),
                                                  .source = tell ? &discovery->source : NULL,
                                                  .qos = TH_MQTT_QOS0,
                                                  .retain = true};
    if (th_mqtt_publish(&discovery->device->mqtt, &discovery->publish, NULL) != TH_OK)
        return false;
    discovery->was_told = tell;
    return true;
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_discovery *discovery = ctx;

    (void)now_ms;
    if (!discovery->due || !device->linked || !device->subscribed ||
        th_link_state(&device->link) != TH_LINK_UP)
        return TH_FOREVER;
    if (!send(discovery))
        return 100; /* another message is in the way */
    discovery->due = false;
    return 0;
}

void th_discovery_init(struct th_discovery *discovery, const struct th_zone_service *zones,
                       const struct th_sensor_service *sensors)
{
    memset(discovery, 0, sizeof *discovery);
    discovery->zones = zones;
    discovery->sensors = sensors;
}

struct th_service th_discovery_service(struct th_discovery *discovery)
{
    static const struct th_service_ops ops = {
        .start = start, .entered = entered, .connected = connected, .step = step};

    return (struct th_service){&ops, discovery};
}
