/* SPDX-License-Identifier: MIT */
/* thimble device legacy: topics that older programs use are granted to a device that asks, and to
 * nobody else. */
#include "legacy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "home.h"
#include "json.h"
#include "mosquitto.h"
#include "options.h"
#include "term.h"

/* "24:0A:C4:00:00:01", with '-' or without anything between, into 12 lower-case digits. */
static bool parse_mac(const char *text, char into[13])
{
    size_t len = 0;
    for (; *text; text++) {
        if ((*text == ':' || *text == '-') && len > 0 && len % 2 == 0)
            continue;
        if (!isxdigit((unsigned char)*text) || len == 12)
            return false;
        into[len++] = (char)tolower((unsigned char)*text);
    }
    into[len] = '\0';
    return len == 12;
}

struct search {
    const char *name, *mac;
    char owner[REGISTRY_NAME_MAX];
};

static bool same_mac(void *user, const struct registry_principal *row)
{
    struct search *search = user;
    if (strcmp(row->mac, search->mac) != 0 || strcmp(row->name, search->name) == 0 ||
        strcmp(row->state, "active") != 0)
        return true;
    snprintf(search->owner, sizeof search->owner, "%s", row->name);
    return false;
}

static int take(struct home *home, const char *name, const char *mac)
{
    struct registry_principal row;
    struct search search = {.name = name, .mac = mac, .owner = ""};
    if (!registry_principal(&home->registry, name, &row) || strcmp(row.kind, "device") != 0)
        return fail(EXIT_MISSING, "there is no device '%s'\nthimble device list", name);
    if (*mac && strcmp(row.state, "active") != 0)
        return fail(EXIT_INPUT, "'%s' is %s\nthimble device enrol %s --replace", name, row.state,
                    name);
    if (*mac)
        registry_principals(&home->registry, "device", same_mac, &search);
    if (search.owner[0])
        return fail(EXIT_EXISTS, "%s is the address of '%s'\nthimble device legacy %s --off", mac,
                    search.owner, search.owner);
    int code = registry_principal_mac(&home->registry, name, mac);
    return code == EXIT_OK ? registry_event(&home->registry, *mac ? "legacy" : "legacy off", name)
                           : code;
}

static int change(struct home *home, const char *name, const char *mac)
{
    int code = home_lock(home);
    if (code == EXIT_OK)
        code = registry_begin(&home->registry);
    if (code == EXIT_OK)
        code = take(home, name, mac);
    if (code == EXIT_OK)
        code = registry_commit(&home->registry);
    else
        registry_rollback(&home->registry);
    return code == EXIT_OK ? mosquitto_rights_changed(home) : code;
}

static void show(const char *name, const char *mac)
{
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "name", name);
        json_text(&json, "mac", mac);
        json_end(&json);
    } else if (*mac) {
        say("%s may use the legacy topics now:", name);
        say("  mqtt_rx_%s  requests, from operators and admins", mac);
        say("  mqtt_tx_%s  its answers, to every user", mac);
        say("  irrigation/zone/on  \"<zone> <seconds>\", from operators and admins");
        say("Whether it answers there is a setting of the device's own.");
    } else {
        say("%s has no legacy topics.", name);
    }
}

int device_legacy(int argc, char **argv)
{
    static const struct usage usage = {
        "device legacy", "NAME", "Lets a device use the topics of older programs.",
        "mqtt_rx_MAC, mqtt_tx_MAC and irrigation/zone/on: off for every device but those named "
        "here.\n"
        "Example:\n"
        "  thimble device legacy lamp --mac 24:0a:c4:00:00:01"};
    const char *dir = NULL, *given = NULL;
    bool off = false;
    struct words names = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "mac", "MAC", "the address that is in its topics", OPTION_TEXT, &given, 0, 0},
        {0, "off", NULL, "take these rights away", OPTION_FLAG, &off, 0, 0},
        OPTION_ROW_JSON,
    };
    char mac[13] = "";
    int code = options_take(&usage, options, 4, argc, argv, &names);
    if (code != OPTION_GO_ON)
        return code;
    if (names.count != 1 || !given == !off)
        return fail(EXIT_USAGE, "device legacy needs one name, and --mac or --off\n"
                                "thimble device legacy lamp --mac 24:0a:c4:00:00:01");
    if (given && !parse_mac(given, mac))
        return fail(EXIT_INPUT,
                    "'%s' is no MAC address\ngive 12 hexadecimal digits: "
                    "24:0a:c4:00:00:01",
                    given);
    struct home home;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = change(&home, names.at[0], mac);
    if (code == EXIT_OK)
        show(names.at[0], mac);
    home_close(&home);
    return code;
}
