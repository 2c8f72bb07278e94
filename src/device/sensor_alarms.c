/* SPDX-License-Identifier: MIT */
/* Thresholds as text: NAME<VALUE, NAME>VALUE, with ',' between. */
#include <thimble/sensor_service.h>

static void skip_blanks(const char **at)
{
    while (**at == ' ')
        (*at)++;
}

static bool in_name(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/* The sensor whose name stands there; `count` when there is none. */
static uint8_t sensor_at(const char **at, const struct th_sensor *table, uint8_t count)
{
    size_t len = 0;

    while (in_name((*at)[len]))
        len++;
    for (uint8_t i = 0; i < count; i++) {
        if (strlen(table[i].name) == len && memcmp(table[i].name, *at, len) == 0) {
            *at += len;
            return i;
        }
    }
    return count;
}

/* "2.5" with 2 decimals is 250; more decimals than the sensor has are none of its values. */
static bool value_at(const char **at, uint8_t decimals, int32_t *out)
{
    bool negative = **at == '-';
    int64_t value = 0;
    uint8_t after = 0;
    bool point = false, digits = false;

    for (*at += negative; (**at >= '0' && **at <= '9') || (**at == '.' && !point); (*at)++) {
        if (**at == '.') {
            point = true;
            continue;
        }
        digits = true;
        value = value * 10 + (**at - '0');
        after = (uint8_t)(after + point);
        if (value > INT32_MAX || after > decimals)
            return false;
    }
    for (; after < decimals; after++)
        value *= 10;
    *out = (int32_t)(negative ? -value : value);
    return digits && value <= INT32_MAX;
}

static const char *one(const char **at, const struct th_sensor *table, uint8_t count,
                       struct th_sensor_rule *rules)
{
    uint8_t sensor = sensor_at(at, table, count);
    int32_t value;

    if (sensor == count)
        return "telemetry.alarms names a sensor that this device has not";
    skip_blanks(at);
    char which = **at;
    if (which != '<' && which != '>')
        return "telemetry.alarms: a name is followed by < or >";
    (*at)++;
    skip_blanks(at);
    if (!value_at(at, table[sensor].decimals, &value))
        return "telemetry.alarms: that is no value of the sensor";
    if (which == '<') {
        rules[sensor].low_set = true;
        rules[sensor].low = value;
    } else {
        rules[sensor].high_set = true;
        rules[sensor].high = value;
    }
    return NULL;
}

const char *th_sensor_alarms(const char *text, const struct th_sensor *table, uint8_t count,
                             struct th_sensor_rule *rules)
{
    for (skip_blanks(&text); *text != '\0'; skip_blanks(&text)) {
        const char *wrong = one(&text, table, count, rules);
        if (wrong)
            return wrong;
        skip_blanks(&text);
        if (*text == ',')
            text++;
        else if (*text != '\0')
            return "telemetry.alarms: there is no ',' between two of them";
    }
    return NULL;
}
