/* SPDX-License-Identifier: MIT */
/* The methods every device has. */
#include "base/base64.h"
#include "base/off_stack.h"
#include "device/requests.h"

/* ---- Sys ---- */

static void put_text(struct th_json_writer *json, const char *name, const char *text)
{
    th_json_name(json, name);
    th_json_put_string(json, th_span_str(text));
}

static void put_number(struct th_json_writer *json, const char *name, int64_t number)
{
    th_json_name(json, name);
    th_json_put_integer(json, number);
}

static void put_clock(struct th_json_writer *json, struct th_requests *requests)
{
    static const char *const kinds[] = {"none", "hint", "trusted"};
    struct th_clock_view clock = th_clock_read(&requests->device->clock, requests->now_ms);

    put_text(json, "clock", kinds[clock.kind]);
    if (clock.kind != TH_CLOCK_FLOOR_ONLY)
        put_number(json, "time", clock.now_s);
}

static void put_trial(struct th_json_writer *json, const struct th_device *device)
{
    static const char *const components[] = {"",         "settings", "trust",
                                             "identity", "firmware", "coproc"};
    enum th_trial_component component = th_trial_component(&device->trial);
    const struct th_trial_report *last = th_trial_last(&device->trial);

    if (component != TH_TRIAL_NOTHING)
        put_text(json, "trial", components[component]);
    if (last->component == TH_TRIAL_NOTHING)
        return;
    th_json_name(json, "last_trial");
    th_json_open(json, '{');
    put_text(json, "component", components[last->component]);
    th_json_name(json, "kept");
    th_json_put_bool(json, last->kept);
    if (!last->kept)
        put_text(json, "reason", th_error_text(last->reason));
    th_json_close(json, '}');
}

static void get_info(void *ctx, struct th_rpc_call *call)
{
    static const char *const resets[] = {"power on", "restart", "watchdog", "crash", "unknown"};
    struct th_requests *requests = ctx;
    const struct th_device *device = requests->device;
    struct th_json_writer *json = call->result;

    th_json_open(json, '{');
    put_text(json, "id", th_device_id(device));
    put_text(json, "product", device->config->product);
    put_text(json, "version", device->config->version);
    put_number(json, "hardware", device->config->hardware);
    put_text(json, "mode", th_device_mode_name(th_device_mode(device)));
    put_text(json, "started", resets[device->reset]);
    put_number(json, "uptime", (requests->now_ms - device->started_ms) / 1000);
    put_number(json, "crashes", device->crashes);
    put_clock(json, requests);
    put_trial(json, device);
    put_number(json, "requests_lost", requests->front.refused);
    th_json_close(json, '}');
}

static void reboot(void *ctx, struct th_rpc_call *call)
{
    th_requests_restart(ctx, call->now.ms);
    th_json_put_bool(call->result, true);
}

/* ---- Log ---- */

static void tail(void *ctx, struct th_rpc_call *call)
{
    const struct th_requests *requests = ctx;
    int32_t count = th_rpc_integer(call, 0, TH_HISTORY_ITEMS);

    th_json_open(call->result, '[');
    for (int32_t n = 0; n < count; n++) {
        uint8_t text[TH_HISTORY_TEXT];
        const struct th_history_item *item = th_history_item(&requests->device->history, (size_t)n);
        if (!item)
            break;
        th_json_put_raw(call->result, th_history_json(item, text, sizeof text));
    }
    th_json_close(call->result, ']');
}

/* ---- Trust ---- */

static void try_bundle(struct th_requests *requests, struct th_rpc_call *call)
{
    char name[TH_CALLER_MAX + 1];

    size_t caller = call->here ? 0 : call->caller.len;

    memcpy(name, call->caller.at, caller);
    name[caller] = '\0';
    enum th_error error = th_device_try_trust(
        requests->device, th_span_of(requests->bundle, requests->bundle_len), name, call->now.ms);
    requests->bundle_len = requests->bundle_total = 0;
    if (error != TH_OK)
        th_requests_fail(call, error);
}

static OFF_THE_STACK bool take_piece(struct th_requests *requests, const struct th_rpc_call *call)
{
    char data[TH_RPC_TEXT_MAX + 1];
    size_t at = requests->bundle_len, len = 0;

    th_rpc_text(call, 2, data, sizeof data);
    if (!th_base64_decode(th_span_str(data), requests->bundle + at, requests->bundle_total - at,
                          &len))
        return false;
    requests->bundle_len += len;
    return true;
}

/* Pieces follow each other from offset 0; a piece that does not is told where to go on. */
static void trust_put(void *ctx, struct th_rpc_call *call)
{
    struct th_requests *requests = ctx;
    size_t total = (size_t)th_rpc_integer(call, 0, 0);
    size_t offset = (size_t)th_rpc_integer(call, 1, 0);

    if (offset == 0) {
        requests->bundle_total = total;
        requests->bundle_len = 0;
    }
    if (total > requests->bundle_room) {
        th_rpc_fail(call, TH_RPC_TOO_LARGE, "there is no room for a bundle of that size");
        return;
    }
    if (offset != requests->bundle_len || total != requests->bundle_total) {
        th_rpc_fail(call, TH_RPC_CONFLICT, "this piece does not follow the last; begin again");
        return;
    }
    if (!take_piece(requests, call)) {
        th_rpc_fail(call, TH_RPC_BAD_VALUE, "data is not base64, or longer than the rest");
        return;
    }
    bool whole = requests->bundle_len == total;
    if (whole)
        try_bundle(requests, call);
    th_json_open(call->result, '{');
    put_number(call->result, "have", (int64_t)(whole ? total : requests->bundle_len));
    th_json_name(call->result, "trial");
    th_json_put_bool(call->result, whole);
    th_json_close(call->result, '}');
}

/* ---- the table ---- */

static const struct th_rpc_param key_param[] = {
    {"key", TH_RPC_TEXT, false, 0, 31, "what the names begin with, such as wifi or wifi.sta"}};
static const struct th_rpc_param config_param[] = {
    {"config", TH_RPC_OBJECT, true, 0, 0, "settings as nested objects"}};
static const struct th_rpc_param mode_param[] = {
    {"mode", TH_RPC_TEXT, true, 1, 15, "config or mqtt"}};
static const struct th_rpc_param count_param[] = {
    {"count", TH_RPC_INTEGER, false, 1, TH_HISTORY_ITEMS, "how many, the newest first"}};
static const struct th_rpc_param bundle_params[] = {
    {"total", TH_RPC_INTEGER, true, 1, TH_TRUST_BUNDLE_MAX, "bytes of the whole bundle"},
    {"offset", TH_RPC_INTEGER, true, 0, TH_TRUST_BUNDLE_MAX, "of this piece's first byte"},
    {"data", TH_RPC_TEXT, true, 4, TH_RPC_TEXT_MAX, "the piece, base64"},
};

const struct th_rpc_method th_requests_methods[] = {
    {"Sys.GetInfo", TH_ROLE_VIEWER, false, 0, NULL, "What the device is and how it is.", get_info},
    {"Sys.Reboot", TH_ROLE_ADMIN, true, 0, NULL, "Restarts the device.", reboot},
    {"Config.Get", TH_ROLE_OPERATOR, false, 1, key_param, "Settings, without secrets.",
     th_requests_config_get},
    {"Config.Set", TH_ROLE_ADMIN, true, 1, config_param,
     "Changes settings on trial: they hold once the device is connected under them.",
     th_requests_config_set},
    {"Mode.Set", TH_ROLE_ADMIN, true, 1, mode_param,
     "Configuration mode with its page, or MQTT mode.", th_requests_mode_set},
    {"Log.Tail", TH_ROLE_OPERATOR, false, 1, count_param,
     "Last failures, crashes and trials, with their remedies.", tail},
    {"Trust.Put", TH_ROLE_ADMIN, true, 3, bundle_params,
     "A signed trust bundle in pieces; the last one begins its trial.", trust_put},
};
const uint8_t th_requests_method_count = sizeof th_requests_methods / sizeof th_requests_methods[0];
