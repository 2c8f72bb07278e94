/* SPDX-License-Identifier: MIT */
/* thimble pub: publishes, waits for the broker's answer, and says when it was denied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <thimble/topic.h>

#include "commands.h"
#include "exits.h"
#include "json.h"
#include "lines.h"
#include "payload.h"
#include "peer.h"
#include "term.h"

/* A broker that takes a message badly would take it badly for ever. */
#define SETBACKS_MAX 3

struct pub {
    struct peer_flags flags;
    const char *topic, *message, *file;
    bool null, lines, whole_input, retain;
    long qos, wait_s;

    struct th_linux loop;
    struct peer peer;
    struct payload payload; /* the one message, or the line that is being streamed */
    struct th_mqtt_publish publish;
    struct lines input;
    bool connected_once, taken, streaming, ended, closing;
    uint32_t sent, done, denied;
    uint32_t largest;  /* packet the broker takes */
    unsigned setbacks; /* connections lost since the last acknowledgement */
    uint32_t until_ms;
    int code; /* OPTION_GO_ON while it runs */
};

/* ---- what is to be sent ---- */

static int check(struct pub *pub, const struct words *rest)
{
    int ways =
        (pub->message != NULL) + (pub->file != NULL) + pub->null + pub->lines + pub->whole_input;
    if (rest->count)
        return fail(EXIT_USAGE,
                    "pub takes no '%s'; a message goes behind -m\nthimble pub -t TOPIC "
                    "-m '%s'",
                    rest->at[0], rest->at[0]);
    if (!pub->topic)
        return fail(EXIT_USAGE, "pub needs a topic\nthimble pub -t TOPIC -m MESSAGE");
    if (!th_topic_name_valid(th_span_str(pub->topic)))
        return fail(EXIT_USAGE,
                    "'%s' is no topic to publish on: it is empty, not UTF-8, or has '+' "
                    "or '#'\nthimble pub -t lamp/status -m MESSAGE",
                    pub->topic);
    if (ways != 1)
        return fail(EXIT_USAGE,
                    "pub needs one of -m, -f, -n, -l and -s, not %d of them\n"
                    "thimble pub -t %s -m MESSAGE",
                    ways, pub->topic);
    return OPTION_GO_ON;
}

static int open_payload(struct pub *pub)
{
    if (pub->file)
        return payload_of_file(&pub->payload, pub->file);
    if (pub->whole_input)
        return payload_of_input(&pub->payload, STDIN_FILENO);
    if (!pub->lines)
        payload_of_text(&pub->payload, th_span_str(pub->message));
    return EXIT_OK;
}

/* ---- the session ---- */

static bool stream_it(const struct pub *pub)
{
    return pub->payload.fd >= 0 || pub->payload.text.len > PAYLOAD_WHOLE_MAX;
}

/* TH_ERR_AGAIN and OUTBOX_FULL leave the message where it is: that is the back-pressure. */
static void send_payload(struct pub *pub)
{
    const struct properties *properties = &pub->flags.properties.of[PROPERTIES_PUBLISH];
    pub->streaming = stream_it(pub);
    pub->publish = (struct th_mqtt_publish){
        .topic = th_span_str(pub->topic),
        .payload = pub->streaming ? (struct th_span){NULL, 0} : pub->payload.text,
        .source = pub->streaming ? &pub->payload.source : NULL,
        .qos = (enum th_mqtt_qos)pub->qos,
        .retain = pub->retain,
        .properties = properties->at,
        .property_count = properties->count,
    };
    enum th_error error = th_mqtt_publish(&pub->peer.mqtt, &pub->publish, NULL);
    if (error == TH_ERR_AGAIN || error == TH_ERR_OUTBOX_FULL) {
        pub->streaming = false;
        return;
    }
    if (error == TH_ERR_TOO_LARGE && pub->largest != UINT32_MAX) {
        pub->code =
            fail(EXIT_MEMORY,
                 "cannot publish on %s: a message of %u bytes is more than the broker takes "
                 "(%u with its header)\n"
                 "send it in pieces, or raise max_packet_size in the broker's configuration",
                 pub->topic, pub->payload.source.len, pub->largest);
        return;
    }
    if (error != TH_OK) {
        pub->code = fail(exits_of(error), "cannot publish on %s: %s\n%s", pub->topic,
                         th_error_text(error), th_error_remedy(error));
        return;
    }
    pub->taken = true;
    pub->sent++;
    if (pub->qos == 0 && !pub->streaming)
        pub->done++;
}

/* The next line, when the one before is with the session. */
static void feed(struct pub *pub)
{
    while (pub->code == OPTION_GO_ON && !pub->ended && !pub->streaming) {
        if (pub->taken && pub->lines) {
            struct th_span line;
            enum lines_state state = lines_next(&pub->input, &line);
            if (state == LINES_WAIT)
                return;
            pub->ended = state == LINES_END;
            if (state != LINES_LINE)
                return;
            payload_of_text(&pub->payload, line);
            pub->taken = false;
        }
        if (!pub->taken)
            send_payload(pub);
        if (!pub->taken)
            return;
        pub->ended = !pub->lines;
    }
}

static void acknowledged(struct pub *pub, const struct th_mqtt_ack *ack)
{
    pub->done++;
    pub->setbacks = 0;
    pub->streaming = false;
    if (ack->reason_code < 0x80)
        return;
    pub->denied++;
    struct th_mqtt_property reason;
    bool said = th_mqtt_property_find(ack->properties, TH_MQTT_REASON_STRING, &reason);
    warn("the broker did not take a message on %s: %s (reason code 0x%02X)%s%.*s\n%s", pub->topic,
         th_reason_text(5, ack->reason_code), ack->reason_code, said ? ": " : "",
         said ? (int)reason.text.len : 0, said ? (const char *)reason.text.at : "",
         ack->reason_code == 0x87 ? "check the user's rights for this topic in the broker's ACL"
                                  : "see the reason code, and the broker's log");
}

static void mqtt_event(struct pub *pub, const struct th_mqtt_event *event)
{
    if (event->kind == TH_MQTT_EVENT_CONNECTED) {
        pub->connected_once = true;
        pub->largest = event->u.connack.limits->maximum_packet_size;
    }
    if (event->kind == TH_MQTT_EVENT_PUBLISHED || event->kind == TH_MQTT_EVENT_SENT)
        acknowledged(pub, &event->u.ack);
}

/* Before the first CONNACK a failure is told and ends it; later the link comes back by itself, and
 * what is in the outbox is sent again. A QoS 0 payload that was half sent is lost with the
 * connection, so that ends it too. */
static void failed(struct pub *pub, const struct th_link_event *event)
{
    const struct th_failure *failure = &event->u.failed.failure;
    bool next_address = event->u.failed.retry_ms == 0 && !pub->connected_once;
    if (next_address)
        return;
    bool lost_up = event->u.failed.in == TH_LINK_UP;
    pub->setbacks += lost_up;
    if (!pub->connected_once || (pub->streaming && pub->qos == 0))
        pub->code = peer_fail(&pub->peer, failure);
    else if (lost_up && pub->setbacks == SETBACKS_MAX && pub->done < pub->sent)
        pub->code = fail(EXIT_PROTOCOL,
                         "the broker has ended the connection %d times when a message on %s was "
                         "sent: %s\nsee its log; the message may be larger than it takes",
                         SETBACKS_MAX, pub->topic, th_error_text(failure->error));
    else
        warn("the connection is gone: %s; trying again\nwait, or end it with Ctrl-C",
             th_error_text(failure->error));
}

static void events(struct pub *pub)
{
    struct th_link_event event;
    uint32_t now = th_linux_now(&pub->loop);
    while (pub->code == OPTION_GO_ON && th_link_next(&pub->peer.link, now, &event)) {
        peer_saw(&pub->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            mqtt_event(pub, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED)
            failed(pub, &event);
        else if (event.kind == TH_LINK_EVENT_STOPPED)
            pub->code = EXIT_OK;
        now = th_linux_now(&pub->loop);
    }
}

static void step(struct pub *pub)
{
    uint32_t now = th_linux_now(&pub->loop);
    uint32_t before;
    do { /* what was given to the session leaves with the link's next step */
        before = pub->sent;
        events(pub);
        if (pub->code == OPTION_GO_ON && th_link_state(&pub->peer.link) == TH_LINK_UP)
            feed(pub);
    } while (pub->sent != before && pub->code == OPTION_GO_ON);
    if (pub->ended && !pub->closing && pub->done == pub->sent && pub->code == OPTION_GO_ON) {
        pub->closing = true;
        th_link_stop(&pub->peer.link, now);
        events(pub); /* DISCONNECT leaves now, not when the network next has something */
    }
    if (pub->wait_s && (int32_t)(now - pub->until_ms) >= 0 && pub->code == OPTION_GO_ON)
        pub->code = fail(EXIT_TIMED_OUT,
                         "%u of %u messages were not acknowledged within %ld s\n"
                         "check the connection, or give -W more time",
                         pub->sent - pub->done, pub->sent, pub->wait_s);
}

static uint32_t patience(const struct pub *pub)
{
    uint32_t now = th_linux_now(&pub->loop);
    uint32_t wait = th_link_deadline(&pub->peer.link, now);
    uint32_t left = pub->until_ms - now;
    return pub->wait_s && left < wait ? left : wait;
}

/* ---- the whole ---- */

static int run(struct pub *pub)
{
    int code = open_payload(pub);
    if (code == EXIT_OK)
        code = peer_open(&pub->peer, &pub->loop, &pub->flags);
    if (code != EXIT_OK)
        return code;
    if (pub->lines)
        lines_open(&pub->input, &pub->loop, STDIN_FILENO);
    pub->taken = pub->lines; /* the first line is still to come */
    pub->code = OPTION_GO_ON;
    pub->until_ms = th_linux_now(&pub->loop) + (uint32_t)pub->wait_s * 1000;
    th_link_start(&pub->peer.link, th_linux_now(&pub->loop));
    for (;;) {
        step(pub);
        if (pub->code != OPTION_GO_ON)
            break;
        th_linux_wait(&pub->loop, patience(pub));
    }
    if (pub->lines)
        lines_close(&pub->input);
    if (pub->code == EXIT_OK && pub->denied)
        pub->code = EXIT_DENIED;
    if (term.json && (pub->code == EXIT_OK || pub->code == EXIT_DENIED)) {
        struct json json = json_begin(stdout);
        json_text(&json, "topic", pub->topic);
        json_number(&json, "published", pub->done - pub->denied);
        json_number(&json, "denied", pub->denied);
        json_end(&json);
    }
    return pub->code;
}

static const struct usage usage = {
    "pub", "", "Publishes over MQTT, by default version 5, QoS 1, over TLS.",
    "A denial is reported and is exit code 6; QoS 0 has no answer to report. With -l each line is\n"
    "a message; what a connection lost is sent again at QoS 1 and 2. Examples:\n"
    "  thimble pub --as lamp -t lamp/status -m on\n"
    "  thimble pub -h broker.example --cafile ca.crt -u me -P secret -t a/b -f photo.jpg\n"
    "  sensors | thimble pub --as lamp -t lamp/telemetry/raw -l"};

static int take(struct pub *pub, int argc, char **argv)
{
    struct words rest = {0};
    const struct option own[] = {
        {'t', "topic", "TOPIC", "what to publish on", OPTION_TEXT, &pub->topic, 0, 0},
        {'m', "message", "TEXT", "the message", OPTION_TEXT, &pub->message, 0, 0},
        {'f', "file", "FILE", "a file as the message, of any size", OPTION_TEXT, &pub->file, 0, 0},
        {'n', "null-message", NULL, "an empty message", OPTION_FLAG, &pub->null, 0, 0},
        {'l', "stdin-line", NULL, "each line of standard input is a message", OPTION_FLAG,
         &pub->lines, 0, 0},
        {'s', "stdin-file", NULL, "all of standard input is one message", OPTION_FLAG,
         &pub->whole_input, 0, 0},
        {'q', "qos", "QOS", "0, 1 or 2 [1]", OPTION_NUMBER, &pub->qos, 0, 2},
        {'r', "retain", NULL, "the broker keeps it for later subscribers", OPTION_FLAG,
         &pub->retain, 0, 0},
        {'W', NULL, "SECONDS", "give up after so long [never]", OPTION_NUMBER, &pub->wait_s, 1,
         86400},
        OPTION_ROW_JSON,
    };
    peer_flags_init(&pub->flags);
    pub->qos = 1;
    struct option options[PEER_OPTIONS_MAX];
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &pub->flags);
    count = peer_options_tls(options, count, &pub->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    return code == OPTION_GO_ON ? check(pub, &rest) : code;
}

int pub_main(int argc, char **argv)
{
    struct pub *pub = calloc(1, sizeof *pub);
    struct th_failure failure;
    if (!pub)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    pub->payload.fd = -1;
    int code = take(pub, argc, argv);
    if (code == OPTION_GO_ON && !th_linux_init(&pub->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(pub);
        peer_close(&pub->peer);
        th_linux_close(&pub->loop);
    }
    payload_close(&pub->payload);
    free(pub);
    return code;
}
