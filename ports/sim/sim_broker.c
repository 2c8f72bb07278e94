/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim_broker.h"

#include <stdlib.h>
#include <string.h>

#include "ports/sim/sim_broker_parts.h"
#include "ports/sim/sim_parts.h"

/* ---- sessions ---- */

static struct sim_session *const *slot_of(struct sim_session *const *sessions,
                                          const char *client_id)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = client_id; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    return &sessions[hash % SIM_BUCKETS];
}

static struct sim_session *session_of(const struct th_sim_broker *broker, const char *client_id)
{
    struct sim_session *session = *slot_of(broker->sessions, client_id);
    while (session != NULL && strcmp(session->client_id, client_id) != 0)
        session = session->next;
    return session;
}

static void end_session(struct th_sim_broker *broker, struct sim_session *session)
{
    size_t bucket = (size_t)(slot_of(broker->sessions, session->client_id) - broker->sessions);
    struct sim_session **at = &broker->sessions[bucket];
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    sim_session_free(session);
}

bool sim_enter_session(struct sim_connection *connection, const char *client_id, bool clean)
{
    struct th_sim_broker *broker = connection->broker;
    struct sim_session *session = session_of(broker, client_id);
    if (session != NULL && session->connection != NULL)
        sim_close(session->connection, true); /* [MQTT-3.1.4-2] */
    session = session_of(broker, client_id);
    if (session != NULL && clean) {
        end_session(broker, session);
        session = NULL;
    }
    bool present = session != NULL;
    if (!present) {
        session = sim_session_new(client_id);
        broker->stats.sessions++;
        size_t bucket = (size_t)(slot_of(broker->sessions, client_id) - broker->sessions);
        session->next = broker->sessions[bucket];
        broker->sessions[bucket] = session;
    }
    session->connection = connection;
    connection->session = session;
    return present;
}

/* ---- connections ---- */

static void free_if_unused(struct sim_connection *connection)
{
    if (connection->pipe != NULL || connection->events > 0)
        return;
    struct sim_connection **at = &connection->broker->connections;
    while (*at != connection)
        at = &(*at)->next;
    *at = connection->next;
    for (int i = 0; i <= SIM_ALIASES_MAX; i++)
        free((void *)(uintptr_t)connection->aliases[i].at);
    free(connection->will);
    free(connection->in.bytes);
    free(connection->out.bytes);
    free(connection);
}

static void finished(struct sim_connection *connection)
{
    connection->events--;
    free_if_unused(connection);
}

/* Leaves the connection itself to its last event. */
static void let_go(void *ctx, uint32_t number)
{
    (void)number;
    finished(ctx);
}

static void later(struct sim_connection *connection, uint32_t in_ms, void (*call)(void *, uint32_t),
                  uint32_t number)
{
    connection->events++;
    th_sim_after(connection->broker->sim, in_ms, call, connection, number);
}

void sim_close(struct sim_connection *connection, bool orderly)
{
    if (connection->pipe == NULL)
        return;
    struct sim_session *session = connection->session;
    th_sim_pipe_close(connection->pipe, orderly);
    connection->pipe = NULL;
    connection->session = NULL;
    if (session != NULL) {
        session->connection = NULL;
        if (!session->lasts)
            end_session(connection->broker, session);
    }
    sim_will(connection);
    later(connection, 0, let_go, 0);
}

static void close_now(void *ctx, uint32_t number)
{
    (void)number;
    sim_close(ctx, true);
    finished(ctx);
}

void sim_close_later(struct sim_connection *connection, uint32_t in_ms)
{
    later(connection, in_ms, close_now, 0);
}

bool sim_violation(struct sim_connection *connection, const char *what)
{
    struct th_sim_broker_stats *stats = &connection->broker->stats;
    stats->violations++;
    if (stats->first_violation == NULL)
        stats->first_violation = what;
    return false;
}

/* ---- sending ---- */

static void flush(struct sim_connection *connection)
{
    struct sim_out *out = &connection->out;
    if (connection->pipe == NULL || connection->may_leave == 0)
        return;
    size_t len = th_sim_pipe_write(connection->pipe, out->bytes, connection->may_leave);
    memmove(out->bytes, out->bytes + len, out->len - len);
    out->len -= len;
    connection->may_leave -= len;
}

/* `number`: the packet's length, and above 24 bits what it ends. */
static void leaves(void *ctx, uint32_t number)
{
    struct sim_connection *connection = ctx;
    connection->may_leave += number & 0xFFFFFF;
    connection->unanswered -= number >> 24;
    flush(connection);
    finished(connection);
}

void sim_send(struct sim_connection *connection, struct sim_out *packet, unsigned ends)
{
    const struct th_sim_broker_options *options = &connection->broker->options;
    if (connection->pipe != NULL && !options->mute) {
        uint64_t now = th_sim_elapsed_ms(connection->broker->sim);
        uint64_t at = now;
        if (options->answer_delay_ms != 0)
            at += th_sim_chance(connection->broker->sim, options->answer_delay_ms + 1);
        if (at < connection->leave_at)
            at = connection->leave_at;
        connection->leave_at = at;
        sim_out_bytes(&connection->out, th_span_of(packet->bytes, packet->len));
        later(connection, (uint32_t)(at - now), leaves, (uint32_t)packet->len | ends << 24);
    }
    free(packet->bytes);
    *packet = (struct sim_out){NULL, 0, 0};
}

static void send_publish(struct sim_connection *connection, const struct sim_message *message,
                         bool again)
{
    struct sim_out packet = {NULL, 0, 0};
    sim_out_text(&packet, message->topic);
    if (message->qos > 0)
        sim_out_u16(&packet, message->id);
    if (connection->version == 5)
        sim_out_u8(&packet, 0);
    sim_out_bytes(&packet, message->payload);
    sim_out_packet(&packet, 0, SIM_PUBLISH,
                   (uint8_t)(message->qos << 1 | (again ? 8 : 0) | (message->retained ? 1 : 0)));
    sim_send(connection, &packet, 0);
}

void sim_pump(struct sim_session *session)
{
    struct sim_connection *connection = session->connection;
    if (connection == NULL)
        return;
    uint32_t inflight = sim_session_inflight(session);
    struct sim_message *next;
    for (struct sim_message *at = session->first; at != NULL; at = next) {
        next = at->next;
        if (at->state != SIM_WAITING)
            continue;
        if (at->qos == 0) {
            send_publish(connection, at, false);
            sim_session_remove(session, at);
            continue;
        }
        if (inflight >= connection->inflight_max)
            return;
        at->id = sim_session_new_id(session);
        at->state = SIM_SENT;
        inflight++;
        send_publish(connection, at, false);
    }
}

void sim_resend(struct sim_session *session)
{
    struct sim_connection *connection = session->connection;
    for (struct sim_message *at = session->first; at != NULL; at = at->next) {
        if (at->state == SIM_SENT)
            send_publish(connection, at, true);
        if (at->state == SIM_RELEASED) {
            struct sim_out packet = {NULL, 0, 0};
            sim_out_u16(&packet, at->id);
            sim_out_packet(&packet, 0, SIM_PUBREL, 2);
            sim_send(connection, &packet, 0);
        }
    }
    sim_pump(session);
}

bool sim_route(struct th_sim_broker *broker, struct th_span topic, struct th_span payload,
               uint8_t qos)
{
    bool wanted = false;
    for (size_t i = 0; i < SIM_BUCKETS; i++) {
        for (struct sim_session *at = broker->sessions[i]; at != NULL; at = at->next) {
            int granted = sim_session_wants(at, topic);
            if (granted < 0)
                continue;
            wanted = true;
            sim_session_add(at, topic, payload, granted < qos ? (uint8_t)granted : qos);
            sim_pump(at);
        }
    }
    return wanted;
}

/* ---- receiving ---- */

static bool take_packet(struct sim_connection *connection)
{
    struct sim_out *in = &connection->in;
    size_t head = 0;
    size_t len = sim_packet_length(in->bytes, in->len, &head);
    if (len == 0 || (len != SIZE_MAX && len > in->len))
        return false;
    if (len == SIZE_MAX ||
        !sim_handle(connection, in->bytes[0], th_span_of(in->bytes + head, len - head))) {
        sim_close(connection, true);
        return false;
    }
    memmove(in->bytes, in->bytes + len, in->len - len);
    in->len -= len;
    return connection->pipe != NULL;
}

/* What arrived before a reset still counts. */
static void ready(void *ctx, struct th_sim_pipe *pipe)
{
    (void)ctx;
    struct sim_connection *connection = th_sim_pipe_user(pipe);
    uint8_t bytes[1024];
    size_t len;
    connection->events++;
    while (connection->pipe != NULL && (len = th_sim_pipe_read(pipe, bytes, sizeof bytes)) > 0) {
        sim_out_bytes(&connection->in, th_span_of(bytes, len));
        while (take_packet(connection)) {
        }
    }
    flush(connection);
    if (connection->pipe != NULL && th_sim_pipe_state(pipe) != TH_STREAM_OPEN)
        sim_close(connection, true);
    finished(connection);
}

static void accepted(void *ctx, struct th_sim_pipe *pipe)
{
    struct th_sim_broker *broker = ctx;
    struct sim_connection *connection = th_sim_room(NULL, sizeof *connection);
    *connection =
        (struct sim_connection){.next = broker->connections, .broker = broker, .pipe = pipe};
    broker->connections = connection;
    th_sim_pipe_set_user(pipe, connection);
}

static const struct th_sim_server_ops server_ops = {accepted, ready};

/* ---- the broker ---- */

struct th_sim_broker *th_sim_broker_new(struct th_sim *sim, const struct th_address *address)
{
    struct th_sim_broker *broker = th_sim_room(NULL, sizeof *broker);
    *broker = (struct th_sim_broker){.sim = sim, .address = *address};
    th_sim_address(sim, address, TH_SIM_ACCEPTS, &server_ops, broker);
    return broker;
}

static void forget_all(struct th_sim_broker *broker)
{
    for (size_t i = 0; i < SIM_BUCKETS; i++) {
        while (broker->sessions[i] != NULL)
            end_session(broker, broker->sessions[i]);
    }
}

void th_sim_broker_free(struct th_sim_broker *broker)
{
    th_sim_broker_stop(broker);
    forget_all(broker);
    sim_kept_free_all(broker);
    while (broker->connections != NULL) {
        broker->connections->events = 0;
        free_if_unused(broker->connections);
    }
    free(broker);
}

struct th_sim_broker_options *th_sim_broker_options(struct th_sim_broker *broker)
{
    return &broker->options;
}

const struct th_sim_broker_stats *th_sim_broker_stats(const struct th_sim_broker *broker)
{
    return &broker->stats;
}

void th_sim_broker_stop(struct th_sim_broker *broker)
{
    th_sim_address(broker->sim, &broker->address, TH_SIM_REFUSES, NULL, NULL);
    for (struct sim_connection *at = broker->connections; at != NULL; at = at->next) {
        free(at->will); /* a broker that dies publishes nothing */
        at->will = NULL;
        sim_close(at, false);
    }
}

void th_sim_broker_start(struct th_sim_broker *broker, bool keep_sessions)
{
    if (!keep_sessions)
        forget_all(broker);
    th_sim_address(broker->sim, &broker->address, TH_SIM_ACCEPTS, &server_ops, broker);
}

bool th_sim_broker_publish(struct th_sim_broker *broker, struct th_span topic,
                           struct th_span payload, uint8_t qos)
{
    return sim_route(broker, topic, payload, qos);
}

bool th_sim_broker_knows(const struct th_sim_broker *broker, const char *client_id)
{
    return session_of(broker, client_id) != NULL;
}

uint32_t th_sim_broker_waiting(const struct th_sim_broker *broker, const char *client_id)
{
    uint32_t count = 0;
    const struct sim_session *session = session_of(broker, client_id);
    for (const struct sim_message *at = session == NULL ? NULL : session->first; at != NULL;
         at = at->next)
        count++;
    return count;
}

uint32_t th_sim_broker_unreleased(const struct th_sim_broker *broker, const char *client_id)
{
    const struct sim_session *session = session_of(broker, client_id);
    return session == NULL ? 0 : session->inbound_count;
}

void th_sim_broker_forget(struct th_sim_broker *broker, const char *client_id)
{
    struct sim_session *session = session_of(broker, client_id);
    if (session == NULL)
        return;
    session->lasts = false;
    if (session->connection != NULL)
        sim_close(session->connection, false);
    else
        end_session(broker, session);
}

uint32_t th_sim_broker_connected(const struct th_sim_broker *broker)
{
    uint32_t count = 0;
    for (const struct sim_connection *at = broker->connections; at != NULL; at = at->next)
        count += at->session != NULL;
    return count;
}

bool th_sim_broker_has(const struct th_sim_broker *broker, const char *client_id)
{
    const struct sim_session *session = session_of(broker, client_id);
    return session != NULL && session->connection != NULL;
}
