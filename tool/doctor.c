/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "exits.h"
#include "json.h"
#include "names.h"
#include "term.h"

/* ---- what is found ---- */

static void defuse(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if ((*at < 0x20 && *at != '\n') || *at == 0x7F)
            *at = '?';
    }
}

void doctor_found(struct doctor *doctor, enum doctor_rank rank, const char *format, ...)
{
    char text[3 * DOCTOR_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (doctor->count == DOCTOR_FOUND_MAX)
        return;
    defuse(text);
    struct doctor_finding *finding = &doctor->found[doctor->count++];
    finding->rank = rank;
    char *seen = strchr(text, '\n');
    char *fix = seen ? strrchr(seen + 1, '\n') : NULL;
    if (seen)
        *seen++ = '\0';
    if (fix)
        *fix++ = '\0';
    snprintf(finding->what, sizeof finding->what, "%.399s", text);
    snprintf(finding->seen, sizeof finding->seen, "%.399s", seen ? seen : "");
    snprintf(finding->fix, sizeof finding->fix, "%.399s", fix ? fix : "");
}

void doctor_fine(struct doctor *doctor, const char *format, ...)
{
    va_list arguments;
    if (doctor->fine_count == sizeof doctor->fine / sizeof doctor->fine[0])
        return;
    char *into = doctor->fine[doctor->fine_count++];
    va_start(arguments, format);
    vsnprintf(into, sizeof doctor->fine[0], format, arguments);
    va_end(arguments);
    defuse(into);
}

bool doctor_has(const struct doctor *doctor, enum doctor_rank rank)
{
    for (size_t i = 0; i < doctor->count; i++) {
        if (doctor->found[i].rank <= rank)
            return true;
    }
    return false;
}

void doctor_hush(bool hush)
{
    term.mute = hush;
}

static const struct doctor_finding *cause_of(const struct doctor *doctor)
{
    const struct doctor_finding *first = NULL;
    for (size_t i = 0; i < doctor->count; i++) {
        const struct doctor_finding *one = &doctor->found[i];
        if (one->rank != DOCTOR_EVIDENCE && (!first || one->rank < first->rank))
            first = one;
    }
    return first;
}

/* ---- text ---- */

static void show_finding(const struct doctor_finding *finding)
{
    say("  %s-%s %s", term_out(TERM_YELLOW), term_out(TERM_PLAIN), finding->what);
    if (finding->seen[0])
        say("    %s%s%s", term_out(TERM_DIM), finding->seen, term_out(TERM_PLAIN));
}

static void show_rest(const struct doctor *doctor, const struct doctor_finding *cause)
{
    bool any = false;
    for (size_t i = 0; i < doctor->count; i++) {
        if (&doctor->found[i] == cause)
            continue;
        if (!any)
            say("%s", cause ? "Also seen" : "Evidence");
        any = true;
        show_finding(&doctor->found[i]);
    }
}

static int show(const struct doctor *doctor)
{
    const struct doctor_finding *cause = cause_of(doctor);
    for (size_t i = 0; i < doctor->fine_count; i++)
        say("%s  ok%s  %s", term_out(TERM_GREEN), term_out(TERM_PLAIN), doctor->fine[i]);
    if (cause) {
        say("%sCause%s   %s", term_out(TERM_RED), term_out(TERM_PLAIN), cause->what);
        if (cause->seen[0])
            say("%sSeen%s    %s", term_out(TERM_BOLD), term_out(TERM_PLAIN), cause->seen);
        say("%sFix%s     %s", term_out(TERM_BOLD), term_out(TERM_PLAIN), cause->fix);
    } else if (doctor->count && !doctor->answered) {
        say("%sUnknown%s: something is wrong, and what was seen does not say what.",
            term_out(TERM_YELLOW), term_out(TERM_PLAIN));
    } else {
        say("%sNothing is wrong%s with what could be looked at.", term_out(TERM_GREEN),
            term_out(TERM_PLAIN));
    }
    show_rest(doctor, cause);
    if (cause || (doctor->count && !doctor->answered))
        return cause ? EXIT_CAUSE : EXIT_UNKNOWN;
    if (doctor->name && !doctor->answered)
        say("It was not tried as %s itself: %s", doctor->name,
            doctor->in_use ? "it is connected now; --connect ends that connection"
                           : "its key is not here; --flash or --console show what it has kept");
    return EXIT_OK;
}

/* ---- JSON ---- */

static void json_finding(struct json *json, const char *name, const struct doctor_finding *finding)
{
    json_open(json, name, '{');
    json_text(json, "what", finding->what);
    json_text(json, "seen", finding->seen);
    json_text(json, "fix", finding->fix);
    json_close(json, '}');
}

static int show_json(const struct doctor *doctor)
{
    const struct doctor_finding *cause = cause_of(doctor);
    bool wrong = cause || (doctor->count && !doctor->answered);
    int code = cause ? EXIT_CAUSE : wrong ? EXIT_UNKNOWN : EXIT_OK;
    struct json json = json_begin(stdout);
    json_text(&json, "verdict", cause ? "cause" : wrong ? "unknown" : "fine");
    if (doctor->name)
        json_text(&json, "name", doctor->name);
    if (cause)
        json_finding(&json, "cause", cause);
    json_open(&json, "evidence", '[');
    for (size_t i = 0; i < doctor->count; i++) {
        if (&doctor->found[i] != cause)
            json_finding(&json, NULL, &doctor->found[i]);
    }
    json_close(&json, ']');
    json_open(&json, "fine", '[');
    for (size_t i = 0; i < doctor->fine_count; i++)
        json_text(&json, NULL, doctor->fine[i]);
    json_close(&json, ']');
    json_bool(&json, "tried", doctor->answered);
    json_number(&json, "exit", code);
    json_end(&json);
    return code;
}

/* ---- the command ---- */

static const struct usage usage = {
    "doctor", "[NAME]", "Names the cause when a device or user does not connect, and its fix.",
    "It looks at this machine, the broker's files, its log, the name's own files, and tries name,\n"
    "TCP, TLS and MQTT as it would; what a device has kept itself comes by --flash or --console.\n"
    "A user's or device's connection that stands is left alone, unless --connect. Examples:\n"
    "  thimble doctor lamp\n"
    "  thimble doctor lamp --flash lamp.flash --publishes garden/water\n"
    "  thimble doctor alice --json"};

static int take(struct doctor *doctor, int argc, char **argv)
{
    struct words rest = {0};
    struct option options[PEER_OPTIONS_MAX] = {
        OPTION_ROW_JSON,
        {'h', "host", "HOST", "the broker it is meant for [of the state directory]", OPTION_TEXT,
         &doctor->flags.host, 0, 0},
        {'p', "port", "PORT", "and its port", OPTION_NUMBER, &doctor->flags.port, 1, 65535},
        {0, "flash", "FILE", "the device's flash, for what it has kept", OPTION_TEXT,
         &doctor->flash, 0, 0},
        {0, "map", "NAME", "the flash's map [found by its size]", OPTION_TEXT, &doctor->map, 0, 0},
        {0, "console", "FILE", "what the device has said on its console", OPTION_TEXT,
         &doctor->console, 0, 0},
        {0, "broker-log", "FILE", "what the broker has said [broker/log]", OPTION_TEXT,
         &doctor->log, 0, 0},
        {0, "publishes", "TOPIC", "whether the broker lets it write there", OPTION_TEXT,
         &doctor->publishes, 0, 0},
        {0, "subscribes", "TOPIC", "whether the broker lets it read there", OPTION_TEXT,
         &doctor->subscribes, 0, 0},
        {0, "size", "BYTES", "of a message it is meant to send", OPTION_NUMBER, &doctor->size, 1,
         268435455},
        {0, "plaintext", NULL, "it is meant to connect without TLS", OPTION_FLAG,
         &doctor->flags.plaintext, 0, 0},
        {0, "connect", NULL, "try MQTT though that ends the name's own connection", OPTION_FLAG,
         &doctor->connect, 0, 0},
    };
    peer_flags_init(&doctor->flags);
    size_t count = peer_options_tls(options, 12, &doctor->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count > 1)
        return fail(EXIT_USAGE, "doctor takes one name\nthimble doctor lamp");
    doctor->name = rest.count ? rest.at[0] : doctor->flags.as;
    doctor->dir = doctor->flags.dir;
    const char *dot = doctor->name ? strchr(doctor->name, '.') : NULL;
    if (doctor->name && !dot && names_fault(doctor->name))
        return fail(EXIT_USAGE, "'%s' is no name: %s\nthimble device list", doctor->name,
                    names_fault(doctor->name));
    return OPTION_GO_ON;
}

int doctor_main(int argc, char **argv)
{
    struct doctor *doctor = calloc(1, sizeof *doctor);
    if (!doctor)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    doctor->now_s = time(NULL);
    int code = take(doctor, argc, argv);
    if (code == OPTION_GO_ON) {
        doctor_hush(true);
        doctor_host(doctor);
        doctor_broker(doctor);
        doctor_papers(doctor);
        doctor_rights(doctor);
        doctor_log(doctor);
        doctor_link(doctor);
        doctor_device(doctor);
        doctor_hush(false);
        code = term.json ? show_json(doctor) : show(doctor);
    }
    if (doctor->has_registry)
        home_close(&doctor->home);
    free(doctor);
    return code;
}
