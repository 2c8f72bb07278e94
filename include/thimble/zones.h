/* SPDX-License-Identifier: MIT */
/*
 * Zones: valves, pumps, lamps that are switched on for a time and always go off. Whoever switches
 * one on gives a lease; its end is armed in hardware (struct th_pin_ops, struct th_spi_ops) before
 * the output goes on, so that OFF needs neither loop nor network (R9). Leases are bounded for each
 * zone, zones of a group exclude each other, a number of zones at once is the most, and a master
 * valve is open while any zone is. Weekly starts run by the local clock and without the network
 * (R7). Everything begins and ends with all outputs off: start, restart, change of mode, fault.
 *
 * Zones are numbered from 1, as people count. docs/zones.md has the rules.
 */
#ifndef THIMBLE_ZONES_H
#define THIMBLE_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/schedule.h>
#include <thimble/trust.h>

#define TH_ZONES_MAX        8
#define TH_ZONES_STARTS     16      /* weekly starts of all zones together */
#define TH_ZONE_SECONDS_MAX 86400   /* the longest lease a rule may allow */
#define TH_ZONES_LATE_S     600     /* a start is made up for so long: the clock was put forward */
#define TH_ZONES_WAIT_MS    3600000 /* so long a start waits for its turn */
#define TH_ZONES_CHECK_MS   1000

/* ---- outputs: how switching reaches the hardware ---- */

#define TH_OUTPUTS_MAX 9 /* zones and master valve */

struct th_outputs_ops {
    /* Outputs of `on` go on, each until its off_at_ms and no longer, whatever becomes of the
     * loop; all others go off, before any goes on. False when one could not be switched. */
    bool (*put)(void *ctx, uint16_t on, const uint32_t off_at_ms[TH_OUTPUTS_MAX]);
    /* Which ones are on in truth; false when that cannot be told. */
    bool (*actual)(void *ctx, uint16_t *on);
};

/* Pins of the board: output n is pins[n]. The board has clock and pins. */
struct th_outputs_gpio {
    const struct th_board *board;
    uint8_t pins[TH_OUTPUTS_MAX];
    uint8_t count;
    bool active_low; /* on is the low level, as most relay boards have it */
};
extern const struct th_outputs_ops th_outputs_gpio_ops; /* ctx: struct th_outputs_gpio */

/* One byte over SPI, bit n for output n, inverted: a set bit is an output that is off. */
struct th_outputs_spi {
    const struct th_board *board; /* has SPI */
};
extern const struct th_outputs_ops th_outputs_spi_ops; /* ctx: struct th_outputs_spi */

/* ---- zones ---- */

struct th_zone_rule {
    uint32_t most_s; /* of one run, renewals included: 1..TH_ZONE_SECONDS_MAX */
    uint8_t group;   /* only one zone of a group is on at a time; 0: none */
};

struct th_zones_config {
    const struct th_outputs_ops *outputs;
    void *outputs_ctx;
    struct th_zone_rule rules[TH_ZONES_MAX]; /* zone n is output n - 1 */
    uint8_t count;                           /* of zones */
    uint8_t most_on;                         /* at once; 0: no limit */
    bool master;                             /* output `count` is the master valve */
};

enum th_zone_answer {
    TH_ZONE_DONE,
    TH_ZONE_NONE,   /* there is no such zone */
    TH_ZONE_TIME,   /* 0 seconds, or more than the zone's rule allows for one run */
    TH_ZONE_LIMIT,  /* as many zones are on as may be */
    TH_ZONE_OUTPUT, /* the output could not be switched; everything is off */
};

/* A sentence for a person. */
const char *th_zone_answer_text(enum th_zone_answer answer);

enum th_zone_cause {                /* of the last change */
                     TH_ZONE_START, /* the device has started: all is off */
                     TH_ZONE_COMMAND,
                     TH_ZONE_SCHEDULE,
                     TH_ZONE_LEASE, /* its time was over */
                     TH_ZONE_GROUP, /* another zone of its group was switched on */
                     TH_ZONE_SAFE,  /* all were switched off: change of mode, restart */
                     TH_ZONE_FAULT, /* an output failed */
};

struct th_zone_status {
    bool commanded, actual;
    bool actual_known;
    enum th_zone_cause cause;
    uint32_t left_s; /* of its lease, rounded up; 0 when it is off */
};

/* Private. */
struct th_zone {
    bool on, changed, was_actual;
    uint8_t cause;
    uint32_t since_ms, off_at_ms;
};

struct th_zone_start {
    struct th_schedule_entry entry;
    uint8_t zone; /* from 0; TH_ZONES_MAX: the place is free */
    bool known, waiting;
    uint32_t waiting_ms;
    int64_t after_s, next_s;
};

/* Fields private. The config is copied; what it points to lives as long. */
struct th_zones {
    struct th_zones_config config;
    struct th_zone zones[TH_ZONES_MAX];
    struct th_zone_start starts[TH_ZONES_STARTS];
    struct th_timezone timezone;
    enum th_clock_kind clock;
    int64_t last_s;
    uint32_t checked_ms, missed;
    uint8_t turn; /* the next start to look at */
};

/* Switches everything off, first of all. False when the outputs fail. */
bool th_zones_init(struct th_zones *zones, const struct th_zones_config *config, uint32_t now_ms);

/* On for so many seconds from `now_ms`, which is when the command came; a zone that is on gets the
 * new lease instead of its old one. Other zones of its group go off. */
enum th_zone_answer th_zones_on(struct th_zones *zones, uint8_t zone, uint32_t seconds,
                                uint32_t now_ms);
enum th_zone_answer th_zones_off(struct th_zones *zones, uint8_t zone, uint32_t now_ms);

/* Everything off, and starts that wait are forgotten: before a restart or another mode. */
void th_zones_safe(struct th_zones *zones, uint32_t now_ms);

/* Ends leases in the books (the outputs are off already), looks after the outputs, starts what is
 * due. `clock`: th_clock_read(). Never waits. Call it at the deadline, and at least once in 2^31
 * ms. */
void th_zones_tick(struct th_zones *zones, const struct th_clock_view *clock, uint32_t now_ms);
uint32_t th_zones_deadline(const struct th_zones *zones, uint32_t now_ms);

/* False: no such zone. */
bool th_zones_status(const struct th_zones *zones, uint8_t zone, uint32_t now_ms,
                     struct th_zone_status *out);

/* The next zone whose status has changed since it was last asked for here; 0: none. */
uint8_t th_zones_changed(struct th_zones *zones);

/* ---- weekly starts ---- */

void th_zones_timezone(struct th_zones *zones, const struct th_timezone *timezone);

/* The zone's starts, instead of those it had. NONE; TIME: one lasts longer than the rule allows, or
 * the text is no schedule; LIMIT: there are more than TH_ZONES_STARTS in all. Nothing is changed
 * then. */
enum th_zone_answer th_zones_schedule(struct th_zones *zones, uint8_t zone, struct th_span text);

struct th_zones_report {
    enum th_clock_kind clock; /* which clock the starts go by; FLOOR_ONLY: none, they are held */
    uint8_t starts, waiting;
    uint32_t missed; /* since the start of the device: their turn or their clock came too late */
    int64_t next_s;  /* the soonest start that is known; 0: none */
    uint8_t next_zone;
};

void th_zones_report(const struct th_zones *zones, struct th_zones_report *out);

#endif
