/* SPDX-License-Identifier: MIT */
/* What is worth saying: by time, by movement, by threshold. */
#include "sensors/parts.h"

/* Back inside only by the dead band, so that noise at the threshold does not ring. */
static enum th_sensor_alarm alarm_of(const struct th_sensor_rule *rule, enum th_sensor_alarm was,
                                     int32_t value)
{
    int64_t band = rule->dead_band, v = value;

    if (rule->low_set && (v < rule->low || (was == TH_SENSOR_LOW && v < rule->low + band)))
        return TH_SENSOR_LOW;
    if (rule->high_set && (v > rule->high || (was == TH_SENSOR_HIGH && v > rule->high - band)))
        return TH_SENSOR_HIGH;
    return TH_SENSOR_NORMAL;
}

static bool moved(const struct th_sensor_rule *rule, int32_t said, int32_t value)
{
    int64_t by = (int64_t)value - said;

    return rule->dead_band > 0 && (by < 0 ? -by : by) > rule->dead_band;
}

void sensors_judge(struct th_sensors *sensors, uint8_t sensor, bool ok, int32_t value)
{
    const struct th_sensor_rule *rule = &sensors->config.rules[sensor];
    struct th_sensor_state *state = &sensors->state[sensor];
    bool digital = sensors->config.table[sensor].kind == TH_SENSOR_DIGITAL;
    uint32_t silent_s = sensors->uptime_s - state->said_s;

    state->known = ok;
    if (!ok)
        return;
    enum th_sensor_alarm alarm = alarm_of(rule, (enum th_sensor_alarm)state->alarm, value);
    bool worth = !state->was_said || alarm != state->alarm ||
                 (digital ? value != state->said
                          : silent_s >= TH_SENSOR_SPACING_S && moved(rule, state->said, value)) ||
                 (rule->interval_s > 0 && silent_s >= rule->interval_s);
    state->value = value;
    state->alarm = (uint8_t)alarm;
    if (!worth)
        return;
    state->was_said = true;
    state->said = value;
    state->said_s = sensors->uptime_s;
    const struct th_sensor_reading reading = {
        .value = value, .at_s = sensors->uptime_s, .sensor = sensor, .alarm = (uint8_t)alarm};
    sensors_queue(sensors, &reading);
}

bool th_sensors_value(const struct th_sensors *sensors, uint8_t sensor, int32_t *value)
{
    if (sensor >= sensors->config.count || !sensors->state[sensor].known)
        return false;
    *value = sensors->state[sensor].value;
    return true;
}
