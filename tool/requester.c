/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <thimble/json.h>
#include <thimble/time.h>

#include "exits.h"
#include "home.h"
#include "requester.h"
#include "term.h"

/* ---- who asks ---- */

/* '.' begins hidden files and numbers further connections; two users serve the broker. */
static int is_person(const struct dirent *entry)
{
    return !strchr(entry->d_name, '.') && strcmp(entry->d_name, "agent") != 0 &&
           strcmp(entry->d_name, "keeper") != 0;
}

/* The only user with files in the state directory; more than one is nobody. */
static int only_user(const char *dir, char *into, size_t room)
{
    struct home home = {.lock = -1};
    struct dirent **found;
    int code = home_find(&home, dir);

    into[0] = '\0';
    if (code != EXIT_OK)
        return code;
    int count = scandir(home_path(&home, "users").text, &found, is_person, alphasort);
    if (count < 0)
        return EXIT_OK;
    size_t len = count == 1 ? strlen(found[0]->d_name) : room;
    if (len < room) /* else it is no name of ours */
        memcpy(into, found[0]->d_name, len + 1);
    while (count > 0)
        free(found[--count]);
    free(found);
    return EXIT_OK;
}

int requester_user(struct peer_flags *flags)
{
    static char name[40];

    if (flags->as || flags->user)
        return OPTION_GO_ON;
    if (flags->host)
        return fail(EXIT_USAGE, "who asks? The device knows callers by their name\n"
                                "name the user with --as NAME, or with --user where the broker "
                                "asks for a password");
    int code = only_user(flags->dir, name, sizeof name);
    if (code != EXIT_OK)
        return code;
    if (!name[0])
        return fail(EXIT_USAGE, "who asks? There is not exactly one user here\n"
                                "add --as USER; thimble user list shows them, thimble user add "
                                "alice --role operator makes one");
    flags->as = name;
    return OPTION_GO_ON;
}

/* ---- the request ---- */

static bool random_hex(char *into, size_t digits)
{
    uint8_t bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < digits / 2; i++)
        snprintf(into + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

bool requester_begin(struct requester *requester, const struct request *request)
{
    requester->request = *request;
    requester->publication = 0;
    /* alice.2 is a further connection of alice. */
    snprintf(requester->caller, sizeof requester->caller, "%.*s",
             (int)strcspn(request->caller, "."), request->caller);
    if (!random_hex(requester->nonce, 32) || !random_hex(requester->id, 16))
        return false;
    snprintf(
        requester->frame, sizeof requester->frame,
        "{\"id\":\"%s\",\"src\":\"%s/to/%s\",\"method\":\"%s\",\"nonce\":\"%s\",\"params\":%s}",
        requester->id, request->device, requester->caller, request->method, requester->nonce,
        request->params);
    return true;
}

static void subscribe(struct requester *requester, struct th_mqtt *mqtt)
{
    char answers[96], status[96];
    const struct request *request = &requester->request;

    snprintf(answers, sizeof answers, "%s/to/%s/rpc", request->device, requester->caller);
    snprintf(status, sizeof status, "%s/status", request->device);
    const struct th_mqtt_filter filters[] = {
        {.filter = th_span_str(answers), .qos = TH_MQTT_QOS1},
        {.filter = th_span_str(status), .qos = TH_MQTT_QOS0},
    };
    th_mqtt_subscribe(mqtt, filters, 2, NULL, 0, &requester->subscription);
}

void requester_ask(struct requester *requester, struct th_mqtt *mqtt)
{
    char topic[96];
    const struct request *request = &requester->request;
    /* Whoever has stopped waiting wants nothing done any more. */
    const struct th_mqtt_property expiry = {.id = TH_MQTT_MESSAGE_EXPIRY,
                                            .number = request->wait_s};

    snprintf(topic, sizeof topic, "%s/from/%s/rpc", request->device, requester->caller);
    const struct th_mqtt_publish publish = {.topic = th_span_str(topic),
                                            .payload = th_span_str(requester->frame),
                                            .qos = TH_MQTT_QOS1,
                                            .properties = &expiry,
                                            .property_count = mqtt->config->version == &th_mqtt_v5};
    if (th_mqtt_publish(mqtt, &publish, &requester->publication) == TH_OK)
        requester->asked++;
}

/* Trial.Prove: the device is connected under the change and asks who made it. */
static bool proved(const struct requester *requester, struct th_mqtt *mqtt,
                   const struct th_mqtt_message *message)
{
    struct th_json frame;
    char method[24], nonce[80], topic[96], text[200];
    int64_t id;
    size_t at;

    if (!requester->proves || th_json_parse(message->payload, &frame, &at) != TH_OK ||
        !th_json_string(th_json_member(frame, "method"), method, sizeof method) ||
        strcmp(method, "Trial.Prove") != 0 || !th_json_integer(th_json_member(frame, "id"), &id) ||
        !th_json_string(th_json_member(th_json_member(frame, "params"), "nonce"), nonce,
                        sizeof nonce) ||
        strspn(nonce, "0123456789abcdef") != strlen(nonce))
        return false;
    snprintf(topic, sizeof topic, "%s/from/%s/rpc", requester->request.device, requester->caller);
    snprintf(text, sizeof text, "{\"id\":%lld,\"result\":{\"nonce\":\"%s\"}}", (long long)id,
             nonce);
    const struct th_mqtt_publish publish = {
        .topic = th_span_str(topic), .payload = th_span_str(text), .qos = TH_MQTT_QOS1};
    return th_mqtt_publish(mqtt, &publish, NULL) == TH_OK;
}

static bool is_answer(const struct requester *requester, const struct th_mqtt_message *message)
{
    struct th_json frame;
    char id[32];
    size_t at;

    if (th_json_parse(message->payload, &frame, &at) != TH_OK ||
        !th_json_string(th_json_member(frame, "id"), id, sizeof id))
        return false;
    return strcmp(id, requester->id) == 0;
}

enum requester_saw requester_saw(struct requester *requester, struct th_mqtt *mqtt,
                                 const struct th_mqtt_event *event, struct th_span *answer)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED: subscribe(requester, mqtt); return REQUESTER_GO_ON;
    case TH_MQTT_EVENT_SUBSCRIBED:
        if (event->u.ack.id == requester->subscription && th_mqtt_pending(mqtt) == 0)
            requester_ask(requester, mqtt);
        return REQUESTER_GO_ON;
    case TH_MQTT_EVENT_PUBLISHED:
        return event->u.ack.id == requester->publication && event->u.ack.reason_code == 0x87
                   ? REQUESTER_DENIED
                   : REQUESTER_GO_ON;
    case TH_MQTT_EVENT_MESSAGE:
        if (proved(requester, mqtt, &event->u.message))
            return REQUESTER_PROVE;
        if (!is_answer(requester, &event->u.message))
            return REQUESTER_GO_ON;
        *answer = event->u.message.payload;
        return REQUESTER_ANSWER;
    default: return REQUESTER_GO_ON;
    }
}

void requester_leave(struct peer *peer)
{
    struct th_link_event event;
    uint32_t end_ms = th_linux_now(peer->loop) + 2000;

    th_link_stop(&peer->link, th_linux_now(peer->loop));
    for (;;) {
        uint32_t now = th_linux_now(peer->loop);
        while (th_link_next(&peer->link, now, &event)) {
            if (event.kind == TH_LINK_EVENT_STOPPED)
                return;
        }
        if (th_time_reached(now, end_ms))
            return;
        th_linux_wait(peer->loop, th_time_until(now, end_ms));
    }
}
