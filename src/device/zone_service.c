/* SPDX-License-Identifier: MIT */
/* Zones as a service of the device: out of the settings, and what is told of them. */
#include "device/zone_service.h"

#include "base/text.h"
#include "device/parts.h"

/* ---- out of the settings ---- */

/* The n-th number of a list such as "5,4,14", or the last there is; -1: it is not such a list. */
static int32_t number_of(const char *list, unsigned n)
{
    int32_t number = -1;

    for (unsigned i = 0; *list != '\0'; i++) {
        int32_t read = 0;
        if (*list < '0' || *list > '9')
            return -1;
        for (; *list >= '0' && *list <= '9'; list++) {
            read = read * 10 + (*list - '0');
            if (read > TH_ZONE_SECONDS_MAX)
                return -1;
        }
        if (*list == ',')
            list++;
        else if (*list != '\0')
            return -1;
        if (i <= n)
            number = read;
    }
    return number;
}

static unsigned length_of(const char *list)
{
    unsigned count = *list != '\0';

    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

static const char *read_rules(struct th_device *device, struct th_zones_config *config)
{
    char most[TH_SETTING_VALUE_MAX + 1], groups[TH_SETTING_VALUE_MAX + 1];

    th_device_text(device, "zones.most_s", most);
    th_device_text(device, "zones.groups", groups);
    for (unsigned i = 0; i < config->count; i++) {
        int32_t seconds = number_of(most, i), group = number_of(groups, i);
        if (seconds < 1)
            return "zones.most_s is no list of seconds";
        if (group < 0 || group > UINT8_MAX)
            return "zones.groups is no list of groups";
        config->rules[i] = (struct th_zone_rule){(uint32_t)seconds, (uint8_t)group};
    }
    return NULL;
}

static const char *read_outputs(struct th_zone_service *service, struct th_zones_config *config)
{
    const struct th_board *board = service->device->config->board;
    char text[TH_SETTING_VALUE_MAX + 1];
    unsigned outputs = (unsigned)config->count + config->master;

    th_device_text(service->device, "zones.driver", text);
    if (text[0] == 's') {
        service->spi = (struct th_outputs_spi){board};
        config->outputs = &th_outputs_spi_ops;
        config->outputs_ctx = &service->spi;
        return !board->spi.ops ? "this board has no SPI"
               : outputs > 8   ? "SPI has eight outputs"
                               : NULL;
    }
    service->gpio = (struct th_outputs_gpio){
        .board = board, .count = (uint8_t)outputs, .active_low = text[5] == 'l'};
    config->outputs = &th_outputs_gpio_ops;
    config->outputs_ctx = &service->gpio;
    th_device_text(service->device, "zones.pins", text);
    if (!board->pins.ops)
        return "this board has no pins";
    if (length_of(text) != outputs)
        return "zones.pins does not name a pin for each zone";
    for (unsigned i = 0; i < outputs; i++) {
        int32_t pin = number_of(text, i);
        if (pin < 0 || pin > UINT8_MAX)
            return "zones.pins is no list of pins";
        if (memchr(service->gpio.pins, pin, i))
            return "zones.pins names a pin twice";
        service->gpio.pins[i] = (uint8_t)pin;
    }
    return NULL;
}

static const char *read_starts(struct th_zone_service *service)
{
    struct th_timezone zone;
    char name[] = "zones.start1", text[TH_SETTING_VALUE_MAX + 1];

    th_device_text(service->device, "sys.tz_spec", text);
    th_timezone_parse(&zone, th_span_str(text));
    th_zones_timezone(&service->zones, &zone);
    for (uint8_t i = 1; i <= service->zones.config.count; i++) {
        name[sizeof name - 2] = (char)('0' + i);
        th_device_text(service->device, name, text);
        if (th_zones_schedule(&service->zones, i, th_span_str(text)) != TH_ZONE_DONE)
            return "zones.start is no schedule, or asks for more than zones.most_s allows";
    }
    return NULL;
}

static uint32_t digest_of(struct th_device *device)
{
    static const char prefix[] = "zones.";
    struct th_settings settings = th_device_settings(device);
    uint32_t digest = 2166136261u;
    char text[TH_SETTING_VALUE_MAX + 1];

    for (uint16_t i = 0; i < th_settings_count; i++) {
        const struct th_setting *setting = &th_settings_schema[i];
        if (strncmp(setting->name, prefix, sizeof prefix - 1) != 0 &&
            strcmp(setting->name, "sys.tz_spec") != 0)
            continue;
        size_t len = th_settings_get(&settings, setting, text);
        for (size_t at = 0; at <= len; at++)
            digest = (digest ^ (uint8_t)text[at]) * 16777619u;
    }
    return digest;
}

/* What is wired differently is first switched off as it was wired. */
static void configure(struct th_zone_service *service, uint32_t now_ms)
{
    struct th_zones_config config;

    if (service->ready)
        th_zones_safe(&service->zones, now_ms);
    memset(&config, 0, sizeof config);
    config.count = (uint8_t)th_device_number(service->device, "zones.count");
    config.most_on = (uint8_t)th_device_number(service->device, "zones.most_on");
    config.master = th_device_number(service->device, "zones.master") != 0;
    service->ready = false;
    service->to_tell = 0;
    service->fault = NULL;
    if (config.count == 0)
        return;
    service->fault = read_rules(service->device, &config);
    if (!service->fault)
        service->fault = read_outputs(service, &config);
    if (!service->fault && !th_zones_init(&service->zones, &config, now_ms))
        service->fault = "the outputs do not obey";
    service->ready = !service->fault;
    if (service->ready)
        service->fault = read_starts(service);
}

/* ---- the service ---- */

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_zone_service *service = ctx;

    service->device = device;
    service->ready = false;
    service->digest = digest_of(device);
    configure(service, now_ms);
}

static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_zone_service *service = ctx;
    uint32_t digest = digest_of(device);

    /* A change of mode passes through safe; so does one of what is wired where. */
    if (digest != service->digest)
        configure(service, now_ms);
    else if (service->ready)
        th_zones_safe(&service->zones, now_ms);
    service->digest = digest;
    if (service->fault)
        th_device_log(device, TH_LEVEL_WARN, service->fault);
}

static void leaving(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_zone_service *service = ctx;

    (void)device;
    if (service->ready)
        th_zones_safe(&service->zones, now_ms);
}

static void connected(void *ctx, struct th_device *device)
{
    struct th_zone_service *service = ctx;

    (void)device;
    if (service->ready)
        service->to_tell = (uint16_t)((2u << service->zones.config.count) - 2);
}

static bool tell(struct th_zone_service *service, uint8_t zone, uint32_t now_ms)
{
    char topic[] = "zone/1";
    uint8_t payload[ZONE_STATUS_MAX];
    struct th_json_writer json = th_json_writer_of(payload, sizeof payload);

    topic[sizeof topic - 2] = (char)('0' + zone);
    th_zone_put_status(service, zone, now_ms, &json);
    return th_device_publish(service->device, topic, th_json_written(&json), TH_MQTT_QOS1, true,
                             NULL) == TH_OK;
}

/* True when something left. */
static bool tell_all(struct th_zone_service *service, uint32_t now_ms)
{
    bool told = false;

    for (uint8_t zone = 1; zone <= service->zones.config.count; zone++) {
        if (!(service->to_tell >> zone & 1))
            continue;
        if (!tell(service, zone, now_ms))
            return told;
        service->to_tell &= (uint16_t) ~(1u << zone);
        told = true;
    }
    return told;
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_zone_service *service = ctx;

    if (!service->ready)
        return TH_FOREVER;
    struct th_clock_view clock = th_clock_read(&device->clock, now_ms);
    th_zones_tick(&service->zones, &clock, now_ms);
    for (uint8_t zone; (zone = th_zones_changed(&service->zones)) != 0;) {
        service->to_tell |= (uint16_t)(1u << zone);
        th_zone_say(service, zone, now_ms);
    }
    /* Unconnected, statuses would fill the outbox one after the other; the newest is told then. */
    if (device->linked && th_link_state(&device->link) == TH_LINK_UP && tell_all(service, now_ms))
        return 0;
    return th_zones_deadline(&service->zones, now_ms);
}

void th_zone_service_init(struct th_zone_service *service)
{
    memset(service, 0, sizeof *service);
    service->set = (struct th_rpc_set){th_zone_method_table, ZONE_METHODS, service};
}

struct th_service th_zone_service(struct th_zone_service *service)
{
    static const struct th_service_ops ops = {.start = start,
                                              .entered = entered,
                                              .leaving = leaving,
                                              .connected = connected,
                                              .step = step};

    return (struct th_service){&ops, service};
}

const struct th_rpc_set *th_zone_methods(struct th_zone_service *service)
{
    return &service->set;
}
