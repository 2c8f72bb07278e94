/* SPDX-License-Identifier: MIT */
/* thimble device: who they are; device_enrol.c makes them. */
#include <stdio.h>
#include <string.h>

#include "client_files.h"
#include "commands.h"
#include "device_enrol.h"
#include "device_renew.h"
#include "device_start.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "key_pass.h"
#include "legacy.h"
#include "mosquitto.h"
#include "names.h"
#include "options.h"
#include "revoke.h"
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
        "device revoke", "NAME", "Locks a device out: certificates, rights, connection, session.",
        "Run on the broker's machine. It waits until the broker refuses what it has revoked, ends\n"
        "the device's connection and session, clears what it had retained, and then tries to get\n"
        "in, by a fresh and by a resumed handshake. Run again, it finishes what was cut off.\n"
        "Only a new enrolment brings the name back: thimble device enrol NAME --replace"};
    return revoke_run(&usage, "device", argc, argv);
}

int device_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"enrol", device_enrol, "makes a device and its certificate"},
        {"list", device_list, "lists them"},
        {"show", device_show, "shows one and its certificates"},
        {"renew", device_renew, "has them renew their certificates now"},
        {"revoke", device_revoke, "revokes its certificates"},
        {"run", device_start, "runs one as a process here, and shows its pins"},
        {"legacy", device_legacy, "lets it use the topics of older programs"},
    };
    return commands_run("device", verbs, sizeof verbs / sizeof verbs[0], argc, argv);
}
