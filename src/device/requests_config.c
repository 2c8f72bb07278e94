/* SPDX-License-Identifier: MIT */
/* Config.* and Mode.Set: settings as nested objects, "wifi.sta.ssid" is {"wifi":{"sta":{"ssid"}}},
 * as Mongoose OS has them. */
#include "device/requests.h"

#define NAME_MAX_BYTES 32

/* ---- getting ---- */

static bool within(const char *name, const char *key)
{
    size_t len = strlen(key);

    return len == 0 || (strncmp(name, key, len) == 0 && (name[len] == '\0' || name[len] == '.'));
}

/* Closes what the next name is not in and opens what it is in, so that names that follow each other
 * share their objects; returns its last part. */
static const char *nest(struct th_json_writer *json, const char *before, const char *name)
{
    size_t shared = 0;

    for (size_t i = 0; before[i] != '\0' && before[i] == name[i]; i++) {
        if (name[i] == '.')
            shared = i + 1;
    }
    for (const char *at = before + shared; (at = strchr(at, '.')) != NULL; at++)
        th_json_close(json, '}');
    for (const char *at = name + shared;;) {
        const char *dot = strchr(at, '.');
        char part[NAME_MAX_BYTES];

        if (!dot || (size_t)(dot - at) >= sizeof part)
            return at;
        memcpy(part, at, (size_t)(dot - at));
        part[dot - at] = '\0';
        th_json_name(json, part);
        th_json_open(json, '{');
        at = dot + 1;
    }
}

static void put_value(struct th_json_writer *json, const struct th_settings *settings,
                      const struct th_setting *setting)
{
    char text[TH_SETTING_VALUE_MAX + 1];
    size_t len = th_settings_get(settings, setting, text);

    if (setting->type == TH_SETTING_NUMBER || setting->type == TH_SETTING_BOOL)
        th_json_put_raw(json, th_span_of(text, len));
    else
        th_json_put_string(json, th_span_of(text, len));
}

/* A secret is given out by nobody; that it is set, is. */
void th_requests_config_get(void *ctx, struct th_rpc_call *call)
{
    struct th_requests *requests = ctx;
    struct th_settings settings = th_device_settings(requests->device);
    char key[NAME_MAX_BYTES];
    const char *before = "";

    th_rpc_text(call, 0, key, sizeof key);
    th_json_open(call->result, '{');
    for (uint16_t i = 0; i < th_settings_count; i++) {
        const struct th_setting *setting = &th_settings_schema[i];
        if (!within(setting->name, key) || (setting->flags & TH_SETTING_SECRET))
            continue;
        th_json_name(call->result, nest(call->result, before, setting->name));
        put_value(call->result, &settings, setting);
        before = setting->name;
    }
    if (before[0] == '\0')
        th_rpc_fail(call, TH_RPC_NOT_FOUND, "no setting begins with that key, or it is a secret");
    nest(call->result, before, "");
    th_json_close(call->result, '}');
}

/* ---- setting ---- */

struct change {
    struct th_settings_change set;
    struct th_settings now;
    struct th_rpc_call *call;
    bool differs;
};

static bool put(struct change *change, const char *name, struct th_span value)
{
    char was[TH_SETTING_VALUE_MAX + 1], is[TH_SETTING_VALUE_MAX + 1];
    const struct th_setting *setting = th_setting_find(th_span_str(name));
    const char *why = "";

    if (!setting) {
        th_rpc_fail(change->call, TH_RPC_NOT_FOUND, "there is no setting of that name");
        return false;
    }
    if ((setting->flags & TH_SETTING_TRUST) && change->call->role != TH_ROLE_LOCAL) {
        th_rpc_fail(change->call, TH_RPC_FORBIDDEN,
                    "whom the device trusts changes only by a signed bundle, or on the spot");
        return false;
    }
    enum th_error error = th_settings_put(&change->set, setting, value, &why);
    if (error == TH_ERR_INVALID)
        th_rpc_fail(change->call, TH_RPC_BAD_VALUE, why);
    else if (error != TH_OK)
        th_requests_fail(change->call, error);
    if (error != TH_OK)
        return false;
    size_t len = th_settings_peek(&change->set, setting, is);
    change->differs |=
        th_settings_get(&change->now, setting, was) != len || memcmp(was, is, len) != 0;
    return true;
}

static bool put_scalar(struct change *change, const char *name, struct th_json value)
{
    char text[TH_SETTING_VALUE_MAX + 1];

    if (value.kind == TH_JSON_NUMBER || value.kind == TH_JSON_TRUE || value.kind == TH_JSON_FALSE)
        return put(change, name, value.text);
    if (th_json_string(value, text, sizeof text))
        return put(change, name, th_span_str(text));
    th_rpc_fail(change->call, TH_RPC_BAD_VALUE, "a setting is a string, a number, true or false");
    return false;
}

/* Objects within each other; the depth is bounded by TH_JSON_DEPTH. */
static bool put_all(struct change *change, struct th_json object, char *name, size_t len)
{
    struct th_json key, value;

    for (size_t at = 0; th_json_next(object, &at, &key, &value);) {
        char part[NAME_MAX_BYTES];
        if (!th_json_string(key, part, sizeof part) || len + strlen(part) + 2 > NAME_MAX_BYTES) {
            th_rpc_fail(change->call, TH_RPC_NOT_FOUND, "there is no setting of that name");
            return false;
        }
        size_t end = len + strlen(part);
        memcpy(name + len, part, strlen(part) + 1);
        if (value.kind == TH_JSON_OBJECT) {
            memcpy(name + end, ".", 2);
            if (!put_all(change, value, name, end + 1))
                return false;
        } else if (!put_scalar(change, name, value)) {
            return false;
        }
    }
    return true;
}

/* The caller's name with a NUL: who answers the proof. Whoever is on the spot has no way to. */
static const char *prover(const struct th_rpc_call *call, char into[TH_CALLER_MAX + 1])
{
    size_t len = call->here ? 0 : call->caller.len;

    memcpy(into, call->caller.at, len);
    into[len] = '\0';
    return into;
}

static bool begin(struct th_requests *requests, struct th_rpc_call *call, struct change *change)
{
    const struct th_device_config *config = requests->device->config;

    change->call = call;
    change->now = th_device_settings(requests->device);
    change->differs = false;
    enum th_error error =
        th_settings_begin(&change->set, &change->now, config->work, config->work_room);
    if (error != TH_OK)
        th_requests_fail(call, error);
    return error == TH_OK;
}

static void try_it(struct th_requests *requests, struct th_rpc_call *call, struct change *change)
{
    char name[TH_CALLER_MAX + 1];
    enum th_error error = TH_OK;

    if (change->differs)
        error = th_device_try_settings(requests->device, &change->set, prover(call, name),
                                       call->now.ms);
    else
        th_settings_drop(&change->set);
    if (error != TH_OK) {
        th_requests_fail(call, error);
        return;
    }
    th_json_open(call->result, '{');
    th_json_name(call->result, "trial");
    th_json_put_bool(call->result, change->differs);
    th_json_close(call->result, '}');
}

void th_requests_config_set(void *ctx, struct th_rpc_call *call)
{
    struct change change;
    char name[NAME_MAX_BYTES] = "";

    if (!begin(ctx, call, &change))
        return;
    if (put_all(&change, call->params[0], name, 0))
        try_it(ctx, call, &change);
    else
        th_settings_drop(&change.set);
}

void th_requests_mode_set(void *ctx, struct th_rpc_call *call)
{
    struct change change;
    char mode[16];

    th_rpc_text(call, 0, mode, sizeof mode);
    if (!begin(ctx, call, &change))
        return;
    if (put(&change, "mode", th_span_str(mode)))
        try_it(ctx, call, &change);
    else
        th_settings_drop(&change.set);
}
