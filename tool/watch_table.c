/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thimble/json.h>

#include "term.h"
#include "watch_table.h"

/* ---- topics ---- */

static bool is(struct th_span text, const char *word)
{
    return th_span_equal(text, th_span_str(word));
}

static struct th_span level(struct th_span *rest)
{
    const uint8_t *slash = rest->len ? memchr(rest->at, '/', rest->len) : NULL;
    struct th_span part = *rest;

    if (slash)
        part.len = (size_t)(slash - rest->at);
    rest->at += part.len + (slash != NULL);
    rest->len -= part.len + (slash != NULL);
    return part;
}

bool watch_topic_read(struct th_span topic, struct watch_topic *out)
{
    out->device = level(&topic);
    out->kind = level(&topic);
    out->name = topic;
    if (out->device.len == 0)
        return false;
    if (is(out->kind, "status") || is(out->kind, "log"))
        return out->name.len == 0;
    return (is(out->kind, "telemetry") || is(out->kind, "zone")) && out->name.len > 0;
}

/* ---- taking in ---- */

/* Copies what can be shown: no control character of a device reaches the terminal. */
static void copy(struct th_span from, char *into, size_t room)
{
    size_t len = 0;

    for (size_t i = 0; i < from.len && len + 1 < room; i++)
        into[len++] = (char)(from.at[i] < 0x20 || from.at[i] == 0x7F ? ' ' : from.at[i]);
    while (len > 0 && ((uint8_t)into[len - 1] & 0xC0) == 0x80 && from.len >= room)
        len--; /* not half a character at the cut */
    into[len] = '\0';
}

/* A string of a device, without escapes and without control characters. */
static bool string_of(struct th_json value, char *into, size_t room)
{
    if (!th_json_string(value, into, room))
        return false;
    for (char *at = into; *at; at++) {
        if ((uint8_t)*at < 0x20 || *at == 0x7F)
            *at = ' ';
    }
    return true;
}

static struct watch_device *device_of(struct watch_table *table, struct th_span name)
{
    char text[40];
    size_t at = 0;

    copy(name, text, sizeof text);
    while (at < table->count && strcmp(table->devices[at].name, text) < 0)
        at++;
    if (at < table->count && strcmp(table->devices[at].name, text) == 0)
        return &table->devices[at];
    if (table->count == WATCH_DEVICES) {
        table->overflow++;
        return NULL;
    }
    memmove(&table->devices[at + 1], &table->devices[at],
            (table->count - at) * sizeof table->devices[0]);
    table->count++;
    memset(&table->devices[at], 0, sizeof table->devices[at]);
    memcpy(table->devices[at].name, text, sizeof text);
    return &table->devices[at];
}

static struct watch_value *value_of(struct watch_device *device, const char *name)
{
    struct watch_value *oldest = &device->values[0];

    for (size_t i = 0; i < WATCH_VALUES; i++) {
        struct watch_value *value = &device->values[i];
        if (value->at_ms != 0 && strcmp(value->name, name) == 0)
            return value;
        if (value->at_ms < oldest->at_ms)
            oldest = value;
    }
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

/* "21.50 °C", "on 1:45", or the payload as it is. */
static void value_text(struct th_span payload, struct watch_value *into)
{
    struct th_json json, value, unit, alarm;
    char number[24] = "", of[12] = "", word[12] = "";
    int64_t left_s = 0;
    size_t at;

    into->alarm = false;
    if (th_json_parse(payload, &json, &at) != TH_OK || json.kind != TH_JSON_OBJECT) {
        copy(payload, into->text, sizeof into->text);
        return;
    }
    value = th_json_member(json, "value");
    unit = th_json_member(json, "unit");
    alarm = th_json_member(json, "alarm");
    into->alarm = string_of(alarm, word, sizeof word) && strcmp(word, "normal") != 0;
    if (!string_of(unit, of, sizeof of))
        of[0] = '\0';
    if (value.kind != TH_JSON_NONE) {
        copy(value.text, number, sizeof number);
        snprintf(into->text, sizeof into->text, "%s%s%s", number, *of ? " " : "", of);
        return;
    }
    struct th_json on = th_json_member(json, "on");
    if (on.kind != TH_JSON_TRUE && on.kind != TH_JSON_FALSE) {
        copy(payload, into->text, sizeof into->text);
        return;
    }
    into->alarm = on.kind == TH_JSON_TRUE;
    th_json_integer(th_json_member(json, "seconds"), &left_s);
    if (into->alarm && left_s > 0 && left_s < 1000000)
        snprintf(into->text, sizeof into->text, "on %d:%02d", (int)(left_s / 60),
                 (int)(left_s % 60));
    else
        snprintf(into->text, sizeof into->text, "%s", into->alarm ? "on" : "off");
}

static void take_line(struct watch_table *table, const struct watch_device *device,
                      struct th_span payload, int64_t at_ms)
{
    struct watch_line *line = &table->lines[table->line_count++ % WATCH_LINES];
    struct th_json json;
    size_t at;

    memcpy(line->device, device->name, sizeof line->device);
    line->at_ms = at_ms;
    if (th_json_parse(payload, &json, &at) != TH_OK ||
        !string_of(th_json_member(json, "text"), line->text, sizeof line->text))
        copy(payload, line->text, sizeof line->text);
}

void watch_table_take(struct watch_table *table, const struct watch_topic *topic,
                      struct th_span payload, bool retained, int64_t at_ms)
{
    struct watch_device *device = device_of(table, topic->device);
    char name[24] = "";

    if (!device)
        return;
    /* A retained message tells of a time that nobody knows. */
    if (!retained)
        device->seen_ms = at_ms;
    if (is(topic->kind, "status")) {
        copy(payload, device->status, sizeof device->status);
        device->status_ms = retained ? 0 : at_ms;
    } else if (is(topic->kind, "log")) {
        take_line(table, device, payload, at_ms);
    } else {
        char part[20];
        copy(topic->name, part, sizeof part);
        snprintf(name, sizeof name, "%s%s", is(topic->kind, "zone") ? "z" : "", part);
        struct watch_value *value = value_of(device, name);
        value->at_ms = at_ms;
        value_text(payload, value);
    }
}

/* ---- drawing ---- */

/* Columns a text takes, taking each character for one wide. */
static unsigned width(const char *text)
{
    unsigned count = 0;

    for (; *text; text++)
        count += ((uint8_t)*text & 0xC0) != 0x80;
    return count;
}

struct row {
    FILE *to;
    unsigned left;
};

/* Prints as much as fits. */
static void put(struct row *row, const char *style, const char *text)
{
    fputs(style, row->to);
    for (; *text; text++) {
        bool begins = ((uint8_t)*text & 0xC0) != 0x80;
        if (begins && row->left == 0)
            break;
        row->left -= begins;
        putc(*text, row->to);
    }
    fputs(*style ? term_out(TERM_PLAIN) : "", row->to);
}

static void put_column(struct row *row, const char *style, const char *text, unsigned columns)
{
    put(row, style, text);
    for (unsigned at = width(text); at < columns; at++)
        put(row, "", " ");
}

static void end_row(struct row *row, unsigned columns)
{
    fputs("\033[K\r\n", row->to);
    row->left = columns;
}

static void ago(int64_t then_ms, int64_t now_ms, char into[16])
{
    int64_t s = (now_ms - then_ms) / 1000;

    if (then_ms == 0)
        snprintf(into, 16, "-");
    else if (s < 1)
        snprintf(into, 16, "now");
    else if (s < 60)
        snprintf(into, 16, "%d s", (int)s);
    else if (s < 3600)
        snprintf(into, 16, "%d min", (int)(s / 60));
    else
        snprintf(into, 16, "%d h", (int)(s / 3600 > 9999 ? 9999 : s / 3600));
}

static void draw_values(struct row *row, const struct watch_device *device)
{
    bool first = true;

    for (size_t i = 0; i < WATCH_VALUES; i++) {
        const struct watch_value *value = &device->values[i];
        if (value->at_ms == 0)
            continue;
        put(row, "", first ? "" : "  ");
        put(row, term_out(TERM_DIM), value->name);
        put(row, "", " ");
        put(row, value->alarm ? term_out(TERM_YELLOW) : "", value->text);
        first = false;
    }
}

static void draw_device(struct row *row, const struct watch_device *device, unsigned name_width,
                        int64_t now_ms)
{
    bool online = strcmp(device->status, "online") == 0;
    char last[16];

    ago(device->seen_ms, now_ms, last);
    put(row, term_out(online ? TERM_GREEN : TERM_RED), online ? "\u25CF " : "\u25CB ");
    put_column(row, term_out(TERM_BOLD), device->name, name_width + 2);
    put_column(row, online ? "" : term_out(TERM_DIM), device->status[0] ? device->status : "?", 10);
    put_column(row, term_out(TERM_DIM), last, 8);
    draw_values(row, device);
}

static void draw_line(struct row *row, const struct watch_line *line)
{
    time_t at = (time_t)(line->at_ms / 1000);
    struct tm local;
    char clock[16];

    localtime_r(&at, &local);
    strftime(clock, sizeof clock, "%H:%M:%S ", &local);
    put(row, term_out(TERM_DIM), clock);
    put(row, term_out(TERM_BOLD), line->device);
    put(row, "", " ");
    put(row, "", line->text);
}

void watch_table_draw(const struct watch_table *table, FILE *to, unsigned rows, unsigned columns,
                      const char *heading, int64_t now_ms)
{
    struct row row = {to, columns};
    unsigned name_width = 6;
    size_t lines = table->line_count < WATCH_LINES ? table->line_count : WATCH_LINES;
    unsigned used = 3;

    for (size_t i = 0; i < table->count; i++)
        name_width =
            width(table->devices[i].name) > name_width ? width(table->devices[i].name) : name_width;
    put(&row, term_out(TERM_BOLD), "thimble watch");
    put(&row, term_out(TERM_DIM), heading);
    end_row(&row, columns);
    end_row(&row, columns);
    put(&row, "", "  ");
    put_column(&row, term_out(TERM_DIM), "DEVICE", name_width + 2);
    put_column(&row, term_out(TERM_DIM), "STATUS", 10);
    put_column(&row, term_out(TERM_DIM), "SEEN", 8);
    put(&row, term_out(TERM_DIM), "VALUES");
    end_row(&row, columns);
    for (size_t i = 0; i < table->count && used + 1 < rows; i++, used++) {
        draw_device(&row, &table->devices[i], name_width, now_ms);
        end_row(&row, columns);
    }
    if (table->count == 0 && used + 1 < rows) {
        put(&row, term_out(TERM_DIM), "  nobody has said anything yet");
        end_row(&row, columns);
        used++;
    }
    fputs("\033[J\r\n", to); /* the rest belongs to what devices log */
    used++;
    size_t shown = rows > used + 1 ? rows - used - 1 : 0;
    for (size_t i = lines > shown ? lines - shown : 0; i < lines; i++) {
        draw_line(&row, &table->lines[(table->line_count - lines + i) % WATCH_LINES]);
        end_row(&row, columns);
    }
}
