/* SPDX-License-Identifier: MIT */
/* thimble sub: subscribes and prints what arrives. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <thimble/topic.h>

#include "commands.h"
#include "exits.h"
#include "message.h"
#include "peer.h"
#include "term.h"

struct sub {
    struct peer_flags flags;
    struct words topics, filter_out;
    long qos, count, wait_s, retain_handling;
    bool no_stale, only_retained, no_local, retain_as_published, exit_subscribed;
    struct message_style style;

    struct th_linux loop;
    struct peer peer;
    struct th_linux_watch signals;
    struct message_printer printer;
    bool connected_once, subscribed, ending, timed_out;
    bool keep_part; /* the message that is arriving in pieces is wanted */
    long printed;
    uint32_t until_ms;
    int code;
};

/* ---- subscribing ---- */

static void subscribe(struct sub *sub)
{
    struct th_mqtt_filter filters[WORDS_MAX];
    const struct properties *properties = &sub->flags.properties.of[PROPERTIES_SUBSCRIBE];
    for (size_t i = 0; i < sub->topics.count; i++)
        filters[i] = (struct th_mqtt_filter){
            .filter = th_span_str(sub->topics.at[i]),
            .qos = (enum th_mqtt_qos)sub->qos,
            .no_local = sub->no_local,
            .retain_as_published = sub->retain_as_published,
            .retain_handling = (enum th_mqtt_retain_handling)sub->retain_handling,
        };
    enum th_error error = th_mqtt_subscribe(&sub->peer.mqtt, filters, (uint16_t)sub->topics.count,
                                            properties->at, properties->count, NULL);
    if (error != TH_OK)
        sub->code = fail(exits_of(error), "cannot subscribe: %s\n%s", th_error_text(error),
                         th_error_remedy(error));
}

static void granted(struct sub *sub, const struct th_mqtt_ack *ack)
{
    size_t refused = 0;
    for (size_t i = 0; i < ack->codes.len && i < sub->topics.count; i++) {
        uint8_t code = ack->codes.at[i];
        if (code < 0x80)
            continue;
        refused++;
        warn("the broker refuses %s: %s (reason code 0x%02X)\n"
             "check the filter, and the user's rights in the broker's ACL",
             sub->topics.at[i], th_reason_text(5, code), code);
    }
    sub->subscribed = true;
    if (refused == sub->topics.count)
        sub->code = EXIT_DENIED;
    else if (sub->exit_subscribed)
        sub->ending = true;
}

/* ---- messages ---- */

static bool wanted(const struct sub *sub, const struct th_mqtt_message *message)
{
    if ((sub->no_stale && message->retain) || (sub->only_retained && !message->retain))
        return false;
    for (size_t i = 0; i < sub->filter_out.count; i++) {
        if (th_topic_match(th_span_str(sub->filter_out.at[i]), message->topic))
            return false;
    }
    return !sub->ending;
}

static void counted(struct sub *sub, bool shown)
{
    if (!shown) { /* nobody reads any more: the end of a pipe such as `| head` */
        sub->code = EXIT_OK;
        return;
    }
    sub->printed++;
    if (sub->count && sub->printed >= sub->count)
        sub->ending = true;
}

static void mqtt_event(struct sub *sub, const struct th_mqtt_event *event)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED:
        sub->connected_once = true;
        subscribe(sub);
        break;
    case TH_MQTT_EVENT_SUBSCRIBED: granted(sub, &event->u.ack); break;
    case TH_MQTT_EVENT_MESSAGE:
        if (wanted(sub, &event->u.message))
            counted(sub, message_print(&sub->printer, &event->u.message));
        break;
    case TH_MQTT_EVENT_BEGIN:
        sub->keep_part = wanted(sub, &event->u.message);
        if (sub->keep_part && !message_begin(&sub->printer, &event->u.message))
            sub->code = EXIT_FAILED;
        break;
    case TH_MQTT_EVENT_CHUNK:
        if (sub->keep_part)
            message_chunk(&sub->printer, &event->u.chunk);
        break;
    case TH_MQTT_EVENT_END:
        if (sub->keep_part)
            counted(sub, message_end(&sub->printer));
        break;
    default: break;
    }
}

static void failed(struct sub *sub, const struct th_link_event *event)
{
    const struct th_failure *failure = &event->u.failed.failure;
    message_forget(&sub->printer);
    if (event->u.failed.retry_ms == 0 && !sub->connected_once)
        return; /* the next address */
    if (!sub->connected_once)
        sub->code = peer_fail(&sub->peer, failure);
    else
        warn("the connection is gone: %s; trying again\nwait, or end it with Ctrl-C",
             th_error_text(failure->error));
}

static void events(struct sub *sub)
{
    struct th_link_event event;
    uint32_t now = th_linux_now(&sub->loop);
    while (sub->code == OPTION_GO_ON && th_link_next(&sub->peer.link, now, &event)) {
        peer_saw(&sub->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            mqtt_event(sub, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED)
            failed(sub, &event);
        else if (event.kind == TH_LINK_EVENT_STOPPED)
            sub->code = sub->timed_out ? EXIT_TIMED_OUT : EXIT_OK;
        now = th_linux_now(&sub->loop);
    }
}

/* ---- the whole ---- */

static int watch_signals(struct sub *sub)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0 || !th_linux_watch(&sub->loop, &sub->signals, fd))
        return fail(EXIT_FAILED, "cannot wait for signals\nend other programs");
    return EXIT_OK;
}

static uint32_t patience(const struct sub *sub)
{
    uint32_t now = th_linux_now(&sub->loop);
    uint32_t wait = th_link_deadline(&sub->peer.link, now);
    uint32_t left = sub->until_ms - now;
    return sub->wait_s && !sub->ending && left < wait ? left : wait;
}

static void loop(struct sub *sub)
{
    bool stopping = false;
    while (sub->code == OPTION_GO_ON) {
        events(sub);
        uint32_t now = th_linux_now(&sub->loop);
        if (sub->signals.ready)
            sub->ending = true;
        if (sub->wait_s && !sub->ending && (int32_t)(now - sub->until_ms) >= 0)
            sub->timed_out = sub->ending = true;
        if (sub->ending && !stopping) {
            stopping = true;
            th_link_stop(&sub->peer.link, now);
            continue;
        }
        if (sub->code == OPTION_GO_ON)
            th_linux_wait(&sub->loop, patience(sub));
        sub->signals.ready = sub->signals.ready && !stopping;
    }
}

static int run(struct sub *sub)
{
    int code = peer_open(&sub->peer, &sub->loop, &sub->flags);
    if (code == EXIT_OK)
        code = watch_signals(sub);
    if (code != EXIT_OK)
        return code;
    message_open(&sub->printer, &sub->style);
    sub->code = OPTION_GO_ON;
    sub->until_ms = th_linux_now(&sub->loop) + (uint32_t)sub->wait_s * 1000;
    th_link_start(&sub->peer.link, th_linux_now(&sub->loop));
    loop(sub);
    message_close(&sub->printer);
    int fd = sub->signals.fd;
    th_linux_unwatch(&sub->signals);
    close(fd);
    return sub->code;
}

static int check(const struct sub *sub, const struct words *rest)
{
    if (rest->count)
        return fail(EXIT_USAGE, "sub takes no '%s'; a filter goes behind -t\nthimble sub -t '%s'",
                    rest->at[0], rest->at[0]);
    if (sub->topics.count == 0)
        return fail(EXIT_USAGE, "sub needs a filter\nthimble sub -t '+/status'");
    for (size_t i = 0; i < sub->topics.count + sub->filter_out.count; i++) {
        const char *filter =
            i < sub->topics.count ? sub->topics.at[i] : sub->filter_out.at[i - sub->topics.count];
        if (!th_topic_filter_valid(th_span_str(filter)))
            return fail(EXIT_USAGE,
                        "'%s' is no topic filter: '+' and '#' stand for whole levels, "
                        "'#' for the last\nthimble sub -t '+/status'",
                        filter);
    }
    const char *fault = message_style_fault(&sub->style);
    if (fault)
        return fail(EXIT_USAGE, "-F: %s\nthimble sub -F '%%t %%p' -t '+/status'", fault);
    return OPTION_GO_ON;
}

static const struct usage usage = {
    "sub", "", "Subscribes over MQTT, by default version 5, over TLS, and prints what arrives.",
    "-F takes %t topic, %p payload, %x payload in hexadecimal, %q QoS, %r retain, %l length,\n"
    "%I time, %U seconds, %% a per cent sign, and \\n, \\t, \\0. --json prints an object a line.\n"
    "It reconnects by itself; exit code 27 when -W is over. Examples:\n"
    "  thimble sub --as alice -t '+/status' -v\n"
    "  thimble sub --as alice -t 'lamp/telemetry/#' -C 1 -W 10"};

static int take(struct sub *sub, int argc, char **argv)
{
    struct words rest = {0};
    const struct option own[] = {
        {'t', "topic", "FILTER", "what to subscribe to; again for more", OPTION_LIST, &sub->topics,
         0, 0},
        {'T', "filter-out", "FILTER", "do not print these", OPTION_LIST, &sub->filter_out, 0, 0},
        {'q', "qos", "QOS", "0, 1 or 2 [0]", OPTION_NUMBER, &sub->qos, 0, 2},
        {'C', NULL, "COUNT", "end after so many messages", OPTION_NUMBER, &sub->count, 1,
         2147483647},
        {'W', NULL, "SECONDS", "end after so long, with exit code 27", OPTION_NUMBER, &sub->wait_s,
         1, 86400},
        {'v', "verbose", NULL, "the topic before the message", OPTION_FLAG, &sub->style.verbose, 0,
         0},
        {'F', NULL, "FORMAT", "how to print, see below", OPTION_TEXT, &sub->style.format, 0, 0},
        {'N', NULL, NULL, "no line end behind a message", OPTION_FLAG, &sub->style.no_newline, 0,
         0},
        {'R', NULL, NULL, "leave retained messages out", OPTION_FLAG, &sub->no_stale, 0, 0},
        {0, "retained-only", NULL, "retained messages alone", OPTION_FLAG, &sub->only_retained, 0,
         0},
        {0, "retain-as-published", NULL, "keep the retain flag as it was sent", OPTION_FLAG,
         &sub->retain_as_published, 0, 0},
        {0, "retain-handling", "0..2", "retained ones: always, once, never", OPTION_NUMBER,
         &sub->retain_handling, 0, 2},
        {0, "no-local", NULL, "not what this connection publishes", OPTION_FLAG, &sub->no_local, 0,
         0},
        {'E', NULL, NULL, "end when subscribed", OPTION_FLAG, &sub->exit_subscribed, 0, 0},
        {0, "json", NULL, "each message as one JSON object a line", OPTION_FLAG, &sub->style.json,
         0, 0},
    };
    peer_flags_init(&sub->flags);
    struct option options[PEER_OPTIONS_MAX];
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &sub->flags);
    count = peer_options_tls(options, count, &sub->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    return code == OPTION_GO_ON ? check(sub, &rest) : code;
}

int sub_main(int argc, char **argv)
{
    struct sub *sub = calloc(1, sizeof *sub);
    struct th_failure failure;
    if (!sub)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    int code = take(sub, argc, argv);
    if (code == OPTION_GO_ON && !th_linux_init(&sub->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(sub);
        peer_close(&sub->peer);
        th_linux_close(&sub->loop);
    }
    free(sub);
    return code;
}
