/* SPDX-License-Identifier: MIT */
/* Readings wait here for the network, the newest that fit, and leave in order. */
#include <thimble/json.h>

#include "sensors/parts.h"

void sensors_queue(struct th_sensors *sensors, const struct th_sensor_reading *reading)
{
    uint16_t room = sensors->config.queue_room;

    if (sensors->used == room) {
        sensors->head = (uint16_t)((sensors->head + 1) % room);
        sensors->used--;
        sensors->lost++;
    }
    sensors->config.queue[(sensors->head + sensors->used) % room] = *reading;
    sensors->used++;
}

size_t th_sensor_text(int32_t value, uint8_t decimals, char *into)
{
    char digits[12];
    size_t count = 0, len = 0;
    uint32_t left = value < 0 ? 0 - (uint32_t)value : (uint32_t)value;

    for (; left > 0 || count <= decimals; left /= 10)
        digits[count++] = (char)('0' + left % 10);
    if (value < 0)
        into[len++] = '-';
    while (count > 0) {
        into[len++] = digits[--count];
        if (count == decimals && count > 0)
            into[len++] = '.';
    }
    into[len] = '\0';
    return len;
}

static const char *const alarm_names[] = {"normal", "low", "high"};

static struct th_span payload_of(const struct th_sensors *sensors,
                                 const struct th_sensor_reading *reading, int64_t utc_s,
                                 uint8_t *into, size_t room)
{
    const struct th_sensor *sensor = &sensors->config.table[reading->sensor];
    struct th_json_writer json = th_json_writer_of(into, room);
    uint32_t age_s = sensors->uptime_s - reading->at_s;
    char number[16];
    size_t len = th_sensor_text(reading->value, sensor->decimals, number);

    th_json_open(&json, '{');
    th_json_name(&json, "value");
    th_json_put_raw(&json, th_span_of(number, len));
    if (sensor->unit) {
        th_json_name(&json, "unit");
        th_json_put_string(&json, th_span_str(sensor->unit));
    }
    th_json_name(&json, "alarm");
    th_json_put_string(&json, th_span_str(alarm_names[reading->alarm]));
    th_json_name(&json, utc_s > 0 ? "time" : "age_s");
    th_json_put_integer(&json, utc_s > 0 ? utc_s - age_s : age_s);
    if (sensors->lost > 0) {
        th_json_name(&json, "lost");
        th_json_put_integer(&json, sensors->lost);
    }
    th_json_close(&json, '}');
    return th_json_written(&json);
}

static struct th_span topic_of(const struct th_sensors *sensors, uint8_t sensor, char *into)
{
    static const char middle[] = "/telemetry/";
    struct th_span device = sensors->config.device;
    size_t name = strlen(sensors->config.table[sensor].name);

    memcpy(into, device.at, device.len);
    memcpy(into + device.len, middle, sizeof middle - 1);
    memcpy(into + device.len + sizeof middle - 1, sensors->config.table[sensor].name, name);
    return th_span_of(into, device.len + sizeof middle - 1 + name);
}

bool th_sensors_send(struct th_sensors *sensors, struct th_mqtt *mqtt, int64_t utc_s)
{
    while (sensors->used > 0) {
        const struct th_sensor_reading *reading = &sensors->config.queue[sensors->head];
        uint8_t payload[128];
        char topic[64];
        const struct th_mqtt_publish publish = {
            .topic = topic_of(sensors, reading->sensor, topic),
            .payload = payload_of(sensors, reading, utc_s, payload, sizeof payload),
            .qos = TH_MQTT_QOS1};
        enum th_error error = th_mqtt_publish(mqtt, &publish, NULL);
        if (error == TH_ERR_AGAIN || error == TH_ERR_OUTBOX_FULL || error == TH_ERR_NOT_CONNECTED)
            return false;
        /* What this broker will never take must not stop the rest. */
        sensors->lost = error == TH_OK ? 0 : sensors->lost + 1;
        sensors->head = (uint16_t)((sensors->head + 1) % sensors->config.queue_room);
        sensors->used--;
    }
    return true;
}
