/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/rpc.h>
#include <thimble/time.h>

#include "ask.h"
#include "exits.h"
#include "json_show.h"
#include "term.h"

struct course {
    const struct ask *ask;
    struct th_linux loop;
    struct peer peer;
    struct requester requester;
    char status[128]; /* what the device last said of itself */
    uint32_t until_ms;
    int code;
};

/* ---- the answer ---- */

int ask_refused(const char *device, const char *method, const struct th_json *frame)
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
    return fail(EXIT_REFUSED, "%s refuses %s: %s (%d)\n%s", device, method, message, (int)code,
                next);
}

static int answered(const struct course *course, struct th_span text)
{
    struct th_json frame;
    size_t at;

    if (th_json_parse(text, &frame, &at) != TH_OK || frame.kind != TH_JSON_OBJECT)
        return fail(EXIT_PROTOCOL,
                    "%s answers with what is not JSON\nthimble sub -t '%s/to/#' "
                    "shows it",
                    course->ask->device, course->ask->device);
    if (th_json_member(frame, "error").kind != TH_JSON_NONE)
        return ask_refused(course->ask->device, course->ask->method, &frame);
    return course->ask->show(course->ask, &frame);
}

/* ---- the course ---- */

static int late(const struct course *course)
{
    if (!course->peer.mqtt.stream.ops && course->requester.asked == 0)
        return fail(EXIT_TIMED_OUT,
                    "no connection to the broker within %ld s\nthimble tls %s:%ld "
                    "looks at each layer",
                    course->ask->wait_s,
                    course->ask->flags.host ? course->ask->flags.host : "localhost",
                    course->ask->flags.port);
    if (course->status[0] && strstr(course->status, "online") == NULL)
        return fail(EXIT_TIMED_OUT,
                    "%s did not answer within %ld s; its status is '%s'\nswitch it "
                    "on, or ask for longer with -W",
                    course->ask->device, course->ask->wait_s, course->status);
    return fail(EXIT_TIMED_OUT,
                "%s did not answer within %ld s\nthimble sub -t '%s/status' tells "
                "whether it is there; mosquitto denies in silence, so see also "
                "thimble broker prove",
                course->ask->device, course->ask->wait_s, course->ask->device);
}

static void status_of(struct course *course, const struct th_mqtt_message *message)
{
    size_t device = strlen(course->ask->device);

    if (message->topic.len != device + 7 || memcmp(message->topic.at + device, "/status", 7) != 0)
        return;
    size_t len = message->payload.len;
    if (len >= sizeof course->status)
        len = sizeof course->status - 1;
    for (size_t i = 0; i < len; i++)
        course->status[i] = (char)(message->payload.at[i] < 0x20 ? ' ' : message->payload.at[i]);
    course->status[len] = '\0';
}

static void mqtt_event(struct course *course, const struct th_mqtt_event *event)
{
    struct th_span answer;

    if (event->kind == TH_MQTT_EVENT_MESSAGE)
        status_of(course, &event->u.message);
    switch (requester_saw(&course->requester, &course->peer.mqtt, event, &answer)) {
    case REQUESTER_ANSWER: course->code = answered(course, answer); break;
    case REQUESTER_DENIED:
        course->code = fail(EXIT_DENIED, "the broker denies this user the request\nthimble broker "
                                         "prove shows what it allows whom");
        break;
    case REQUESTER_PROVE:
    case REQUESTER_GO_ON: break;
    }
}

static void events(struct course *course)
{
    struct th_link_event event;

    while (course->code == OPTION_GO_ON &&
           th_link_next(&course->peer.link, th_linux_now(&course->loop), &event)) {
        peer_saw(&course->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            mqtt_event(course, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms > 0 &&
                 course->requester.asked == 0)
            course->code = peer_fail(&course->peer, &event.u.failed.failure);
    }
}

static int run(struct course *course)
{
    int code = peer_open(&course->peer, &course->loop, &course->ask->flags);

    if (code != EXIT_OK)
        return code;
    const struct request request = {.device = course->ask->device,
                                    .caller = course->ask->flags.as ? course->ask->flags.as
                                                                    : course->ask->flags.user,
                                    .method = course->ask->method,
                                    .params = course->ask->params,
                                    .wait_s = (uint32_t)course->ask->wait_s};
    if (!requester_begin(&course->requester, &request))
        return fail(EXIT_FAILED, "no random numbers\nrestart this machine");
    course->code = OPTION_GO_ON;
    course->until_ms = th_linux_now(&course->loop) + (uint32_t)course->ask->wait_s * 1000;
    th_link_start(&course->peer.link, th_linux_now(&course->loop));
    for (;;) {
        events(course);
        uint32_t now = th_linux_now(&course->loop);
        if (course->code == OPTION_GO_ON && th_time_reached(now, course->until_ms))
            course->code = late(course);
        if (course->code != OPTION_GO_ON)
            break;
        th_linux_wait(&course->loop, th_time_sooner(th_link_deadline(&course->peer.link, now),
                                                    th_time_until(now, course->until_ms)));
    }
    requester_leave(&course->peer);
    return course->code;
}

int ask_run(const struct ask *ask)
{
    struct course *course = calloc(1, sizeof *course);
    struct th_failure failure;

    if (!course)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    course->ask = ask;
    int code = EXIT_FAILED;
    if (th_linux_init(&course->loop, &failure)) {
        code = run(course);
        peer_close(&course->peer);
        th_linux_close(&course->loop);
    } else {
        fail(code, "cannot start: %s\n%s", th_error_text(failure.error),
             th_error_remedy(failure.error));
    }
    free(course);
    return code;
}
