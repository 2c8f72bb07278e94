/* SPDX-License-Identifier: MIT */
/* What happens on a connection, in words. */
#include <stdio.h>
#include <time.h>

#include "exits.h"
#include "peer.h"
#include "term.h"

static void say_tls(const struct th_tls_info *info, uint32_t took_ms)
{
    fprintf(stderr, "TLS 1.%d %s, %s handshake in %u ms, %u bytes received, %u sent",
            info->version - 0x0301, info->suite_name, info->resumed ? "resumed" : "full", took_ms,
            info->bytes_in, info->bytes_out);
    if (info->server.subject[0])
        fprintf(stderr, "; server %s", info->server.subject);
    fprintf(stderr, "%s\n", info->client_certificate ? "; our certificate was sent" : "");
}

static void say_failed(const struct th_link_event *event)
{
    char text[256];
    th_failure_text(&event->u.failed.failure, text, sizeof text);
    fprintf(stderr, "failed while %s: %s; next attempt in %u ms\n",
            th_link_state_name(event->u.failed.in), text, event->u.failed.retry_ms);
}

static void say_mqtt(const struct th_mqtt_event *event)
{
    if (event->kind == TH_MQTT_EVENT_CONNECTED)
        fprintf(stderr, "CONNACK: session %s, keep-alive %u s%s%.*s\n",
                event->u.connack.session_present ? "present" : "new",
                event->u.connack.limits->keep_alive_s,
                event->u.connack.client_id.len ? ", client id " : "",
                (int)event->u.connack.client_id.len,
                event->u.connack.client_id.len ? (const char *)event->u.connack.client_id.at : "");
    else if (event->kind == TH_MQTT_EVENT_PUBLISHED)
        fprintf(stderr, "message %u acknowledged, reason code 0x%02X (%s)\n", event->u.ack.id,
                event->u.ack.reason_code, th_reason_text(5, event->u.ack.reason_code));
    else if (event->kind == TH_MQTT_EVENT_SUBSCRIBED)
        fprintf(stderr, "subscribed\n");
}

static void debug(const struct peer *peer, const struct th_link_event *event)
{
    char address[TH_ADDRESS_TEXT_MAX];
    switch (event->kind) {
    case TH_LINK_EVENT_ATTEMPT:
        fprintf(stderr, "attempt %u: %s\n", event->u.attempt.number, peer->text);
        break;
    case TH_LINK_EVENT_TCP:
        th_address_text(&event->u.tcp.address, address);
        fprintf(stderr, "connected to %s in %u ms\n", address, event->u.tcp.took_ms);
        break;
    case TH_LINK_EVENT_TLS: say_tls(&event->u.tls.info, event->u.tls.took_ms); break;
    case TH_LINK_EVENT_MQTT: say_mqtt(&event->u.mqtt); break;
    case TH_LINK_EVENT_FAILED: say_failed(event); break;
    case TH_LINK_EVENT_STOPPED: fprintf(stderr, "disconnected\n"); break;
    }
}

void peer_saw(struct peer *peer, const struct th_link_event *event)
{
    /* Certificates are judged by the time of the attempt, not by that of the program's start. */
    if (event->kind == TH_LINK_EVENT_ATTEMPT)
        peer->trust.clock.now_s = time(NULL);
    if (peer->flags.debug)
        debug(peer, event);
}

int peer_fail(const struct peer *peer, const struct th_failure *failure)
{
    char text[256];
    th_failure_text(failure, text, sizeof text);
    return fail(exits_of(failure->error), "cannot connect to %s: %s\n%s", peer->text, text,
                th_error_remedy(failure->error));
}
