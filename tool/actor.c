/* SPDX-License-Identifier: MIT */
#include "actor.h"

#include <time.h>

#include "exits.h"
#include "term.h"

/* A story is short: waits are too. */
#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS   1000

int actor_start(struct actor *actor, const char *name, struct th_linux *loop,
                const struct peer_flags *flags)
{
    actor->name = name;
    actor->up = false;
    actor->connections = actor->failures = 0;
    int code = peer_open(&actor->peer, loop, flags);
    if (code != EXIT_OK)
        return code;
    actor->peer.link_config.times.backoff_first_ms = BACKOFF_FIRST_MS;
    actor->peer.link_config.times.backoff_max_ms = BACKOFF_MAX_MS;
    th_link_start(&actor->peer.link, th_linux_now(loop));
    return EXIT_OK;
}

static const char *took(uint32_t ms, char into[24])
{
    if (ms == 0)
        return "less than 1 ms";
    snprintf(into, 24, "%u ms", ms);
    return into;
}

/* TCP is told of with TLS: a connection that comes to nothing is not part of the story. */
static void say_tls(const struct actor *actor)
{
    const struct th_tls_info *info = &actor->tls;
    char from[24], to[24];
    say("    TCP       %s, %s", actor->address, took(actor->tcp_ms, from));
    say("    TLS       1.%d, %s (%s), %s handshake", info->version - 0x0301, info->suite_name,
        actor->peer.tls.ops->name, info->resumed ? "resumed" : "full");
    if (!info->resumed) {
        say("    server    %s, issued by %s", info->server.subject, info->server.issuer);
        say("              valid %s to %s", term_date(info->server.not_before_s, from),
            term_date(info->server.not_after_s, to));
        if (info->client_certificate)
            say("    client    %s, by its own certificate", actor->name);
    }
    say("    cost      %s, %u bytes received, %u bytes sent", took(actor->tls_ms, from),
        info->bytes_in, info->bytes_out);
}

static void on_mqtt(struct actor *actor, const struct th_mqtt_event *event)
{
    if (event->kind == TH_MQTT_EVENT_CONNECTED) {
        actor->up = true;
        actor->connections++;
        actor->session_present = event->u.connack.session_present;
        if (actor->talk)
            say("    CONNACK   accepted, MQTT session %s",
                actor->session_present ? "present: the broker remembers" : "new");
    }
    actor->event(actor, event);
}

static void on_event(struct actor *actor, const struct th_link_event *event)
{
    switch (event->kind) {
    case TH_LINK_EVENT_TCP:
        actor->tcp_ms = event->u.tcp.took_ms;
        th_address_text(&event->u.tcp.address, actor->address);
        break;
    case TH_LINK_EVENT_TLS:
        actor->tls = event->u.tls.info;
        actor->tls_ms = event->u.tls.took_ms;
        if (actor->talk)
            say_tls(actor);
        break;
    case TH_LINK_EVENT_MQTT: on_mqtt(actor, &event->u.mqtt); break;
    case TH_LINK_EVENT_FAILED:
        actor->up = false;
        actor->failures++;
        actor->failure = event->u.failed.failure;
        break;
    case TH_LINK_EVENT_ATTEMPT:
    case TH_LINK_EVENT_STOPPED: break;
    }
}

void actor_step(struct actor *actor)
{
    struct th_link_event event;
    while (actor->peer.loop &&
           th_link_next(&actor->peer.link, th_linux_now(actor->peer.loop), &event)) {
        peer_saw(&actor->peer, &event);
        on_event(actor, &event);
    }
}

uint32_t actor_deadline(const struct actor *actor)
{
    return th_link_deadline(&actor->peer.link, th_linux_now(actor->peer.loop));
}

void actor_stop(struct actor *actor)
{
    peer_close(&actor->peer);
}
