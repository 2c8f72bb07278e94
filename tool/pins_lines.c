/* SPDX-License-Identifier: MIT */
/* What changes on the pins, a line each, for programs and logs. */
#include <string.h>
#include <time.h>

#include "json.h"
#include "pins_table.h"

struct lines {
    FILE *to;
    bool json;
    int64_t now_ms, calendar_ms;
};

static void begin(const struct lines *lines, struct json *json, const char *what, unsigned number)
{
    *json = (struct json){.to = lines->to, .first = true};
    json_open(json, NULL, '{');
    json_number(json, "at_ms", lines->calendar_ms);
    json_text(json, "what", what);
    json_number(json, "number", number);
}

static void end(const struct lines *lines, struct json *json)
{
    json_close(json, '}');
    putc('\n', lines->to);
}

static void stamp(const struct lines *lines)
{
    time_t at = (time_t)(lines->calendar_ms / 1000);
    struct tm local;
    char text[16];

    localtime_r(&at, &local);
    strftime(text, sizeof text, "%H:%M:%S", &local);
    fprintf(lines->to, "%s ", text);
}

static void output_line(const struct lines *lines, const char *what, unsigned number,
                        const struct th_linux_output *output)
{
    bool on = pins_is_on(output);
    int64_t left_ms = on && output->off_ms > lines->now_ms ? output->off_ms - lines->now_ms : 0;
    struct json json;

    if (!lines->json) {
        stamp(lines);
        fprintf(lines->to, "%s %u ", what, number);
        if (!output->driven)
            fputs("is let go\n", lines->to);
        else if (!output->leased)
            fprintf(lines->to, "is driven %s\n", output->high ? "high" : "low");
        else if (on)
            fprintf(lines->to, "on for %d s\n", (int)((left_ms + 999) / 1000));
        else
            fputs("off\n", lines->to);
        return;
    }
    begin(lines, &json, what, number);
    json_bool(&json, "driven", output->driven);
    json_bool(&json, "high", output->high);
    if (output->leased) {
        json_bool(&json, "on", on);
        json_number(&json, "left_ms", left_ms);
    }
    end(lines, &json);
}

static void outputs(const struct lines *lines, const char *what, unsigned first, unsigned count,
                    const struct th_linux_output *before, const struct th_linux_output *after)
{
    static const struct th_linux_output none;

    for (unsigned i = 0; i < count; i++) {
        const struct th_linux_output *was = before ? &before[i] : &none;
        bool on = pins_is_on(&after[i]);
        /* A time that is armed for what is off, or was armed before, is nobody's news. */
        if (after[i].driven != was->driven || after[i].leased != was->leased ||
            (after[i].driven && after[i].high != was->high) ||
            (on && after[i].off_ms != was->off_ms))
            output_line(lines, what, first + i, &after[i]);
    }
}

static void input_line(const struct lines *lines, unsigned pin, bool high)
{
    struct json json;

    if (!lines->json) {
        stamp(lines);
        fprintf(lines->to, "input %u %s\n", pin, high ? "high" : "low");
        return;
    }
    begin(lines, &json, "input", pin);
    json_bool(&json, "high", high);
    end(lines, &json);
}

static void adc_line(const struct lines *lines, unsigned adc, int32_t value)
{
    struct json json;

    if (!lines->json) {
        stamp(lines);
        fprintf(lines->to, value < 0 ? "adc %u unreadable\n" : "adc %u %d\n", adc, (int)value);
        return;
    }
    begin(lines, &json, "adc", adc);
    if (value >= 0)
        json_number(&json, "value", value);
    end(lines, &json);
}

void pins_lines(FILE *to, const struct pins_state *before, const struct pins_state *after,
                bool json, int64_t now_ms)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    const struct lines lines = {to, json, now_ms,
                                (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
    outputs(&lines, "pin", 0, TH_LINUX_PINS, before ? before->pins : NULL, after->pins);
    outputs(&lines, "spi", 1, PINS_BITS, before ? before->bits : NULL, after->bits);
    for (unsigned i = 0; i < TH_LINUX_PINS; i++) {
        if (after->inputs[i] != (before ? before->inputs[i] : true))
            input_line(&lines, i, after->inputs[i]);
    }
    for (unsigned i = 0; i < TH_LINUX_ADCS; i++) {
        if (after->adcs[i] != (before ? before->adcs[i] : 0))
            adc_line(&lines, i, after->adcs[i]);
    }
}
