/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include <thimble/settings.h>

#include "config_values.h"
#include "exits.h"
#include "term.h"

/* ---- out of JSON ---- */

static bool add(struct config_values *out, const char *name, struct th_json value)
{
    struct config_value *into = &out->at[out->count];

    if (out->count == CONFIG_VALUES || value.text.len >= sizeof into->json ||
        value.kind == TH_JSON_ARRAY || value.kind == TH_JSON_NULL)
        return false;
    snprintf(into->name, sizeof into->name, "%s", name);
    memcpy(into->json, value.text.at, value.text.len);
    into->json[value.text.len] = '\0';
    if (!th_json_string(value, into->text, sizeof into->text)) {
        if (value.kind == TH_JSON_STRING)
            return false;
        snprintf(into->text, sizeof into->text, "%.*s", (int)value.text.len,
                 (const char *)value.text.at);
    }
    out->count++;
    return true;
}

static bool read_below(struct th_json object, const char *prefix, struct config_values *out)
{
    struct th_json key, value;

    for (size_t at = 0; th_json_next(object, &at, &key, &value);) {
        char part[40], name[sizeof out->at[0].name];
        if (!th_json_string(key, part, sizeof part))
            return false;
        int len = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", part);
        if (len < 0 || (size_t)len >= sizeof name)
            return false;
        if (value.kind == TH_JSON_OBJECT ? !read_below(value, name, out) : !add(out, name, value))
            return false;
    }
    return true;
}

bool config_values_read(struct th_json object, struct config_values *out)
{
    out->count = 0;
    return object.kind == TH_JSON_OBJECT && read_below(object, "", out);
}

/* ---- out of words ---- */

static int take_word(const char *word, struct config_values *out)
{
    const char *equals = strchr(word, '='), *why = "";
    struct config_value *into = &out->at[out->count];

    if (!equals)
        return fail(EXIT_USAGE,
                    "'%s' is not NAME=VALUE\nthimble config set garden "
                    "telemetry.interval_s=30",
                    word);
    struct th_span name = th_span_of(word, (size_t)(equals - word));
    struct th_span value = th_span_str(equals + 1);
    const struct th_setting *setting = th_setting_find(name);
    if (!setting)
        return fail(EXIT_USAGE, "there is no setting '%.*s'\nthimble config get DEVICE lists them",
                    (int)name.len, word);
    if (setting->flags & TH_SETTING_TRUST)
        return fail(EXIT_USAGE,
                    "%s says whom the device trusts: it does not change over MQTT\n"
                    "sign and push a trust bundle, or set it on the spot",
                    setting->name);
    if (th_setting_check(setting, value, &why) != TH_OK)
        return fail(EXIT_USAGE, "%s: %s: '%s'\n%s", setting->name, why, equals + 1,
                    th_setting_help(setting));
    if (out->count == CONFIG_VALUES || config_values_find(out, setting->name))
        return fail(EXIT_USAGE, "%s is given twice\ngive each setting once", setting->name);
    struct th_json_writer json = th_json_writer_of((uint8_t *)into->json, sizeof into->json - 1);
    if (setting->type == TH_SETTING_NUMBER || setting->type == TH_SETTING_BOOL)
        th_json_put_raw(&json, value);
    else
        th_json_put_string(&json, value);
    into->json[th_json_written(&json).len] = '\0';
    snprintf(into->name, sizeof into->name, "%s", setting->name);
    snprintf(into->text, sizeof into->text, "%s", equals + 1);
    out->count++;
    return OPTION_GO_ON;
}

int config_values_take(const struct words *words, size_t from, struct config_values *out)
{
    out->count = 0;
    for (size_t i = from; i < words->count; i++) {
        int code = take_word(words->at[i], out);
        if (code != OPTION_GO_ON)
            return code;
    }
    return OPTION_GO_ON;
}

/* ---- into a request ---- */

const struct config_value *config_values_find(const struct config_values *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++) {
        if (strcmp(values->at[i].name, name) == 0)
            return &values->at[i];
    }
    return NULL;
}

bool config_values_params(const struct config_values *values, const struct config_values *unlike,
                          char *into, size_t room)
{
    struct th_json_writer json = th_json_writer_of((uint8_t *)into, room - 1);

    th_json_open(&json, '{');
    th_json_name(&json, "config");
    th_json_open(&json, '{');
    for (size_t i = 0; i < values->count; i++) {
        const struct config_value *value = &values->at[i];
        const struct config_value *there = unlike ? config_values_find(unlike, value->name) : NULL;
        if (there && strcmp(there->text, value->text) == 0)
            continue;
        th_json_name(&json, value->name);
        th_json_put_raw(&json, th_span_str(value->json));
    }
    th_json_close(&json, '}');
    th_json_close(&json, '}');
    into[th_json_written(&json).len] = '\0';
    return th_json_written(&json).len > 0;
}
