/* SPDX-License-Identifier: MIT */
/* thimble watch: what devices are doing, as a live table on a terminal, else a JSON object a line.
 */
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <thimble/json.h>
#include <thimble/time.h>

#include "commands.h"
#include "exits.h"
#include "json.h"
#include "peer.h"
#include "requester.h"
#include "term.h"
#include "watch_table.h"

#define DRAW_MS 100 /* between two drawings at most */

struct watch {
    struct peer_flags flags;
    struct words filters;
    long wait_s, count;

    struct th_linux loop;
    struct peer peer;
    struct th_linux_watch signals;
    struct watch_table table;
    bool live; /* a table on a terminal */
    bool changed, connected, connected_once, stopping;
    uint32_t until_ms, drawn_ms;
    long printed;
    int code;
};

static int64_t calendar_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the screen ---- */

static void screen(bool open)
{
    fputs(open ? "\033[?1049h\033[?25l" : "\033[?25h\033[?1049l", stdout);
    fflush(stdout);
}

static void draw(struct watch *watch)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    char heading[700];
    const char *host = watch->flags.host ? watch->flags.host : watch->peer.text;

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    snprintf(heading, sizeof heading, "  %s%s%s%s  %zu device%s%s  Ctrl-C ends", host,
             watch->flags.as ? " as " : "", watch->flags.as ? watch->flags.as : "",
             watch->connected ? "" : "  NOT CONNECTED, trying again", watch->table.count,
             watch->table.count == 1 ? "" : "s", watch->table.overflow ? " (and more)" : "");
    fputs("\033[H", stdout);
    watch_table_draw(&watch->table, stdout, size.ws_row, size.ws_col, heading, calendar_ms());
    fflush(stdout);
    watch->changed = false;
    watch->drawn_ms = th_linux_now(&watch->loop);
}

/* ---- messages ---- */

static bool wanted(const struct watch *watch, struct th_span device)
{
    char name[64];

    if (watch->filters.count == 0)
        return true;
    if (device.len >= sizeof name)
        return false;
    memcpy(name, device.at, device.len);
    name[device.len] = '\0';
    for (size_t i = 0; i < watch->filters.count; i++) {
        if (fnmatch(watch->filters.at[i], name, 0) == 0)
            return true;
    }
    return false;
}

/* The payload as JSON where it is, else as a string. */
static void print_line(struct watch *watch, const struct watch_topic *topic,
                       const struct th_mqtt_message *message)
{
    struct json json = {.to = stdout, .first = true};
    struct th_json payload;
    size_t at;

    json_open(&json, NULL, '{');
    json_number(&json, "at", calendar_ms() / 1000);
    json_bytes(&json, "device", topic->device.at, topic->device.len);
    json_bytes(&json, "kind", topic->kind.at, topic->kind.len);
    if (topic->name.len > 0)
        json_bytes(&json, "name", topic->name.at, topic->name.len);
    json_bool(&json, "retained", message->retain);
    if (th_json_parse(message->payload, &payload, &at) == TH_OK) {
        fputs(",\"payload\":", stdout);
        for (size_t i = 0; i < payload.text.len; i++) /* line ends stand between values only */
            putchar(payload.text.at[i] < 0x20 ? ' ' : payload.text.at[i]);
    } else {
        json_bytes(&json, "payload", message->payload.at, message->payload.len);
    }
    json_close(&json, '}');
    putchar('\n');
    if (fflush(stdout) != 0)
        watch->code = EXIT_OK; /* nobody reads any more */
    if (++watch->printed == watch->count)
        watch->stopping = true;
}

static void message(struct watch *watch, const struct th_mqtt_message *message)
{
    struct watch_topic topic;

    if (!watch_topic_read(message->topic, &topic) || !wanted(watch, topic.device))
        return;
    if (watch->live)
        watch_table_take(&watch->table, &topic, message->payload, message->retain, calendar_ms());
    else if (!watch->stopping)
        print_line(watch, &topic, message);
    watch->changed = true;
}

static void subscribe(struct watch *watch)
{
    static const struct th_mqtt_filter filters[] = {
        {.filter = {(const uint8_t *)"+/status", 8}, .qos = TH_MQTT_QOS1},
        {.filter = {(const uint8_t *)"+/telemetry/#", 13}, .qos = TH_MQTT_QOS0},
        {.filter = {(const uint8_t *)"+/zone/+", 8}, .qos = TH_MQTT_QOS1},
        {.filter = {(const uint8_t *)"+/log", 5}, .qos = TH_MQTT_QOS1},
    };

    th_mqtt_subscribe(&watch->peer.mqtt, filters, 4, NULL, 0, NULL);
}

static void on_mqtt(struct watch *watch, const struct th_mqtt_event *event)
{
    if (event->kind == TH_MQTT_EVENT_CONNECTED) {
        watch->connected = watch->connected_once = watch->changed = true;
        subscribe(watch);
    } else if (event->kind == TH_MQTT_EVENT_MESSAGE) {
        message(watch, &event->u.message);
    }
}

static void on_failed(struct watch *watch, const struct th_link_event *event)
{
    watch->changed = true;
    watch->connected = false;
    if (event->u.failed.retry_ms == 0 && !watch->connected_once)
        return; /* the next address */
    if (!watch->connected_once)
        watch->code = peer_fail(&watch->peer, &event->u.failed.failure);
    else if (!watch->live)
        warn("the connection is gone: %s; trying again\nwait, or end it with Ctrl-C",
             th_error_text(event->u.failed.failure.error));
}

static void events(struct watch *watch)
{
    struct th_link_event event;

    while (watch->code == OPTION_GO_ON &&
           th_link_next(&watch->peer.link, th_linux_now(&watch->loop), &event)) {
        if (!watch->live)
            peer_saw(&watch->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            on_mqtt(watch, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED)
            on_failed(watch, &event);
        else if (event.kind == TH_LINK_EVENT_STOPPED)
            watch->code = EXIT_OK;
    }
}

/* ---- the course ---- */

static bool watch_signals(struct watch *watch)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 && th_linux_watch(&watch->loop, &watch->signals, fd);
}

static void take_signals(struct watch *watch)
{
    struct signalfd_siginfo info;

    while (watch->signals.ready && read(watch->signals.fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGWINCH)
            watch->changed = true;
        else
            watch->stopping = true;
    }
    watch->signals.ready = false;
}

static uint32_t patience(const struct watch *watch, uint32_t now)
{
    uint32_t wait = th_link_deadline(&watch->peer.link, now);

    if (watch->live) /* the column of ages goes on */
        wait = th_time_sooner(
            wait, th_time_until(now, watch->drawn_ms + (watch->changed ? DRAW_MS : 1000)));
    if (watch->wait_s)
        wait = th_time_sooner(wait, th_time_until(now, watch->until_ms));
    return wait;
}

static void loop(struct watch *watch)
{
    bool stopped = false;

    while (watch->code == OPTION_GO_ON) {
        events(watch);
        uint32_t now = th_linux_now(&watch->loop);
        take_signals(watch);
        if (watch->wait_s && th_time_reached(now, watch->until_ms))
            watch->stopping = true;
        if (watch->stopping && !stopped) {
            stopped = true;
            th_link_stop(&watch->peer.link, now);
            continue;
        }
        if (watch->code != OPTION_GO_ON)
            return;
        if (watch->live &&
            th_time_reached(now, watch->drawn_ms + (watch->changed ? DRAW_MS : 1000)))
            draw(watch);
        th_linux_wait(&watch->loop, patience(watch, now));
    }
}

static int run(struct watch *watch)
{
    int code = peer_open(&watch->peer, &watch->loop, &watch->flags);

    if (code != EXIT_OK)
        return code;
    if (!watch_signals(watch))
        return fail(EXIT_FAILED, "cannot wait for signals\nend other programs");
    uint32_t now = th_linux_now(&watch->loop);
    watch->code = OPTION_GO_ON;
    watch->until_ms = now + (uint32_t)watch->wait_s * 1000;
    watch->drawn_ms = now - 1000;
    if (watch->live)
        screen(true);
    th_link_start(&watch->peer.link, now);
    loop(watch);
    if (watch->live)
        screen(false);
    return watch->code;
}

static const struct usage usage = {
    "watch", "[FILTER...]",
    "Shows what devices are doing: their status, telemetry, zones and log lines.",
    "FILTER is a device's name, in which * and ? stand for anything. On a terminal it is a table\n"
    "that lives until Ctrl-C, else (or with --json) one JSON object a line. Examples:\n"
    "  thimble watch\n"
    "  thimble watch --as alice 'garden*'\n"
    "  thimble watch --json -C 10 > seen.jsonl"};

static int take(struct watch *watch, int argc, char **argv)
{
    const struct option own[] = {
        {'W', NULL, "SECONDS", "end after so long", OPTION_NUMBER, &watch->wait_s, 1, 86400},
        {'C', NULL, "COUNT", "end after so many lines", OPTION_NUMBER, &watch->count, 1,
         2147483647},
        {0, "json", NULL, "one JSON object a line, also on a terminal", OPTION_FLAG, &term.json, 0,
         0},
    };
    struct option options[PEER_OPTIONS_MAX];

    peer_flags_init(&watch->flags);
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &watch->flags);
    count = peer_options_tls(options, count, &watch->flags);
    int code = options_take(&usage, options, count, argc, argv, &watch->filters);
    return code == OPTION_GO_ON ? requester_user(&watch->flags) : code;
}

int watch_main(int argc, char **argv)
{
    struct watch *watch = calloc(1, sizeof *watch);
    struct th_failure failure;

    if (!watch)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    int code = take(watch, argc, argv);
    watch->live = isatty(STDOUT_FILENO) && !term.json && watch->count == 0;
    term.json = false; /* errors are for people: stdout carries lines, not one document */
    if (code == OPTION_GO_ON && !th_linux_init(&watch->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(watch);
        peer_close(&watch->peer);
        th_linux_close(&watch->loop);
    }
    free(watch);
    return code;
}
