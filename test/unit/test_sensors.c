/* SPDX-License-Identifier: MIT */
/* Sensors: include/thimble/sensors.h. R7, R8. */
#include <stdio.h>
#include <stdlib.h>

#include <thimble/sensors.h>

#include "bench.h"

#define ROOM 6

/* A board whose converter sees, behind the multiplexer, what its three pins select, and shows
 * nonsense until it has settled. */
struct machine {
    int32_t inputs[8], host;
    bool pins[16], broken;
    uint32_t now_ms, switched_ms;
    struct th_board board;
    struct th_sensor_reading queue[ROOM];
    struct th_sensor_rule rules[TH_SENSORS_MAX];
    struct th_sensors sensors;
};

static bool pin_set(void *ctx, uint8_t pin, enum th_pin_level level)
{
    struct machine *machine = ctx;

    machine->pins[pin] = level == TH_PIN_HIGH;
    machine->switched_ms = machine->now_ms;
    return true;
}

static bool pin_get(void *ctx, uint8_t pin, enum th_pin_level *level)
{
    struct machine *machine = ctx;

    *level = machine->pins[pin] ? TH_PIN_HIGH : TH_PIN_LOW;
    return !machine->broken;
}

static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    struct machine *machine = ctx;
    unsigned selected =
        machine->pins[1] | (unsigned)machine->pins[2] << 1 | (unsigned)machine->pins[3] << 2;

    if (input == 9)
        *raw = machine->host;
    else
        *raw = machine->now_ms - machine->switched_ms >= TH_SENSOR_SETTLE_MS
                   ? machine->inputs[selected]
                   : -1;
    return !machine->broken;
}

static const struct th_pin_ops pin_ops = {pin_set, pin_get, NULL};
static const struct th_analog_ops analog_ops = {convert};

static const struct th_sensor eight[] = {
    {.name = "Ain0", .kind = TH_SENSOR_MUXED, .input = 0},
    {.name = "Ain1", .kind = TH_SENSOR_MUXED, .input = 1},
    {.name = "Ain2", .kind = TH_SENSOR_MUXED, .input = 2},
    {.name = "Ain3", .kind = TH_SENSOR_MUXED, .input = 3},
    {.name = "Ain4", .kind = TH_SENSOR_MUXED, .input = 4},
    {.name = "Ain5", .kind = TH_SENSOR_MUXED, .input = 5},
    {.name = "Ain6", .kind = TH_SENSOR_MUXED, .input = 6},
    {.name = "Ain7", .kind = TH_SENSOR_MUXED, .input = 7},
};
static const struct th_sensor one[] = {
    {.name = "cpu",
     .unit = "\xC2\xB0\x43",
     .kind = TH_SENSOR_ANALOG,
     .input = 9,
     .decimals = 2,
     .multiply = 10,
     .divide = 4,
     .add = -500},
};
static const struct th_sensor door[] = {
    {.name = "door", .kind = TH_SENSOR_DIGITAL, .input = 7, .active_low = true},
};

static struct machine *machine_of(const struct th_sensor *table, uint8_t count, uint32_t now_ms)
{
    struct machine *machine = calloc(1, sizeof *machine);

    machine->now_ms = now_ms;
    machine->board.pins.ops = &pin_ops;
    machine->board.pins.ctx = machine;
    machine->board.analog.ops = &analog_ops;
    machine->board.analog.ctx = machine;
    const struct th_sensors_config config = {.board = &machine->board,
                                             .table = table,
                                             .rules = machine->rules,
                                             .count = count,
                                             .mux_pins = {1, 2, 3},
                                             .device = TH_SPAN("garden"),
                                             .queue = machine->queue,
                                             .queue_room = ROOM};
    th_sensors_init(&machine->sensors, &config, now_ms);
    return machine;
}

/* As a loop would: at each deadline, and in between as chance has it. */
static void run(struct machine *machine, uint32_t ms)
{
    uint32_t end_ms = machine->now_ms + ms;

    while (machine->now_ms != end_ms) {
        th_sensors_tick(&machine->sensors, machine->now_ms);
        uint32_t wait = th_sensors_deadline(&machine->sensors, machine->now_ms);
        uint32_t left = end_ms - machine->now_ms;
        machine->now_ms += wait == 0 ? 1 : wait < left ? wait : left;
    }
    th_sensors_tick(&machine->sensors, machine->now_ms);
}

static int32_t value(const struct machine *machine, uint8_t sensor)
{
    int32_t got = 0;

    assert_true(th_sensors_value(&machine->sensors, sensor, &got));
    return got;
}

static unsigned queued(struct machine *machine)
{
    unsigned used = machine->sensors.used;

    machine->sensors.used = 0;
    return used;
}

static void eight_inputs_are_read_through_three_pins(void **state)
{
    (void)state;
    struct machine *machine = machine_of(eight, 8, UINT32_MAX - 20);

    for (int32_t i = 0; i < 8; i++)
        machine->inputs[i] = 100 + i;
    run(machine, 60);
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(value(machine, i), 100 + i);
    machine->inputs[5] = 7;
    run(machine, 1100);
    assert_int_equal(value(machine, 5), 7);
    free(machine);
}

static void a_value_is_scaled_and_written_with_its_decimals(void **state)
{
    (void)state;
    static const struct {
        int32_t value;
        uint8_t decimals;
        const char *text;
    } rows[] = {
        {0, 0, "0"},
        {0, 2, "0.00"},
        {5, 2, "0.05"},
        {-5, 2, "-0.05"},
        {2150, 2, "21.50"},
        {-2150, 3, "-2.150"},
        {INT32_MIN, 0, "-2147483648"},
        {INT32_MIN, 3, "-2147483.648"},
        {INT32_MAX, 1, "214748364.7"},
    };
    struct machine *machine = machine_of(one, 1, 0);
    char text[16];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(th_sensor_text(rows[i].value, rows[i].decimals, text),
                         strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
    machine->host = 1060;
    run(machine, 1);
    assert_int_equal(value(machine, 0), 2150);
    machine->host = INT32_MAX;
    run(machine, 1100);
    assert_int_equal(value(machine, 0), INT32_MAX);
    free(machine);
}

static void time_movement_and_thresholds_are_worth_saying(void **state)
{
    (void)state;
    struct machine *machine = machine_of(one, 1, 0);
    struct th_sensor_rule *rule = &machine->rules[0];

    *rule = (struct th_sensor_rule){.interval_s = 60, .dead_band = 100};
    machine->host = 1060; /* 2150 */
    run(machine, 1);
    assert_int_equal(queued(machine), 1); /* the first */
    run(machine, 30000);
    assert_int_equal(queued(machine), 0);
    run(machine, 31000);
    assert_int_equal(queued(machine), 1); /* by time */
    machine->host += 40;                  /* 2250: by 100 and not more */
    run(machine, 2000);
    assert_int_equal(queued(machine), 0);
    machine->host += 4;
    run(machine, 2000);
    assert_int_equal(queued(machine), 1);
    *rule = (struct th_sensor_rule){.dead_band = 100, .high_set = true, .high = 2300};
    machine->host = 1121; /* 2302 */
    run(machine, 2000);
    assert_int_equal(queued(machine), 1);
    assert_int_equal(machine->queue[machine->sensors.head].alarm, TH_SENSOR_HIGH);
    machine->host = 1119; /* 2297: below, but not by the dead band */
    run(machine, 2000);
    assert_int_equal(queued(machine), 0);
    machine->host = 1079; /* 2197 */
    run(machine, 2000);
    assert_int_equal(queued(machine), 1);
    assert_int_equal(machine->sensors.state[0].alarm, TH_SENSOR_NORMAL);
    run(machine, 3600000);
    assert_int_equal(queued(machine), 0);
    free(machine);
}

static void a_contact_that_bounces_is_one_change(void **state)
{
    (void)state;
    struct machine *machine = machine_of(door, 1, UINT32_MAX - 100);

    machine->pins[7] = true;
    run(machine, 50);
    assert_int_equal(value(machine, 0), 0);
    assert_int_equal(queued(machine), 1);
    for (int i = 0; i < 20; i++) {
        machine->pins[7] = i % 2;
        run(machine, 7);
    }
    assert_int_equal(queued(machine), 0);
    machine->pins[7] = false;
    run(machine, 60);
    assert_int_equal(value(machine, 0), 1);
    assert_int_equal(queued(machine), 1);
    free(machine);
}

static void what_cannot_be_read_has_no_value_and_comes_back(void **state)
{
    (void)state;
    struct machine *machine = machine_of(one, 1, 0);
    int32_t got;

    run(machine, 1);
    assert_int_equal(value(machine, 0), -500);
    machine->broken = true;
    run(machine, 1500);
    assert_false(th_sensors_value(&machine->sensors, 0, &got));
    assert_false(th_sensors_value(&machine->sensors, 1, &got));
    machine->broken = false;
    run(machine, 1500);
    assert_int_equal(value(machine, 0), -500);
    free(machine);
}

/* ---- offline ---- */

static void next_telemetry(struct bench *bench, const char *topic, const char *payload)
{
    struct bench_publish sent = next_publish(bench);

    broker_acks(bench, 0x40, sent.id);
    expect_event(bench, TH_MQTT_EVENT_PUBLISHED);
    if (!span_is(sent.topic, topic) || !span_is(sent.payload, payload))
        fail_msg("sent %.*s %.*s", (int)sent.topic.len, (const char *)sent.topic.at,
                 (int)sent.payload.len, (const char *)sent.payload.at);
}

static void offline_the_newest_wait_with_their_own_time(void **state) /* R7 */
{
    struct bench *bench = *state;
    struct machine *machine = machine_of(one, 1, 0);

    machine->rules[0].interval_s = 60;
    machine->host = 200; /* 0.00 */
    run(machine, 1);
    machine->host = 1060;
    run(machine, 7u * 60 * 1000 + 5000); /* eight readings, room for six */
    assert_int_equal(machine->sensors.used, ROOM);
    bench_connect(bench, false, "");
    assert_true(th_sensors_send(&machine->sensors, &bench->mqtt, 1795000000));
    bench_run(bench);
    uint32_t up = th_sensors_uptime(&machine->sensors);
    for (uint32_t i = 0; i < ROOM; i++) {
        char payload[128];
        const struct th_sensor_reading *reading =
            &machine->queue[(machine->sensors.head + i) % ROOM];
        snprintf(payload, sizeof payload,
                 "{\"value\":21.50,\"unit\":\"\xC2\xB0\x43\",\"alarm\":\"normal\",\"time\":%u%s}",
                 1795000000 - (up - reading->at_s), i == 0 ? ",\"lost\":2" : "");
        next_telemetry(bench, "garden/telemetry/cpu", payload);
    }
    free(machine);
}

static void without_a_clock_a_reading_has_an_age(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = machine_of(door, 1, 0);

    run(machine, 10000);
    bench_connect(bench, false, "");
    assert_true(th_sensors_send(&machine->sensors, &bench->mqtt, 0));
    bench_run(bench);
    next_telemetry(bench, "garden/telemetry/door",
                   "{\"value\":1,\"alarm\":\"normal\",\"age_s\":10}");
    free(machine);
}

static void what_the_outbox_does_not_take_stays(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = machine_of(door, 1, 0);

    bench_connect(bench, false, "");
    run(machine, 100);
    while (publish(bench, TH_MQTT_QOS1, "fill", "xxxxxxxxxxxxxxxxxxxxxxxx", NULL) == TH_OK)
        ;
    while (publish(bench, TH_MQTT_QOS1, "f", "x", NULL) == TH_OK)
        ;
    assert_false(th_sensors_send(&machine->sensors, &bench->mqtt, 0));
    assert_int_equal(machine->sensors.used, 1);
    assert_int_equal(machine->sensors.lost, 0);
    free(machine);
}

static void uptime_goes_on_when_the_counter_wraps(void **state) /* R8 */
{
    (void)state;
    struct machine *machine = machine_of(door, 1, UINT32_MAX - 999);

    for (int i = 0; i < 100; i++) {
        machine->now_ms += 1u << 30;
        th_sensors_tick(&machine->sensors, machine->now_ms);
    }
    assert_int_equal(th_sensors_uptime(&machine->sensors), (100ull << 30) / 1000);
    free(machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_inputs_are_read_through_three_pins),
        cmocka_unit_test(a_value_is_scaled_and_written_with_its_decimals),
        cmocka_unit_test(time_movement_and_thresholds_are_worth_saying),
        cmocka_unit_test(a_contact_that_bounces_is_one_change),
        cmocka_unit_test(what_cannot_be_read_has_no_value_and_comes_back),
        BOTH(offline_the_newest_wait_with_their_own_time),
        ONLY_5(without_a_clock_a_reading_has_an_age),
        ONLY_5(what_the_outbox_does_not_take_stays),
        cmocka_unit_test(uptime_goes_on_when_the_counter_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
