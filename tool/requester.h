/* SPDX-License-Identifier: MIT */
/* One request over an MQTT session: subscribes to the caller's answers, asks, knows its answer
 * again, and asks again with the same nonce after a lost connection. */
#ifndef TOOL_REQUESTER_H
#define TOOL_REQUESTER_H

#include "peer.h"

struct request {
    const char *device, *method, *params; /* params: a JSON object */
    const char *caller;                   /* "alice", "alice.2" */
    uint32_t wait_s;
};

struct requester {
    struct request request;
    char caller[40];
    char id[24], nonce[33];
    char frame[1100];
    uint16_t subscription, publication;
    unsigned asked;
    bool proves; /* answers the device that asks for the proof of a change */
};

enum requester_saw {
    REQUESTER_GO_ON,
    REQUESTER_ANSWER, /* `*answer`: the frame, for the event's life */
    REQUESTER_DENIED, /* by the broker, and said so (MQTT 5) */
    REQUESTER_PROVE,  /* the device has asked for the proof of a change, and was answered */
};

/* Who asks: --as, --user, or the only user of the state directory, which is then put into `flags`.
 * OPTION_GO_ON, or the code of an error it has printed. */
int requester_user(struct peer_flags *flags);

/* `request` and its texts live as long; `proves` and the connection stay as they are. False without
 * random numbers. */
bool requester_begin(struct requester *requester, const struct request *request);

/* To be told of every event of the session. */
enum requester_saw requester_saw(struct requester *requester, struct th_mqtt *mqtt,
                                 const struct th_mqtt_event *event, struct th_span *answer);

/* Asks, on a session that stands: for requests behind the first. */
void requester_ask(struct requester *requester, struct th_mqtt *mqtt);

/* Says good-bye to the broker, so that it does not take us for dead; 2 s at most. */
void requester_leave(struct peer *peer);

#endif
