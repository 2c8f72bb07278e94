/* SPDX-License-Identifier: MIT */
#include "evict.h"

#include <stdio.h>
#include <string.h>

#include <thimble/time.h>

#include "evict_call.h"
#include "exits.h"
#include "term.h"

#define READ_MS    8000  /* for the rights of 10,000 devices mosquitto needs a second */
#define REACH_MS   2000  /* a broker that is not there is not waited for */
#define EARLY_MS   1500  /* the lists wait for this */
#define CLEAR_MS   30000 /* somebody may have left 100,000 topics */
#define PAUSE_MS   20
#define HEED_TRIES 3
#define DENIED     0x87                     /* MQTT 5.0 §3.4.2.1: not authorized */
#define FENCE      EVICT_KEEPER "/to/fence" /* the patterns let it write there */

int evict_open(struct evict *evict)
{
    struct th_failure failure;
    evict->loop_open = th_linux_init(&evict->loop, &failure);
    return evict->loop_open ? EXIT_OK
                            : fail(EXIT_FAILED, "cannot start: %s\n%s",
                                   th_error_text(failure.error), th_error_remedy(failure.error));
}

void evict_close(struct evict *evict)
{
    for (size_t i = 0; i < evict->early_count; i++)
        evict_call_close(&evict->early[i]);
    evict->early_count = 0;
    evict_papers_free(&evict->papers);
    if (evict->loop_open)
        th_linux_close(&evict->loop);
    evict->loop_open = false;
}

static bool is_device(const struct evict *evict)
{
    return strcmp(evict->row->kind, "device") == 0;
}

/* Where evictors and keeper come in: any of them ends a session wherever it stands. */
static const struct listener *door(const struct evict *evict)
{
    enum listener_kind wanted = is_device(evict) ? LISTENER_DEVICES : LISTENER_USERS;
    const struct listener *any = NULL;
    for (size_t i = 0; i < evict->listeners.count; i++) {
        const struct listener *listener = &evict->listeners.at[i];
        if (listener->kind == wanted)
            return listener;
        if (!any && listener->tls && !listener->websockets && listener->kind != LISTENER_RECOVERY)
            any = listener;
    }
    return any;
}

/* ---- coming in ---- */

/* A broker that reads its files drops who is in a handshake: it is tried again. */
static enum evict_result come_in(struct evict *evict, struct evict_call *call,
                                 const struct listener *listener, const struct evict_how *how,
                                 uint32_t most_ms)
{
    uint32_t since = th_linux_now(&evict->loop);
    snprintf(evict->found, sizeof evict->found, "there is no listener for it");
    while (listener) {
        if (evict_call_open(evict, call, listener, how) != EXIT_OK) {
            snprintf(evict->found, sizeof evict->found, "it cannot be called");
            return EVICT_FAULT;
        }
        evict_call_connect(evict, call, EVICT_ANSWER_MS);
        if (call->entered)
            return EVICT_DONE;
        evict_call_found(evict, call, "no answer");
        uint32_t gone = th_linux_now(&evict->loop) - since;
        bool unreachable = evict_call_unreachable(call);
        if (gone >= (unreachable ? REACH_MS : most_ms))
            return unreachable ? EVICT_UNREACHABLE : EVICT_NOT_READ;
        evict_call_close(call);
        th_linux_wait(&evict->loop, PAUSE_MS);
    }
    return EVICT_UNREACHABLE;
}

/* ---- before ---- */

void evict_early(struct evict *evict)
{
    static const char *const backends[] = {NULL, "bearssl"}; /* TLS 1.3 and 1.2 */
    const struct listener *listener = door(evict);
    uint32_t since = th_linux_now(&evict->loop);
    for (size_t i = 0; i < 2 && listener && !listener->passwords; i++) {
        struct evict_call *call = &evict->early[evict->early_count];
        const struct evict_how how = {.paper = &evict->papers.probe, .backend = backends[i]};
        uint32_t gone = th_linux_now(&evict->loop) - since;
        if (gone >= EARLY_MS || evict_call_open(evict, call, listener, &how) != EXIT_OK)
            return;
        evict_call_connect(evict, call, EARLY_MS - gone);
        bool kept = call->entered && call->peer.session_len > 0;
        evict_call_leave(evict, call);
        if (kept)
            evict->early_count++;
        else
            evict_call_close(call);
    }
}

/* ---- until the broker has read its files ---- */

static enum evict_result await_list(struct evict *evict, const struct listener *listener,
                                    uint32_t since)
{
    struct evict_call call;
    bool birth = listener->kind == LISTENER_RECOVERY;
    const struct evict_how how = {.paper =
                                      birth ? &evict->papers.birth_probe : &evict->papers.probe};
    for (int tries = 1;; tries++) {
        if (evict_call_open(evict, &call, listener, &how) != EXIT_OK)
            return EVICT_FAULT;
        evict_call_connect(evict, &call, EVICT_ANSWER_MS);
        bool revoked = evict_call_revoked(&call), unreachable = evict_call_unreachable(&call);
        evict_call_found(evict, &call, "still lets in what the list revokes");
        evict_call_close(&call);
        uint32_t gone = th_linux_now(&evict->loop) - since;
        if (revoked)
            return EVICT_DONE;
        if (unreachable && gone >= REACH_MS)
            return EVICT_UNREACHABLE;
        if (listener->websockets && call.entered && tries >= HEED_TRIES) {
            evict->unheeded = true;
            return EVICT_DONE;
        }
        if (gone >= READ_MS)
            return EVICT_NOT_READ;
        th_linux_wait(&evict->loop, PAUSE_MS);
    }
}

static enum evict_result await_passwords(struct evict *evict, const struct listener *listener)
{
    struct evict_call call;
    const struct evict_how how = {.paper = &evict->papers.keeper};
    enum evict_result result = come_in(evict, &call, listener, &how, READ_MS);
    if (result == EVICT_DONE)
        evict_call_leave(evict, &call);
    evict_call_close(&call);
    return result;
}

/* WebSocket last: one that heeds no list is told from one that has not read it by the others. */
enum evict_result evict_await(struct evict *evict)
{
    enum evict_result result = EVICT_DONE;
    uint32_t since = th_linux_now(&evict->loop);
    for (int websockets = 0; websockets < 2; websockets++) {
        for (size_t i = 0; result == EVICT_DONE && i < evict->listeners.count; i++) {
            const struct listener *listener = &evict->listeners.at[i];
            if (listener->websockets != (websockets == 1) ||
                !(listener->tls || listener->passwords))
                continue;
            result = listener->passwords ? await_passwords(evict, listener)
                                         : await_list(evict, listener, since);
        }
    }
    return result;
}

/* ---- evicting ---- */

enum evict_result evict_names(struct evict *evict)
{
    enum evict_result result = EVICT_DONE;
    for (size_t i = 0; result == EVICT_DONE && i < evict->papers.count; i++) {
        struct evict_call call;
        const struct evict_how how = {.paper = &evict->papers.at[i]};
        result = come_in(evict, &call, door(evict), &how, READ_MS);
        if (result == EVICT_DONE)
            evict_call_leave(evict, &call);
        evict_call_close(&call);
    }
    return result;
}

/* ---- what is retained ---- */

struct clearing {
    struct evict_call call;
    char filters[EVICT_FILTERS_MAX][EVICT_FILTER_MAX];
    size_t filter_count;
    unsigned seen, cleared;
    unsigned pass;
    bool fenced;
};

static void on_heard(void *user, const struct th_mqtt_message *message)
{
    struct clearing *clearing = user;
    char fence[16];
    snprintf(fence, sizeof fence, "%u", clearing->pass);
    if (th_span_equal(message->topic, TH_SPAN(FENCE))) {
        clearing->fenced = clearing->fenced || th_span_equal(message->payload, th_span_str(fence));
        return;
    }
    const struct th_mqtt_publish empty = {.topic = message->topic, .retain = true};
    if (!message->retain)
        return;
    clearing->seen++;
    if (th_mqtt_publish(&clearing->call.peer.mqtt, &empty, NULL) == TH_OK)
        clearing->cleared++;
}

static bool subscribe(struct clearing *clearing)
{
    struct th_mqtt_filter filters[EVICT_FILTERS_MAX + 1];
    size_t count = 0;
    for (; count < clearing->filter_count; count++)
        filters[count] = (struct th_mqtt_filter){.filter = th_span_str(clearing->filters[count])};
    filters[count++] = (struct th_mqtt_filter){.filter = TH_SPAN(FENCE), .qos = TH_MQTT_QOS1};
    return th_mqtt_subscribe(&clearing->call.peer.mqtt, filters, (uint8_t)count, NULL, 0, NULL) ==
           TH_OK;
}

/* mosquitto hands out messages in the order in which it took them: behind the fence there is
 * nothing more of what was retained. A full queue drops some, which the next pass sees. */
static bool look(struct evict *evict, struct clearing *clearing)
{
    char text[16];
    struct evict_call *call = &clearing->call;
    clearing->pass++;
    clearing->seen = 0;
    clearing->fenced = call->subscribed = false;
    snprintf(text, sizeof text, "%u", clearing->pass);
    const struct th_mqtt_publish fence = {
        .topic = TH_SPAN(FENCE), .payload = th_span_str(text), .qos = TH_MQTT_QOS1};
    return subscribe(clearing) &&
           evict_call_until(evict, call, &call->subscribed, EVICT_ANSWER_MS) &&
           th_mqtt_publish(&call->peer.mqtt, &fence, NULL) == TH_OK &&
           evict_call_until(evict, call, &clearing->fenced, CLEAR_MS);
}

static enum evict_result clear(struct evict *evict, struct clearing *clearing)
{
    uint32_t since = th_linux_now(&evict->loop);
    do {
        if (!look(evict, clearing)) {
            evict_call_found(evict, &clearing->call, "the keeper gets no answer");
            return EVICT_FAULT;
        }
        evict->cleared = clearing->cleared;
        if (clearing->seen && th_linux_now(&evict->loop) - since > CLEAR_MS) {
            evict_call_found(evict, &clearing->call, "there is always more that is retained");
            return EVICT_FAULT;
        }
    } while (clearing->seen);
    return EVICT_DONE;
}

enum evict_result evict_retained(struct evict *evict)
{
    struct clearing clearing = {.pass = 0};
    const struct evict_how how = {.paper = &evict->papers.keeper};
    clearing.filter_count = evict_papers_filters(evict->row, clearing.filters);
    enum evict_result result = come_in(evict, &clearing.call, door(evict), &how, READ_MS);
    clearing.call.heard = on_heard;
    clearing.call.user = &clearing;
    if (result == EVICT_DONE) {
        result = clear(evict, &clearing);
        evict_call_leave(evict, &clearing.call);
    }
    evict_call_close(&clearing.call);
    return result;
}

/* ---- the check ---- */

/* A topic that the name could write to before. */
static void own_topic(const struct evict *evict, const char *name, char into[EVICT_FILTER_MAX])
{
    if (!is_device(evict))
        snprintf(into, EVICT_FILTER_MAX, EVICT_PROBE "/from/%s/rpc", name);
    else if (strcmp(name, evict->row->name) == 0)
        snprintf(into, EVICT_FILTER_MAX, "%s/log", name);
    else
        snprintf(into, EVICT_FILTER_MAX, "recover/%s/request", evict->row->name);
}

static enum evict_result check_session(struct evict *evict, struct evict_call *call,
                                       const char *name)
{
    char topic[EVICT_FILTER_MAX];
    own_topic(evict, name, topic);
    const struct th_mqtt_publish publish = {.topic = th_span_str(topic), .qos = TH_MQTT_QOS1};
    if (call->session_present && !evict->unheeded) {
        snprintf(evict->found, sizeof evict->found, "%s has a session again", name);
        return EVICT_FAULT;
    }
    th_mqtt_publish(&call->peer.mqtt, &publish, NULL);
    if (!evict_call_until(evict, call, &call->acknowledged, EVICT_ANSWER_MS)) {
        evict_call_found(evict, call, "no answer to a publication");
        return EVICT_FAULT;
    }
    if (call->reason == DENIED)
        return EVICT_DONE;
    snprintf(evict->found, sizeof evict->found, "%s may still write to %s", name, topic);
    return EVICT_NOT_READ;
}

enum evict_result evict_sessions(struct evict *evict)
{
    enum evict_result result = EVICT_DONE;
    for (size_t i = 0; result == EVICT_DONE && i < evict->papers.count; i++) {
        struct evict_call call;
        const struct evict_how how = {.paper = &evict->papers.at[i], .old_session = true};
        result = come_in(evict, &call, door(evict), &how, READ_MS);
        if (result == EVICT_DONE) {
            result = check_session(evict, &call, how.paper->name);
            evict_call_leave(evict, &call);
        }
        evict_call_close(&call);
    }
    return result;
}

/* Whatever the reason: what has expired stands in no list. */
static bool is_refused(const struct evict_call *call)
{
    enum th_layer layer = th_error_layer(call->failure.error);
    return !call->entered && call->failed &&
           (call->failure.alert != TH_NO_ALERT || layer == TH_LAYER_TRUST ||
            layer == TH_LAYER_TLS || layer == TH_LAYER_DATE);
}

static enum evict_result judge_refusal(struct evict *evict, const struct evict_call *call)
{
    if (is_refused(call))
        return EVICT_DONE;
    evict_call_found(evict, call, call->entered ? "was let in" : "no answer");
    return evict_call_unreachable(call) ? EVICT_UNREACHABLE : EVICT_FAULT;
}

enum evict_result evict_fresh(struct evict *evict)
{
    enum evict_result result = EVICT_DONE;
    const struct evict_how how = {.paper = &evict->papers.own};
    for (size_t i = 0; result == EVICT_DONE && i < evict->listeners.count; i++) {
        const struct listener *listener = &evict->listeners.at[i];
        struct evict_call call;
        if (!listener->tls || listener->passwords || !how.paper->name[0] ||
            (listener->websockets && evict->unheeded))
            continue;
        if (evict_call_open(evict, &call, listener, &how) != EXIT_OK)
            return EVICT_FAULT;
        evict_call_connect(evict, &call, EVICT_ANSWER_MS);
        result = judge_refusal(evict, &call);
        evict_call_close(&call);
        evict->tried++;
    }
    return result;
}

enum evict_result evict_resumed(struct evict *evict)
{
    enum evict_result result = EVICT_DONE;
    for (size_t i = 0; result == EVICT_DONE && i < evict->early_count; i++) {
        evict_call_connect(evict, &evict->early[i], EVICT_ANSWER_MS);
        result = judge_refusal(evict, &evict->early[i]);
    }
    return result;
}
