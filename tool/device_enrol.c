/* SPDX-License-Identifier: MIT */
/* thimble device enrol, its three forms: by the device's request and a bundle; by two requests and
 * three files; or made on this machine, with keys that the tool writes there and never reads
 * again. */
#include "device_enrol.h"

#include <stdio.h>
#include <string.h>

#include "client_files.h"
#include "device_run.h"
#include "device_spot.h"
#include "exits.h"
#include "json.h"
#include "key_pass.h"
#include "mosquitto.h"
#include "options.h"
#include "term.h"
#include "trust_held.h"

static void show_enrolled(struct home *home, const struct client *client)
{
    char to[24];
    bool own = client->requests[0] == NULL;
    say("%s%s is enrolled%s until %s:", term_out(TERM_BOLD), client->name, term_out(TERM_PLAIN),
        term_date(client->not_after_s, to));
    if (own) {
        say_file(client_path(home, client, "device.key").text,
                 "its private key: stays with it alone");
        say_file(client_path(home, client, "device.csr").text, "its request, signed with that key");
    }
    say_file(client_path(home, client, "device.crt").text, "its certificate (LDevID)");
    say_file(client_path(home, client, "birth.crt").text,
             own ? "its birth certificate (IDevID), for life, over birth.key"
                 : "its birth certificate (IDevID), for life");
    say_file(client_path(home, client, "ca.crt").text, "what it knows the broker by");
    if (!own)
        say("Next: give these three files to the device");
}

static int enrol_one(struct home *home, const char *name, const struct client *how)
{
    struct client client = *how;
    client.name = name;
    int code = client_told(home, &client, client_make(home, &client));
    if (code == EXIT_OK && !term.json)
        show_enrolled(home, &client);
    return code;
}

static void enrolled_json(struct home *home, const struct words *names)
{
    struct json json = json_begin(stdout);
    json_open(&json, "devices", '[');
    for (size_t i = 0; i < names->count; i++)
        client_json(&json, home, "device", names->at[i]);
    json_close(&json, ']');
    json_end(&json);
}

/* Names on the command line. */
static int enrol_names(struct home *home, const struct words *names, const struct client *how)
{
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < names->count; i++)
        code = enrol_one(home, names->at[i], how);
    if (code == EXIT_OK && term.json)
        enrolled_json(home, names);
    if (code == EXIT_OK && !how->requests[0])
        client_next(home, "device", names->at[0]);
    return code;
}

/* ---- the device's own request ---- */

int enrol_answer(struct home *home, const char *name, const struct enrol_order *order,
                 struct enrol_answer *out)
{
    struct enrol_request request;
    struct enrol_trust trust;
    int code = order->given.len > 0 ? enrol_request_take(order->given, order->request, &request)
                                    : enrol_request_read(order->request, &request);
    if (code != EXIT_OK)
        return code;
    struct client client = order->how;
    snprintf(out->name, sizeof out->name, "%s", name ? name : request.name);
    client.name = out->name;
    client.own[0] = request.own[0];
    client.own[1] = request.own[1];
    code = client_check_name("device", out->name);
    code = code == OPTION_GO_ON ? EXIT_OK : code;
    out->path = path_of("%s", order->out ? order->out : "");
    if (!order->out)
        out->path = client_path(home, &client, "enrol.bundle");
    if (code == EXIT_OK)
        code = enrol_trust(home, order->trust, &request.asked, &trust);
    if (code == EXIT_OK)
        code = client_make(home, &client);
    out->not_after_s = client.not_after_s;
    out->again = code == EXIT_OK && client.again && enrol_bundle_answers(out->path.text, &request);
    if (code == EXIT_OK && !out->again)
        code = enrol_bundle_write(home, &request, &trust, out->path.text);
    if (code == EXIT_OK && !out->again)
        code = trust_held_keep(home, out->name, trust.at, trust.len);
    enrol_request_free(&request);
    return code;
}

static void show_answer(struct home *home, const struct enrol_answer *answer)
{
    char to[24];
    const struct client client = {.kind = "device", .name = answer->name};
    if (term.json) {
        struct json json = json_begin(stdout);
        json_open(&json, "devices", '[');
        client_json(&json, home, "device", answer->name);
        json_close(&json, ']');
        json_text(&json, "bundle", answer->path.text);
        json_end(&json);
        return;
    }
    say("%s%s is enrolled%s until %s%s:", term_out(TERM_BOLD), answer->name, term_out(TERM_PLAIN),
        term_date(answer->not_after_s, to), answer->again ? ", as it was" : "");
    say_file(answer->path.text, "the answer to its request: both certificates and whom to trust");
    say_file(client_path(home, &client, "device.crt").text, "its certificate (LDevID)");
    say_file(client_path(home, &client, "birth.crt").text,
             "its birth certificate (IDevID), for life");
    say("Its keys are with the device alone. Next:\n  %sthimble-device --flash FILE --bundle "
        "%s%s%s%s",
        term_out(TERM_CYAN), term_quote(answer->path.text), answer->path.text,
        term_quote(answer->path.text), term_out(TERM_PLAIN));
}

static int enrol_request(struct home *home, const struct words *names,
                         const struct enrol_order *order)
{
    struct enrol_answer answer;
    int code = enrol_answer(home, names->count ? names->at[0] : NULL, order, &answer);
    if (code == EXIT_OK)
        code = order->how.replace ? mosquitto_revoked(home) : mosquitto_rights_changed(home);
    if (code == EXIT_OK)
        show_answer(home, &answer);
    return code;
}

/* ---- the command ---- */

struct enrol_words {
    const char *dir, *manifest;
    long count; /* 0: all of the manifest */
    struct enrol_order order;
    struct words names;
    struct spot_order spot;
};

/* The page's address among the names, which may stand anywhere. */
static void take_url(struct enrol_words *words)
{
    size_t kept = 0;
    for (size_t i = 0; i < words->names.count; i++) {
        if (strstr(words->names.at[i], "://"))
            words->spot.flags.url = words->names.at[i];
        else
            words->names.at[kept++] = words->names.at[i];
    }
    words->names.count = kept;
}

static bool on_the_spot(const struct enrol_words *words)
{
    return words->spot.flags.url || words->spot.flags.serial;
}

static int check_spot(const struct enrol_words *words)
{
    const struct spot_order *spot = &words->spot;
    if (on_the_spot(words))
        return words->names.count == 1
                   ? EXIT_OK
                   : fail(EXIT_USAGE, "over its page one device is enrolled, under one name\n"
                                      "thimble device enrol lamp http://192.168.4.1");
    if (spot->flags.code || spot->flags.code_file || spot->flags.take || spot->ssid ||
        spot->wifi_pass_file || spot->server || spot->sets.count || spot->stay)
        return fail(EXIT_USAGE, "code and settings are for a device on the spot\n"
                                "thimble device enrol lamp http://192.168.4.1");
    return EXIT_OK;
}

static int check_words(const struct enrol_words *words)
{
    const struct client *how = &words->order.how;
    bool csr = how->requests[0] || how->requests[1];
    int forms =
        csr + (words->order.request != NULL) + (words->manifest != NULL) + on_the_spot(words);
    if (forms > 1)
        return fail(EXIT_USAGE,
                    "--request, --manifest, --csr and a page are ways to enrol, one at a time\n"
                    "thimble device enrol lamp --request lamp.request");
    if (words->manifest && words->names.count)
        return fail(EXIT_USAGE, "with --manifest the names stand in it\n"
                                "thimble device enrol --manifest devices.tsv");
    if (words->names.count == 0 && !words->order.request && !words->manifest)
        return fail(EXIT_USAGE, "device enrol needs a name\nthimble device enrol lamp");
    if (words->order.request && words->names.count > 1)
        return fail(EXIT_USAGE, "--request is one device's\n"
                                "thimble device enrol lamp --request lamp.request");
    if (!how->requests[0] != !how->requests[1] || (csr && words->names.count > 1))
        return fail(EXIT_USAGE, "--csr and --birth-csr belong together, and to one name\n"
                                "thimble device enrol lamp --csr lamp.csr --birth-csr birth.csr");
    if (words->order.out && !words->order.request)
        return fail(EXIT_USAGE,
                    "--out is for the answer to a --request\n"
                    "thimble device enrol lamp --request lamp.request --out lamp.bundle");
    if (words->order.trust && !words->order.request && !words->manifest && !on_the_spot(words))
        return fail(EXIT_USAGE, "--trust goes into the answer to a --request\n"
                                "thimble device enrol lamp --request lamp.request");
    if (words->count && !words->manifest)
        return fail(EXIT_USAGE, "--count goes with --manifest\n"
                                "thimble device enrol --manifest devices.tsv --count 100");
    return EXIT_OK;
}

/* All names are good before the first is made. */
static int check_names(const struct words *names)
{
    for (size_t i = 0; i < names->count; i++) {
        int code = client_check_name("device", names->at[i]);
        if (code != OPTION_GO_ON)
            return code;
    }
    return EXIT_OK;
}

static int enrol(const struct enrol_words *words)
{
    struct home home;
    struct enrol_order order = words->order;
    int code = home_open(&home, words->dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK && on_the_spot(words))
        code = device_spot(&home, words->names.at[0], &words->spot, &order);
    else if (code == EXIT_OK && words->manifest)
        code = device_run(&home, words->manifest, words->count, &words->order);
    else if (code == EXIT_OK && words->order.request)
        code = enrol_request(&home, &words->names, &words->order);
    else if (code == EXIT_OK)
        code = enrol_names(&home, &words->names, &words->order.how);
    home_close(&home);
    return code;
}

int device_enrol(int argc, char **argv)
{
    static const struct usage usage = {
        "device enrol", "[NAME...] [http://ADDRESS]",
        "Gives a device its certificates, and tells it whom to trust.",
        "Names are device id, client id, user name and topic level: a-z, 0-9, '_' and '-', at "
        "most\n"
        "32 characters. With --request the device has made its keys itself, and they are nowhere\n"
        "else; the answer is one file. Without it, keys and requests are made here:\n"
        "devices/NAME/device.key device.csr device.crt ca.crt, and birth.key birth.csr birth.crt\n"
        "for recovery. --manifest is for a production run: a directory of NAME.request files, or "
        "a\n"
        "table with name, request file and bundle file in each line, tabs or commas between; run\n"
        "again it goes on where it was stopped. With the address of a device's page (or --serial) "
        "all\n"
        "is done there: it makes its keys, is certified, takes Wi-Fi and settings, and connects; "
        "its\n"
        "set-up code is proved, and never sent. Examples:\n"
        "  thimble device enrol lamp http://192.168.4.1 --ssid home\n"
        "  thimble-device --flash lamp.flash --csr --name lamp --out lamp.request\n"
        "  thimble device enrol lamp --request lamp.request --out lamp.bundle"};
    struct enrol_words words = {.order.how = {.kind = "device", .days = LDEVID_DAYS}};
    struct client *how = &words.order.how;
    const struct option options[] = {
        OPTION_ROW_DIR(&words.dir),
        {0, "request", "FILE", "what the device asks: thimble-device --csr", OPTION_TEXT,
         &words.order.request, 0, 0},
        {0, "out", "FILE", "the answer [devices/NAME/enrol.bundle]", OPTION_TEXT, &words.order.out,
         0, 0},
        {0, "trust", "FILE", "the trust bundle in it [the newest, signed now if need be]",
         OPTION_TEXT, &words.order.trust, 0, 0},
        {0, "manifest", "FILE", "many requests: a table of them, or their directory", OPTION_TEXT,
         &words.manifest, 0, 0},
        {0, "count", "N", "of the manifest, no more than N this time", OPTION_NUMBER, &words.count,
         1, 1000000},
        {0, "replace", NULL, "revoke what the names have, and give them new certificates",
         OPTION_FLAG, &how->replace, 0, 0},
        {0, "csr", "FILE", "the device's own PKCS#10 request, for its name", OPTION_TEXT,
         &how->requests[0], 0, 0},
        {0, "birth-csr", "FILE", "its other request, for NAME.birth", OPTION_TEXT,
         &how->requests[1], 0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    struct option all[sizeof options / sizeof options[0] + SPOT_ORDER_ROWS];
    struct option rows[SPOT_ORDER_ROWS];
    memcpy(all, options, sizeof options);
    spot_order_options(&words.spot, rows);
    size_t count = options_append(all, sizeof options / sizeof options[0], rows, SPOT_ORDER_ROWS);
    int code = options_take(&usage, all, count, argc, argv, &words.names);
    if (code != OPTION_GO_ON)
        return code;
    take_url(&words);
    code = check_words(&words);
    if (code == EXIT_OK)
        code = check_spot(&words);
    if (code == EXIT_OK)
        code = check_names(&words.names);
    return code == EXIT_OK ? enrol(&words) : code;
}
