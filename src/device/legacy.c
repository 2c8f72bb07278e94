/* SPDX-License-Identifier: MIT */
/* Requests of older sketches and their answers. Formats, and where they come from: docs/legacy.md.
 */
#include <thimble/legacy.h>
#include <thimble/time.h>

#include "device/legacy_parts.h"

/* ---- what is asked ---- */

static const struct {
    const char *name;
    enum th_legacy_request request;
} names[] = {
    {"GetSensors", TH_LEGACY_GET_SENSORS},
    {"LedOn", TH_LEGACY_LED_ON},
    {"LedOff", TH_LEGACY_LED_OFF},
    {"MqttSslOn", TH_LEGACY_MQTT_SSL_ON},
    {"MqttOn", TH_LEGACY_MQTT_ON},
    {"HttpOn", TH_LEGACY_HTTP_ON},
    {"Reset", TH_LEGACY_RESET},
};

/* As there: the first parameter behind the first '?' must be `request`; its value ends at '&', at a
 * blank, or with the text. */
enum th_legacy_request th_legacy_read(struct th_span text)
{
    static const char key[] = "request=";
    const uint8_t *mark = text.len > 0 ? memchr(text.at, '?', text.len) : NULL;

    if (!mark)
        return TH_LEGACY_INVALID;
    size_t left = text.len - (size_t)(mark + 1 - text.at), len = 0;
    if (left < sizeof key - 1 || memcmp(mark + 1, key, sizeof key - 1) != 0)
        return TH_LEGACY_INVALID;
    const uint8_t *value = mark + sizeof key;
    left -= sizeof key - 1;
    while (len < left && value[len] != '&' && value[len] > ' ')
        len++;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (th_span_equal(th_span_of(value, len), th_span_str(names[i].name)))
            return names[i].request;
    }
    return TH_LEGACY_INVALID;
}

bool th_legacy_acts(enum th_legacy_request request)
{
    return request != TH_LEGACY_INVALID && request != TH_LEGACY_GET_SENSORS &&
           request != TH_LEGACY_MQTT_ON;
}

static void say(const struct th_legacy *legacy, enum th_legacy_request request)
{
    char line[48];
    struct th_text text = th_text_init(line, sizeof line);

    th_text_str(&text, "legacy asks for ");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        th_text_str(&text, names[i].request == request ? names[i].name : "");
    th_device_log(legacy->device, th_legacy_acts(request) ? TH_LEVEL_INFO : TH_LEVEL_DEBUG, line);
}

/* ---- acting ---- */

static enum legacy_answer led(const struct th_legacy *legacy, bool on)
{
    const struct th_board *board = legacy->device->config->board;

    if (!legacy->has_led ||
        !board->pins.ops->set(board->pins.ctx, legacy->led, on ? TH_PIN_HIGH : TH_PIN_LOW))
        return LEGACY_INVALID;
    return on ? LEGACY_LED_ON : LEGACY_LED_OFF;
}

/* A change of mode as any other: on trial, taken back where it does not work. Nobody can be asked
 * for its proof here. */
static enum legacy_answer set_mode(struct th_legacy *legacy, const char *mode, uint32_t now_ms)
{
    if (th_device_try_mode(legacy->device, mode, now_ms) != TH_OK)
        return LEGACY_BUSY;
    return mode[0] == 'c' ? LEGACY_HTTP_ON : LEGACY_SSL_ON;
}

enum legacy_answer th_legacy_act(struct th_legacy *legacy, enum th_legacy_request request,
                                 uint32_t now_ms)
{
    say(legacy, request);
    switch (request) {
    case TH_LEGACY_GET_SENSORS: return LEGACY_SENSORS;
    case TH_LEGACY_LED_ON: return led(legacy, true);
    case TH_LEGACY_LED_OFF: return led(legacy, false);
    case TH_LEGACY_MQTT_SSL_ON: return set_mode(legacy, "mqtt", now_ms);
    case TH_LEGACY_HTTP_ON: return set_mode(legacy, "config", now_ms);
    case TH_LEGACY_MQTT_ON: return LEGACY_PLAINTEXT;
    case TH_LEGACY_RESET:
        legacy->restart = true;
        legacy->restart_at_ms = now_ms + LEGACY_ANSWER_MS;
        return LEGACY_RESET;
    case TH_LEGACY_INVALID: break;
    }
    return LEGACY_INVALID;
}

/* ---- answers ---- */

static void put_pair(struct th_text *text, const char *name, const char *value, bool last)
{
    th_text_char(text, '"');
    th_text_str(text, name);
    th_text_str(text, "\":\"");
    th_text_str(text, value);
    th_text_str(text, last ? "\"\r\n}" : "\",\r\n");
}

/* "316.00", with two decimals whatever the sensor has; "" before it could be read, as there. */
static void analog_text(const struct th_legacy *legacy, const char *name, char into[16])
{
    const struct th_sensor_service *sensors = legacy->config.sensors;
    int32_t value;

    into[0] = '\0';
    for (uint8_t i = 0; sensors && i < sensors->count; i++) {
        const struct th_sensor *sensor = &sensors->table[i];
        if (strcmp(sensor->name, name) != 0 || !th_sensors_value(&sensors->sensors, i, &value))
            continue;
        for (uint8_t have = sensor->decimals; have > 2; have--)
            value /= 10;
        if (sensor->decimals >= 2 || (value < INT32_MAX / 100 && value > INT32_MIN / 100)) {
            for (uint8_t have = sensor->decimals; have < 2; have++)
                value *= 10;
            th_sensor_text(value, 2, into);
        }
    }
}

static void put_sensors(const struct th_legacy *legacy, struct th_text *text, uint32_t now_ms)
{
    char name[] = "Ain0", value[16];
    struct th_text number = th_text_init(value, sizeof value);

    th_text_str(text, "{\r\n");
    for (; name[3] < '8'; name[3]++) {
        analog_text(legacy, name, value);
        put_pair(text, name, value, false);
    }
    th_text_decimal(&number,
                    legacy->config.heap ? legacy->config.heap(legacy->config.heap_ctx) : 0);
    put_pair(text, "SYS_Heap", value, false);
    number = th_text_init(value, sizeof value);
    th_text_decimal(&number, (now_ms - legacy->started_ms) / 1000);
    put_pair(text, "SYS_Time", value, true);
}

struct th_span th_legacy_write(const struct th_legacy *legacy, enum legacy_answer answer,
                               uint32_t now_ms, char *into, size_t room)
{
    static const char *const texts[] = {
        [LEGACY_INVALID] = "Invalid Request",
        [LEGACY_SENSORS] = "",
        [LEGACY_LED_ON] = "LED is now ON\n",
        [LEGACY_LED_OFF] = "LED is now OFF\n",
        [LEGACY_SSL_ON] = "MQTT SSL Broker Connection Restored and HTTP Disabled\n",
        [LEGACY_HTTP_ON] = "HTTP Server Restored and MQTT Disabled\n",
        [LEGACY_PLAINTEXT] = "MQTT without TLS is refused\n",
        [LEGACY_RESET] = "Reset\n",
        [LEGACY_BUSY] = "Another change is on trial\n",
    };
    struct th_text text = th_text_init(into, room);

    if (answer == LEGACY_SENSORS)
        put_sensors(legacy, &text, now_ms);
    else
        th_text_str(&text, texts[answer]);
    return th_span_of(into, text.len);
}

struct th_span th_legacy_answer(struct th_legacy *legacy, enum th_legacy_request request,
                                uint32_t now_ms, char *into, size_t room)
{
    return th_legacy_write(legacy, th_legacy_act(legacy, request, now_ms), now_ms, into, room);
}
