/* SPDX-License-Identifier: MIT */
#include "mosquitto_program.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "options.h"
#include "process.h"
#include "term.h"

#define PATIENCE_MS 3000
#define LOOK_US     5000

int mosquitto_program(char *into, size_t room)
{
    const char *named = getenv("THIMBLE_MOSQUITTO");
    if (!named || !*named) {
        if (process_find("mosquitto", into, room))
            return EXIT_OK;
        return fail(EXIT_MISSING, "mosquitto is not installed\napt-get install mosquitto");
    }
    if (strlen(named) < room && access(named, X_OK) == 0) {
        memcpy(into, named, strlen(named) + 1);
        return EXIT_OK;
    }
    return fail(EXIT_MISSING,
                "THIMBLE_MOSQUITTO names %s, and there is no such program\n"
                "unset THIMBLE_MOSQUITTO, and apt-get install mosquitto",
                named);
}

/* "mosquitto version 2.0.11" */
static bool parse(const char *line, struct mosquitto_version *version)
{
    static const char begin[] = "mosquitto version ";
    if (strncmp(line, begin, sizeof begin - 1) != 0)
        return false;
    snprintf(version->text, sizeof version->text, "%s", line + sizeof begin - 1);
    char number[16];
    long major, minor;
    const char *at = version->text;
    size_t len = strcspn(at, ".");
    if (len >= sizeof number || at[len] == '\0')
        return false;
    snprintf(number, sizeof number, "%.*s", (int)len, at);
    if (!options_number(number, 0, 999, &major))
        return false;
    at += len + 1;
    snprintf(number, sizeof number, "%.*s", (int)strspn(at, "0123456789"), at);
    if (!options_number(number, 0, 999, &minor))
        return false;
    version->major = (int)major;
    version->minor = (int)minor;
    return true;
}

static bool ask(char *program, struct mosquitto_version *version)
{
    char flag[] = "-h";
    char *argv[] = {program, flag, NULL};
    struct process process;
    const char *line;
    bool known = false;
    if (process_start(&process, argv) != EXIT_OK)
        return false;
    for (long waited = 0; waited < PATIENCE_MS * 1000 && process.output >= 0; waited += LOOK_US) {
        while (process_line(&process, &line))
            known = known || parse(line, version);
        if (known)
            break;
        usleep(LOOK_US);
    }
    process_stop(&process, PATIENCE_MS);
    return known;
}

int mosquitto_version(struct mosquitto_version *version)
{
    char program[256];
    *version = (struct mosquitto_version){.major = 0};
    int code = mosquitto_program(program, sizeof program);
    if (code != EXIT_OK)
        return code;
    if (!ask(program, version))
        return fail(EXIT_FAILED, "%s -h tells no version\nname another with THIMBLE_MOSQUITTO",
                    program);
    if (version->major < 2)
        return fail(EXIT_INPUT,
                    "%s is version %s, and 2.0 or newer is needed: older ones cannot bind a "
                    "client's id to its name\napt-get install mosquitto, from Debian 11 on",
                    program, version->text);
    if (version->major > 2)
        warn("mosquitto %s is newer than what this was tried with, 2.0 and 2.1\n"
             "see what the proof says",
             version->text);
    return EXIT_OK;
}

bool mosquitto_plugins(char *into, size_t room)
{
    static const char *const places[] = {
        "/usr/local/lib/mosquitto_acl_file.so",
        "/usr/lib/*-linux-gnu*/mosquitto_acl_file.so",
        "/usr/lib64/mosquitto_acl_file.so",
        "/usr/lib/mosquitto_acl_file.so",
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        glob_t found;
        if (glob(places[i], 0, NULL, &found) != 0)
            continue;
        const char *path = found.gl_pathv[0];
        size_t len = (size_t)(strrchr(path, '/') - path);
        bool fits = len < room;
        if (fits)
            snprintf(into, room, "%.*s", (int)len, path);
        globfree(&found);
        return fits;
    }
    return false;
}

bool mosquitto_is_up(const char *line)
{
    static const char end[] = " running";
    size_t len = strlen(line), tail = sizeof end - 1;
    return len >= tail && strcmp(line + len - tail, end) == 0 && strstr(line, "mosquitto version ");
}
