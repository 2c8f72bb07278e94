/* SPDX-License-Identifier: MIT */
/* The legacy front on a device: its settings, its topics, and zones by "<zone> <seconds>". */
#include <thimble/time.h>

#include "device/legacy_parts.h"

static const char zone_topic[] = "irrigation/zone/on";

#define TOPIC_MAX 24 /* "mqtt_rx_" and 12 digits */

/* ---- out of the settings ---- */

/* "18:FE:34:00:00:01", with '-' or nothing between, into 12 lower-case digits. */
static bool read_mac(const char *text, char into[13])
{
    size_t len = 0;

    for (; *text != '\0'; text++) {
        char c = (char)(*text >= 'A' && *text <= 'F' ? *text + ('a' - 'A') : *text);
        if ((c == ':' || c == '-') && len > 0 && len % 2 == 0)
            continue;
        if (len == 12 || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            break;
        into[len++] = c;
    }
    into[len] = '\0';
    if (*text == '\0' && len == 12)
        return true;
    into[0] = '\0';
    return false;
}

/* True when the comma-separated list has the number. */
static bool lists(const char *list, uint32_t number)
{
    while (*list != '\0') {
        uint32_t read = 0;
        for (; *list >= '0' && *list <= '9'; list++)
            read = read * 10 + (uint32_t)(*list - '0');
        if (read == number)
            return true;
        list += *list != '\0';
    }
    return false;
}

/* A zone's output is on a lease; nothing else may drive it (R9). */
static const char *read_led(struct th_legacy *legacy)
{
    char pin[TH_SETTING_VALUE_MAX + 1], zones[TH_SETTING_VALUE_MAX + 1];
    uint32_t number = 0;

    legacy->has_led = false;
    th_device_text(legacy->device, "legacy.led_pin", pin);
    th_device_text(legacy->device, "zones.pins", zones);
    if (pin[0] == '\0')
        return NULL;
    for (const char *at = pin; *at != '\0'; at++) {
        if (*at == ',')
            return "legacy.led_pin is one pin";
        number = number * 10 + (uint32_t)(*at - '0');
    }
    if (lists(zones, number))
        return "legacy.led_pin is a pin of a zone";
    if (!legacy->device->config->board->pins.ops)
        return "legacy.led_pin: this board has no pins";
    legacy->led = (uint8_t)number;
    legacy->has_led = true;
    return NULL;
}

static void read_settings(struct th_legacy *legacy)
{
    char mac[TH_SETTING_VALUE_MAX + 1];

    legacy->enabled = th_device_number(legacy->device, "legacy.enable") != 0;
    legacy->mac[0] = '\0';
    legacy->has_led = false;
    legacy->fault = NULL;
    if (!legacy->enabled)
        return;
    th_device_text(legacy->device, "legacy.mac", mac);
    legacy->fault = read_led(legacy);
    if (mac[0] != '\0' && !read_mac(mac, legacy->mac))
        legacy->fault = "legacy.mac is no address such as 18:fe:34:00:00:01";
}

/* ---- topics ---- */

static size_t topic_of(const struct th_legacy *legacy, const char *prefix, char into[TOPIC_MAX])
{
    struct th_text text = th_text_init(into, TOPIC_MAX);

    th_text_str(&text, prefix);
    th_text_str(&text, legacy->mac);
    return text.len;
}

static bool subscribe(struct th_legacy *legacy)
{
    char topic[TOPIC_MAX];
    struct th_mqtt_filter filters[2] = {{.filter = th_span_str(zone_topic), .qos = TH_MQTT_QOS1}};
    uint8_t count = 1;

    if (legacy->mac[0] != '\0')
        filters[count++] = (struct th_mqtt_filter){
            .filter = th_span_of(topic, topic_of(legacy, "mqtt_rx_", topic)), .qos = TH_MQTT_QOS1};
    return th_mqtt_subscribe(&legacy->device->mqtt, filters, count, NULL, 0, NULL) == TH_OK;
}

/* ---- messages ---- */

static bool number(struct th_span text, size_t *at, uint32_t *value)
{
    size_t begin = *at;

    *value = 0;
    for (; *at < text.len && text.at[*at] >= '0' && text.at[*at] <= '9'; (*at)++) {
        *value = *value * 10 + (uint32_t)(text.at[*at] - '0');
        if (*value > TH_ZONE_SECONDS_MAX)
            return false;
    }
    return *at > begin;
}

/* "<zone> <seconds>"; 0 seconds switch it off. Trailing blanks and ends of line are passed over. */
static const char *command_zone(struct th_legacy *legacy, struct th_span text, uint32_t now_ms)
{
    struct th_zone_service *service = legacy->config.zones;
    uint32_t zone, seconds;
    size_t at = 0;

    if (!service || !service->ready)
        return "there are no zones";
    while (text.len > 0 && text.at[text.len - 1] <= ' ')
        text.len--;
    if (!number(text, &at, &zone) || at == text.len || text.at[at++] != ' ' ||
        !number(text, &at, &seconds) || at != text.len || zone > TH_ZONES_MAX)
        return "not \"<zone> <seconds>\"";
    enum th_zone_answer how = seconds > 0
                                  ? th_zones_on(&service->zones, (uint8_t)zone, seconds, now_ms)
                                  : th_zones_off(&service->zones, (uint8_t)zone, now_ms);
    return how == TH_ZONE_DONE ? NULL : th_zone_answer_text(how);
}

static void on_zone(struct th_legacy *legacy, struct th_span text, uint32_t now_ms)
{
    char line[112];
    struct th_text said = th_text_init(line, sizeof line);
    const char *why = command_zone(legacy, text, now_ms);

    th_text_str(&said, "legacy asks for a zone");
    if (why) {
        th_text_str(&said, ", refused: ");
        th_text_str(&said, why);
    }
    th_device_log(legacy->device, why ? TH_LEVEL_WARN : TH_LEVEL_INFO, line);
}

static void on_request(struct th_legacy *legacy, struct th_span text, uint32_t now_ms)
{
    if (legacy->waiting_count == TH_LEGACY_QUEUE) {
        legacy->dropped++;
        return;
    }
    legacy->waiting[legacy->waiting_count++] =
        (uint8_t)th_legacy_act(legacy, th_legacy_read(text), now_ms);
}

/* Retained messages are old commands (F11); what comes in pieces is far too long for one. */
static bool message(void *ctx, struct th_device *device, const struct th_mqtt_event *event,
                    uint32_t now_ms)
{
    struct th_legacy *legacy = ctx;
    const struct th_mqtt_message *message = &event->u.message;
    char topic[TOPIC_MAX];

    (void)device;
    if (!legacy->enabled || event->kind != TH_MQTT_EVENT_MESSAGE)
        return false;
    bool zone = th_span_equal(message->topic, th_span_str(zone_topic));
    size_t len = topic_of(legacy, "mqtt_rx_", topic);
    bool request = legacy->mac[0] != '\0' && th_span_equal(message->topic, th_span_of(topic, len));
    if ((!zone && !request) || message->retain)
        return zone || request;
    if (zone)
        on_zone(legacy, message->payload, now_ms);
    else
        on_request(legacy, message->payload, now_ms);
    return true;
}

/* ---- the service ---- */

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_legacy *legacy = ctx;

    legacy->device = device;
    legacy->started_ms = now_ms;
    legacy->waiting_count = 0;
    legacy->restart = legacy->subscribe = false;
    read_settings(legacy);
}

static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_legacy *legacy = ctx;

    (void)now_ms;
    read_settings(legacy);
    if (legacy->fault)
        th_device_log(device, TH_LEVEL_WARN, legacy->fault);
}

static void connected(void *ctx, struct th_device *device)
{
    struct th_legacy *legacy = ctx;

    (void)device;
    legacy->waiting_count = 0; /* whoever asked is not listening to this connection */
    legacy->subscribe = legacy->enabled;
}

/* False: the session takes nothing now. */
static bool send(struct th_legacy *legacy, uint32_t now_ms)
{
    char topic[TOPIC_MAX], into[TH_LEGACY_ANSWER_MAX];
    struct th_span text =
        th_legacy_write(legacy, (enum legacy_answer)legacy->waiting[0], now_ms, into, sizeof into);
    const struct th_mqtt_publish publish = {
        .topic = th_span_of(topic, topic_of(legacy, "mqtt_tx_", topic)),
        .payload = text,
        .qos = TH_MQTT_QOS0};
    enum th_error error = th_mqtt_publish(&legacy->device->mqtt, &publish, NULL);

    if (error == TH_ERR_AGAIN)
        return false;
    legacy->waiting_count--;
    memmove(legacy->waiting, legacy->waiting + 1, legacy->waiting_count);
    return true;
}

static OFF_THE_STACK uint32_t talk(struct th_legacy *legacy, uint32_t now_ms)
{
    bool spoke = false;

    if (legacy->subscribe) {
        if (!subscribe(legacy))
            return 100; /* another message is in the way */
        legacy->subscribe = false;
        spoke = true;
    }
    while (legacy->waiting_count > 0) {
        if (!send(legacy, now_ms))
            return 100;
        spoke = true;
    }
    return spoke ? 0 : TH_FOREVER;
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_legacy *legacy = ctx;
    uint32_t wait_ms = TH_FOREVER;

    if (!legacy->enabled)
        return TH_FOREVER;
    if (th_device_connected(device))
        wait_ms = talk(legacy, now_ms);
    if (!legacy->restart)
        return wait_ms;
    if (th_time_reached(now_ms, legacy->restart_at_ms)) {
        legacy->restart = false;
        th_device_restart(device, now_ms);
    }
    return th_time_sooner(wait_ms, th_time_until(now_ms, legacy->restart_at_ms));
}

void th_legacy_init(struct th_legacy *legacy, const struct th_legacy_config *config)
{
    memset(legacy, 0, sizeof *legacy);
    legacy->config = *config;
}

struct th_service th_legacy_service(struct th_legacy *legacy)
{
    static const struct th_service_ops ops = {.start = start,
                                              .entered = entered,
                                              .connected = connected,
                                              .message = message,
                                              .step = step};

    return (struct th_service){&ops, legacy};
}

bool th_legacy_enabled(const struct th_legacy *legacy)
{
    return legacy->enabled;
}
