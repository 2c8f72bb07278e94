/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo_parts.h"
#include "exits.h"
#include "term.h"

#define TELEMETRY DEMO_DEVICE "/telemetry/q"
#define ANSWERS   DEMO_DEVICE "/to/" DEMO_USER "/rpc"

struct ledger_sum ledger_sum(const struct ledger *ledger, int qos)
{
    struct ledger_sum sum = {.sent = ledger->sent[qos]};
    for (uint32_t i = 0; i < sum.sent; i++) {
        sum.lost += ledger->got[qos][i] == 0;
        sum.doubled += ledger->got[qos][i] > 1;
    }
    return sum;
}

static void subscribe(struct demo_user *user)
{
    const struct th_mqtt_filter filters[] = {
        {.filter = TH_SPAN(DEMO_DEVICE "/telemetry/#"), .qos = TH_MQTT_QOS2},
        {.filter = TH_SPAN(DEMO_DEVICE "/to/" DEMO_USER "/#"), .qos = TH_MQTT_QOS1},
    };
    th_mqtt_subscribe(&user->actor.peer.mqtt, filters, 2, NULL, 0, NULL);
}

/* "{"n":17,…}" on …/telemetry/q2 */
static void count(struct ledger *ledger, const struct th_mqtt_message *message)
{
    static const size_t len = sizeof TELEMETRY - 1;
    char text[64] = "";
    if (message->topic.len != len + 1 || message->payload.len >= sizeof text)
        return;
    int qos = message->topic.at[len] - '0';
    memcpy(text, message->payload.at, message->payload.len);
    static const char before[] = "{\"n\":";
    if (qos < 1 || qos > 2 || strncmp(text, before, sizeof before - 1) != 0)
        return;
    unsigned long number = strtoul(text + sizeof before - 1, NULL, 10);
    if (number >= LEDGER_MAX)
        return;
    if (ledger->got[qos][number] < UINT8_MAX)
        ledger->got[qos][number]++;
}

static void on_message(struct demo_user *user, const struct th_mqtt_message *message)
{
    if (th_span_equal(message->topic, TH_SPAN(ANSWERS))) {
        snprintf(user->answer, sizeof user->answer, "%.*s", (int)message->payload.len,
                 (const char *)message->payload.at);
        user->answered = true;
        return;
    }
    count(user->ledger, message);
    if (user->show) {
        say("    %.*s  %.*s", (int)message->topic.len, (const char *)message->topic.at,
            (int)message->payload.len, (const char *)message->payload.at);
        user->shown++;
    }
}

static void on_event(struct actor *actor, const struct th_mqtt_event *event)
{
    struct demo_user *user = actor->user;
    if (event->kind == TH_MQTT_EVENT_CONNECTED)
        subscribe(user);
    else if (event->kind == TH_MQTT_EVENT_SUBSCRIBED)
        user->subscribed = true;
    else if (event->kind == TH_MQTT_EVENT_MESSAGE)
        on_message(user, &event->u.message);
}

bool demo_user_ask(struct demo_user *user, const char *request)
{
    const struct th_mqtt_publish publish = {
        .topic = TH_SPAN(DEMO_DEVICE "/from/" DEMO_USER "/rpc"),
        .payload = th_span_str(request),
        .qos = TH_MQTT_QOS1,
    };
    user->answered = false;
    return th_mqtt_publish(&user->actor.peer.mqtt, &publish, NULL) == TH_OK;
}

int demo_user_start(struct demo_user *user, struct th_linux *loop, const char *dir, uint16_t port,
                    struct ledger *ledger)
{
    struct peer_flags flags;
    memset(&flags, 0, sizeof flags);
    peer_flags_init(&flags);
    flags.as = DEMO_USER;
    flags.dir = dir;
    flags.host = "localhost";
    flags.port = port;
    flags.keep_session = true;
    user->ledger = ledger;
    user->actor.event = on_event;
    user->actor.user = user;
    return actor_start(&user->actor, DEMO_USER, loop, &flags);
}
