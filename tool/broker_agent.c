/* SPDX-License-Identifier: MIT */
/* thimble broker agent: a service on the broker's host that answers devices. */
#include "broker_agent.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <thimble/time.h>

#include "agent.h"
#include "exits.h"
#include "key_pass.h"
#include "mosquitto.h"
#include "notify.h"
#include "options.h"
#include "term.h"

#define CARE_MS        60000
#define BACKOFF_MAX_MS 4000 /* the broker is on this host, and devices wait */

#define REASON_DENIED 0x87 /* MQTT 5.0 §3.4.2.1: not authorized */

int64_t agent_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- whom it trusts ---- */

/* While it was connected the server CA may have been exchanged (ca rotate): its ca.crt was written
 * anew, and what it has read of it knows this broker no more. */
static bool anchors_differ(const struct agent *agent)
{
    const struct credentials_chain *known = &agent->peer.credentials.anchors;
    const char *path = agent->peer.flags.cafile;
    struct credentials fresh = {.key = {NULL, 0}};
    if (!path || !files_exist(path))
        return false;
    bool read = credentials_anchors(&fresh, path) == EXIT_OK;
    bool same = read && fresh.anchors.count == known->count;
    for (uint8_t i = 0; same && i < known->count; i++)
        same = th_span_equal(fresh.anchors.at[i], known->at[i]);
    credentials_free(&fresh);
    return read && !same;
}

/* ---- the session ---- */

static void subscribe(struct agent *agent)
{
    struct th_mqtt_filter filters[8];
    uint16_t count = 0;
    for (; count < agent_topic_count && count < sizeof filters / sizeof filters[0] - 1; count++)
        filters[count] = (struct th_mqtt_filter){.filter = th_span_str(agent_topics[count].filter),
                                                 .qos = TH_MQTT_QOS1};
    filters[count++] = agent_presence_filter();
    agent->connections++;
    th_mqtt_subscribe(&agent->peer.mqtt, filters, count, NULL, 0, &agent->subscription);
}

static void subscribed(struct agent *agent, const struct th_mqtt_ack *ack)
{
    if (ack->id != agent->subscription)
        return;
    for (size_t i = 0; i < ack->codes.len; i++) {
        if (ack->codes.at[i] < 0x80)
            continue;
        agent->code = fail(EXIT_DENIED,
                           "the broker does not let the agent read %s\n"
                           "thimble broker prove shows what it allows whom",
                           i < agent_topic_count ? agent_topics[i].filter : "agent/status");
        return;
    }
    agent->up = true;
    agent_log(agent, "connected", "", "to %s; answers devices", agent->peer.text);
    notify_systemd("READY=1");
    agent_presence_tell(agent, true);
    agent_alarms_tell(agent);
}

static void message(struct agent *agent, const struct th_mqtt_message *message)
{
    char device[TH_CALLER_MAX + 1];
    if (agent_presence_saw(agent, message))
        return;
    const struct agent_topic *topic = agent_topic_find(message->topic, device);
    if (topic && !message->retain) /* what was kept is nobody's question now */
        topic->take(agent, device, message->payload);
}

static void mqtt_event(struct agent *agent, const struct th_mqtt_event *event)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED: subscribe(agent); break;
    case TH_MQTT_EVENT_SUBSCRIBED: subscribed(agent, &event->u.ack); break;
    case TH_MQTT_EVENT_MESSAGE: message(agent, &event->u.message); break;
    case TH_MQTT_EVENT_PUBLISHED:
        if (event->u.ack.reason_code == REASON_DENIED)
            agent_log(agent, "denied", "",
                      "the broker refuses an answer: its rights are older than this agent; "
                      "thimble broker init --replace");
        break;
    default: break;
    }
}

static void failed(struct agent *agent, const struct th_link_event *event)
{
    const struct th_failure *failure = &event->u.failed.failure;
    char text[256];
    agent->up = false;
    th_failure_text(failure, text, sizeof text);
    if (event->u.failed.retry_ms > 0)
        agent_log(agent, "connection", "", "%s; again in %u ms", text, event->u.failed.retry_ms);
    agent->anew = th_error_layer(failure->error) == TH_LAYER_TRUST && anchors_differ(agent);
}

static void events(struct agent *agent)
{
    struct th_link_event event;
    while (agent->code == OPTION_GO_ON && !agent->anew &&
           th_link_next(&agent->peer.link, th_linux_now(&agent->loop), &event)) {
        peer_saw(&agent->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            mqtt_event(agent, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED)
            failed(agent, &event);
        else if (event.kind == TH_LINK_EVENT_STOPPED)
            agent->code = EXIT_OK;
    }
}

/* ---- the course ---- */

static bool watch_signals(struct agent *agent)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 && th_linux_watch(&agent->loop, &agent->signals, fd);
}

/* In good order a DISCONNECT takes the last will along. */
static void stop(struct agent *agent)
{
    agent->stopping = true;
    agent_log(agent, "end", "", "told to");
    if (agent->up)
        agent_presence_tell(agent, false);
    th_link_stop(&agent->peer.link, th_linux_now(&agent->loop));
}

static void loop(struct agent *agent)
{
    struct signalfd_siginfo info;
    while (agent->code == OPTION_GO_ON) {
        events(agent);
        if (agent->anew)
            return;
        uint32_t now = th_linux_now(&agent->loop);
        bool asked = agent->signals.ready &&
                     read(agent->signals.fd, &info, sizeof info) == (ssize_t)sizeof info;
        agent->signals.ready = false;
        if (asked && !agent->stopping) {
            stop(agent);
            continue;
        }
        if (agent->code != OPTION_GO_ON)
            return;
        if (th_time_reached(now, agent->care_ms)) {
            agent->care_ms = now + CARE_MS;
            agent_care(agent);
        }
        th_linux_wait(&agent->loop, th_time_sooner(th_link_deadline(&agent->peer.link, now),
                                                   th_time_until(now, agent->care_ms)));
    }
}

/* One life of the files it connects with. */
static int connect_with_files(struct agent *agent)
{
    int code = peer_open(&agent->peer, &agent->loop, &agent->flags);
    if (code == EXIT_OK) {
        agent->code = OPTION_GO_ON;
        agent->anew = false;
        agent->peer.link_config.times.backoff_max_ms = BACKOFF_MAX_MS;
        th_link_start(&agent->peer.link, th_linux_now(&agent->loop));
        loop(agent);
        code = agent->code;
    }
    peer_close(&agent->peer);
    return code;
}

static int connect_and_run(struct agent *agent)
{
    struct th_failure failure;
    if (!th_linux_init(&agent->loop, &failure))
        return fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    int code = watch_signals(agent)
                   ? OPTION_GO_ON
                   : fail(EXIT_FAILED, "cannot wait for signals\nend other programs");
    agent->care_ms = th_linux_now(&agent->loop) + CARE_MS;
    while (code == OPTION_GO_ON) {
        code = connect_with_files(agent);
        if (code == OPTION_GO_ON)
            agent_log(agent, "anchors", "", "others than were read at its start; read again");
    }
    th_linux_close(&agent->loop);
    return code;
}

/* Certificates instead of passwords, and a user whose role it is. */
static int check_home(struct agent *agent)
{
    struct registry_principal row;
    if (mosquitto_one_way(&agent->home))
        return fail(EXIT_INPUT, "this broker asks for passwords: there are no certificates to "
                                "renew\nthimble broker init --replace, without --one-way");
    if (!registry_principal(&agent->home.registry, "agent", &row) || strcmp(row.role, "agent") != 0)
        return fail(EXIT_MISSING,
                    "there is no user 'agent', as whom it connects\n"
                    "thimble user add agent%s",
                    agent->home.flag);
    if (strcmp(row.state, "active") != 0)
        return fail(EXIT_MISSING, "the user 'agent' is revoked\nthimble user add agent --replace%s",
                    agent->home.flag);
    return EXIT_OK;
}

static int run(struct agent *agent)
{
    int code = home_open(&agent->home, agent->options.dir, false);
    if (code == EXIT_OK && agent->options.unit) {
        code = agent_write_unit(&agent->home);
        if (code == EXIT_OK)
            say_file(home_path(&agent->home, "broker/agent.service").text,
                     "its unit for systemd; it says how to install it");
    } else if (code == EXIT_OK) {
        code = check_home(agent);
        if (code == EXIT_OK)
            code = agent_care_begin(agent);
        if (code == EXIT_OK && !agent_presence_begin(agent))
            code = fail(EXIT_FAILED, "no random numbers\nrestart this machine");
        if (code == EXIT_OK)
            code = connect_and_run(agent);
    }
    home_close(&agent->home);
    key_pass_wipe();
    return code;
}

/* ---- the command line ---- */

static const struct usage usage = {
    "broker agent", "",
    "Answers devices: renews their certificates, tells the time, proves trials.",
    "It runs on the broker's host and needs the device CA's key (no other) and the user agent.\n"
    "It renews the broker's revocation list in time, and warns of what ends soon: in its log, and\n"
    "on the topic agent/log, which operators and admins read. One runs at a time: a second one\n"
    "takes over. DURATION is 180d, 12h, 30m or 90s. Examples:\n"
    "  thimble user add agent\n"
    "  thimble broker agent"};

static bool duration_of(const char *text, long least, long most, long *out)
{
    static const char units[] = "smhd";
    static const long seconds[] = {1, 60, 3600, 86400};
    char number[12];
    size_t len = strlen(text);
    const char *unit = len > 1 ? strchr(units, text[len - 1]) : NULL;
    long value = 0;
    if (!unit || len >= sizeof number)
        return false;
    memcpy(number, text, len - 1);
    number[len - 1] = '\0';
    if (!options_number(number, 1, most / seconds[unit - units], &value))
        return false;
    *out = value * seconds[unit - units];
    return *out >= least;
}

static int take(struct agent *agent, int argc, char **argv)
{
    const char *valid = "180d", *crl = "3652d";
    struct words rest = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&agent->options.dir),
        {0, "valid", "DURATION", "of the certificates it issues [180d]", OPTION_TEXT, &valid, 0, 0},
        {0, "crl", "DURATION", "of the revocation lists it makes [3652d]", OPTION_TEXT, &crl, 0, 0},
        {0, "per-device", "N", "certificates for one device, an hour [10]", OPTION_NUMBER,
         &agent->limits.per_device, 1, 3600},
        {0, "per-second", "N", "certificates of all, a second [50]", OPTION_NUMBER,
         &agent->limits.per_second, 1, 1000},
        {0, "clock-is-right", NULL, "believe this machine's clock, though it has jumped",
         OPTION_FLAG, &agent->options.clock_is_right, 0, 0},
        {0, "unit", NULL, "only write its unit for systemd, broker/agent.service", OPTION_FLAG,
         &agent->options.unit, 0, 0},
        {'h', "host", "HOST", "the broker [that of the state directory]", OPTION_TEXT,
         &agent->flags.host, 0, 0},
        {'p', "port", "PORT", "its port for users", OPTION_NUMBER, &agent->flags.port, 1, 65535},
        {0, "json", NULL, "one JSON object a line as its log", OPTION_FLAG, &agent->options.json, 0,
         0},
        OPTION_ROW_KEY_PASS,
    };
    int code = options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count)
        return fail(EXIT_USAGE, "broker agent takes no '%s'\nthimble broker agent --help",
                    rest.at[0]);
    if (!duration_of(valid, 30, 3650 * 86400L, &agent->options.valid_s))
        return fail(EXIT_USAGE,
                    "--valid takes 30s to 3650d, not '%s'\n"
                    "thimble broker agent --valid 180d",
                    valid);
    if (!duration_of(crl, 600, 36500 * 86400L, &agent->options.crl_s))
        return fail(EXIT_USAGE,
                    "--crl takes 10m to 36500d, not '%s'\n"
                    "thimble broker agent --crl 3652d",
                    crl);
    return OPTION_GO_ON;
}

int broker_agent(int argc, char **argv)
{
    struct agent *agent = calloc(1, sizeof *agent);
    if (!agent)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    peer_flags_init(&agent->flags);
    agent->home.lock = -1;
    agent->limits.per_device = 10;
    agent->limits.per_second = 50;
    int code = take(agent, argc, argv);
    agent->flags.as = "agent";
    agent->flags.dir = agent->options.dir;
    agent->flags.takes_over = true;
    if (code == OPTION_GO_ON)
        code = run(agent);
    free(agent);
    return code;
}
