/* SPDX-License-Identifier: MIT */
#include "trust_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/json.h>
#include <thimble/rpc.h>
#include <thimble/time.h>

#include "ask.h"
#include "exits.h"
#include "term.h"

#define AT_ONCE        32
#define ANSWER_MS      3000
#define CONNECT_MS     15000
#define NOBODY_LISTENS 0x10 /* MQTT 5.0 §3.4.2.1: no matching subscribers */

struct slot {
    struct trust_asked *device; /* NULL: free */
    struct requester requester;
    uint32_t until_ms;
};

struct asking {
    struct peer_flags flags;
    struct th_linux loop;
    struct peer peer;
    struct trust_asked *devices;
    size_t count, next; /* the first that was not asked yet */
    char anchor[2 * TH_SHA256_BYTES + 1];
    char caller[40], answers[64];
    struct slot slots[AT_ONCE];
    bool up;
    uint32_t until_ms; /* to be connected */
    int code;
};

/* ---- answers ---- */

static enum trust_answer judge(const struct asking *asking, struct th_json result)
{
    struct th_json list = th_json_member(result, "anchors"), item;
    char digest[2 * TH_SHA256_BYTES + 1];
    size_t at = 0;
    if (list.kind != TH_JSON_ARRAY)
        return TRUST_SILENT;
    while (th_json_next(list, &at, NULL, &item)) {
        if (th_json_string(item, digest, sizeof digest) && strcmp(digest, asking->anchor) == 0)
            return TRUST_HAS;
    }
    return TRUST_HAS_NOT;
}

static void answered(struct asking *asking, struct slot *slot, struct th_span text)
{
    struct th_json frame, error;
    int64_t refusal = 0;
    size_t at;
    struct trust_asked *device = slot->device;
    slot->device = NULL;
    if (th_json_parse(text, &frame, &at) != TH_OK)
        return;
    error = th_json_member(frame, "error");
    th_json_integer(th_json_member(error, "code"), &refusal);
    if (refusal == TH_RPC_FORBIDDEN)
        asking->code = ask_refused(device->name, "Trust.Get", &frame);
    else if (error.kind == TH_JSON_NONE)
        device->answer = judge(asking, th_json_member(frame, "result"));
}

/* Which device says it is the topic's first level: the broker proves that, not the frame's id. */
static void message(struct asking *asking, const struct th_mqtt_event *event)
{
    struct th_span answer, topic = event->u.message.topic;
    for (size_t i = 0; i < AT_ONCE && asking->code == OPTION_GO_ON; i++) {
        struct slot *slot = &asking->slots[i];
        size_t len = slot->device ? strlen(slot->device->name) : 0;
        if (len > 0 && topic.len > len && topic.at[len] == '/' &&
            memcmp(topic.at, slot->device->name, len) == 0 &&
            requester_saw(&slot->requester, &asking->peer.mqtt, event, &answer) == REQUESTER_ANSWER)
            answered(asking, slot, answer);
    }
}

static void published(struct asking *asking, const struct th_mqtt_ack *ack)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        struct slot *slot = &asking->slots[i];
        if (slot->device && slot->requester.publication == ack->id &&
            ack->reason_code == NOBODY_LISTENS)
            slot->device = NULL;
    }
}

/* ---- the course ---- */

static void events(struct asking *asking)
{
    struct th_link_event event;
    const struct th_mqtt_filter filter = {.filter = th_span_str(asking->answers),
                                          .qos = TH_MQTT_QOS1};
    while (asking->code == OPTION_GO_ON &&
           th_link_next(&asking->peer.link, th_linux_now(&asking->loop), &event)) {
        peer_saw(&asking->peer, &event);
        if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms > 0)
            asking->code = peer_fail(&asking->peer, &event.u.failed.failure);
        if (event.kind != TH_LINK_EVENT_MQTT)
            continue;
        switch (event.u.mqtt.kind) {
        case TH_MQTT_EVENT_CONNECTED:
            th_mqtt_subscribe(&asking->peer.mqtt, &filter, 1, NULL, 0, NULL);
            break;
        case TH_MQTT_EVENT_SUBSCRIBED: asking->up = true; break;
        case TH_MQTT_EVENT_MESSAGE: message(asking, &event.u.mqtt); break;
        case TH_MQTT_EVENT_PUBLISHED: published(asking, &event.u.mqtt.u.ack); break;
        default: break;
        }
    }
}

static void fill(struct asking *asking, struct slot *slot, uint32_t now)
{
    struct trust_asked *device = &asking->devices[asking->next++];
    const struct request request = {.device = device->name,
                                    .caller = asking->caller,
                                    .method = "Trust.Get",
                                    .params = "{}",
                                    .wait_s = ANSWER_MS / 1000};
    if (!requester_begin(&slot->requester, &request)) {
        asking->code = fail(EXIT_FAILED, "no random numbers\nrestart this machine");
        return;
    }
    slot->device = device;
    slot->until_ms = now + ANSWER_MS;
    requester_ask(&slot->requester, &asking->peer.mqtt);
}

/* Ends who is silent, and asks the next; gives back when to look again. */
static uint32_t step(struct asking *asking, uint32_t now)
{
    uint32_t wait = ANSWER_MS;
    size_t busy = 0;
    if (!asking->up && th_time_reached(now, asking->until_ms))
        asking->code = fail(EXIT_TIMED_OUT,
                            "no connection to the broker within %d s\n"
                            "thimble doctor tells why",
                            CONNECT_MS / 1000);
    for (size_t i = 0; asking->up && i < AT_ONCE && asking->code == OPTION_GO_ON; i++) {
        struct slot *slot = &asking->slots[i];
        if (slot->device && th_time_reached(now, slot->until_ms))
            slot->device = NULL;
        if (!slot->device && asking->next < asking->count)
            fill(asking, slot, now);
        if (!slot->device)
            continue;
        busy++;
        wait = th_time_sooner(wait, th_time_until(now, slot->until_ms));
    }
    if (asking->up && busy == 0 && asking->code == OPTION_GO_ON)
        asking->code = EXIT_OK;
    return wait;
}

static int run(struct asking *asking)
{
    int code = peer_open(&asking->peer, &asking->loop, &asking->flags);
    if (code != EXIT_OK)
        return code;
    asking->code = OPTION_GO_ON;
    asking->until_ms = th_linux_now(&asking->loop) + CONNECT_MS;
    th_link_start(&asking->peer.link, th_linux_now(&asking->loop));
    for (;;) {
        events(asking);
        uint32_t now = th_linux_now(&asking->loop);
        uint32_t wait = asking->code == OPTION_GO_ON ? step(asking, now) : 0;
        if (asking->code != OPTION_GO_ON)
            break;
        th_linux_wait(&asking->loop,
                      th_time_sooner(th_link_deadline(&asking->peer.link, now), wait));
    }
    requester_leave(&asking->peer);
    return asking->code;
}

static void fill_texts(struct asking *asking, X509 *anchor)
{
    uint8_t digest[TH_SHA256_BYTES];
    x509_fingerprint(anchor, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(asking->anchor + 2 * i, 3, "%02x", digest[i]);
    snprintf(asking->caller, sizeof asking->caller, "%.*s", (int)strcspn(asking->flags.as, "."),
             asking->flags.as);
    snprintf(asking->answers, sizeof asking->answers, "+/to/%s/rpc", asking->caller);
}

int trust_ask(const char *dir, const char *as, X509 *anchor, struct trust_asked *devices,
              size_t count)
{
    struct asking *asking = calloc(1, sizeof *asking);
    struct th_failure failure;
    if (!asking)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    peer_flags_init(&asking->flags);
    asking->flags.dir = dir;
    asking->flags.as = as;
    asking->devices = devices;
    asking->count = count;
    int code = requester_user(&asking->flags);
    if (code == OPTION_GO_ON && !th_linux_init(&asking->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        fill_texts(asking, anchor);
        code = run(asking);
        peer_close(&asking->peer);
        th_linux_close(&asking->loop);
    }
    free(asking);
    return code;
}
