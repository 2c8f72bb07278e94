/* SPDX-License-Identifier: MIT */
/* thimble call: one request to a device, and its answer. The frame and its codes: docs/rpc.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <thimble/json.h>
#include <thimble/rpc.h>
#include <thimble/time.h>

#include "commands.h"
#include "exits.h"
#include "home.h"
#include "json_show.h"
#include "peer.h"
#include "requester.h"
#include "term.h"

struct call {
    struct peer_flags flags;
    const char *device, *method, *params;
    long wait_s;

    struct th_linux loop;
    struct peer peer;
    struct requester requester;
    char status[128]; /* what the device last said of itself */
    uint32_t until_ms;
    int code;
};

/* ---- the answer ---- */

static int show(const struct th_json *frame)
{
    struct th_json result = th_json_member(*frame, "result");

    if (term.json)
        json_show(stdout, *frame, false);
    else
        json_show(stdout, result, term.colour_out);
    return EXIT_OK;
}

static int refused(const struct call *call, const struct th_json *frame)
{
    struct th_json error = th_json_member(*frame, "error");
    char message[512] = "it does not say why";
    int64_t code = 0;

    th_json_integer(th_json_member(error, "code"), &code);
    th_json_string(th_json_member(error, "message"), message, sizeof message);
    if (term.json) {
        json_show(stdout, *frame, false);
        return EXIT_REFUSED;
    }
    const char *next = code == TH_RPC_FORBIDDEN   ? "ask with a user of a higher role: --as USER; "
                                                    "thimble user list shows them"
                       : code == TH_RPC_NOT_FOUND ? "thimble call DEVICE Rpc.List names its methods"
                       : code == TH_RPC_BAD_VALUE ? "thimble call DEVICE Rpc.Describe "
                                                    "'{\"name\":\"METHOD\"}' tells what it takes"
                       : code == TH_RPC_BUSY      ? "ask again"
                                                  : "correct the request";
    return fail(EXIT_REFUSED, "%s refuses %s: %s (%d)\n%s", call->device, call->method, message,
                (int)code, next);
}

static int answered(const struct call *call, struct th_span text)
{
    struct th_json frame;
    size_t at;

    if (th_json_parse(text, &frame, &at) != TH_OK || frame.kind != TH_JSON_OBJECT)
        return fail(EXIT_PROTOCOL,
                    "%s answers with what is not JSON\nthimble sub -t '%s/to/#' "
                    "shows it",
                    call->device, call->device);
    if (th_json_member(frame, "error").kind != TH_JSON_NONE)
        return refused(call, &frame);
    return show(&frame);
}

/* ---- the course ---- */

static int late(const struct call *call)
{
    if (!call->peer.mqtt.stream.ops && call->requester.asked == 0)
        return fail(EXIT_TIMED_OUT,
                    "no connection to the broker within %ld s\nthimble tls %s:%ld "
                    "looks at each layer",
                    call->wait_s, call->flags.host ? call->flags.host : "localhost",
                    call->flags.port);
    if (call->status[0] && strstr(call->status, "online") == NULL)
        return fail(EXIT_TIMED_OUT,
                    "%s did not answer within %ld s; its status is '%s'\nswitch it "
                    "on, or ask for longer with -W",
                    call->device, call->wait_s, call->status);
    return fail(EXIT_TIMED_OUT,
                "%s did not answer within %ld s\nthimble sub -t '%s/status' tells "
                "whether it is there; mosquitto denies in silence, so see also "
                "thimble broker prove",
                call->device, call->wait_s, call->device);
}

static void status_of(struct call *call, const struct th_mqtt_message *message)
{
    size_t device = strlen(call->device);

    if (message->topic.len != device + 7 || memcmp(message->topic.at + device, "/status", 7) != 0)
        return;
    size_t len = message->payload.len;
    if (len >= sizeof call->status)
        len = sizeof call->status - 1;
    for (size_t i = 0; i < len; i++)
        call->status[i] = (char)(message->payload.at[i] < 0x20 ? ' ' : message->payload.at[i]);
    call->status[len] = '\0';
}

static void mqtt_event(struct call *call, const struct th_mqtt_event *event)
{
    struct th_span answer;

    if (event->kind == TH_MQTT_EVENT_MESSAGE)
        status_of(call, &event->u.message);
    switch (requester_saw(&call->requester, &call->peer.mqtt, event, &answer)) {
    case REQUESTER_ANSWER: call->code = answered(call, answer); break;
    case REQUESTER_DENIED:
        call->code = fail(EXIT_DENIED, "the broker denies this user the request\nthimble broker "
                                       "prove shows what it allows whom");
        break;
    case REQUESTER_PROVE:
    case REQUESTER_GO_ON: break;
    }
}

static void events(struct call *call)
{
    struct th_link_event event;

    while (call->code == OPTION_GO_ON &&
           th_link_next(&call->peer.link, th_linux_now(&call->loop), &event)) {
        peer_saw(&call->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            mqtt_event(call, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms > 0 &&
                 call->requester.asked == 0)
            call->code = peer_fail(&call->peer, &event.u.failed.failure);
    }
}

static int run(struct call *call)
{
    int code = peer_open(&call->peer, &call->loop, &call->flags);

    if (code != EXIT_OK)
        return code;
    const struct request request = {.device = call->device,
                                    .caller = call->flags.as,
                                    .method = call->method,
                                    .params = call->params,
                                    .wait_s = (uint32_t)call->wait_s};
    if (!requester_begin(&call->requester, &request))
        return fail(EXIT_FAILED, "no random numbers\nrestart this machine");
    call->code = OPTION_GO_ON;
    call->until_ms = th_linux_now(&call->loop) + (uint32_t)call->wait_s * 1000;
    th_link_start(&call->peer.link, th_linux_now(&call->loop));
    for (;;) {
        events(call);
        uint32_t now = th_linux_now(&call->loop);
        if (call->code == OPTION_GO_ON && th_time_reached(now, call->until_ms))
            call->code = late(call);
        if (call->code != OPTION_GO_ON)
            break;
        th_linux_wait(&call->loop, th_time_sooner(th_link_deadline(&call->peer.link, now),
                                                  th_time_until(now, call->until_ms)));
    }
    requester_leave(&call->peer);
    return call->code;
}

/* ---- the command line ---- */

static const struct usage usage = {
    "call", "DEVICE METHOD [PARAMS]", "Asks a device for something and prints its answer.",
    "PARAMS is a JSON object. A request carries a nonce, so that a repetition after a lost\n"
    "connection does not act twice. Examples:\n"
    "  thimble call garden Rpc.List\n"
    "  thimble call garden Rpc.Describe '{\"name\":\"Zone.On\"}'\n"
    "  thimble call --as alice garden Zone.On '{\"zone\":2,\"seconds\":120}'"};

static int check(struct call *call, const struct words *rest)
{
    struct th_json params;
    size_t at;

    if (rest->count < 2 || rest->count > 3)
        return fail(EXIT_USAGE, "call needs a device and a method\nthimble call garden Rpc.List");
    call->device = rest->at[0];
    call->method = rest->at[1];
    call->params = rest->count == 3 ? rest->at[2] : "{}";
    if (th_json_parse(th_span_str(call->params), &params, &at) != TH_OK)
        return fail(EXIT_USAGE,
                    "the parameters are not JSON, from character %zu on\n"
                    "thimble call %s %s '{\"name\":1}'",
                    at + 1, call->device, call->method);
    if (params.kind != TH_JSON_OBJECT)
        return fail(EXIT_USAGE,
                    "the parameters are not a JSON object\nthimble call %s %s "
                    "'{\"name\":1}'",
                    call->device, call->method);
    if (strlen(call->params) > TH_RPC_FRAME_MAX - 256)
        return fail(EXIT_USAGE, "the parameters have more than %d bytes\nask in several requests",
                    TH_RPC_FRAME_MAX - 256);
    return requester_user(&call->flags);
}

static int take(struct call *call, int argc, char **argv)
{
    struct words rest = {0};
    const struct option own[] = {
        {'W', NULL, "SECONDS", "wait so long for the answer [10]", OPTION_NUMBER, &call->wait_s, 1,
         86400},
        OPTION_ROW_JSON,
    };
    struct option options[PEER_OPTIONS_MAX];

    peer_flags_init(&call->flags);
    call->wait_s = 10;
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &call->flags);
    count = peer_options_tls(options, count, &call->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    return code == OPTION_GO_ON ? check(call, &rest) : code;
}

int call_main(int argc, char **argv)
{
    struct call *call = calloc(1, sizeof *call);
    struct th_failure failure;

    if (!call)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    int code = take(call, argc, argv);
    if (code == OPTION_GO_ON && !th_linux_init(&call->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(call);
        peer_close(&call->peer);
        th_linux_close(&call->loop);
    }
    free(call);
    return code;
}
