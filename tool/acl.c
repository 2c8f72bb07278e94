/* SPDX-License-Identifier: MIT */
#include "acl.h"

#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "home.h"
#include "mosquitto.h"
#include "text.h"

void acl_devices(FILE *to)
{
    fputs("pattern read %u/from/#\n"
          "pattern write %u/to/#\n"
          "pattern write %u/status\n"
          "pattern write %u/telemetry/#\n"
          "pattern write %u/zone/#\n"
          "pattern write %u/log\n"
          "pattern write homeassistant/device/%u/config\n",
          to);
}

/* mosquitto applies the patterns to everybody, so what they grant under a user's own name, or that
 * of a birth certificate, is denied; a denial is stronger than any grant. */
static void deny_patterns(FILE *to, const char *name)
{
    fprintf(to,
            "topic deny %s/#\n"
            "topic deny homeassistant/device/%s/#\n"
            "topic deny recover/%s/#\n",
            name, name, name);
}

void acl_birth(FILE *to, const char *device)
{
    fprintf(to, "\nuser %s.birth\ntopic write recover/%s/request\ntopic read recover/%s/answer\n",
            device, device, device);
    fprintf(to, "topic deny %s.birth/#\ntopic deny homeassistant/device/%s.birth/#\n", device,
            device);
}

/* The agent tells how it is, as devices do: agent/status and agent/log are the patterns' grants. */
static void deny_agent(FILE *to, const char *name)
{
    static const char *const folders[] = {"from", "to", "telemetry", "zone"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        fprintf(to, "topic deny %s/%s/#\n", name, folders[i]);
    fprintf(to, "topic deny homeassistant/device/%s/#\ntopic deny recover/%s/#\n", name, name);
}

static void user_rights(FILE *to, const struct registry_principal *user)
{
    bool agent = strcmp(user->role, "agent") == 0;
    if (strcmp(user->role, "keeper") == 0) {
        fprintf(to, "topic read #\n");
        return;
    }
    fprintf(to,
            "topic write +/from/%s/rpc\n"
            "topic read +/to/%s/#\n"
            "topic read +/status\n"
            "topic read +/telemetry/#\n"
            "topic read +/zone/+\n",
            user->name, user->name);
    if (agent || strcmp(user->role, "operator") == 0 || strcmp(user->role, "admin") == 0)
        fprintf(to, "topic read +/log\n");
    if (agent)
        fprintf(to, "topic read recover/+/request\ntopic write recover/+/answer\n");
    if (user->homeassistant)
        fprintf(to, "topic read homeassistant/device/+/config\ntopic write homeassistant/status\n");
}

#define CONNECTION_MAX (REGISTRY_NAME_MAX + 12)

static void connection_name(const struct registry_principal *user, int i, char into[CONNECTION_MAX])
{
    snprintf(into, CONNECTION_MAX, i == 1 ? "%s" : "%s.%d", user->name, i);
}

static void each_connection(FILE *to, const struct registry_principal *user, bool rights)
{
    for (int i = 1; i <= user->connections; i++) {
        char name[CONNECTION_MAX];
        connection_name(user, i, name);
        fprintf(to, "\nuser %s\n", name);
        if (rights)
            user_rights(to, user);
        if (rights && strcmp(user->role, "agent") == 0)
            deny_agent(to, name);
        else
            deny_patterns(to, name);
    }
}

void acl_user(FILE *to, const struct registry_principal *user)
{
    each_connection(to, user, true);
}

void acl_revoked(FILE *to, const struct registry_principal *gone)
{
    each_connection(to, gone, false);
    if (strcmp(gone->kind, "device") == 0) {
        char birth[REGISTRY_NAME_MAX + 12];
        snprintf(birth, sizeof birth, "%s.birth", gone->name);
        fprintf(to, "\nuser %s\n", birth);
        deny_patterns(to, birth);
    }
}

/* ---- the legacy front ---- */

void acl_legacy_device(FILE *to, const char *device, const char *mac)
{
    fprintf(to,
            "\nuser %s\n"
            "topic read mqtt_rx_%s\n"
            "topic write mqtt_tx_%s\n"
            "topic read irrigation/zone/on\n",
            device, mac, mac);
}

void acl_legacy_user(FILE *to, const struct registry_principal *user, const char *mac)
{
    bool commands = strcmp(user->role, "operator") == 0 || strcmp(user->role, "admin") == 0;
    for (int i = 1; i <= user->connections; i++) {
        char name[CONNECTION_MAX];
        connection_name(user, i, name);
        fprintf(to, "\nuser %s\ntopic read mqtt_tx_%s\n", name, mac);
        if (commands)
            fprintf(to, "topic write mqtt_rx_%s\ntopic write irrigation/zone/on\n", mac);
    }
}

struct legacy {
    FILE *to;
    struct registry *registry;
    const char *mac;
};

static bool legacy_user(void *user, const struct registry_principal *row)
{
    struct legacy *legacy = user;
    bool ours = strcmp(row->role, "agent") == 0 || strcmp(row->role, "keeper") == 0;
    if (strcmp(row->state, "active") == 0 && !ours)
        acl_legacy_user(legacy->to, row, legacy->mac);
    return true;
}

static bool legacy_device(void *user, const struct registry_principal *row)
{
    struct legacy *legacy = user;
    if (strcmp(row->state, "active") != 0 || !row->mac[0])
        return true;
    acl_legacy_device(legacy->to, row->name, row->mac);
    legacy->mac = row->mac;
    registry_principals(legacy->registry, "user", legacy_user, legacy);
    return true;
}

/* ---- the file ---- */

static bool each_user(void *user, const struct registry_principal *row)
{
    if (strcmp(row->state, "active") == 0)
        acl_user(user, row);
    else
        acl_revoked(user, row);
    return true;
}

static bool each_device(void *user, const struct registry_principal *row)
{
    if (strcmp(row->state, "active") == 0)
        acl_birth(user, row->name);
    else
        acl_revoked(user, row);
    return true;
}

int mosquitto_write_acl(struct home *home)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fputs("# Made by thimble from its registry: who may do what. %u is the certificate's name.\n"
          "\n# Devices\n",
          text.file);
    acl_devices(text.file);
    fputs("\n# Their birth certificates, on the recovery listener\n", text.file);
    registry_principals(&home->registry, "device", each_device, text.file);
    fputs("\n# Users\n", text.file);
    registry_principals(&home->registry, "user", each_user, text.file);
    fputs("\n# Devices with the topics of older programs: thimble device legacy\n", text.file);
    struct legacy legacy = {.to = text.file, .registry = &home->registry};
    registry_principals(&home->registry, "device", legacy_device, &legacy);
    return text_write(&text, home_path(home, "broker/acl").text);
}
