/* SPDX-License-Identifier: MIT */
/* What only somebody on the spot may ask: docs/config-mode.md, "What may be asked in a session". */
#include <thimble/enrol.h>
#include <thimble/topic.h>

#include "base/base64.h"
#include "device/config_mode.h"
#include "device/parts.h"
#include "device/requests.h"

/* ---- Config.Describe ---- */

#define CLOSING 32 /* bytes that must be left behind a setting: the end of the list, and "next" */

static void put_text(struct th_json_writer *json, const char *name, const char *text)
{
    th_json_name(json, name);
    th_json_put_string(json, th_span_str(text));
}

static void put_flag(struct th_json_writer *json, const char *name, bool value)
{
    th_json_name(json, name);
    th_json_put_bool(json, value);
}

static void put_choices(struct th_json_writer *json, const char *choices)
{
    th_json_name(json, "choices");
    th_json_open(json, '[');
    while (*choices != '\0') {
        size_t len = strcspn(choices, "|");
        th_json_put_string(json, th_span_of(choices, len));
        choices += len + (choices[len] == '|');
    }
    th_json_close(json, ']');
}

static void put_range(struct th_json_writer *json, const struct th_setting *setting)
{
    if (setting->type != TH_SETTING_TEXT && setting->type != TH_SETTING_NUMBER &&
        setting->type != TH_SETTING_NUMBERS)
        return;
    th_json_name(json, "min");
    th_json_put_integer(json, setting->min);
    th_json_name(json, "max");
    th_json_put_integer(json, setting->max);
}

static void put_setting(struct th_json_writer *json, const struct th_settings *settings,
                        const struct th_setting *setting)
{
    static const char *const types[] = {"text",    "number",   "bool",     "choice",
                                        "address", "timezone", "schedule", "numbers"};
    static const char *const applies[] = {"now", "reconnect", "restart"};
    char value[TH_SETTING_VALUE_MAX + 1];

    th_json_open(json, '{');
    put_text(json, "name", setting->name);
    put_text(json, "type", types[setting->type]);
    put_range(json, setting);
    if (setting->type == TH_SETTING_CHOICE)
        put_choices(json, setting->choices);
    put_text(json, "default", setting->normal);
    if (setting->flags & TH_SETTING_SECRET) {
        put_flag(json, "secret", true);
        put_flag(json, "set", th_settings_is_set(settings, setting));
    } else {
        th_settings_get(settings, setting, value);
        put_text(json, "value", value);
    }
    if (setting->flags & TH_SETTING_TRUST)
        put_flag(json, "trust", true);
    put_text(json, "applies", applies[setting->applies]);
    put_text(json, "help", th_setting_help(setting));
    th_json_close(json, '}');
}

static void describe(void *ctx, struct th_rpc_call *call)
{
    struct th_config_mode *mode = ctx;
    struct th_settings settings = th_device_settings(mode->device);
    struct th_json_writer *json = call->result;
    int32_t n = th_rpc_integer(call, 0, 0);

    th_json_open(json, '{');
    th_json_name(json, "settings");
    th_json_open(json, '[');
    for (; n < th_settings_count; n++) {
        struct th_json_writer before = *json;
        put_setting(json, &settings, &th_settings_schema[n]);
        if (!json->failed && json->end - json->at >= CLOSING)
            continue;
        *json = before;
        break;
    }
    th_json_close(json, ']');
    if (n < th_settings_count) {
        th_json_name(json, "next");
        th_json_put_integer(json, n);
    }
    th_json_close(json, '}');
}

/* ---- Wifi.Scan ---- */

#define NETWORKS 12

static void put_networks(struct th_json_writer *json, const struct th_board *board, bool *done)
{
    char names[NETWORKS][TH_WIFI_SSID_MAX + 1];
    int8_t rssi[NETWORKS];
    int count = board->wifi.ops->found(board->wifi.ctx, names, rssi, NETWORKS);

    *done = count >= 0;
    for (int i = 0; i < count; i++) {
        struct th_span name = th_span_str(names[i]);
        if (name.len == 0 || !th_utf8_valid(name)) /* hidden; or nobody could type it */
            continue;
        th_json_open(json, '{');
        th_json_name(json, "ssid");
        th_json_put_string(json, name);
        th_json_name(json, "rssi");
        th_json_put_integer(json, rssi[i]);
        th_json_close(json, '}');
    }
}

static void scan(void *ctx, struct th_rpc_call *call)
{
    struct th_config_mode *mode = ctx;
    const struct th_board *board = mode->device->config->board;
    bool done;

    if (!board->wifi.ops) {
        th_rpc_fail(call, TH_RPC_NOT_FOUND, "this device has no Wi-Fi");
        return;
    }
    if (!mode->scanned || th_rpc_bool(call, 0, false))
        board->wifi.ops->scan(board->wifi.ctx);
    mode->scanned = true;
    th_json_open(call->result, '{');
    th_json_name(call->result, "networks");
    th_json_open(call->result, '[');
    put_networks(call->result, board, &done);
    th_json_close(call->result, ']');
    put_flag(call->result, "done", done);
    th_json_close(call->result, '}');
}

/* ---- Enrol ---- */

/* For a request as base64, a frame around it, and the way it moves. */
#define REQUEST_ROOM (TH_ENROL_REQUEST_MAX / 3 * 4 + TH_ENROL_REQUEST_MAX / 3 + 64)

static void enrol_status(void *ctx, struct th_rpc_call *call)
{
    const struct th_config_mode *mode = ctx;
    struct th_identity_report report;

    th_identity_report(&mode->device->identity, &report);
    th_json_open(call->result, '{');
    put_flag(call->result, "enrolled", report.enrolled);
    put_flag(call->result, "requested", report.requested);
    put_text(call->result, "name", report.name);
    th_json_close(call->result, '}');
}

static void fail_enrol(struct th_rpc_call *call, enum th_error error)
{
    enum th_rpc_code code = error == TH_ERR_ENROL_ALREADY ? TH_RPC_CONFLICT
                            : error == TH_ERR_TOO_LARGE   ? TH_RPC_TOO_LARGE
                            : error == TH_ERR_STORE || error == TH_ERR_TLS_ENTROPY
                                ? TH_RPC_INTERNAL
                                : TH_RPC_BAD_VALUE;

    th_rpc_fail(call, code, th_error_text(error));
}

/* It is made at the end of the answer's room, and moves forward as it becomes base64, so that it
 * lies nowhere else: a third of it must lie between. */
static void enrol_request(void *ctx, struct th_rpc_call *call)
{
    struct th_config_mode *mode = ctx;
    struct th_json_writer *json = call->result;
    char name[TH_NAME_MAX + 1];
    size_t len, room = (size_t)(json->end - json->at);

    th_rpc_text(call, 0, name, sizeof name);
    if (room < REQUEST_ROOM) {
        th_rpc_fail(call, TH_RPC_TOO_LARGE, "the answer has no room");
        return;
    }
    uint8_t *request = json->end - TH_ENROL_REQUEST_MAX;
    enum th_error error = th_device_enrol_request(mode->device, th_span_str(name), request,
                                                  TH_ENROL_REQUEST_MAX, &len);
    if (error != TH_OK) {
        fail_enrol(call, error);
        return;
    }
    th_json_open(json, '{');
    th_json_name(json, "request");
    *json->at++ = '"';
    json->at += th_base64_encode(th_span_of(request, len), (char *)json->at,
                                 (size_t)(json->end - json->at));
    *json->at++ = '"';
    th_json_close(json, '}');
}

/* The whole bundle is there. */
static void enrol_take(struct th_config_mode *mode, struct th_rpc_call *call)
{
    struct th_requests *requests = mode->options.requests;
    enum th_error error = th_device_enrol_take(
        mode->device, th_span_of(mode->options.bundle.at, mode->bundle_len), call->now.ms);

    mode->bundle_len = mode->bundle_total = 0;
    if (error != TH_OK) {
        fail_enrol(call, error);
        return;
    }
    requests->rpc.device = th_span_str(th_device_id(mode->device));
}

static bool piece_follows(struct th_config_mode *mode, struct th_rpc_call *call, size_t total,
                          size_t offset)
{
    if (offset == 0) {
        mode->bundle_total = total;
        mode->bundle_len = 0;
    }
    if (total > mode->options.bundle.room) {
        th_rpc_fail(call, TH_RPC_TOO_LARGE, "there is no room for a bundle of that size");
        return false;
    }
    if (offset == mode->bundle_len && total == mode->bundle_total)
        return true;
    th_rpc_fail(call, TH_RPC_CONFLICT, "this piece does not follow the last; begin again");
    return false;
}

static void enrol_put(void *ctx, struct th_rpc_call *call)
{
    struct th_config_mode *mode = ctx;
    uint8_t *bundle = mode->options.bundle.at;
    size_t total = (size_t)th_rpc_integer(call, 0, 0), offset = (size_t)th_rpc_integer(call, 1, 0);
    struct th_span data = call->params[2].text; /* base64 needs no escapes */
    size_t len = 0;

    if (!piece_follows(mode, call, total, offset))
        return;
    data = th_span_of(data.at + 1, data.len - 2); /* in quotes */
    if (!th_base64_decode(data, bundle + offset, total - offset, &len)) {
        th_rpc_fail(call, TH_RPC_BAD_VALUE, "data is not base64, or longer than the rest");
        return;
    }
    mode->bundle_len += len;
    bool whole = mode->bundle_len == total;
    if (whole)
        enrol_take(mode, call);
    th_json_open(call->result, '{');
    th_json_name(call->result, "have");
    th_json_put_integer(call->result, (int64_t)(whole ? total : mode->bundle_len));
    put_flag(call->result, "enrolled", whole);
    th_json_close(call->result, '}');
}

/* ---- Sys.FactoryReset ---- */

static void factory_reset(void *ctx, struct th_rpc_call *call)
{
    struct th_config_mode *mode = ctx;

    th_requests_reset(mode->options.requests,
                      th_rpc_bool(call, 0, false) ? TH_RESET_DECOMMISSION : TH_RESET_FACTORY,
                      call->now.ms);
    th_json_put_bool(call->result, true);
}

/* ---- the table ---- */

static const struct th_rpc_param from_param[] = {
    {"from", TH_RPC_INTEGER, false, 0, INT16_MAX, "the first setting's place in the schema"}};
static const struct th_rpc_param again_param[] = {{"again", TH_RPC_BOOL, false, 0, 0, "look anew"}};
static const struct th_rpc_param name_param[] = {
    {"name", TH_RPC_TEXT, true, 1, TH_NAME_MAX, "of the device, in its certificate"}};
static const struct th_rpc_param put_params[] = {
    {"total", TH_RPC_INTEGER, true, 1, TH_ENROL_BUNDLE_MAX, "bytes of the whole bundle"},
    {"offset", TH_RPC_INTEGER, true, 0, TH_ENROL_BUNDLE_MAX, "of this piece's first byte"},
    {"data", TH_RPC_TEXT, true, 4, TH_RPC_TEXT_MAX, "the piece, base64"},
};
static const struct th_rpc_param all_param[] = {
    {"decommission", TH_RPC_BOOL, false, 0, 0, "the birth key and the set-up code too"}};

const struct th_rpc_method config_mode_methods[] = {
    {"Config.Describe", TH_ROLE_LOCAL, false, 1, from_param,
     "Settings with type, range, default, help and value.", describe},
    {"Wifi.Scan", TH_ROLE_LOCAL, false, 1, again_param, "Wi-Fi networks in reach.", scan},
    {"Enrol.Status", TH_ROLE_LOCAL, false, 0, NULL, "Whether the device has a certificate.",
     enrol_status},
    {"Enrol.Request", TH_ROLE_LOCAL, false, 1, name_param,
     "Makes a key, and asks for certificates over it.", enrol_request},
    {"Enrol.Put", TH_ROLE_LOCAL, false, 3, put_params,
     "The answer to that in pieces; the last one enrols the device.", enrol_put},
    {"Sys.FactoryReset", TH_ROLE_LOCAL, true, 1, all_param,
     "Erases certificate, settings, trust and sessions, and restarts.", factory_reset},
};
const uint8_t config_mode_method_count = sizeof config_mode_methods / sizeof config_mode_methods[0];
