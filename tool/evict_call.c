/* SPDX-License-Identifier: MIT */
#include "evict_call.h"

#include <stdio.h>
#include <string.h>

#include <thimble/time.h>

#include "exits.h"
#include "term.h"

static void flags_for(struct evict *evict, const struct listener *listener,
                      const struct evict_how *how, struct peer_flags *flags)
{
    const struct evict_paper *paper = how->paper;
    memset(flags, 0, sizeof *flags);
    peer_flags_init(flags);
    flags->host = evict->host ? evict->host : listener->address;
    flags->port = listener->port;
    flags->id = paper->name;
    flags->keep_session = how->old_session;
    flags->plaintext = !listener->tls;
    flags->websocket = listener->websockets ? "/mqtt" : NULL;
    if (listener->tls) {
        flags->backend = how->backend;
        flags->server_name = evict->server_name ? evict->server_name : "localhost";
        flags->cafile = evict->papers.anchors_file.text;
    }
    if (listener->passwords) {
        flags->user = paper->name;
        flags->password = paper->password;
    } else if (listener->tls) {
        flags->cert = paper->files[0].text;
        flags->key = paper->files[1].text;
    }
}

int evict_call_open(struct evict *evict, struct evict_call *call, const struct listener *listener,
                    const struct evict_how *how)
{
    struct peer_flags flags;
    memset(call, 0, sizeof *call);
    call->listener = listener;
    flags_for(evict, listener, how, &flags);
    call->open = true;
    return peer_open(&call->peer, &evict->loop, &flags);
}

static void on_mqtt(struct evict_call *call, const struct th_mqtt_event *event)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED:
        call->entered = true;
        call->session_present = event->u.connack.session_present;
        break;
    case TH_MQTT_EVENT_SUBSCRIBED:
        call->subscribed = true;
        call->reason = event->u.ack.codes.len ? event->u.ack.codes.at[0] : 0;
        break;
    case TH_MQTT_EVENT_PUBLISHED:
        call->acknowledged = true;
        call->reason = event->u.ack.reason_code;
        break;
    case TH_MQTT_EVENT_MESSAGE:
    case TH_MQTT_EVENT_BEGIN:
        if (call->heard)
            call->heard(call->user, &event->u.message);
        break;
    default: break;
    }
}

static void step(struct evict_call *call, uint32_t now)
{
    struct th_link_event event;
    while (th_link_next(&call->peer.link, now, &event)) {
        peer_saw(&call->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            on_mqtt(call, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_STOPPED)
            call->stopped = true;
        else if (event.kind == TH_LINK_EVENT_FAILED)
            call->failure = event.u.failed.failure;
        /* Behind a resumption that was refused comes a full handshake of its own. */
        if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms != 0)
            call->failed = true;
    }
}

bool evict_call_until(struct evict *evict, struct evict_call *call, const bool *happened,
                      uint32_t most_ms)
{
    uint32_t since = th_linux_now(&evict->loop);
    for (;;) {
        uint32_t now = th_linux_now(&evict->loop);
        step(call, now);
        if (*happened || call->failed || now - since >= most_ms)
            return *happened;
        th_linux_wait(&evict->loop, th_time_sooner(most_ms - (now - since),
                                                   th_link_deadline(&call->peer.link, now)));
    }
}

void evict_call_connect(struct evict *evict, struct evict_call *call, uint32_t most_ms)
{
    call->entered = call->failed = call->stopped = false;
    call->offered = call->peer.session_len > 0;
    th_link_start(&call->peer.link, th_linux_now(&evict->loop));
    evict_call_until(evict, call, &call->entered, most_ms);
}

void evict_call_leave(struct evict *evict, struct evict_call *call)
{
    th_link_stop(&call->peer.link, th_linux_now(&evict->loop));
    call->failed = false;
    evict_call_until(evict, call, &call->stopped, EVICT_ANSWER_MS);
}

void evict_call_close(struct evict_call *call)
{
    if (call->open)
        peer_close(&call->peer);
    call->open = false;
}

bool evict_call_revoked(const struct evict_call *call)
{
    return !call->entered && call->failed && call->failure.error == TH_ERR_TRUST_WE_ARE_REVOKED;
}

bool evict_call_unreachable(const struct evict_call *call)
{
    enum th_layer layer = th_error_layer(call->failure.error);
    return !call->entered && (!call->failed || layer == TH_LAYER_NAME || layer == TH_LAYER_TCP);
}

void evict_call_found(struct evict *evict, const struct evict_call *call, const char *otherwise)
{
    char why[160] = "";
    if (call->failed)
        th_failure_text(&call->failure, why, sizeof why);
    snprintf(evict->found, sizeof evict->found, "%.60s (%s listener): %.110s", call->peer.text,
             listener_kind_name(call->listener->kind), call->failed ? why : otherwise);
}
