/* SPDX-License-Identifier: MIT */
/* Name, TCP and TLS, tried as the name itself; and MQTT, where that ends nobody's connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/time.h>

#include "doctor.h"
#include "exits.h"
#include "judge.h"
#include "process.h"
#include "term.h"

#define MQTT_MS 10000
#define REPLACE "thimble broker init --replace, and restart it"

/* ---- what a failure means, with all that is known of both sides ---- */

static void wrong_port(struct doctor *doctor, const char *text)
{
    const struct listener *listener = doctor->listener;
    char ports[200] = "";
    for (size_t i = 0; i < doctor->listeners.count; i++) {
        size_t len = strlen(ports);
        snprintf(ports + len, sizeof ports - len, "%s%ld (%s)", len ? ", " : "",
                 doctor->listeners.at[i].port, listener_kind_name(doctor->listeners.at[i].kind));
    }
    if (doctor->flags.port && doctor->listeners.count && !listener)
        doctor_found(doctor, DOCTOR_TARGET,
                     "port %ld is none of this broker's\n%s; it listens on %s\nuse the port of the "
                     "right listener",
                     doctor->flags.port, text, ports);
    else if (listener && listener->tls == doctor->flags.plaintext)
        doctor_found(doctor, DOCTOR_TARGET,
                     "port %ld speaks %s\n%s; the broker listens on %s\nuse the port of the right "
                     "listener%s",
                     listener->port, listener->tls ? "TLS, and plaintext was sent" : "no TLS", text,
                     ports, listener->tls ? ", without --plaintext" : "");
}

static void network_failure(struct doctor *doctor, const struct judge *judge, const char *text)
{
    enum th_error error = judge->failure.error;
    bool local = doctor->listener &&
                 process_listens_at(doctor->listener->address, (uint16_t)doctor->listener->port);
    if (th_error_layer(error) == TH_LAYER_NAME)
        doctor_found(doctor, DOCTOR_NAME, "the broker's name has no address\n%s\n%s", text,
                     th_error_remedy(error));
    else if (error == TH_ERR_TCP_TIMEOUT || error == TH_ERR_TCP_UNREACHABLE)
        doctor_found(
            doctor, DOCTOR_NETWORK,
            "%s\n%s%s\nlet port %ld through: nft list ruleset, or iptables -L, here and on "
            "the way",
            error == TH_ERR_TCP_TIMEOUT ? "something drops packets to the broker's port"
                                        : "there is no way to the broker's address",
            text, local ? "; at its own address on this machine the port is open" : "",
            judge->peer.flags.port);
    else
        doctor_found(doctor, DOCTOR_NETWORK,
                     "nothing takes connections at the broker's address\n%s"
                     "\n%s",
                     text, th_error_remedy(error));
}

/* The broker refuses a certificate that is in force by all that is written here. */
static void refused(struct doctor *doctor, const struct judge *judge, const char *text)
{
    enum th_error error = judge->failure.error;
    bool stale = doctor->own_current && doctor->has_broker && !doctor_has(doctor, DOCTOR_PROCESS);
    if (!stale)
        doctor_found(doctor, DOCTOR_EVIDENCE, "tried as %s: the broker refuses it\n%s\n%s",
                     doctor->name, text, th_error_remedy(error));
    else
        doctor_found(doctor, DOCTOR_STALE,
                     "the broker works by older files than those in broker/\nit refuses a "
                     "certificate that is in force: %s\nkill -HUP it; if that does not help, "
                     "restart it",
                     text);
}

static void trust_failure(struct doctor *doctor, const struct judge *judge, const char *text)
{
    bool broker_fine = doctor->has_broker && !doctor_has(doctor, DOCTOR_OWN_ANCHOR);
    if (broker_fine)
        doctor_found(doctor, DOCTOR_STALE,
                     "another broker than the one of %s answers, or it works by older files\n%s\n"
                     "restart the broker; if that does not help, look who listens there: ss -ltnp",
                     doctor->home.dir, text);
    else
        doctor_found(doctor, doctor->has_broker ? DOCTOR_EVIDENCE : DOCTOR_TLS,
                     "this broker is not trusted\n%s\n%s", text,
                     th_error_remedy(judge->failure.error));
}

static void tls_failure(struct doctor *doctor, const struct judge *judge, const char *text)
{
    switch (judge->failure.error) {
    case TH_ERR_TLS_NOT_TLS:
    case TH_ERR_TLS_CLOSED:
    case TH_ERR_TLS_TIMEOUT:
        doctor_found(doctor,
                     judge->failure.error == TH_ERR_TLS_NOT_TLS ? DOCTOR_TLS : DOCTOR_EVIDENCE,
                     "what answers on port %ld does not speak TLS with us\n%s\n%s",
                     judge->peer.flags.port, text, th_error_remedy(judge->failure.error));
        break;
    case TH_ERR_TLS_CLIENT_CERT_UNASKED:
    case TH_ERR_TLS_VERSION:
    case TH_ERR_TLS_NO_SUITE:
    case TH_ERR_TLS_ALPN:
        doctor_found(doctor, DOCTOR_TLS, "%s\n%s\n%s", th_error_text(judge->failure.error), text,
                     th_error_remedy(judge->failure.error));
        break;
    default:
        doctor_found(doctor, DOCTOR_EVIDENCE, "tried as %s: the TLS handshake fails\n%s\n%s",
                     doctor->name, text, th_error_remedy(judge->failure.error));
    }
}

static void judge_failure(struct doctor *doctor, const struct judge *judge)
{
    char text[256], all[400];
    enum th_error error = judge->failure.error;
    th_failure_text(&judge->failure, text, sizeof text);
    snprintf(all, sizeof all, "%.100s: %s", judge->peer.text, text);
    size_t before = doctor->count;
    if (error < TH_ERR_TRUST_UNKNOWN_CA)
        wrong_port(doctor, all);
    if (doctor->count > before)
        return;
    if (error >= TH_ERR_TRUST_WE_ARE_UNKNOWN && error <= TH_ERR_TRUST_WE_ARE_REFUSED)
        refused(doctor, judge, all);
    else if (th_error_layer(error) == TH_LAYER_NAME || th_error_layer(error) == TH_LAYER_TCP)
        network_failure(doctor, judge, all);
    else if (th_error_layer(error) == TH_LAYER_TLS)
        tls_failure(doctor, judge, all);
    else
        trust_failure(doctor, judge, all);
}

/* ---- MQTT ---- */

struct course {
    struct peer peer;
    bool connected, done, failed, stopped;
    uint16_t publication;
    uint8_t reason;
    struct th_failure failure;
};

/* Nobody hears what it writes there: no device has such a name, and no user reads it. */
static void try_rights(struct doctor *doctor, struct course *course)
{
    char topic[80];
    bool user = strcmp(doctor->row.kind, "user") == 0;
    snprintf(topic, sizeof topic, user ? "-/from/%.40s/rpc" : "%.40s/to/-/doctor",
             user ? doctor->row.name : doctor->name);
    const struct th_mqtt_publish publish = {.topic = th_span_str(topic), .qos = TH_MQTT_QOS1};
    if (th_mqtt_publish(&course->peer.mqtt, &publish, &course->publication) != TH_OK)
        course->done = true;
}

static void step(struct doctor *doctor, struct course *course, uint32_t now)
{
    struct th_link_event event;
    while (th_link_next(&course->peer.link, now, &event)) {
        peer_saw(&course->peer, &event);
        if (event.kind == TH_LINK_EVENT_STOPPED)
            course->stopped = true;
        if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms != 0) {
            course->failed = true;
            course->failure = event.u.failed.failure;
        }
        if (event.kind != TH_LINK_EVENT_MQTT)
            continue;
        if (event.u.mqtt.kind == TH_MQTT_EVENT_CONNECTED) {
            course->connected = true;
            try_rights(doctor, course);
        }
        if (event.u.mqtt.kind == TH_MQTT_EVENT_PUBLISHED) {
            course->done = true;
            course->reason = event.u.mqtt.u.ack.reason_code;
        }
    }
}

static void run_until(struct doctor *doctor, struct course *course, const bool *happened,
                      uint32_t most_ms)
{
    struct th_linux *loop = course->peer.loop;
    uint32_t since = th_linux_now(loop);
    while (!*happened && !course->failed && th_linux_now(loop) - since < most_ms) {
        uint32_t now = th_linux_now(loop);
        step(doctor, course, now);
        if (!*happened && !course->failed)
            th_linux_wait(loop, th_time_sooner(most_ms - (now - since),
                                               th_link_deadline(&course->peer.link, now)));
    }
}

static void judge_course(struct doctor *doctor, const struct course *course)
{
    char text[256];
    if (course->done && course->reason >= 0x80) {
        doctor_found(doctor, DOCTOR_RIGHTS,
                     "the broker denies %s its own topics\nit connected, and a publication was "
                     "answered: %s\nthimble broker init --replace writes the ACL anew; SIGHUP has "
                     "the broker read it",
                     doctor->name, th_reason_text(5, course->reason));
    } else if (course->done && !course->failed) {
        doctor->answered = true;
        doctor_fine(doctor, "connected as %s over MQTT, and it may write", doctor->name);
    } else if (course->failed) {
        th_failure_text(&course->failure, text, sizeof text);
        doctor_found(doctor, DOCTOR_EVIDENCE, "tried as %s: %s\n%s\n%s", doctor->name,
                     th_error_text(course->failure.error), text,
                     th_error_remedy(course->failure.error));
    } else {
        doctor_found(
            doctor, DOCTOR_EVIDENCE,
            "tried as %s: the broker %s within ten seconds\n\nlook at its load and its log",
            doctor->name, course->connected ? "acknowledged nothing" : "let it in not");
    }
}

static void try_mqtt(struct doctor *doctor, struct th_linux *loop)
{
    struct course *course = calloc(1, sizeof *course);
    struct peer_flags flags = doctor->flags;
    if (!course)
        return;
    flags.as = doctor->name;
    flags.version = "5";
    if (peer_open(&course->peer, loop, &flags) == EXIT_OK) {
        th_link_start(&course->peer.link, th_linux_now(loop));
        run_until(doctor, course, &course->done, MQTT_MS);
        judge_course(doctor, course);
        course->failed = false;
        th_link_stop(&course->peer.link, th_linux_now(loop));
        run_until(doctor, course, &course->stopped, 2000);
    } else {
        doctor_found(doctor, DOCTOR_EVIDENCE, "it could not be tried as %s\n%s\n", doctor->name,
                     term_failed());
    }
    peer_close(&course->peer);
    free(course);
}

/* ---- the whole ---- */

/* Without its key the broker is looked at by somebody without a certificate: that it asks for one
 * is then the good end. */
static void flags_of_nobody(struct doctor *doctor, struct peer_flags *flags,
                            char host[REGISTRY_TEXT_MAX], struct path *anchors)
{
    flags->as = NULL;
    *anchors = home_path(&doctor->home, "ca/server.crt");
    if (!flags->cafile)
        flags->cafile = anchors->text;
    if (!flags->host && registry_get(&doctor->home.registry, "broker.host", host))
        flags->host = host;
    if (!flags->port && doctor->listener)
        flags->port = doctor->listener->port;
}

static void try_handshake(struct doctor *doctor, struct judge *judge, struct th_linux *loop,
                          const struct peer_flags *flags)
{
    int code = judge_open(judge, loop, flags);
    if (code != EXIT_OK) {
        doctor_found(doctor, DOCTOR_EVIDENCE, "it could not be tried as %s\n%s\n",
                     doctor->name ? doctor->name : "a client", term_failed());
        return;
    }
    judge_run(judge);
    bool nobody = !flags->as && !flags->cert;
    if (nobody && judge->failure.error == TH_ERR_TRUST_WE_ARE_REQUIRED)
        judge->failure = th_failure_of(TH_OK);
    if (judge->failure.error == TH_OK)
        doctor_fine(doctor, "name, TCP and TLS to %.40s%s", judge->peer.text,
                    nobody ? ", as far as one sees without a certificate" : "");
    else
        judge_failure(doctor, judge);
}

/* A second connection of the same name ends the first. */
static bool may_try_mqtt(const struct doctor *doctor)
{
    return doctor->has_key && doctor->own_current &&
           (doctor->connect || (doctor->has_broker && !doctor->in_use));
}

static void look(struct doctor *doctor, struct judge *judge, struct th_linux *loop)
{
    struct peer_flags flags = doctor->flags;
    struct path anchors;
    char host[REGISTRY_TEXT_MAX];
    flags.as = doctor->has_key || doctor->one_way ? doctor->name : NULL;
    if (!flags.as && !flags.cert && doctor->has_registry)
        flags_of_nobody(doctor, &flags, host, &anchors);
    if (!flags.as && !flags.host)
        return; /* nobody has said where the broker is */
    if (flags.plaintext) {
        wrong_port(doctor, "--plaintext");
        if (!doctor_has(doctor, DOCTOR_TARGET) && doctor->connect)
            try_mqtt(doctor, loop);
        return;
    }
    try_handshake(doctor, judge, loop, &flags);
    bool good = judge->failure.error == TH_OK && judge->tls;
    peer_close(&judge->peer);
    if (good && may_try_mqtt(doctor))
        try_mqtt(doctor, loop);
}

void doctor_link(struct doctor *doctor)
{
    struct judge *judge = calloc(1, sizeof *judge);
    struct th_linux loop;
    struct th_failure failure;
    if (judge && !doctor_has(doctor, DOCTOR_REGISTRY) && th_linux_init(&loop, &failure)) {
        look(doctor, judge, &loop);
        th_linux_close(&loop);
    }
    free(judge);
}
