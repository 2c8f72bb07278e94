/* SPDX-License-Identifier: MIT */
/*
 * thimble device renew: has devices renew their certificates now, one wave after the other, and
 * looks at each until it is connected with the new one. The device does it all; here it is asked
 * (Cert.Renew) and watched (Cert.Get). A wave in which one fails is the last.
 */
#include "device_renew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/credential.h>
#include <thimble/rpc.h>
#include <thimble/time.h>

#include "exits.h"
#include "home.h"
#include "json.h"
#include "peer.h"
#include "requester.h"
#include "term.h"

#define NOBODY_LISTENS 0x10  /* MQTT 5.0 §3.4.2.1: no matching subscribers */
#define LOOK_MS        1000  /* between two looks at one device */
#define AWAY_MS        10000 /* nobody has listened for so long */
/* The same behind a restart of the broker: devices wait before they try again, after three restarts
 * as long as 8 s. */
#define COMING_BACK_MS 20000
#define AT_ONCE        16 /* devices of a wave that are busy at one time */
#define ANSWER_MS      10000
#define ONLINE_FIRST   1500 /* retained statuses come right behind the subscription */

enum step {
    STEP_WAITS, /* for its turn */
    STEP_BEFORE,
    STEP_ASKS,
    STEP_LOOKS,
    STEP_DONE,
};

enum result { RESULT_NONE, RESULT_RENEWED, RESULT_AWAY, RESULT_FAILED };

struct one {
    char name[TH_CALLER_MAX + 1];
    enum step step;
    enum result result;
    bool online, asked;
    struct requester requester;
    uint32_t until_ms, look_ms, answer_ms, away_ms;
    char before[X509_SERIAL_TEXT], serial[X509_SERIAL_TEXT];
    int64_t not_after_s;
    char reason[300];
};

struct renew {
    struct peer_flags flags;
    long waves, pause_s, wait_s;
    bool all;
    struct words names;
    struct one *devices;
    size_t count, wave_from, wave_to;
    long wave; /* from 1 */

    struct th_linux loop;
    struct peer peer;
    char caller[40];
    uint16_t subscription;
    bool up, pausing;
    uint32_t begun_ms, pause_until_ms;
    int code;
};

/* ---- one device ---- */

static void finish(struct one *one, enum result result, const char *reason)
{
    char until[24];

    one->step = STEP_DONE;
    one->result = result;
    snprintf(one->reason, sizeof one->reason, "%s", reason);
    if (result == RESULT_RENEWED)
        say("%-32s %srenewed%s  %s, until %s", one->name, term_out(TERM_GREEN),
            term_out(TERM_PLAIN), one->serial, term_date(one->not_after_s, until));
    else
        say("%-32s %s%s%s  %s", one->name, term_out(result == RESULT_AWAY ? TERM_YELLOW : TERM_RED),
            result == RESULT_AWAY ? "away   " : "failed ", term_out(TERM_PLAIN), reason);
}

static void ask(struct renew *renew, struct one *one, const char *method, uint32_t now)
{
    const struct request request = {.device = one->name,
                                    .caller = renew->caller,
                                    .method = method,
                                    .params = "{}",
                                    .wait_s = ANSWER_MS / 1000};

    if (!requester_begin(&one->requester, &request)) {
        renew->code = fail(EXIT_FAILED, "no random numbers\nrestart this machine");
        return;
    }
    one->asked = true;
    one->answer_ms = now + ANSWER_MS;
    requester_ask(&one->requester, &renew->peer.mqtt);
}

static bool certificate_of(struct th_json result, struct one *one, char state[16], char reason[300])
{
    struct th_json failed = th_json_member(result, "failed");

    reason[0] = '\0';
    th_json_string(failed, reason, 300);
    return th_json_string(th_json_member(result, "serial"), one->serial, sizeof one->serial) &&
           th_json_string(th_json_member(result, "state"), state, 16) &&
           th_json_integer(th_json_member(result, "not_after"), &one->not_after_s);
}

/* While it tries the new certificate it is away, and its old one is in use if it comes back with
 * that. */
static void looked(struct one *one, struct th_json result, uint32_t now)
{
    char state[16], reason[300];

    if (!certificate_of(result, one, state, reason)) {
        finish(one, RESULT_FAILED, "it does not tell of its certificate as this tool knows it");
        return;
    }
    if (one->step == STEP_BEFORE) {
        memcpy(one->before, one->serial, sizeof one->before);
        one->step = STEP_ASKS;
        return;
    }
    if (strcmp(state, "idle") == 0 && strcmp(one->serial, one->before) != 0)
        finish(one, RESULT_RENEWED, "");
    else if (strcmp(state, "idle") == 0)
        finish(one, RESULT_FAILED, reason[0] ? reason : "it has kept the one it had");
    one->look_ms = now + LOOK_MS;
}

static void answered(struct renew *renew, struct one *one, struct th_span text, uint32_t now)
{
    struct th_json frame;
    char message[256] = "it refuses";
    size_t at;

    if (!one->asked)
        return;
    one->asked = false;
    if (th_json_parse(text, &frame, &at) != TH_OK) {
        finish(one, RESULT_FAILED, "its answer is not JSON");
        return;
    }
    struct th_json error = th_json_member(frame, "error");
    if (error.kind != TH_JSON_NONE) {
        th_json_string(th_json_member(error, "message"), message, sizeof message);
        finish(one, RESULT_FAILED, message);
        return;
    }
    if (one->step == STEP_ASKS) {
        one->step = STEP_LOOKS;
        one->look_ms = now + LOOK_MS;
        return;
    }
    looked(one, th_json_member(frame, "result"), now);
    if (one->step == STEP_ASKS)
        ask(renew, one, "Cert.Renew", now);
}

/* Begins it, asks it again, or gives it up. */
static void step(struct renew *renew, struct one *one, uint32_t now)
{
    if (one->step == STEP_WAITS) {
        one->step = STEP_BEFORE;
        one->until_ms = now + (uint32_t)renew->wait_s * 1000;
        one->away_ms = now + AWAY_MS;
        ask(renew, one, "Cert.Get", now);
        return;
    }
    if (one->asked && th_time_reached(now, one->answer_ms)) {
        one->asked = false;
        if (one->step == STEP_BEFORE && !one->online && th_time_reached(now, one->away_ms))
            finish(one, RESULT_AWAY, "not connected; it renews by itself when it is back");
    }
    if (one->step == STEP_DONE)
        return;
    if (th_time_reached(now, one->until_ms))
        finish(one, RESULT_FAILED,
               one->step == STEP_LOOKS ? "no end of it in the time given with -W; it goes on, or "
                                         "back to the old one, by itself"
                                       : "it does not answer");
    else if (!one->asked && one->step != STEP_LOOKS)
        ask(renew, one, one->step == STEP_BEFORE ? "Cert.Get" : "Cert.Renew", now);
    else if (!one->asked && th_time_reached(now, one->look_ms))
        ask(renew, one, "Cert.Get", now);
}

/* ---- waves ---- */

static size_t failures(const struct renew *renew)
{
    size_t count = 0;

    for (size_t i = 0; i < renew->count; i++)
        count += renew->devices[i].result == RESULT_FAILED;
    return count;
}

static void begin_wave(struct renew *renew)
{
    size_t size = (renew->count + (size_t)renew->waves - 1) / (size_t)renew->waves;

    renew->pausing = false;
    renew->wave++;
    renew->wave_from = renew->wave_to;
    renew->wave_to =
        renew->wave_from + size < renew->count ? renew->wave_from + size : renew->count;
    if (renew->waves > 1)
        say("%sWave %ld: %zu of %zu%s", term_out(TERM_BOLD), renew->wave,
            renew->wave_to - renew->wave_from, renew->count, term_out(TERM_PLAIN));
}

static void end_wave(struct renew *renew, uint32_t now)
{
    if (renew->wave_to == renew->count || failures(renew) > 0) {
        renew->code = EXIT_OK; /* how it ended is told below */
        return;
    }
    renew->pausing = true;
    renew->pause_until_ms = now + (uint32_t)renew->pause_s * 1000;
}

static void wave(struct renew *renew, uint32_t now)
{
    size_t busy = 0;

    if (renew->pausing && th_time_reached(now, renew->pause_until_ms))
        begin_wave(renew);
    if (!renew->up || renew->pausing || !th_time_reached(now, renew->begun_ms + ONLINE_FIRST))
        return;
    for (size_t i = renew->wave_from; i < renew->wave_to; i++) {
        struct one *one = &renew->devices[i];

        if (one->step == STEP_DONE || busy == AT_ONCE)
            continue;
        step(renew, one, now);
        busy += one->step != STEP_DONE;
    }
    if (busy == 0)
        end_wave(renew, now);
}

/* ---- the session ---- */

static void subscribe(struct renew *renew)
{
    char answers[64];

    snprintf(answers, sizeof answers, "+/to/%s/rpc", renew->caller);
    const struct th_mqtt_filter filters[] = {
        {.filter = th_span_str(answers), .qos = TH_MQTT_QOS1},
        {.filter = TH_SPAN("+/status"), .qos = TH_MQTT_QOS1},
    };
    th_mqtt_subscribe(&renew->peer.mqtt, filters, 2, NULL, 0, &renew->subscription);
}

static struct one *device_of(struct renew *renew, struct th_span topic)
{
    for (size_t i = 0; i < renew->count; i++) {
        size_t len = strlen(renew->devices[i].name);
        if (topic.len > len && topic.at[len] == '/' &&
            memcmp(topic.at, renew->devices[i].name, len) == 0)
            return &renew->devices[i];
    }
    return NULL;
}

static void message(struct renew *renew, const struct th_mqtt_event *event, uint32_t now)
{
    const struct th_mqtt_message *message = &event->u.message;
    struct one *one = device_of(renew, message->topic);
    struct th_span answer;

    if (!one)
        return;
    if (message->topic.len == strlen(one->name) + 7 &&
        memcmp(message->topic.at + strlen(one->name), "/status", 7) == 0)
        one->online = th_span_equal(message->payload, TH_SPAN("online"));
    else if (one->asked &&
             requester_saw(&one->requester, &renew->peer.mqtt, event, &answer) == REQUESTER_ANSWER)
        answered(renew, one, answer, now);
}

/* The broker knows of nobody who listens to the request: asked again a little later. */
static void published(struct renew *renew, const struct th_mqtt_ack *ack, uint32_t now)
{
    for (size_t i = renew->wave_from; i < renew->wave_to; i++) {
        struct one *one = &renew->devices[i];

        if (ack->reason_code != NOBODY_LISTENS || !one->asked ||
            one->requester.publication != ack->id)
            continue;
        if (one->step == STEP_BEFORE && th_time_reached(now, one->away_ms))
            finish(one, RESULT_AWAY, "not connected; it renews by itself when it is back");
        one->answer_ms = now + LOOK_MS;
    }
}

static void subscribed(struct renew *renew, uint32_t now)
{
    for (size_t i = renew->wave_from; renew->begun_ms != 0 && i < renew->wave_to; i++) {
        if (renew->devices[i].step == STEP_BEFORE)
            renew->devices[i].away_ms = now + COMING_BACK_MS;
    }
    renew->up = true;
    if (renew->begun_ms == 0)
        renew->begun_ms = now | 1;
    for (size_t i = 0; i < renew->count; i++)
        renew->devices[i].asked = false; /* what was under way is asked again */
}

static void events(struct renew *renew)
{
    struct th_link_event event;

    while (renew->code == OPTION_GO_ON &&
           th_link_next(&renew->peer.link, th_linux_now(&renew->loop), &event)) {
        uint32_t now = th_linux_now(&renew->loop);

        peer_saw(&renew->peer, &event);
        if (event.kind == TH_LINK_EVENT_FAILED) {
            renew->up = false;
            if (event.u.failed.retry_ms > 0 && renew->begun_ms == 0)
                renew->code = peer_fail(&renew->peer, &event.u.failed.failure);
        } else if (event.kind == TH_LINK_EVENT_MQTT) {
            if (event.u.mqtt.kind == TH_MQTT_EVENT_CONNECTED)
                subscribe(renew);
            else if (event.u.mqtt.kind == TH_MQTT_EVENT_SUBSCRIBED)
                subscribed(renew, now);
            else if (event.u.mqtt.kind == TH_MQTT_EVENT_MESSAGE)
                message(renew, &event.u.mqtt, now);
            else if (event.u.mqtt.kind == TH_MQTT_EVENT_PUBLISHED)
                published(renew, &event.u.mqtt.u.ack, now);
        }
    }
}

/* ---- the end ---- */

static void show_json(const struct renew *renew)
{
    static const char *const results[] = {"not begun", "renewed", "away", "failed"};
    struct json json = json_begin(stdout);

    json_open(&json, "devices", '[');
    for (size_t i = 0; i < renew->count; i++) {
        const struct one *one = &renew->devices[i];
        json_open(&json, NULL, '{');
        json_text(&json, "name", one->name);
        json_text(&json, "result", results[one->result]);
        if (one->result == RESULT_RENEWED) {
            json_text(&json, "serial", one->serial);
            json_number(&json, "not_after", one->not_after_s);
        } else {
            json_text(&json, "reason", one->reason);
        }
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_number(&json, "waves", renew->wave);
    json_end(&json);
}

static int tell(const struct renew *renew)
{
    size_t counts[4] = {0};

    for (size_t i = 0; i < renew->count; i++)
        counts[renew->devices[i].result]++;
    if (term.json)
        show_json(renew);
    else if (renew->count > 1)
        say("%zu renewed, %zu away, %zu failed, %zu not begun", counts[RESULT_RENEWED],
            counts[RESULT_AWAY], counts[RESULT_FAILED], counts[RESULT_NONE]);
    bool json = term.json; /* one document is out already */
    term.json = false;
    int code = EXIT_OK;
    if (counts[RESULT_FAILED])
        code = fail(EXIT_REFUSED,
                    "%zu kept the certificate they had%s\n"
                    "thimble call NAME Log.Tail tells more; is the agent running? thimble broker "
                    "agent",
                    counts[RESULT_FAILED],
                    counts[RESULT_NONE] ? ", and no further wave was begun" : "");
    else if (counts[RESULT_AWAY] && !counts[RESULT_RENEWED])
        code = fail(EXIT_TIMED_OUT, "none of them is connected\n"
                                    "thimble watch shows who is; they renew by themselves");
    term.json = json;
    return code;
}

/* ---- the course ---- */

static int run(struct renew *renew)
{
    renew->code = peer_open(&renew->peer, &renew->loop, &renew->flags);
    if (renew->code != EXIT_OK)
        return renew->code;
    const char *as = renew->flags.as ? renew->flags.as : renew->flags.user;
    snprintf(renew->caller, sizeof renew->caller, "%.*s", (int)strcspn(as, "."), as);
    renew->code = OPTION_GO_ON;
    begin_wave(renew);
    th_link_start(&renew->peer.link, th_linux_now(&renew->loop));
    while (renew->code == OPTION_GO_ON) {
        events(renew);
        uint32_t now = th_linux_now(&renew->loop);
        if (renew->code == OPTION_GO_ON)
            wave(renew, now);
        if (renew->code != OPTION_GO_ON)
            break;
        th_linux_wait(&renew->loop,
                      th_time_sooner(th_link_deadline(&renew->peer.link, now), LOOK_MS / 4));
    }
    requester_leave(&renew->peer);
    return renew->code == EXIT_OK ? tell(renew) : renew->code;
}

/* ---- who ---- */

static bool add_device(struct renew *renew, const char *name)
{
    struct one *larger = realloc(renew->devices, (renew->count + 1) * sizeof *larger);

    if (!larger)
        return false;
    renew->devices = larger;
    renew->devices[renew->count] = (struct one){.step = STEP_WAITS};
    snprintf(renew->devices[renew->count++].name, sizeof larger->name, "%.*s",
             (int)sizeof larger->name - 1, name);
    return true;
}

static bool add_row(void *user, const struct registry_principal *row)
{
    return strcmp(row->state, "active") != 0 || row->not_after_s == 0 ||
           add_device(user, row->name);
}

static int find_all(struct renew *renew)
{
    struct home home;
    int code = home_open(&home, renew->flags.dir, false);

    if (code == EXIT_OK)
        registry_principals(&home.registry, "device", add_row, renew);
    home_close(&home);
    if (code == EXIT_OK && renew->count == 0)
        code = fail(EXIT_MISSING, "there is no device to renew\nthimble device enrol lamp");
    return code == EXIT_OK ? OPTION_GO_ON : code;
}

static int find(struct renew *renew)
{
    if (renew->all == (renew->names.count > 0))
        return fail(EXIT_USAGE, "device renew needs a name, or --all\nthimble device renew lamp");
    if (renew->all)
        return find_all(renew);
    for (size_t i = 0; i < renew->names.count; i++) {
        if (!th_device_name_valid(th_span_str(renew->names.at[i])))
            return fail(EXIT_INPUT, "'%s' is no device's name\nthimble device list",
                        renew->names.at[i]);
        if (!add_device(renew, renew->names.at[i]))
            return fail(EXIT_FAILED, "no memory\nend other programs");
    }
    return OPTION_GO_ON;
}

/* ---- the command line ---- */

static const struct usage usage = {
    "device renew", "NAME...", "Has devices renew their certificates now.",
    "A device makes a new key, gets its certificate from the agent, tries it, and only then lets "
    "the\n"
    "old one go; it does so by itself at half of a certificate's life. With --all the devices of\n"
    "the state directory, in waves: one in which a device fails is the last. Examples:\n"
    "  thimble device renew lamp\n"
    "  thimble device renew --all --waves 10 --pause 60"};

static int take(struct renew *renew, int argc, char **argv)
{
    const struct option own[] = {
        {0, "all", NULL, "every device that is not revoked", OPTION_FLAG, &renew->all, 0, 0},
        {0, "waves", "N", "in so many waves [5, of one name 1]", OPTION_NUMBER, &renew->waves, 1,
         1000},
        {0, "pause", "SECONDS", "between two waves [10]", OPTION_NUMBER, &renew->pause_s, 0, 86400},
        {'W', NULL, "SECONDS", "wait so long for each [90]", OPTION_NUMBER, &renew->wait_s, 1,
         86400},
        OPTION_ROW_JSON,
    };
    struct option options[PEER_OPTIONS_MAX];

    peer_flags_init(&renew->flags);
    renew->pause_s = 10;
    renew->wait_s = 90;
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &renew->flags);
    count = peer_options_tls(options, count, &renew->flags);
    int code = options_take(&usage, options, count, argc, argv, &renew->names);
    if (code == OPTION_GO_ON)
        code = find(renew);
    if (code != OPTION_GO_ON)
        return code;
    if (renew->waves == 0)
        renew->waves = renew->all ? 5 : 1;
    return requester_user(&renew->flags);
}

int device_renew(int argc, char **argv)
{
    struct renew *renew = calloc(1, sizeof *renew);
    struct th_failure failure;

    if (!renew)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    int code = take(renew, argc, argv);
    if (code == OPTION_GO_ON && !th_linux_init(&renew->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(renew);
        peer_close(&renew->peer);
        th_linux_close(&renew->loop);
    }
    free(renew->devices);
    free(renew);
    return code;
}
