/* SPDX-License-Identifier: MIT */
/* thimble zone: the short way to Zone.On, Zone.Off and Zone.Status. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <thimble/rpc.h>
#include <thimble/zones.h>

#include "ask.h"
#include "commands.h"
#include "exits.h"
#include "json_show.h"
#include "term.h"

/* ---- for people ---- */

static int64_t number(struct th_json object, const char *name)
{
    int64_t value = 0;

    th_json_integer(th_json_member(object, name), &value);
    return value;
}

static void word(struct th_json object, const char *name, char into[32])
{
    if (!th_json_string(th_json_member(object, name), into, 32))
        into[0] = '\0';
    for (char *at = into; *at; at++) /* it goes to a terminal */
        *at = (char)(*at > 0x20 && *at < 0x7F ? *at : '?');
}

/* "1:45", "2:00:00" */
static void show_time(int64_t seconds, char into[24])
{
    if (seconds < 3600)
        snprintf(into, 24, "%" PRId64 ":%02" PRId64, seconds / 60 % 60, seconds % 60);
    else
        snprintf(into, 24, "%" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600 % 100000,
                 seconds / 60 % 60, seconds % 60);
}

static void show_zone(struct th_json zone)
{
    bool on = th_json_member(zone, "on").kind == TH_JSON_TRUE;
    struct th_json actual = th_json_member(zone, "actual");
    char cause[32], left[24] = "";

    word(zone, "cause", cause);
    if (on)
        show_time(number(zone, "seconds"), left);
    printf("  zone %-2" PRId64 " %s%-4s%s %-9s %s", number(zone, "zone"),
           term_out(on ? TERM_GREEN : TERM_DIM), on ? "on" : "off", term_out(TERM_PLAIN), left,
           cause);
    if (actual.kind == (on ? TH_JSON_FALSE : TH_JSON_TRUE))
        printf("  %sits output is %s%s", term_out(TERM_RED), on ? "off" : "on",
               term_out(TERM_PLAIN));
    putchar('\n');
}

static void show_starts(struct th_json result)
{
    int64_t starts = number(result, "starts"), next = number(result, "next_time");
    char clock[32], date[24], fault[200];

    word(result, "clock", clock);
    if (starts > 0)
        printf("  %" PRId64 " weekly start%s, clock %s", starts, starts == 1 ? "" : "s", clock);
    if (starts > 0 && next > 0)
        printf("; next: zone %" PRId64 " at %s", number(result, "next_zone"),
               term_date(next, date));
    if (starts > 0)
        printf("; %" PRId64 " missed\n", number(result, "missed"));
    if (th_json_string(th_json_member(result, "fault"), fault, sizeof fault))
        printf("  %s%s%s\n", term_out(TERM_RED), fault, term_out(TERM_PLAIN));
}

static void show_status(struct th_json result)
{
    struct th_json zone;
    size_t at = 0;

    for (struct th_json zones = th_json_member(result, "zones");
         th_json_next(zones, &at, NULL, &zone);)
        show_zone(zone);
    show_starts(result);
}

static void show_change(struct th_json result)
{
    int64_t zone = number(result, "zone"), seconds = number(result, "seconds");
    char left[24];

    show_time(seconds, left);
    if (th_json_member(result, "on").kind == TH_JSON_TRUE)
        say("zone %" PRId64 " is on for %s", zone, left);
    else if (zone == 0)
        say("all zones are off");
    else
        say("zone %" PRId64 " is off", zone);
}

static int show(const struct ask *ask, const struct th_json *frame)
{
    struct th_json result = th_json_member(*frame, "result");

    if (term.json)
        json_show(stdout, result, false);
    else if (strcmp(ask->method, "Zone.Status") == 0)
        show_status(result);
    else
        show_change(result);
    return EXIT_OK;
}

/* ---- the command line ---- */

static const struct usage usage = {
    "zone", "DEVICE [on N TIME | off N | off all | status]",
    "Switches a device's zones, and shows them.",
    "TIME is in seconds, or with a unit: 90, 90s, 5m, 1h. A zone goes off by itself when it is\n"
    "over, whatever happens. Examples:\n"
    "  thimble zone garden\n"
    "  thimble zone --as alice garden on 2 5m\n"
    "  thimble zone garden off all"};

static bool take_zone(const char *text, long *zone)
{
    return options_number(text, 1, TH_ZONES_MAX, zone);
}

/* "90", "90s", "5m", "1h" */
static bool take_time(const char *text, long *seconds)
{
    char digits[16];
    size_t len = strspn(text, "0123456789");
    long unit = text[len] == 'm' ? 60 : text[len] == 'h' ? 3600 : 1;

    if (len == 0 || len >= sizeof digits ||
        (text[len] && (!strchr("smh", text[len]) || text[len + 1])))
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (!options_number(digits, 1, TH_ZONE_SECONDS_MAX / unit, seconds))
        return false;
    *seconds *= unit;
    return true;
}

static int wrong(const char *what, const char *found)
{
    return fail(EXIT_USAGE, "%s '%s'\nthimble zone garden on 2 5m, off 2, off all, or status", what,
                found);
}

static int check(struct ask *ask, const struct words *rest, char params[64])
{
    const char *verb = rest->count > 1 ? rest->at[1] : "status";
    long zone = 0, seconds = 0;

    if (rest->count == 0)
        return fail(EXIT_USAGE, "zone needs a device\nthimble zone garden");
    ask->device = rest->at[0];
    if (strcmp(verb, "status") == 0 && rest->count <= 2) {
        ask->method = "Zone.Status";
    } else if (strcmp(verb, "on") == 0 && rest->count == 4) {
        if (!take_zone(rest->at[2], &zone))
            return wrong("a zone has a number from 1 to 8, not", rest->at[2]);
        if (!take_time(rest->at[3], &seconds))
            return wrong("a time is 90, 90s, 5m or 1h, at most a day, not", rest->at[3]);
        ask->method = "Zone.On";
        snprintf(params, 64, "{\"zone\":%ld,\"seconds\":%ld}", zone, seconds);
    } else if (strcmp(verb, "off") == 0 && rest->count == 3) {
        bool all = strcmp(rest->at[2], "all") == 0;
        if (!all && !take_zone(rest->at[2], &zone))
            return wrong("a zone has a number from 1 to 8, or is all, not", rest->at[2]);
        ask->method = "Zone.Off";
        if (!all)
            snprintf(params, 64, "{\"zone\":%ld}", zone);
    } else if (strcmp(verb, "on") == 0) {
        return wrong("a zone and a time are needed behind", verb);
    } else if (strcmp(verb, "off") == 0) {
        return wrong("a zone, or all, is needed behind", verb);
    } else {
        return wrong("a zone cannot be told to", verb);
    }
    return requester_user(&ask->flags);
}

int zone_main(int argc, char **argv)
{
    char params[64] = "{}";
    struct ask ask = {.params = params, .wait_s = 10, .show = show};
    struct words rest = {0};
    const struct option own[] = {
        {'W', NULL, "SECONDS", "wait so long for the answer [10]", OPTION_NUMBER, &ask.wait_s, 1,
         86400},
        OPTION_ROW_JSON,
    };
    struct option options[PEER_OPTIONS_MAX];

    peer_flags_init(&ask.flags);
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &ask.flags);
    count = peer_options_tls(options, count, &ask.flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    if (code == OPTION_GO_ON)
        code = check(&ask, &rest, params);
    return code == OPTION_GO_ON ? ask_run(&ask) : code;
}
