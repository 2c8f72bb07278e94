/* SPDX-License-Identifier: MIT */
/* thimble device enrol NAME http://…: the device makes its keys, the authority answers, and the
 * device connects. One command; run again after a cut, it finishes. */
#include "device_spot.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "config_values.h"
#include "exits.h"
#include "json.h"
#include "mosquitto.h"
#include "term.h"

#define PIECE 189 /* bytes of the bundle in a request: 252 as base64 */

void spot_order_options(struct spot_order *order, struct option rows[SPOT_ORDER_ROWS])
{
    const struct option more[] = {
        {0, "ssid", "NAME", "of the wireless network it is to join", OPTION_TEXT, &order->ssid, 0,
         0},
        {0, "wifi-pass-file", "FILE", "its pass phrase, in the first line [asked for]", OPTION_TEXT,
         &order->wifi_pass_file, 0, 0},
        {0, "server", "HOST:PORT", "the broker [as the trust bundle has it]", OPTION_TEXT,
         &order->server, 0, 0},
        {0, "set", "NAME=VALUE", "another setting; again for more", OPTION_LIST, &order->sets, 0,
         0},
        {0, "stay", NULL, "leave it in configuration mode", OPTION_FLAG, &order->stay, 0, 0},
    };
    spot_options(&order->flags, rows);
    memcpy(rows + SPOT_ROWS, more, sizeof more);
}

/* ---- certificates ---- */

struct state {
    bool enrolled;
    char name[REGISTRY_NAME_MAX];
};

static int look(struct spot *spot, struct state *state)
{
    struct th_json result;
    int code = spot_call(spot, "Enrol.Status", "{}", &result);
    if (code != EXIT_OK)
        return code;
    state->enrolled = th_json_member(result, "enrolled").kind == TH_JSON_TRUE;
    th_json_string(th_json_member(result, "name"), state->name, sizeof state->name);
    return EXIT_OK;
}

static int take_request(struct spot *spot, const char *name, uint8_t *into, size_t room,
                        size_t *len)
{
    struct th_json result;
    char params[80];
    snprintf(params, sizeof params, "{\"name\":\"%s\"}", name);
    int code = spot_call(spot, "Enrol.Request", params, &result);
    if (code != EXIT_OK)
        return code;
    struct th_json text = th_json_member(result, "request");
    if (text.kind == TH_JSON_STRING && text.text.len >= 6 && (text.text.len - 2) / 4 * 3 <= room) {
        const uint8_t *at = text.text.at + 1;
        size_t count = text.text.len - 2;
        int got = EVP_DecodeBlock(into, at, (int)count); /* it counts the padding */
        *len = (size_t)got - (at[count - 1] == '=') - (at[count - 2] == '=');
        if (got > 0)
            return EXIT_OK;
    }
    return fail(EXIT_PROTOCOL, "%s asks for nothing that can be read\ncheck its version",
                spot->way.where);
}

static int give_bundle(struct spot *spot, const uint8_t *bundle, size_t total)
{
    struct th_json result = {.kind = TH_JSON_NONE};
    char params[400], text[PIECE / 3 * 4 + 1];
    int code = EXIT_OK;
    for (size_t at = 0; code == EXIT_OK && at < total; at += PIECE) {
        size_t len = total - at < PIECE ? total - at : PIECE;
        EVP_EncodeBlock((unsigned char *)text, bundle + at, (int)len);
        snprintf(params, sizeof params, "{\"total\":%zu,\"offset\":%zu,\"data\":\"%s\"}", total, at,
                 text);
        code = spot_call(spot, "Enrol.Put", params, &result);
    }
    if (code == EXIT_OK && th_json_member(result, "enrolled").kind != TH_JSON_TRUE)
        code = fail(EXIT_PROTOCOL,
                    "%s has taken all of its bundle, and is not enrolled\n"
                    "look at its page, or its console",
                    spot->way.where);
    return code;
}

static int certify(struct home *home, struct spot *spot, const char *name,
                   struct enrol_order *order, struct enrol_answer *answer)
{
    static uint8_t request[TH_ENROL_REQUEST_MAX + 3], bundle[TH_ENROL_BUNDLE_MAX];
    size_t len = 0;
    int code = take_request(spot, name, request, sizeof request, &len);
    order->request = spot->way.where;
    order->given = th_span_of(request, len);
    if (code == EXIT_OK)
        code = enrol_answer(home, name, order, answer);
    if (code == EXIT_OK)
        code = order->how.replace ? mosquitto_revoked(home) : mosquitto_rights_changed(home);
    if (code == EXIT_OK)
        code = enrol_bundle_read(answer->path.text, bundle, sizeof bundle, &len);
    return code == EXIT_OK ? give_bundle(spot, bundle, len) : code;
}

/* ---- settings ---- */

static bool put(struct th_json_writer *json, const char *name, const char *value)
{
    th_json_name(json, name);
    th_json_put_string(json, th_span_str(value));
    return !json->failed;
}

/* What the person gave, all of it before the device is asked for anything. */
static int settings_of(const struct spot_order *order, char *params, size_t room)
{
    static struct config_values values;
    struct th_json_writer json = th_json_writer_of((uint8_t *)params, room - 1);
    char pass[PASS_MAX + 1] = "";
    int code = config_values_take(&order->sets, 0, &values);
    code = code == OPTION_GO_ON ? EXIT_OK : code;
    if (code == EXIT_OK && order->ssid)
        code = pass_take(order->wifi_pass_file, "Pass phrase of that Wi-Fi: ", false,
                         "put it into a file: --wifi-pass-file FILE", pass);
    th_json_open(&json, '{');
    th_json_name(&json, "config");
    th_json_open(&json, '{');
    if (order->ssid) {
        put(&json, "wifi.sta.ssid", order->ssid);
        put(&json, "wifi.sta.pass", pass);
    }
    if (order->server)
        put(&json, "mqtt.server", order->server);
    for (size_t i = 0; code == EXIT_OK && i < values.count; i++)
        put(&json, values.at[i].name, values.at[i].text);
    if (!order->stay)
        put(&json, "mode", "mqtt");
    th_json_close(&json, '}');
    th_json_close(&json, '}');
    OPENSSL_cleanse(pass, sizeof pass);
    OPENSSL_cleanse(&values, sizeof values);
    if (code == EXIT_OK && json.failed)
        return fail(EXIT_USAGE, "that is more than a request holds\ngive fewer settings at once");
    params[th_json_written(&json).len] = '\0';
    return code;
}

/* ---- all of it ---- */

static void show(const char *name, const struct spot *spot, const struct enrol_answer *answer,
                 const struct spot_order *order)
{
    char to[24];
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "device", name);
        json_text(&json, "at", spot->way.where);
        json_bool(&json, "issued", answer->name[0] != '\0');
        json_end(&json);
        return;
    }
    if (answer->name[0] != '\0')
        say("%s%s is enrolled%s until %s, by its set-up code over %s.", term_out(TERM_BOLD), name,
            term_out(TERM_PLAIN), term_date(answer->not_after_s, to), spot->way.where);
    else
        say("%s%s was enrolled%s already, and has its settings.", term_out(TERM_BOLD), name,
            term_out(TERM_PLAIN));
    say("Its keys are with the device alone.");
    if (order->stay)
        say("It stays in configuration mode.");
    else
        say("It connects to its broker now; if it cannot, it comes back to its page and says why. "
            "Next:\n  %sthimble watch%s",
            term_out(TERM_CYAN), term_out(TERM_PLAIN));
}

static int proceed(struct home *home, struct spot *spot, const char *name,
                   const struct spot_order *spot_order, struct enrol_order *order,
                   const char *settings)
{
    struct state state = {.enrolled = false};
    struct enrol_answer answer = {.again = false};
    struct th_json result;
    int code = look(spot, &state);
    if (code == EXIT_OK && state.enrolled && strcmp(state.name, name) != 0)
        code = fail(EXIT_EXISTS,
                    "that device is enrolled, as %s\n"
                    "to give it another name, reset it on its page first",
                    state.name);
    if (code == EXIT_OK && !state.enrolled)
        code = certify(home, spot, name, order, &answer);
    if (code == EXIT_OK)
        code = spot_call(spot, "Config.Set", settings, &result);
    if (code == EXIT_OK)
        show(name, spot, &answer, spot_order);
    return code;
}

int device_spot(struct home *home, const char *name, const struct spot_order *spot_order,
                struct enrol_order *order)
{
    static struct spot spot;
    char settings[TH_RPC_FRAME_MAX];
    spot.way.fd = -1;
    int code = settings_of(spot_order, settings, sizeof settings);
    if (code == EXIT_OK)
        code = spot_open(&spot, &spot_order->flags);
    if (code == EXIT_OK)
        code = proceed(home, &spot, name, spot_order, order, settings);
    OPENSSL_cleanse(settings, sizeof settings);
    spot_close(&spot);
    return code;
}
