/* SPDX-License-Identifier: MIT */
/* The history for people and for programs. */
#include <thimble/history.h>
#include <thimble/json.h>

#include "base/text.h"

static const char *const components[] = {"nothing",  "settings", "trust",
                                         "identity", "firmware", "co-processor"};
static const char *const resets[] = {"power on", "restart", "watchdog", "crash", "unknown"};

#define NAME_OF(list, n) ((n) < sizeof(list) / sizeof(list)[0] ? (list)[n] : "?")

static struct th_failure failure_of(const struct th_history_item *item)
{
    struct th_failure failure = th_failure_of((enum th_error)item->error);

    failure.alert = item->alert;
    failure.reason_code = item->reason_code;
    failure.detail = item->detail;
    memcpy(failure.name, item->name, sizeof item->name);
    return failure;
}

static void say_failure(struct th_text *text, const struct th_history_item *item)
{
    struct th_failure failure = failure_of(item);
    size_t len = th_failure_text(&failure, text->at + text->len, text->room - text->len);

    text->len += len;
    th_text_str(text, "; ");
    th_text_str(text, th_error_remedy(failure.error));
}

static void say_hex(struct th_text *text, const char *name, uint32_t value)
{
    th_text_str(text, name);
    th_text_hex(text, value);
}

static void say_crash(struct th_text *text, const struct th_history_item *item)
{
    th_text_str(text, NAME_OF(resets, item->part));
    if (item->place.pc == 0)
        return;
    say_hex(text, " at 0x", item->place.pc);
    say_hex(text, ", called from 0x", item->place.return_address);
    say_hex(text, ", cause ", item->place.cause);
    say_hex(text, ", address 0x", item->place.address);
    th_text_str(text, ", after ");
    th_text_decimal(text, item->place.uptime_ms);
    th_text_str(text, " ms; give these numbers to whoever made the firmware");
}

static void say_trial(struct th_text *text, const struct th_history_item *item)
{
    th_text_str(text, "the new ");
    th_text_str(text, NAME_OF(components, item->part));
    if (item->kept) {
        th_text_str(text, " passed the trial and are kept");
        return;
    }
    th_text_str(text, item->crashed ? " were taken back after crashes" : " were taken back: ");
    if (!item->crashed)
        say_failure(text, item);
}

size_t th_history_text(const struct th_history_item *item, char *into, size_t room)
{
    struct th_text text = th_text_init(into, room);

    if (item->time_s > 0) {
        th_text_date(&text, item->time_s);
        th_text_char(&text, ' ');
    }
    switch ((enum th_history_kind)item->kind) {
    case TH_HISTORY_FAILURE: say_failure(&text, item); break;
    case TH_HISTORY_CRASH: say_crash(&text, item); break;
    case TH_HISTORY_TRIAL: say_trial(&text, item); break;
    case TH_HISTORY_NOTHING: break;
    }
    if (item->count > 1) {
        th_text_str(&text, " (");
        th_text_decimal(&text, item->count);
        th_text_str(&text, " times)");
    }
    return text.len;
}

struct th_span th_history_json(const struct th_history_item *item, uint8_t *into, size_t room)
{
    static const char *const kinds[] = {"nothing", "failure", "crash", "trial"};
    struct th_json_writer json = th_json_writer_of(into, room);
    char text[TH_HISTORY_TEXT];

    th_json_open(&json, '{');
    th_json_name(&json, "event");
    th_json_put_string(&json, th_span_str(NAME_OF(kinds, item->kind)));
    th_json_name(&json, "number");
    th_json_put_integer(&json, item->number);
    th_json_name(&json, "count");
    th_json_put_integer(&json, item->count);
    if (item->time_s > 0) {
        th_json_name(&json, "time");
        th_json_put_integer(&json, item->time_s);
    }
    if (item->kind == TH_HISTORY_TRIAL) {
        th_json_name(&json, "component");
        th_json_put_string(&json, th_span_str(NAME_OF(components, item->part)));
        th_json_name(&json, "kept");
        th_json_put_bool(&json, item->kept);
    }
    if (item->error != TH_OK) {
        th_json_name(&json, "error");
        th_json_put_string(&json, th_span_str(th_error_name((enum th_error)item->error)));
        th_json_name(&json, "layer");
        th_json_put_string(&json,
                           th_span_str(th_layer_name(th_error_layer((enum th_error)item->error))));
    }
    th_history_text(item, text, sizeof text);
    th_json_name(&json, "text");
    th_json_put_string(&json, th_span_str(text));
    th_json_close(&json, '}');
    return th_json_written(&json);
}
