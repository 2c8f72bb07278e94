/* SPDX-License-Identifier: MIT */
/* What is known of each device, and how it looks on a terminal. */
#ifndef TOOL_WATCH_TABLE_H
#define TOOL_WATCH_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include <thimble/mqtt.h>

#define WATCH_DEVICES 256
#define WATCH_VALUES  32
#define WATCH_LINES   64

struct watch_value {
    char name[24], text[40];
    bool alarm;
    int64_t at_ms; /* 0: unused */
};

struct watch_device {
    char name[40], status[24];
    int64_t seen_ms, status_ms;
    struct watch_value values[WATCH_VALUES];
};

struct watch_line {
    char device[40], text[200];
    int64_t at_ms;
};

struct watch_table {
    struct watch_device devices[WATCH_DEVICES]; /* by name */
    size_t count;
    struct watch_line lines[WATCH_LINES]; /* a ring of what devices logged */
    size_t line_count;
    size_t overflow; /* messages of devices there was no room for */
};

/* Parts of "<device>/status", "<device>/telemetry/<name>", "<device>/zone/<n>", "<device>/log";
 * false for another topic. `name` is what stands behind the kind, or empty. */
struct watch_topic {
    struct th_span device, kind, name;
};
bool watch_topic_read(struct th_span topic, struct watch_topic *out);

/* Takes a message in. `at_ms`: calendar time, milliseconds. */
void watch_table_take(struct watch_table *table, const struct watch_topic *topic,
                      struct th_span payload, bool retained, int64_t at_ms);

/* Draws `rows` lines of `columns`, each ended by an erase to the line's end. */
void watch_table_draw(const struct watch_table *table, FILE *to, unsigned rows, unsigned columns,
                      const char *heading, int64_t now_ms);

#endif
