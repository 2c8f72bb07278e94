/* SPDX-License-Identifier: MIT */
/* Rounds over the analog inputs, one conversion a tick, and digital inputs that have settled. */
#include <thimble/time.h>

#include "sensors/parts.h"

void th_sensors_init(struct th_sensors *sensors, const struct th_sensors_config *config,
                     uint32_t now_ms)
{
    memset(sensors, 0, sizeof *sensors);
    sensors->config = *config;
    sensors->last_ms = sensors->round_ms = now_ms;
    sensors->next = config->count;
}

uint32_t th_sensors_uptime(const struct th_sensors *sensors)
{
    return sensors->uptime_s;
}

static void count_time(struct th_sensors *sensors, uint32_t now_ms)
{
    uint32_t passed_ms = now_ms - sensors->last_ms;

    sensors->last_ms = now_ms;
    sensors->uptime_s += passed_ms / 1000;
    sensors->part_ms += passed_ms % 1000;
    sensors->uptime_s += sensors->part_ms / 1000;
    sensors->part_ms %= 1000;
}

static int32_t scaled(const struct th_sensor *sensor, int32_t raw)
{
    if (sensor->divide == 0)
        return raw;
    int64_t value = (int64_t)raw * sensor->multiply / sensor->divide + sensor->add;
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

/* ---- analog ---- */

static void select_input(const struct th_sensors *sensors, uint8_t input)
{
    const struct th_board *board = sensors->config.board;

    for (unsigned bit = 0; bit < 3; bit++)
        board->pins.ops->set(board->pins.ctx, sensors->config.mux_pins[bit],
                             input >> bit & 1 ? TH_PIN_HIGH : TH_PIN_LOW);
}

static void convert(struct th_sensors *sensors, uint8_t at)
{
    const struct th_board *board = sensors->config.board;
    const struct th_sensor *sensor = &sensors->config.table[at];
    int32_t raw = 0;
    uint8_t input = sensor->kind == TH_SENSOR_MUXED ? 0 : sensor->input;
    bool ok = board->analog.ops && board->analog.ops->read(board->analog.ctx, input, &raw);

    sensors_judge(sensors, at, ok, ok ? scaled(sensor, raw) : 0);
}

static void next_analog(struct th_sensors *sensors, uint8_t from)
{
    while (from < sensors->config.count && sensors->config.table[from].kind == TH_SENSOR_DIGITAL)
        from++;
    sensors->next = from;
    sensors->selected = false;
}

/* One step of the round: a conversion, or switching the multiplexer, which then has to settle. */
static void step(struct th_sensors *sensors, uint32_t now_ms)
{
    uint8_t at = sensors->next;
    const struct th_sensor *sensor = &sensors->config.table[at];

    if (sensor->kind == TH_SENSOR_MUXED && !sensors->selected) {
        select_input(sensors, sensor->input);
        sensors->selected = true;
        sensors->ready_ms = now_ms + TH_SENSOR_SETTLE_MS;
        return;
    }
    if (sensors->selected && !th_time_reached(now_ms, sensors->ready_ms))
        return;
    convert(sensors, at);
    next_analog(sensors, (uint8_t)(at + 1));
}

static void analog(struct th_sensors *sensors, uint32_t now_ms)
{
    if (sensors->next == sensors->config.count && th_time_reached(now_ms, sensors->round_ms)) {
        sensors->round_ms = now_ms + TH_SENSOR_SAMPLE_MS;
        next_analog(sensors, 0);
    }
    if (sensors->next < sensors->config.count)
        step(sensors, now_ms);
}

/* ---- digital ---- */

static void digital(struct th_sensors *sensors, uint8_t at, uint32_t now_ms)
{
    const struct th_board *board = sensors->config.board;
    const struct th_sensor *sensor = &sensors->config.table[at];
    struct th_sensor_state *state = &sensors->state[at];
    enum th_pin_level level = TH_PIN_LOW;

    if (!board->pins.ops || !board->pins.ops->get(board->pins.ctx, sensor->input, &level)) {
        sensors_judge(sensors, at, false, 0);
        return;
    }
    bool raw = (level == TH_PIN_HIGH) != sensor->active_low;
    if (!state->known || raw == (state->value != 0)) {
        /* It stands where it counts already, or is seen for the first time. */
        state->raw = raw;
        state->since_ms = now_ms;
        sensors_judge(sensors, at, true, raw);
        return;
    }
    if (raw != state->raw) {
        state->raw = raw;
        state->since_ms = now_ms;
    }
    if (now_ms - state->since_ms >= TH_SENSOR_DEBOUNCE_MS)
        sensors_judge(sensors, at, true, raw);
}

/* ---- the course of time ---- */

void th_sensors_tick(struct th_sensors *sensors, uint32_t now_ms)
{
    count_time(sensors, now_ms);
    analog(sensors, now_ms);
    for (uint8_t at = 0; at < sensors->config.count; at++) {
        if (sensors->config.table[at].kind == TH_SENSOR_DIGITAL)
            digital(sensors, at, now_ms);
    }
}

uint32_t th_sensors_deadline(const struct th_sensors *sensors, uint32_t now_ms)
{
    uint32_t until = th_time_until(now_ms, sensors->round_ms);

    if (sensors->next < sensors->config.count)
        until = sensors->selected ? th_time_until(now_ms, sensors->ready_ms) : 0;
    for (uint8_t at = 0; at < sensors->config.count; at++) {
        if (sensors->config.table[at].kind == TH_SENSOR_DIGITAL)
            return th_time_sooner(until, TH_SENSOR_DEBOUNCE_MS / 3);
    }
    return until;
}
