/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/fast.h"
#include "net/link_parts.h"

#define NETWORK_POLL_MS 1000 /* how soon a network that came back is noticed without its help */
#define STOP_MS         2000

enum stopping {
    STOPPING_NOT,
    STOPPING_ASKED, /* DISCONNECT could not be given to the session yet */
    STOPPING_SENT,
    STOPPING_DONE, /* the STOPPED event is owed */
};

/* What a step has come to. */
enum step {
    STEP_IDLE,  /* nothing more to do now */
    STEP_ON,    /* the state has changed: go on with that one */
    STEP_EVENT, /* the event is filled */
};

/* ---- going from state to state ---- */

static void enter(struct th_link *link, enum th_link_state state, uint32_t now_ms, uint32_t most_ms)
{
    link->state = (uint8_t)state;
    link->begun = false;
    link->since_ms = now_ms;
    link->until_ms = now_ms + most_ms;
}

/* Leaves nothing of an attempt behind: look-up, wire, stream, lent memory, session. */
static void tear_down(struct th_link *link, bool orderly)
{
    const struct th_net *net = &link->config->board->net;
    if (link->resolving)
        net->ops->resolve_cancel(net->ctx);
    th_mqtt_abandon(link->mqtt);
    if (link->stream_open)
        link->stream.ops->close(link->stream.ctx, orderly);
    else if (link->wire_open)
        link->wire.ops->close(link->wire.ctx, orderly);
    th_link_tls_give_back(link);
    link->resolving = link->stream_open = link->wire_open = false;
    link->offline = false;
}

static enum step stopped(struct th_link *link, uint32_t now_ms, bool orderly)
{
    tear_down(link, orderly);
    enter(link, TH_LINK_DOWN, now_ms, 0);
    link->stopping = STOPPING_DONE;
    return STEP_ON;
}

static enum step fail(struct th_link *link, uint32_t now_ms, const struct th_failure *failure,
                      struct th_link_event *event)
{
    struct th_failure first_cause = *failure; /* it may lie in the event, or in the stream */
    if (link->stopping != STOPPING_NOT)
        return stopped(link, now_ms, false);
    enum th_link_state in = (enum th_link_state)link->state;
    tear_down(link, false);
    uint32_t retry_ms = th_link_retry_after(link);
    enter(link, TH_LINK_WAITING, now_ms, retry_ms);
    event->kind = TH_LINK_EVENT_FAILED;
    event->u.failed.failure = first_cause;
    event->u.failed.in = in;
    event->u.failed.retry_ms = retry_ms;
    event->u.failed.turn =
        link->config->recovers && th_link_turn_due(link, &event->u.failed.failure, retry_ms);
    return STEP_EVENT;
}

static enum step fail_with(struct th_link *link, uint32_t now_ms, enum th_error error,
                           struct th_link_event *event)
{
    struct th_failure failure = th_failure_of(error);
    return fail(link, now_ms, &failure, event);
}

/* ---- WAITING ---- */

static enum step wait_for_network(struct th_link *link, struct th_link_event *event)
{
    if (link->offline)
        return STEP_IDLE;
    link->offline = true;
    event->kind = TH_LINK_EVENT_FAILED;
    event->u.failed.failure = th_failure_of(TH_ERR_NO_NETWORK);
    event->u.failed.in = TH_LINK_WAITING;
    event->u.failed.retry_ms = TH_FOREVER;
    event->u.failed.turn = false;
    return STEP_EVENT;
}

static enum step step_waiting(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    const struct th_net *net = &link->config->board->net;
    struct th_link_times times = th_link_times_of(link);
    if (!th_time_reached(now_ms, link->until_ms))
        return STEP_IDLE;
    if (!net->ops->up(net->ctx))
        return wait_for_network(link, event);
    if (link->offline) { /* R6: whoever shared the outage comes back at the same moment */
        link->offline = false;
        link->until_ms = now_ms + th_link_jitter(link, times.backoff_first_ms);
        return STEP_ON;
    }
    if (link->address_at < link->address_count)
        enter(link, TH_LINK_TCP, now_ms, times.connect_ms);
    else
        enter(link, TH_LINK_RESOLVING, now_ms, times.resolve_ms);
    event->kind = TH_LINK_EVENT_ATTEMPT;
    event->u.attempt.broker = link->broker;
    event->u.attempt.number = ++link->attempts;
    return STEP_EVENT;
}

/* ---- RESOLVING ---- */

static uint16_t port_of(const struct th_link *link)
{
    uint16_t port = link->config->brokers[link->broker].port;
    return port != 0 ? port : link->config->plaintext ? 1883 : 8883;
}

/* An address that answered last time goes first, or a host whose IPv6 leads nowhere would cost
 * connect_ms at each reconnect. The others keep their order. */
static void good_one_first(struct th_link *link, size_t count)
{
    const struct th_address good = link->good_address;
    size_t at = 0;
    while (at < count && (link->addresses[at].family != good.family ||
                          memcmp(link->addresses[at].bytes, good.bytes, sizeof good.bytes) != 0))
        at++;
    if (at == count)
        return;
    for (; at > 0; at--)
        link->addresses[at] = link->addresses[at - 1];
    link->addresses[0] = good;
}

static enum step resolved(struct th_link *link, uint32_t now_ms, size_t count)
{
    good_one_first(link, count);
    for (size_t i = 0; i < count; i++)
        link->addresses[i].port = port_of(link);
    link->resolving = false;
    link->address_count = (uint8_t)count;
    link->address_at = 0;
    enter(link, TH_LINK_TCP, now_ms, th_link_times_of(link).connect_ms);
    return STEP_ON;
}

static enum step step_resolving(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    const struct th_net *net = &link->config->board->net;
    const char *host = link->config->brokers[link->broker].host;
    if (!link->begun) {
        link->begun = true;
        if (th_address_parse(host, &link->addresses[0]))
            return resolved(link, now_ms, 1);
        link->resolving = true;
        memset(link->addresses, 0, sizeof link->addresses); /* all 16 bytes of each are compared */
        net->ops->resolve(net->ctx, host, port_of(link));
    }
    struct th_failure failure = th_failure_of(TH_ERR_NAME_OTHER);
    int count = net->ops->resolved(net->ctx, link->addresses, TH_LINK_ADDRESSES_MAX, &failure);
    if (count > 0)
        return resolved(link, now_ms, (size_t)count);
    if (count < 0) {
        link->resolving = false;
        return fail(link, now_ms, &failure, event);
    }
    return STEP_IDLE;
}

/* ---- TCP ---- */

static enum step step_tcp(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    const struct th_net *net = &link->config->board->net;
    const struct th_address *address = &link->addresses[link->address_at];
    if (!link->begun) {
        link->begun = true;
        link->wire = net->ops->connect(net->ctx, address);
        link->wire_open = true;
    }
    enum th_stream_state state = link->wire.ops->state(link->wire.ctx);
    if (state == TH_STREAM_OPENING)
        return STEP_IDLE;
    if (state == TH_STREAM_FAILED) {
        struct th_failure failure = th_failure_of(TH_ERR_TCP_OTHER);
        link->wire.ops->failure(link->wire.ctx, &failure);
        return fail(link, now_ms, &failure, event);
    }
    event->kind = TH_LINK_EVENT_TCP;
    event->u.tcp.address = *address;
    event->u.tcp.took_ms = now_ms - link->since_ms;
    link->tried_session = link->resumed = link->session_stored = link->stable = false;
    if (link->config->plaintext)
        enter(link, TH_LINK_MQTT, now_ms, 0);
    else
        enter(link, TH_LINK_TLS, now_ms, th_link_times_of(link).handshake_ms);
    return STEP_EVENT;
}

/* ---- TLS ---- */

static enum step step_tls(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    if (!link->begun) {
        link->begun = true;
        if (!th_link_tls_begin(link, now_ms))
            return fail_with(link, now_ms, TH_ERR_MEMORY_HANDSHAKE, event);
    }
    struct th_failure failure;
    switch (link->stream.ops->poll(link->stream.ctx, now_ms)) {
    case TH_STREAM_OPENING: return STEP_IDLE;
    case TH_STREAM_OPEN: break;
    case TH_STREAM_FAILED:
        link->stream.ops->failure(link->stream.ctx, &failure);
        return fail(link, now_ms, &failure, event);
    case TH_STREAM_ENDED: return fail_with(link, now_ms, TH_ERR_TLS_CLOSED, event);
    }
    const struct th_tls *tls = &link->config->tls;
    th_link_tls_give_back(link);
    event->kind = TH_LINK_EVENT_TLS;
    tls->ops->info(tls->ctx, &event->u.tls.info);
    event->u.tls.took_ms = now_ms - link->since_ms;
    link->resumed = event->u.tls.info.resumed;
    if (!link->resumed)
        link->session_not_after_s = event->u.tls.info.server.not_after_s;
    th_link_session_store(link);
    enter(link, TH_LINK_MQTT, now_ms, 0);
    return STEP_EVENT;
}

/* ---- MQTT and UP ---- */

static void connected(struct th_link *link, uint32_t now_ms)
{
    enter(link, TH_LINK_UP, now_ms, th_link_times_of(link).stable_ms);
    if (link->listener == TH_LINK_MAIN)
        link->recovering = false;
    link->good = link->broker;
    link->good_address = link->addresses[link->address_at];
    if (!link->config->plaintext)
        th_link_session_store(link);
}

/* An event of the session that changes the link as well. */
static TH_APART enum step changed(struct th_link *link, uint32_t now_ms,
                                  struct th_link_event *event)
{
    enum th_mqtt_event_kind kind = event->u.mqtt.kind;
    if (kind == TH_MQTT_EVENT_FAILED)
        return fail(link, now_ms, &event->u.mqtt.u.failure, event);
    if (kind == TH_MQTT_EVENT_CLOSED)
        stopped(link, now_ms, true);
    if (kind == TH_MQTT_EVENT_CONNECTED)
        connected(link, now_ms);
    return STEP_EVENT;
}

static inline enum step step_mqtt(struct th_link *link, uint32_t now_ms,
                                  struct th_link_event *event)
{
    if (!th_mqtt_next(link->mqtt, now_ms, &event->u.mqtt))
        return STEP_IDLE;
    enum th_mqtt_event_kind kind = event->u.mqtt.kind;
    event->kind = TH_LINK_EVENT_MQTT;
    if (kind == TH_MQTT_EVENT_CONNECTED || kind >= TH_MQTT_EVENT_FAILED)
        return changed(link, now_ms, event);
    return STEP_EVENT;
}

static enum step step_connecting(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    const struct th_link_config *config = link->config;
    if (!link->begun) {
        link->begun = true;
        if (config->plaintext) {
            link->stream =
                th_plain_init(&link->plain, link->wire, config->plain_rx, config->plain_rx_room,
                              config->plain_tx, config->plain_tx_room);
            link->stream_open = true;
        }
        enum th_error error = th_mqtt_connect(link->mqtt, link->stream, now_ms);
        if (error != TH_OK)
            return fail_with(link, now_ms, error, event);
    }
    return step_mqtt(link, now_ms, event);
}

static enum step step_up(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    if (link->stopping == STOPPING_ASKED &&
        th_mqtt_disconnect(link->mqtt, 0, NULL, 0) != TH_ERR_AGAIN)
        link->stopping = STOPPING_SENT;
    if (link->stopping != STOPPING_NOT && th_time_reached(now_ms, link->until_ms))
        return stopped(link, now_ms, false);
    if (link->stopping == STOPPING_NOT && !link->stable &&
        th_time_reached(now_ms, link->until_ms)) {
        link->stable = true;
        if (!link->config->plaintext && !link->session_stored)
            th_link_session_store(link);
    }
    return step_mqtt(link, now_ms, event);
}

/* ---- DOWN ---- */

static enum step step_down(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    (void)now_ms;
    if (link->stopping != STOPPING_DONE)
        return STEP_IDLE;
    link->stopping = STOPPING_NOT;
    event->kind = TH_LINK_EVENT_STOPPED;
    return STEP_EVENT;
}

/* ---- the table ---- */

/* `late` is what a state that outlasts its time fails with; OK: the step itself watches the time,
 * or, in MQTT and UP, the session. */
static const struct {
    const char *name;
    enum step (*step)(struct th_link *link, uint32_t now_ms, struct th_link_event *event);
    enum th_error late;
} states[] = {
    [TH_LINK_DOWN] = {"down", step_down, TH_OK},
    [TH_LINK_WAITING] = {"waiting", step_waiting, TH_OK},
    [TH_LINK_RESOLVING] = {"resolving", step_resolving, TH_ERR_NAME_TIMEOUT},
    [TH_LINK_TCP] = {"tcp", step_tcp, TH_ERR_TCP_TIMEOUT},
    [TH_LINK_TLS] = {"tls", step_tls, TH_ERR_TLS_TIMEOUT},
    [TH_LINK_MQTT] = {"mqtt", step_connecting, TH_OK},
    [TH_LINK_UP] = {"up", step_up, TH_OK},
};

static TH_APART bool next(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    enum step step;
    do {
        step = states[link->state].step(link, now_ms, event);
        enum th_error late = states[link->state].late;
        if (step == STEP_IDLE && late != TH_OK && th_time_reached(now_ms, link->until_ms))
            step = fail_with(link, now_ms, late, event);
    } while (step == STEP_ON);
    return step == STEP_EVENT;
}

bool th_link_next(struct th_link *link, uint32_t now_ms, struct th_link_event *event)
{
    /* While up, and before or after the time from which it counts as stable, there is nothing to
     * watch but the session. */
    if (link->state == TH_LINK_UP && link->stopping == STOPPING_NOT &&
        (link->stable || !th_time_reached(now_ms, link->until_ms)))
        return step_mqtt(link, now_ms, event) == STEP_EVENT;
    return next(link, now_ms, event);
}

uint32_t th_link_deadline(const struct th_link *link, uint32_t now_ms)
{
    uint32_t until_ms = th_time_until(now_ms, link->until_ms);
    switch ((enum th_link_state)link->state) {
    case TH_LINK_DOWN: return link->stopping == STOPPING_DONE ? 0 : TH_FOREVER;
    case TH_LINK_WAITING: return link->offline ? NETWORK_POLL_MS : until_ms;
    case TH_LINK_RESOLVING:
    case TH_LINK_TCP:
    case TH_LINK_TLS: return link->begun ? until_ms : 0;
    case TH_LINK_MQTT: return link->begun ? th_mqtt_deadline(link->mqtt, now_ms) : 0;
    case TH_LINK_UP: break;
    }
    if (link->stable && link->stopping == STOPPING_NOT)
        until_ms = TH_FOREVER;
    return th_time_sooner(until_ms, th_mqtt_deadline(link->mqtt, now_ms));
}

/* ---- the rest of the interface ---- */

static bool times_fit(const struct th_link_times *times)
{
    return times->resolve_ms <= INT32_MAX && times->connect_ms <= INT32_MAX &&
           times->handshake_ms <= INT32_MAX && times->backoff_first_ms <= INT32_MAX &&
           times->backoff_max_ms <= INT32_MAX && times->stable_ms <= INT32_MAX;
}

static bool tls_fits(const struct th_link_config *config)
{
    const struct th_tls_ops *ops = config->tls.ops;
    if (ops == NULL || config->tls_config == NULL || config->tls_config->trust == NULL)
        return false;
    if (config->session != NULL &&
        (config->session_len == NULL || config->session_room < TH_SESSION_OVERHEAD))
        return false;
    return config->loan.ops != NULL || config->scratch.len >= ops->scratch_size;
}

/* The server's name must be what a certificate can hold: "[::1]" and "fe80::1%2" are not. */
static bool broker_fits(const struct th_broker *broker, bool plaintext)
{
    struct th_address address;
    if (broker->host == NULL || broker->host[0] == '\0')
        return false;
    if (plaintext || broker->server_name != NULL || !th_address_parse(broker->host, &address))
        return true;
    return broker->host[0] != '[' && address.scope == 0;
}

static bool config_fits(const struct th_link_config *config)
{
    const struct th_board *board = config->board;
    if (board == NULL || board->net.ops == NULL || board->entropy.ops == NULL)
        return false;
    if (config->brokers == NULL || config->broker_count == 0 || !times_fit(&config->times))
        return false;
    for (uint8_t i = 0; i < config->broker_count; i++) {
        if (!broker_fits(&config->brokers[i], config->plaintext))
            return false;
    }
    if (config->plaintext)
        return config->tls.ops == NULL && config->plain_rx != NULL && config->plain_tx != NULL &&
               config->plain_rx_room >= 16 && config->plain_tx_room >= 16;
    return tls_fits(config);
}

enum th_error th_link_init(struct th_link *link, const struct th_link_config *config,
                           struct th_mqtt *mqtt)
{
    if (!config_fits(config) || th_mqtt_state(mqtt) != TH_MQTT_IDLE)
        return TH_ERR_CONFIG;
    memset(link, 0, sizeof *link);
    link->config = config;
    link->mqtt = mqtt;
    th_link_retry_reset(link);
    return TH_OK;
}

/* Policy and identity may be others than before. */
static void begin(struct th_link *link, uint32_t now_ms)
{
    th_link_session_bind(link);
    link->stopping = STOPPING_NOT;
    th_link_retry_reset(link);
    enter(link, TH_LINK_WAITING, now_ms, 0);
}

void th_link_start(struct th_link *link, uint32_t now_ms)
{
    if (link->state != TH_LINK_DOWN)
        return;
    begin(link, now_ms);
}

void th_link_stop(struct th_link *link, uint32_t now_ms)
{
    if (link->state == TH_LINK_UP && link->stopping == STOPPING_NOT) {
        link->stopping = STOPPING_ASKED;
        link->until_ms = now_ms + STOP_MS;
    } else if (link->state != TH_LINK_DOWN && link->stopping == STOPPING_NOT) {
        stopped(link, now_ms, false);
    }
}

void th_link_restart(struct th_link *link, uint32_t now_ms, bool forget_session)
{
    tear_down(link, false);
    if (forget_session)
        th_link_session_drop(link);
    begin(link, now_ms);
}

void th_link_wait(struct th_link *link, uint32_t wait_ms, uint32_t now_ms)
{
    tear_down(link, false);
    enter(link, TH_LINK_WAITING, now_ms, wait_ms);
}

enum th_link_state th_link_state(const struct th_link *link)
{
    return (enum th_link_state)link->state;
}

const char *th_link_state_name(enum th_link_state state)
{
    return (size_t)state < sizeof states / sizeof states[0] ? states[state].name : "";
}
