/* SPDX-License-Identifier: MIT */
/* thimble device: who they are; device_enrol.c makes them. */
#include <stdio.h>
#include <string.h>

#include "client_files.h"
#include "commands.h"
#include "device_enrol.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "key_pass.h"
#include "legacy.h"
#include "mosquitto.h"
#include "names.h"
#include "options.h"
#include "term.h"

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
