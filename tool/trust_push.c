/* SPDX-License-Identifier: MIT */
/* thimble trust push: brings a signed bundle to a device, over MQTT and in pieces. The device
 * judges it by the keys it has, tries it, and keeps it once it has connected under it and whoever
 * brought it, or the agent, has answered; then it is asked how that ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h> /* EVP_EncodeBlock */

#include <thimble/json.h>
#include <thimble/rpc.h>
#include <thimble/time.h>

#include "exits.h"
#include "home.h"
#include "json.h"
#include "peer.h"
#include "requester.h"
#include "term.h"
#include "trust_bundle.h"
#include "trust_held.h"
#include "trust_push.h"

#define PIECE   189 /* bytes: 252 characters of base64, and a TEXT has at most 255 */
#define POLL_S  2   /* between two looks at how the trial goes, and so long a look may wait */
#define POLL_MS (1000 * POLL_S)

enum step { STEP_SEND, STEP_PROVE, STEP_LOOK };

struct push {
    struct peer_flags flags;
    long wait_s;
    const char *device, *path;
    struct bytes bundle;
    size_t sent; /* bytes that the device has */

    struct th_linux loop;
    struct peer peer;
    struct requester requester;
    char params[400];
    enum step step;
    uint32_t until_ms, look_ms;
    int code;
};

/* ---- requests ---- */

static const char *caller_of(const struct push *push)
{
    return push->flags.as ? push->flags.as : push->flags.user;
}

static bool prepare(struct push *push, const char *method, const char *params, long wait_s)
{
    const struct request request = {.device = push->device,
                                    .caller = caller_of(push),
                                    .method = method,
                                    .params = params,
                                    .wait_s = (uint32_t)wait_s};
    if (requester_begin(&push->requester, &request))
        return true;
    push->code = fail(EXIT_FAILED, "no random numbers\nrestart this machine");
    return false;
}

static bool prepare_piece(struct push *push)
{
    uint8_t data[4 * ((PIECE + 2) / 3) + 1];
    size_t left = push->bundle.len - push->sent, len = left < PIECE ? left : PIECE;
    EVP_EncodeBlock(data, push->bundle.at + push->sent, (int)len);
    snprintf(push->params, sizeof push->params, "{\"total\":%zu,\"offset\":%zu,\"data\":\"%s\"}",
             push->bundle.len, push->sent, (const char *)data);
    return prepare(push, "Trust.Put", push->params, push->wait_s);
}

/* ---- answers ---- */

static int refused(const struct push *push, struct th_json error)
{
    char message[512] = "it does not say why";
    int64_t code = 0;
    th_json_integer(th_json_member(error, "code"), &code);
    th_json_string(th_json_member(error, "message"), message, sizeof message);
    const char *next = code == TH_RPC_FORBIDDEN
                           ? "push as an admin: --as USER; thimble user add alice --role admin"
                       : code == TH_RPC_CONFLICT ? "wait until that is over, and push it again"
                       : code == TH_RPC_BUSY     ? "push it again"
                                                 : "thimble trust show FILE tells what is in it";
    return fail(EXIT_REFUSED, "%s refuses the bundle: %s (%d)\n%s", push->device, message,
                (int)code, next);
}

static void piece_taken(struct push *push, struct th_json result)
{
    int64_t have = 0;
    if (!th_json_integer(th_json_member(result, "have"), &have) || have <= (int64_t)push->sent ||
        have > (int64_t)push->bundle.len) {
        push->code = fail(EXIT_PROTOCOL,
                          "%s does not say how much of the bundle it has\n"
                          "push it again",
                          push->device);
        return;
    }
    push->sent = (size_t)have;
    if (push->sent < push->bundle.len) {
        if (prepare_piece(push))
            requester_ask(&push->requester, &push->peer.mqtt);
        return;
    }
    say("%s has it, and tries it; it is taken back if the device cannot connect under it",
        push->device);
    push->step = STEP_PROVE;
    push->look_ms = th_linux_now(&push->loop) + POLL_MS;
    push->until_ms = th_linux_now(&push->loop) + (uint32_t)push->wait_s * 1000;
}

/* For `ca rotate --plan`, where this is the directory the device was enrolled from. */
static void keep_copy(const struct push *push)
{
    struct home home;
    if (home_exists(push->flags.dir) && home_find(&home, push->flags.dir) == EXIT_OK)
        trust_held_keep(&home, push->device, push->bundle.at, push->bundle.len);
}

static void kept(struct push *push)
{
    push->code = EXIT_OK;
    keep_copy(push);
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "device", push->device);
        json_number(&json, "bytes", (int64_t)push->bundle.len);
        json_bool(&json, "kept", true);
        json_end(&json);
    }
    say("%s%s trusts by it from now on%s", term_out(TERM_BOLD), push->device, term_out(TERM_PLAIN));
}

/* How the trial has ended, where it has. */
static void look(struct push *push, struct th_json result)
{
    struct th_json last = th_json_member(result, "last_trial");
    char component[16], reason[256] = "";
    if (th_json_member(result, "trial").kind == TH_JSON_STRING ||
        !th_json_string(th_json_member(last, "component"), component, sizeof component) ||
        strcmp(component, "trust") != 0)
        return;
    if (th_json_member(last, "kept").kind == TH_JSON_TRUE) {
        kept(push);
        return;
    }
    th_json_string(th_json_member(last, "reason"), reason, sizeof reason);
    push->code = fail(EXIT_REFUSED,
                      "%s took the bundle back: %s\n"
                      "sign one that it can connect under; thimble call %s Log.Tail tells more",
                      push->device, reason, push->device);
}

static void answered(struct push *push, struct th_span text)
{
    struct th_json frame;
    size_t at;
    if (th_json_parse(text, &frame, &at) != TH_OK || frame.kind != TH_JSON_OBJECT) {
        push->code = fail(EXIT_PROTOCOL,
                          "%s answers with what is not JSON\n"
                          "thimble sub -t '%s/to/#' shows it",
                          push->device, push->device);
        return;
    }
    struct th_json error = th_json_member(frame, "error");
    if (error.kind != TH_JSON_NONE)
        push->code = refused(push, error);
    else if (push->step == STEP_SEND)
        piece_taken(push, th_json_member(frame, "result"));
    else
        look(push, th_json_member(frame, "result"));
}

/* ---- the course ---- */

static void mqtt_event(struct push *push, const struct th_mqtt_event *event)
{
    struct th_span answer;
    switch (requester_saw(&push->requester, &push->peer.mqtt, event, &answer)) {
    case REQUESTER_ANSWER: answered(push, answer); break;
    case REQUESTER_DENIED:
        push->code = fail(EXIT_DENIED, "the broker denies this user the request\n"
                                       "thimble broker prove shows what it allows whom");
        break;
    case REQUESTER_PROVE:
        if (push->step == STEP_PROVE)
            say("%s has connected under it and asks; answered", push->device);
        push->step = STEP_LOOK;
        break;
    case REQUESTER_GO_ON: break;
    }
}

static void events(struct push *push)
{
    struct th_link_event event;
    while (push->code == OPTION_GO_ON &&
           th_link_next(&push->peer.link, th_linux_now(&push->loop), &event)) {
        peer_saw(&push->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            mqtt_event(push, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms > 0 &&
                 push->requester.asked == 0)
            push->code = peer_fail(&push->peer, &event.u.failed.failure);
    }
}

/* Once it tries the bundle the device is away for a while, and the agent may be the one who is
 * asked: so it is asked how it goes, again and again. */
static void poll_trial(struct push *push, uint32_t now)
{
    if (push->step == STEP_SEND || push->code != OPTION_GO_ON ||
        !th_time_reached(now, push->look_ms))
        return;
    push->look_ms = now + POLL_MS;
    if (prepare(push, "Sys.GetInfo", "{}", POLL_S))
        requester_ask(&push->requester, &push->peer.mqtt);
}

static int late(const struct push *push)
{
    if (push->step == STEP_SEND)
        return fail(EXIT_TIMED_OUT,
                    "%s did not answer within %ld s\n"
                    "thimble sub -t '%s/status' tells whether it is there",
                    push->device, push->wait_s, push->device);
    return fail(EXIT_TIMED_OUT,
                "%s has not come back within %ld s; it goes back to what it trusted by itself\n"
                "thimble call %s Log.Tail tells why, once it is there",
                push->device, push->wait_s, push->device);
}

static int run(struct push *push)
{
    push->code = peer_open(&push->peer, &push->loop, &push->flags);
    if (push->code != EXIT_OK)
        return push->code;
    push->code = OPTION_GO_ON;
    push->requester.proves = true;
    push->until_ms = th_linux_now(&push->loop) + (uint32_t)push->wait_s * 1000;
    if (prepare_piece(push))
        th_link_start(&push->peer.link, th_linux_now(&push->loop));
    while (push->code == OPTION_GO_ON) {
        events(push);
        uint32_t now = th_linux_now(&push->loop);
        poll_trial(push, now);
        if (push->code == OPTION_GO_ON && th_time_reached(now, push->until_ms))
            push->code = late(push);
        if (push->code != OPTION_GO_ON)
            break;
        uint32_t wait = th_time_sooner(th_link_deadline(&push->peer.link, now),
                                       th_time_until(now, push->until_ms));
        if (push->step != STEP_SEND)
            wait = th_time_sooner(wait, th_time_until(now, push->look_ms));
        th_linux_wait(&push->loop, wait);
    }
    requester_leave(&push->peer);
    return push->code;
}

/* ---- the command line ---- */

static const struct usage usage = {
    "trust push", "DEVICE FILE", "Brings a signed bundle to a device.",
    "The device takes it only if a key it knows has signed it, and keeps it only once it has\n"
    "connected by it; else it goes back to what it trusted. Whoever pushes must be an admin.\n"
    "Example:\n"
    "  thimble trust push --as alice lamp ~/.thimble/trust/2.bundle"};

static int check(struct push *push, const struct words *rest)
{
    if (rest->count != 2)
        return fail(EXIT_USAGE, "trust push needs a device and a file\n"
                                "thimble trust push lamp trust/2.bundle");
    push->device = rest->at[0];
    push->path = rest->at[1];
    int code = files_read(push->path, &push->bundle);
    if (code != EXIT_OK)
        return code;
    struct th_manifest manifest;
    bool whole = push->bundle.len > TH_MANIFEST_BYTES && push->bundle.len <= TRUST_BUNDLE_MAX &&
                 th_manifest_decode(push->bundle.at, &manifest) == TH_OK &&
                 manifest.component == TH_COMPONENT_TRUST &&
                 manifest.size == push->bundle.len - TH_MANIFEST_BYTES;
    return whole ? requester_user(&push->flags)
                 : fail(EXIT_INPUT, "%s is no whole trust bundle\nthimble trust show %s",
                        push->path, push->path);
}

static int take(struct push *push, int argc, char **argv)
{
    struct words rest = {0};
    const struct option own[] = {
        {'W', NULL, "SECONDS", "wait so long for it to be kept [60]", OPTION_NUMBER, &push->wait_s,
         1, 86400},
        OPTION_ROW_JSON,
    };
    struct option options[PEER_OPTIONS_MAX];
    peer_flags_init(&push->flags);
    push->wait_s = 60;
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &push->flags);
    count = peer_options_tls(options, count, &push->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    return code == OPTION_GO_ON ? check(push, &rest) : code;
}

int trust_push(int argc, char **argv)
{
    struct push *push = calloc(1, sizeof *push);
    struct th_failure failure;
    if (!push)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    int code = take(push, argc, argv);
    if (code == OPTION_GO_ON && !th_linux_init(&push->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(push);
        peer_close(&push->peer);
        th_linux_close(&push->loop);
    }
    bytes_free(&push->bundle);
    free(push);
    return code;
}
