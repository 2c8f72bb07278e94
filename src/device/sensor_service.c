/* SPDX-License-Identifier: MIT */
/* Sensors as a service of the device. */
#include <thimble/json.h>
#include <thimble/sensor_service.h>

#include "device/parts.h"

/* ---- out of the settings ---- */

static const char *const input_names[TH_SENSOR_INPUTS] = {"in1", "in2", "in3", "in4",
                                                          "in5", "in6", "in7", "in8"};

static const char *add_inputs(struct th_sensor_service *service)
{
    char pins[TH_SETTING_VALUE_MAX + 1];
    bool active_low = th_device_number(service->device, "inputs.active_low") != 0;
    uint8_t inputs = 0;
    const char *at = pins;

    th_device_text(service->device, "inputs.pins", pins);
    if (pins[0] != '\0' && !service->device->config->board->pins.ops)
        return "inputs.pins: this board has no pins";
    while (*at != '\0') {
        uint32_t pin = 0;
        if (inputs == TH_SENSOR_INPUTS)
            return "inputs.pins names more than eight";
        for (; *at >= '0' && *at <= '9'; at++)
            pin = pin * 10 + (uint32_t)(*at - '0');
        at += *at == ',';
        service->table[service->count++] = (struct th_sensor){.name = input_names[inputs++],
                                                              .kind = TH_SENSOR_DIGITAL,
                                                              .input = (uint8_t)pin,
                                                              .active_low = active_low};
    }
    return NULL;
}

static void configure(struct th_sensor_service *service)
{
    uint32_t interval_s = (uint32_t)th_device_number(service->device, "telemetry.interval_s");
    int32_t dead_band = th_device_number(service->device, "telemetry.dead_band");
    char alarms[TH_SETTING_VALUE_MAX + 1];

    service->count = service->config.fixed_count;
    if (service->count > 0)
        memcpy(service->table, service->config.fixed, service->count * sizeof service->table[0]);
    service->fault = add_inputs(service);
    for (uint8_t i = 0; i < service->count; i++)
        service->rules[i] = (struct th_sensor_rule){
            .interval_s = interval_s,
            .dead_band = service->table[i].kind == TH_SENSOR_DIGITAL ? 0 : dead_band};
    th_device_text(service->device, "telemetry.alarms", alarms);
    const char *wrong = th_sensor_alarms(alarms, service->table, service->count, service->rules);
    if (!service->fault)
        service->fault = wrong;
}

static void begin(struct th_sensor_service *service, uint32_t now_ms)
{
    const struct th_sensors_config config = {.board = service->device->config->board,
                                             .table = service->table,
                                             .rules = service->rules,
                                             .count = service->count,
                                             .mux_pins = {service->config.mux_pins[0],
                                                          service->config.mux_pins[1],
                                                          service->config.mux_pins[2]},
                                             .device = th_span_str(th_device_id(service->device)),
                                             .queue = service->config.queue,
                                             .queue_room = service->config.queue_room};

    th_sensors_init(&service->sensors, &config, now_ms);
}

/* ---- the service ---- */

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_sensor_service *service = ctx;

    service->device = device;
    configure(service);
    begin(service, now_ms);
}

static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_sensor_service *service = ctx;
    uint8_t inputs = service->count;

    configure(service);
    /* Other inputs are other sensors; else what waits for the network goes on waiting. */
    if (inputs != service->count)
        begin(service, now_ms);
    service->sensors.config.device = th_span_str(th_device_id(device));
    if (service->fault)
        th_device_log(device, TH_LEVEL_WARN, service->fault);
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_sensor_service *service = ctx;
    struct th_clock_view clock = th_clock_read(&device->clock, now_ms);
    uint16_t waiting;

    th_sensors_tick(&service->sensors, now_ms);
    waiting = service->sensors.used;
    if (device->linked && device->subscribed && th_link_state(&device->link) == TH_LINK_UP)
        th_sensors_send(&service->sensors, &device->mqtt,
                        clock.kind == TH_CLOCK_TRUSTED ? clock.now_s : 0);
    /* What was published leaves with the link's next step. */
    return service->sensors.used < waiting ? 0 : th_sensors_deadline(&service->sensors, now_ms);
}

/* ---- the method ---- */

static void sensor_read(void *ctx, struct th_rpc_call *call)
{
    const struct th_sensor_service *service = ctx;

    th_json_open(call->result, '{');
    for (uint8_t i = 0; i < service->count; i++) {
        char text[16];
        int32_t value;
        th_json_name(call->result, service->table[i].name);
        if (th_sensors_value(&service->sensors, i, &value))
            th_json_put_raw(
                call->result,
                th_span_of(text, th_sensor_text(value, service->table[i].decimals, text)));
        else
            th_json_put_null(call->result);
    }
    th_json_close(call->result, '}');
}

static const struct th_rpc_method methods[] = {
    {"Sensor.Read", TH_ROLE_VIEWER, false, 0, NULL,
     "The newest value of every sensor; null for what cannot be read.", sensor_read},
};

void th_sensor_service_init(struct th_sensor_service *service,
                            const struct th_sensor_service_config *config)
{
    memset(service, 0, sizeof *service);
    service->config = *config;
    service->set = (struct th_rpc_set){methods, 1, service};
}

struct th_service th_sensor_service(struct th_sensor_service *service)
{
    static const struct th_service_ops ops = {.start = start, .entered = entered, .step = step};

    return (struct th_service){&ops, service};
}

const struct th_rpc_set *th_sensor_methods(struct th_sensor_service *service)
{
    return &service->set;
}
