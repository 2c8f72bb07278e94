/* SPDX-License-Identifier: MIT */
/*
 * Sensors: what is measured, when it is worth saying, and how it leaves. Analog inputs (eight of
 * them behind one converter and a 3-bit multiplexer, where the board has so few), digital inputs
 * with debounce, and what the host knows of itself are the same here: a number with a name.
 *
 *   sample ──► judge: interval, dead band, threshold ──► queue ──► <device>/telemetry/<name>
 *
 * The queue is memory lent by the device. While the network is away it keeps the newest readings,
 * each with its own time, and counts what had no room. docs/telemetry.md has the messages.
 */
#ifndef THIMBLE_SENSORS_H
#define THIMBLE_SENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/mqtt.h>

#define TH_SENSORS_MAX        20
#define TH_SENSOR_SAMPLE_MS   1000 /* between two rounds over the analog inputs */
#define TH_SENSOR_SETTLE_MS   2    /* from switching the multiplexer to reading */
#define TH_SENSOR_DEBOUNCE_MS 30   /* a digital input counts when it has stood so long */
#define TH_SENSOR_SPACING_S   1    /* least time between two reports of one analog sensor */

enum th_sensor_kind {
    TH_SENSOR_ANALOG,  /* `input` of the board's converter */
    TH_SENSOR_MUXED,   /* `input` 0..7 of the multiplexer before the converter's input 0 */
    TH_SENSOR_DIGITAL, /* `input` is a pin; 1 when it is high, or low where `active_low` */
};

/* What there is to measure: a const table, lives as long as the sensors. */
struct th_sensor {
    const char *name; /* 1..15 of [A-Za-z0-9_]: the topic's last level */
    const char *unit; /* at most 7 bytes; NULL: none */
    uint8_t kind, input;
    bool active_low;
    uint8_t decimals; /* 0..3: 2150 with 2 decimals reads 21.50 */
    /* The value is raw * multiply / divide + add, in 64 bits, rounded towards zero. divide is not
     * 0; all zero stands for raw itself. */
    int32_t multiply, divide, add;
};

/* When a reading is worth saying; the settings' part. */
struct th_sensor_rule {
    uint32_t interval_s; /* at least this often; 0: never by time alone */
    int32_t dead_band;   /* at once when it has moved by more; 0: not by movement */
    bool low_set, high_set;
    int32_t low, high; /* at once when it falls below or rises above; it has come back when it is
                          inside by the dead band */
};

enum th_sensor_alarm { TH_SENSOR_NORMAL, TH_SENSOR_LOW, TH_SENSOR_HIGH };

struct th_sensor_reading {
    int32_t value;
    uint32_t at_s; /* on the counter of th_sensors_uptime() */
    uint8_t sensor, alarm;
};

struct th_sensors_config {
    const struct th_board *board; /* analog, pins */
    const struct th_sensor *table;
    const struct th_sensor_rule *rules; /* one for each; may change at any time */
    uint8_t count;                      /* at most TH_SENSORS_MAX */
    uint8_t mux_pins[3];                /* bit 0 first; used when there is a MUXED sensor */
    struct th_span device;              /* the device's id, at most 32 bytes */
    struct th_sensor_reading *queue;
    uint16_t queue_room; /* at least 1 */
};

/* Private. */
struct th_sensor_state {
    int32_t value, said;
    uint32_t said_s, since_ms;
    bool known, was_said, raw;
    uint8_t alarm;
};

/* Fields private. The config is copied; what it points to lives as long. */
struct th_sensors {
    struct th_sensors_config config;
    struct th_sensor_state state[TH_SENSORS_MAX];
    uint32_t last_ms, part_ms, uptime_s;
    uint32_t round_ms, ready_ms; /* when the next round begins; when the multiplexer has settled */
    uint8_t next;                /* sensor of the round that is under way; `count`: none is */
    bool selected;               /* the multiplexer stands on it */
    uint16_t head, used;
    uint32_t lost;
};

void th_sensors_init(struct th_sensors *sensors, const struct th_sensors_config *config,
                     uint32_t now_ms);

/* Samples what is due and queues what is worth saying. Never waits. Call it at the deadline, and at
 * least once in 2^31 ms. */
void th_sensors_tick(struct th_sensors *sensors, uint32_t now_ms);
uint32_t th_sensors_deadline(const struct th_sensors *sensors, uint32_t now_ms);

/* Seconds since th_sensors_init(), as of the last tick; does not wrap for 136 years. */
uint32_t th_sensors_uptime(const struct th_sensors *sensors);

/* The newest value of a sensor; false before it could be read, and while it cannot be. */
bool th_sensors_value(const struct th_sensors *sensors, uint8_t sensor, int32_t *value);

/* Publishes what waits, at QoS 1, as long as the session takes it. Call it while connected: else
 * the readings fill the outbox, where the newest do not push out the oldest. `utc_s`: the time, 0
 * while the clock is not trusted: readings then carry their age. True when nothing waits any more.
 */
bool th_sensors_send(struct th_sensors *sensors, struct th_mqtt *mqtt, int64_t utc_s);

/* "21.50" of 2150 and 2, with a NUL; `into` has room for 16. Returns its length. */
size_t th_sensor_text(int32_t value, uint8_t decimals, char *into);

#endif
