/* SPDX-License-Identifier: MIT */
/* thimble device: enrolment by file. Two requests come from the device, or its directory is made on
 * this machine, with keys of its own that the tool writes there and never reads again. */
#include <stdio.h>
#include <string.h>

#include "client_files.h"
#include "commands.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "key_pass.h"
#include "legacy.h"
#include "mosquitto.h"
#include "names.h"
#include "options.h"
#include "term.h"

#define LDEVID_DAYS 180

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
    int code = client_make(home, &client);
    if (code == EXIT_OK)
        code = how->replace ? mosquitto_revoked(home) : mosquitto_rights_changed(home);
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

static int device_enrol(int argc, char **argv)
{
    static const struct usage usage = {
        "device enrol", "NAME...",
        "Makes a device: key and request as the device makes them, and its certificate.",
        "Names are device id, client id, user name and topic level: a-z, 0-9, '_' and '-', at "
        "most\n"
        "32 characters. Files: devices/NAME/device.key device.csr device.crt ca.crt, and "
        "birth.key\n"
        "birth.csr birth.crt for recovery. With --csr and --birth-csr the device has made its "
        "keys\n"
        "itself, and they are nowhere else. Example:\n"
        "  thimble device enrol lamp"};
    const char *dir = NULL;
    struct client how = {.kind = "device", .days = LDEVID_DAYS};
    struct words names = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "replace", NULL, "revoke what the names have, and give them new keys", OPTION_FLAG,
         &how.replace, 0, 0},
        {0, "csr", "FILE", "the device's own request, for its name", OPTION_TEXT, &how.requests[0],
         0, 0},
        {0, "birth-csr", "FILE", "its other request, for NAME.birth", OPTION_TEXT, &how.requests[1],
         0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 6, argc, argv, &names);
    if (code != OPTION_GO_ON)
        return code;
    if (names.count == 0)
        return fail(EXIT_USAGE, "device enrol needs a name\nthimble device enrol lamp");
    if (!how.requests[0] != !how.requests[1] || (how.requests[0] && names.count > 1))
        return fail(EXIT_USAGE, "--csr and --birth-csr belong together, and to one name\n"
                                "thimble device enrol lamp --csr lamp.csr --birth-csr birth.csr");
    for (size_t i = 0; i < names.count; i++) { /* all names are good before the first is made */
        code = client_check_name("device", names.at[i]);
        if (code != OPTION_GO_ON)
            return code;
    }
    struct home home;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    for (size_t i = 0; code == EXIT_OK && i < names.count; i++)
        code = enrol_one(&home, names.at[i], &how);
    if (code == EXIT_OK && term.json)
        enrolled_json(&home, &names);
    if (code == EXIT_OK && !how.requests[0])
        client_next(&home, "device", names.at[0]);
    home_close(&home);
    return code;
}

static int device_list(int argc, char **argv)
{
    static const struct usage usage = {"device list", "", "Lists the devices.", NULL};
    return client_list(&usage, "device", argc, argv);
}

static int device_show(int argc, char **argv)
{
    static const struct usage usage = {"device show", "NAME",
                                       "Shows a device and its certificates.", NULL};
    return client_show(&usage, "device", argc, argv);
}

static int device_revoke(int argc, char **argv)
{
    static const struct usage usage = {
        "device revoke", "NAME", "Revokes a device's certificates, the birth certificate too.",
        "A running broker is told at once. A connection that stands has no rights any more.\n"
        "The name may be enrolled again: thimble device enrol NAME --replace"};
    return client_revoke(&usage, "device", argc, argv);
}

int device_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"enrol", device_enrol, "makes a device and its certificate"},
        {"list", device_list, "lists them"},
        {"show", device_show, "shows one and its certificates"},
        {"revoke", device_revoke, "revokes its certificates"},
        {"legacy", device_legacy, "lets it use the topics of older programs"},
    };
    return commands_run("device", verbs, sizeof verbs / sizeof verbs[0], argc, argv);
}
