/* SPDX-License-Identifier: MIT */
/*
 * The agent: what answers devices. `thimble broker agent` connects as the user `agent`, takes what
 * comes on the topics of agent_topics[], and looks after revocation list and dates. docs/agent.md
 * is the wire format, and says how a topic or a method is added.
 *
 *   broker_agent.c    the command: signals, connection, one loop
 *   agent_topics.c    topic to handler, frame to method, answers
 *   agent_answers.c   Time.Get, Trial.Prove, Cert.Renew
 *   agent_recovery.c  the recovery topic: Cert.Check, Cert.Renew
 *   agent_issue.c     certificates
 *   agent_care.c      clock, revocation list, what ends soon
 *   agent_limits.c    how often who may ask
 *   agent_presence.c  one agent at a time
 *   agent_log.c       one line an act, alarms
 *   agent_unit.c      its unit for systemd
 */
#ifndef TOOL_AGENT_H
#define TOOL_AGENT_H

#include <openssl/x509.h>

#include <thimble/json.h>
#include <thimble/rpc.h>

#include "home.h"
#include "peer.h"

/* ---- how often who may ask ---- */

enum agent_class {
    AGENT_ASKS,   /* time, proof */
    AGENT_ISSUES, /* a signature and a commit of the registry */
    AGENT_CLASSES,
};

#define AGENT_LIMIT_ROWS 4096 /* devices remembered at once; 100 KiB */

/* Each is when it would be even, had everybody asked at the rate that is allowed for ever: GCRA. */
struct agent_limits {
    int64_t all_ms[AGENT_CLASSES];
    struct agent_limit_row {
        uint64_t name; /* its hash */
        int64_t even_ms[AGENT_CLASSES];
        int64_t said_ms; /* when the log last had that it asks too often */
    } rows[AGENT_LIMIT_ROWS];
    long per_device; /* certificates an hour */
    long per_second; /* certificates of all */
};

enum agent_pace { AGENT_PACE_OK, AGENT_PACE_DEVICE, AGENT_PACE_ALL };

/* `now_ms` never goes back. `*say`: the log should have it; once a minute for each device. */
enum agent_pace agent_limits_take(struct agent_limits *limits, const char *device,
                                  enum agent_class what, int64_t now_ms, bool *say);

/* ---- alarms: what a person has to see to ---- */

enum agent_alarm {
    AGENT_ALARM_CLOCK,    /* it is not plausible: nothing is issued, no time is told */
    AGENT_ALARM_REGISTRY, /* locked, full, damaged */
    AGENT_ALARM_KEY,      /* the device CA's cannot be used */
    AGENT_ALARM_CRL,      /* the broker's revocation list was not renewed in time */
    AGENT_ALARM_DATES,    /* something of the installation ends soon */
    AGENT_ALARMS,
};

struct agent_alarm_row {
    bool on, told;  /* told: on this connection */
    int64_t said_s; /* when the log last had it */
    char text[400];
};

/* ---- the agent ---- */

struct agent_options {
    const char *dir;
    long valid_s; /* of what it issues */
    long crl_s;   /* of the revocation lists it makes */
    bool clock_is_right, json, unit;
};

struct agent {
    struct agent_options options;
    struct peer_flags flags;
    struct th_linux loop;
    struct peer peer;
    struct home home;
    struct th_linux_watch signals;
    struct agent_limits limits;
    struct agent_alarm_row alarms[AGENT_ALARMS];
    uint32_t issued, refused, answered; /* since it began */
    int64_t ca_from_s;                  /* the device CA's notBefore */
    int64_t seen_s; /* the highest time that counted as right; 0: none was ever seen */
    int64_t noted_s, dates_s, health_s; /* when each was last done */
    uint32_t care_ms;                   /* when it next looks after things */
    char began[24];                     /* when, and a random number: newer ones are greater */
    uint32_t connections;
    bool stopping, up;
    bool anew; /* its anchors have changed: it connects anew, with its files read again */
    uint16_t subscription;
    int code;
};

int64_t agent_monotonic_ms(void);

/* ---- agent_log.c ---- */

/* One line: "2026-11-20 18:00:00Z renew lamp: issued …". `who` may be "". */
void agent_log(struct agent *agent, const char *act, const char *who, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Raised: into the log once an hour, and to agent/log, which operators and admins read. */
void agent_alarm(struct agent *agent, enum agent_alarm which, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void agent_alarm_over(struct agent *agent, enum agent_alarm which);

/* Publishes what has not been told on this connection. */
void agent_alarms_tell(struct agent *agent);

/* "fine", or how many alarms there are. */
void agent_health(struct agent *agent);

/* ---- agent_presence.c: agent/status, and who has taken over ---- */

bool agent_presence_begin(struct agent *agent);
struct th_mqtt_filter agent_presence_filter(void);
void agent_presence_tell(struct agent *agent, bool online);
/* True when the message is about that; it may set agent->code. */
bool agent_presence_saw(struct agent *agent, const struct th_mqtt_message *message);

/* ---- agent_topics.c ---- */

/* Who takes what; one '+' in each filter, which stands for the device. The broker's ACL has proved
 * that only that device (or its birth certificate, below recover/) can have written it. */
struct agent_topic {
    const char *filter;
    void (*take)(struct agent *agent, const char *device, struct th_span payload);
};
extern const struct agent_topic agent_topics[];
extern const size_t agent_topic_count;

/* The handler whose filter has this topic, with the device's name; NULL when there is none. */
const struct agent_topic *agent_topic_find(struct th_span topic, char device[TH_CALLER_MAX + 1]);

#define AGENT_FRAME_MAX 2048 /* bytes of a request */
#define AGENT_NONCE_MAX 64   /* characters */

struct agent_request {
    const char *device, *answer_to; /* its name; the topic of the answer */
    const char *method;
    struct th_span id; /* as JSON */
    struct th_json params;
    char nonce[AGENT_NONCE_MAX + 1];
};

struct agent_method {
    const char *name;
    enum agent_class limit;
    void (*run)(struct agent *agent, const struct agent_request *request);
};

/* A frame of `device`: checked, its limits kept, handed to its method, answered to `answer_to`. */
void agent_take_frame(struct agent *agent, const char *device, const char *answer_to,
                      const struct agent_method *methods, size_t count, struct th_span payload);

/* `{"id":…,"result":{"nonce":…` is written; the caller adds members and ends with _send(). */
struct agent_answer {
    uint8_t bytes[4096];
    struct th_json_writer json;
};
void agent_answer_begin(struct agent_answer *answer, const struct agent_request *request);
void agent_answer_send(struct agent *agent, const struct agent_request *request,
                       struct agent_answer *answer);

/* `{"id":…,"error":{"code","message","nonce"}}`, and a line in the log. */
void agent_refuse(struct agent *agent, const struct agent_request *request, int code,
                  const char *message);

/* ---- agent_answers.c: what a device may ask by its operational certificate ---- */

extern const struct agent_method agent_methods[];
extern const size_t agent_method_count;

/* The PKCS#10 in `csr` of the parameters, base64; free it. NULL: it was refused. */
X509_REQ *agent_request_csr(struct agent *agent, const struct agent_request *request);

/* The certificate in as many answers as `room` of the parameters asks for. */
void agent_answer_certificate(struct agent *agent, const struct agent_request *request,
                              X509 *certificate);

/* ---- agent_recovery.c: what it may ask by its birth certificate ---- */

void agent_take_recovery(struct agent *agent, const char *device, struct th_span payload);

/* ---- agent_issue.c ---- */

struct agent_issue {
    X509 *certificate; /* free it; NULL: refused, and `code` and `message` say why */
    bool again;        /* it was issued before, for the same key */
    int code;
    char message[200];
};

/* An operational certificate for `device` over the request's key, in one transaction in which the
 * name must be a device that is not revoked. The same key gets the same certificate. */
void agent_issue(struct agent *agent, const char *device, X509_REQ *request,
                 struct agent_issue *out);

/* ---- agent_care.c ---- */

/* Before it connects: the device CA's key can be used, the clock is plausible, the list is fresh.
 */
int agent_care_begin(struct agent *agent);

/* Once a minute. */
void agent_care(struct agent *agent);

/* Why nothing that has a date can be given out now; NULL when all is well. */
const char *agent_clock_fault(struct agent *agent);

/* ---- agent_unit.c ---- */

int agent_write_unit(struct home *home);

#endif
