/* SPDX-License-Identifier: MIT */
/* thimble log: what a device has said and what has failed, then what it says from now on. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <thimble/rpc.h>
#include <thimble/time.h>

#include "ask.h"
#include "commands.h"
#include "exits.h"
#include "term.h"

#define ITEMS_MAX 64 /* of one answer */

enum step { STEP_HISTORY, STEP_LINES, STEP_FOLLOW };

struct log {
    struct peer_flags flags;
    const char *device, *level;
    long wait_s, count;
    bool follow;
    unsigned least; /* level that is still shown */

    struct th_linux loop;
    struct peer peer;
    struct th_linux_watch signals;
    struct requester requester;
    char params[40], topic[48];
    enum step step;
    bool connected_once, stopping;
    uint32_t until_ms;
    int code;
};

/* ---- one item ---- */

static const char *const levels[] = {"error", "warn", "info", "debug"};

/* What is no line is a failure, a crash, a trial or a connection. */
static unsigned level_of(struct th_json item)
{
    char word[16] = "";

    th_json_string(th_json_member(item, "level"), word, sizeof word);
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(word, levels[i]) == 0)
            return i;
    }
    th_json_string(th_json_member(item, "event"), word, sizeof word);
    if (strcmp(word, "failure") == 0 || strcmp(word, "crash") == 0)
        return 0;
    return th_json_member(item, "kept").kind == TH_JSON_FALSE ? 1 : 2;
}

/* A device's bytes do not steer a terminal. */
static void clean(char *text)
{
    for (uint8_t *at = (uint8_t *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7F || (*at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0))
            *at = '?';
    }
}

static void print_text(struct th_json item, unsigned level)
{
    static const enum term_style styles[] = {TERM_RED, TERM_YELLOW, TERM_PLAIN, TERM_DIM};
    char text[512] = "", event[16] = "", version[48] = "", date[24] = "";
    int64_t at_s = 0, age_s = 0;

    th_json_string(th_json_member(item, "event"), event, sizeof event);
    th_json_string(th_json_member(item, "text"), text, sizeof text);
    if (strcmp(event, "connected") == 0 &&
        th_json_string(th_json_member(item, "version"), version, sizeof version))
        snprintf(text, sizeof text, "connected, version %s", version);
    if (th_json_integer(th_json_member(item, "age_s"), &age_s))
        at_s = (int64_t)time(NULL) - age_s;
    if (th_json_integer(th_json_member(item, "time"), &at_s) || at_s > 0)
        term_date(at_s, date);
    /* The history's texts begin with their day. */
    const char *rest = strncmp(text, date, 10) == 0 && date[0] ? text + 11 : text;
    clean(text);
    printf("%s%-20s%s %s%-5s%s %s\n", term_out(TERM_DIM), date, term_out(TERM_PLAIN),
           term_out(styles[level]), levels[level], term_out(TERM_PLAIN), rest);
}

static void print_json(struct th_json item)
{
    for (size_t i = 0; i < item.text.len; i++) /* line ends stand between values only */
        putchar(item.text.at[i] < 0x20 ? ' ' : item.text.at[i]);
    putchar('\n');
}

static void print(struct log *log, struct th_json item)
{
    unsigned level = level_of(item);

    if (item.kind != TH_JSON_OBJECT || level > log->least)
        return;
    if (term.json)
        print_json(item);
    else
        print_text(item, level);
    if (fflush(stdout) != 0)
        log->stopping = true; /* nobody reads any more */
}

/* An answer has the newest first, a person reads downwards. */
static void print_all(struct log *log, struct th_json list)
{
    struct th_json items[ITEMS_MAX];
    size_t count = 0, at = 0;

    while (count < ITEMS_MAX && th_json_next(list, &at, NULL, &items[count]))
        count++;
    while (count > 0)
        print(log, items[--count]);
}

/* ---- the course ---- */

static bool begin(struct log *log, const char *method)
{
    const struct request request = {.device = log->device,
                                    .caller = log->flags.as ? log->flags.as : log->flags.user,
                                    .method = method,
                                    .params = log->params,
                                    .wait_s = (uint32_t)log->wait_s};

    return requester_begin(&log->requester, &request);
}

static void follow(struct log *log)
{
    const struct th_mqtt_filter filter = {.filter = th_span_str(log->topic), .qos = TH_MQTT_QOS1};

    th_mqtt_subscribe(&log->peer.mqtt, &filter, 1, NULL, 0, NULL);
}

static void finish_tail(struct log *log)
{
    log->step = STEP_FOLLOW;
    if (!log->follow)
        log->stopping = true;
}

static void answered(struct log *log, struct th_span text)
{
    struct th_json frame, error;
    int64_t refusal = 0;
    size_t at;

    if (th_json_parse(text, &frame, &at) != TH_OK || frame.kind != TH_JSON_OBJECT) {
        log->code = fail(EXIT_PROTOCOL,
                         "%s answers with what is not JSON\nthimble sub -t '%s/to/#' shows it",
                         log->device, log->device);
        return;
    }
    error = th_json_member(frame, "error");
    th_json_integer(th_json_member(error, "code"), &refusal);
    /* A small device keeps no lines. */
    if (error.kind != TH_JSON_NONE && !(log->step == STEP_LINES && refusal == TH_RPC_NOT_FOUND)) {
        log->code = ask_refused(log->device, log->requester.request.method, &frame);
        return;
    }
    print_all(log, th_json_member(frame, "result"));
    if (log->step == STEP_LINES) {
        finish_tail(log);
        return;
    }
    log->step = STEP_LINES;
    snprintf(log->params, sizeof log->params, "{\"count\":%ld}", log->count);
    if (begin(log, "Log.Lines"))
        requester_ask(&log->requester, &log->peer.mqtt);
}

static void message(struct log *log, const struct th_mqtt_message *message)
{
    struct th_json item;
    size_t at;

    /* What comes before the answers stands in them. */
    if (log->step == STEP_FOLLOW && !log->stopping &&
        th_span_equal(message->topic, th_span_str(log->topic)) &&
        th_json_parse(message->payload, &item, &at) == TH_OK)
        print(log, item);
}

static void on_mqtt(struct log *log, const struct th_mqtt_event *event)
{
    struct th_span answer;

    if (event->kind == TH_MQTT_EVENT_CONNECTED) {
        log->connected_once = true;
        if (log->follow)
            follow(log);
    }
    if (event->kind == TH_MQTT_EVENT_MESSAGE)
        message(log, &event->u.message);
    if (log->step == STEP_FOLLOW)
        return;
    switch (requester_saw(&log->requester, &log->peer.mqtt, event, &answer)) {
    case REQUESTER_ANSWER: answered(log, answer); break;
    case REQUESTER_DENIED:
        log->code = fail(EXIT_DENIED, "the broker denies this user the request\nthimble broker "
                                      "prove shows what it allows whom");
        break;
    case REQUESTER_PROVE:
    case REQUESTER_GO_ON: break;
    }
}

static void events(struct log *log)
{
    struct th_link_event event;

    while (log->code == OPTION_GO_ON &&
           th_link_next(&log->peer.link, th_linux_now(&log->loop), &event)) {
        peer_saw(&log->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            on_mqtt(log, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_STOPPED)
            log->code = EXIT_OK;
        else if (event.kind == TH_LINK_EVENT_FAILED && log->connected_once)
            warn("the connection is gone: %s; trying again\nwait, or end it with Ctrl-C",
                 th_error_text(event.u.failed.failure.error));
        else if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms > 0)
            log->code = peer_fail(&log->peer, &event.u.failed.failure);
    }
}

static void late(struct log *log)
{
    if (log->follow) {
        warn("%s does not answer; what it says from now on follows\nend it with Ctrl-C",
             log->device);
        finish_tail(log);
        return;
    }
    log->code = fail(EXIT_TIMED_OUT,
                     "%s did not answer within %ld s\nthimble sub -t '%s/status' tells whether it "
                     "is there",
                     log->device, log->wait_s, log->device);
}

static bool watch_signals(struct log *log)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 && th_linux_watch(&log->loop, &log->signals, fd);
}

static void take_signals(struct log *log)
{
    struct signalfd_siginfo info;

    while (log->signals.ready && read(log->signals.fd, &info, sizeof info) == sizeof info)
        log->stopping = true;
    log->signals.ready = false;
}

static void loop(struct log *log)
{
    bool stopped = false;

    while (log->code == OPTION_GO_ON) {
        events(log);
        uint32_t now = th_linux_now(&log->loop);
        if (log->step != STEP_FOLLOW && log->code == OPTION_GO_ON &&
            th_time_reached(now, log->until_ms))
            late(log);
        take_signals(log);
        if (log->code != OPTION_GO_ON)
            break;
        if (log->stopping && !stopped) {
            stopped = true;
            th_link_stop(&log->peer.link, now);
            continue;
        }
        uint32_t wait = th_link_deadline(&log->peer.link, now);
        th_linux_wait(&log->loop, log->step == STEP_FOLLOW
                                      ? wait
                                      : th_time_sooner(wait, th_time_until(now, log->until_ms)));
    }
    if (!stopped)
        requester_leave(&log->peer);
}

static int run(struct log *log)
{
    int code = peer_open(&log->peer, &log->loop, &log->flags);

    if (code != EXIT_OK)
        return code;
    if (!watch_signals(log))
        return fail(EXIT_FAILED, "cannot wait for signals\nend other programs");
    if (!begin(log, "Log.Tail"))
        return fail(EXIT_FAILED, "no random numbers\nrestart this machine");
    uint32_t now = th_linux_now(&log->loop);
    log->code = OPTION_GO_ON;
    log->until_ms = now + (uint32_t)log->wait_s * 1000;
    th_link_start(&log->peer.link, now);
    loop(log);
    return log->code;
}

/* ---- the command line ---- */

static const struct usage usage = {
    "log", "DEVICE", "Shows what a device has said lately, and what has failed with its remedy.",
    "What a device keeps and sends is up to its setting log.level. Examples:\n"
    "  thimble log garden\n"
    "  thimble log garden --follow --level warn\n"
    "  thimble config set garden log.level=debug"};

static int check(struct log *log, const struct words *rest)
{
    if (rest->count != 1)
        return fail(EXIT_USAGE, "log needs one device\nthimble log garden");
    log->device = rest->at[0];
    snprintf(log->topic, sizeof log->topic, "%.40s/log", log->device);
    snprintf(log->params, sizeof log->params, "{}");
    log->least = 3;
    if (log->level) {
        while (log->least > 0 && strcmp(log->level, levels[log->least]) != 0)
            log->least--;
        if (strcmp(log->level, levels[log->least]) != 0)
            return fail(EXIT_USAGE, "there is no level '%s'\n--level error, warn, info or debug",
                        log->level);
    }
    return requester_user(&log->flags);
}

static int take(struct log *log, int argc, char **argv)
{
    struct words rest = {0};
    const struct option own[] = {
        {'f', "follow", NULL, "go on with what it says, until interrupted", OPTION_FLAG,
         &log->follow, 0, 0},
        {'n', NULL, "COUNT", "so many lines, at most [20]", OPTION_NUMBER, &log->count, 1,
         ITEMS_MAX},
        {0, "level", "LEVEL", "error, warn, info or debug: nothing less important [debug]",
         OPTION_TEXT, &log->level, 0, 0},
        {'W', NULL, "SECONDS", "wait so long for the answer [10]", OPTION_NUMBER, &log->wait_s, 1,
         86400},
        {0, "json", NULL, "one JSON object a line", OPTION_FLAG, &term.json, 0, 0},
    };
    struct option options[PEER_OPTIONS_MAX];

    peer_flags_init(&log->flags);
    log->wait_s = 10;
    log->count = 20;
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &log->flags);
    count = peer_options_tls(options, count, &log->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    return code == OPTION_GO_ON ? check(log, &rest) : code;
}

int log_main(int argc, char **argv)
{
    struct log *log = calloc(1, sizeof *log);
    struct th_failure failure;

    if (!log)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    int code = take(log, argc, argv);
    if (code == OPTION_GO_ON && !th_linux_init(&log->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(log);
        peer_close(&log->peer);
        th_linux_close(&log->loop);
    }
    free(log);
    return code;
}
