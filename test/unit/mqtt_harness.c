/* SPDX-License-Identifier: MIT */
#include "mqtt_harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- stream ---- */

static size_t seen_next(const struct harness_stream *stream, size_t left)
{
    size_t edge = stream->in_at + stream->shown;
    if (stream->split > edge)
        return stream->split - edge < left ? stream->split - edge : left;
    return stream->grain > 0 && stream->grain < left ? stream->grain : left;
}

static void drain(struct harness_stream *stream)
{
    size_t len = stream->tx_drain > 0 ? stream->tx_drain : stream->tx_held;
    if (len > stream->tx_held)
        len = stream->tx_held;
    if (len == 0)
        return;
    stream->out_digest = harness_digest(stream->out_digest, th_span_of(stream->tx, len));
    if (stream->out != NULL && stream->out_len + len <= stream->out_room)
        memcpy(stream->out + stream->out_len, stream->tx, len);
    stream->out_len += len;
    stream->tx_held -= len;
    memmove(stream->tx, stream->tx + len, stream->tx_held);
}

static enum th_stream_state poll(void *ctx, uint32_t now_ms)
{
    struct harness_stream *stream = ctx;
    (void)now_ms;
    drain(stream);
    if (stream->out_len == 0 && !stream->closed)
        return TH_STREAM_OPEN; /* a broker does not speak first */
    size_t left = stream->in.len - stream->in_at - stream->shown;
    stream->shown += seen_next(stream, left);
    bool done = stream->end && stream->in_at + stream->shown == stream->in.len;
    return stream->closed ? TH_STREAM_FAILED : done ? TH_STREAM_ENDED : TH_STREAM_OPEN;
}

static struct th_span rx(void *ctx)
{
    const struct harness_stream *stream = ctx;
    if (stream->shown == 0)
        return th_span_of(NULL, 0);
    return th_span_of(stream->in.at + stream->in_at, stream->shown);
}

static void rx_taken(void *ctx, size_t len)
{
    struct harness_stream *stream = ctx;
    if (len > stream->shown)
        abort();
    stream->in_at += len;
    stream->shown -= len;
}

static uint8_t *tx(void *ctx, size_t *room)
{
    const struct harness_stream *stream = ctx;
    *room = stream->tx_room - stream->tx_held;
    return *room > 0 ? stream->tx + stream->tx_held : NULL;
}

static void tx_put(void *ctx, size_t len)
{
    struct harness_stream *stream = ctx;
    if (len > stream->tx_room - stream->tx_held)
        abort();
    stream->tx_held += len;
}

static void close(void *ctx, bool orderly)
{
    struct harness_stream *stream = ctx;
    if (orderly && !stream->closed) {
        size_t pace = stream->tx_drain;
        stream->tx_drain = 0;
        drain(stream);
        stream->tx_drain = pace;
    }
    stream->orderly = orderly;
    stream->closed = true;
}

static void failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

struct th_stream harness_stream(struct harness_stream *stream)
{
    static const struct th_stream_ops ops = {poll, rx, rx_taken, tx, tx_put, close, failure};
    return (struct th_stream){&ops, stream};
}

/* ---- log ---- */

uint32_t harness_digest(uint32_t digest, struct th_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        digest = (digest ^ bytes.at[i]) * 16777619u;
    return digest;
}

void harness_log_line(struct harness_log *log, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof log->text - log->len;
    int len = vsnprintf(log->text + log->len, room, format, arguments);
    va_end(arguments);
    log->len += (size_t)len < room ? (size_t)len : room - 1;
}

static unsigned digest_of(struct th_span bytes)
{
    return harness_digest(HARNESS_DIGEST, bytes);
}

static void log_message(struct harness_log *log, const char *kind,
                        const struct th_mqtt_message *message)
{
    harness_log_line(log, "%s %.*s qos %d retain %d dup %d len %u/%zu:%08x properties %zu:%08x\n",
                     kind, (int)message->topic.len,
                     message->topic.len > 0 ? (const char *)message->topic.at : "",
                     (int)message->qos, message->retain, message->dup, message->payload_len,
                     message->payload.len, digest_of(message->payload), message->properties.len,
                     digest_of(message->properties));
}

static void log_connack(struct harness_log *log, const struct th_mqtt_connack *connack)
{
    harness_log_line(log,
                     "connected present %d resent %u new %d keep-alive %u receive %u packet %u qos "
                     "%u offers %d%d%d%d aliases %u expiry %u client %.*s properties %zu:%08x\n",
                     connack->session_present, connack->resent, connack->resent_as_new,
                     connack->limits->keep_alive_s, connack->limits->receive_maximum,
                     connack->limits->maximum_packet_size, connack->limits->maximum_qos,
                     connack->limits->retain_available, connack->limits->wildcard_available,
                     connack->limits->subscription_id_available, connack->limits->shared_available,
                     connack->limits->topic_alias_maximum, connack->limits->session_expiry_s,
                     (int)connack->client_id.len,
                     connack->client_id.len > 0 ? (const char *)connack->client_id.at : "",
                     connack->properties.len, digest_of(connack->properties));
}

static void log_ack(struct harness_log *log, const char *kind, const struct th_mqtt_ack *ack)
{
    harness_log_line(log, "%s id %u reason %02x codes %zu:%08x properties %zu:%08x\n", kind,
                     ack->id, ack->reason_code, ack->codes.len, digest_of(ack->codes),
                     ack->properties.len, digest_of(ack->properties));
}

void harness_log_event(struct harness_log *log, const struct th_mqtt_event *event)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED: log_connack(log, &event->u.connack); break;
    case TH_MQTT_EVENT_MESSAGE: log_message(log, "message", &event->u.message); break;
    case TH_MQTT_EVENT_BEGIN: log_message(log, "begin", &event->u.message); break;
    case TH_MQTT_EVENT_CHUNK:
        harness_log_line(log, "chunk at %u len %zu:%08x\n", event->u.chunk.offset,
                         event->u.chunk.bytes.len, digest_of(event->u.chunk.bytes));
        break;
    case TH_MQTT_EVENT_END: harness_log_line(log, "end\n"); break;
    case TH_MQTT_EVENT_PUBLISHED: log_ack(log, "published", &event->u.ack); break;
    case TH_MQTT_EVENT_SENT: log_ack(log, "sent", &event->u.ack); break;
    case TH_MQTT_EVENT_SUBSCRIBED: log_ack(log, "subscribed", &event->u.ack); break;
    case TH_MQTT_EVENT_UNSUBSCRIBED: log_ack(log, "unsubscribed", &event->u.ack); break;
    case TH_MQTT_EVENT_AUTH: log_ack(log, "auth", &event->u.ack); break;
    case TH_MQTT_EVENT_FAILED:
        harness_log_line(log, "failed %s reason %02x name %s\n",
                         th_error_name(event->u.failure.error), event->u.failure.reason_code,
                         event->u.failure.name);
        break;
    case TH_MQTT_EVENT_CLOSED: harness_log_line(log, "closed\n"); break;
    }
}

/* ---- bytes ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t harness_hex(const char *hex, uint8_t *into, size_t room)
{
    size_t len = 0;
    size_t open[4];
    size_t depth = 0;
    for (const char *at = hex; *at != '\0'; at++) {
        if (*at == ' ')
            continue;
        if (*at == '(' && depth < 4 && len < room) {
            open[depth++] = len++;
            continue;
        }
        if (*at == ')' && depth > 0) {
            depth--;
            into[open[depth]] = (uint8_t)(len - open[depth] - 1);
            continue;
        }
        if (*at == '\'') {
            for (at++; *at != '\'' && *at != '\0' && len < room; at++)
                into[len++] = (uint8_t)*at;
            continue;
        }
        if (digit(at[0]) < 0 || digit(at[1]) < 0 || len == room) {
            fprintf(stderr, "no hex, or too long: %s\n", at);
            abort();
        }
        into[len++] = (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
        at++;
    }
    return len;
}

uint32_t harness_random(uint64_t *seed)
{
    /* splitmix64 */
    uint64_t mixed = (*seed += 0x9E3779B97F4A7C15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((mixed ^ (mixed >> 31)) >> 16);
}

uint32_t harness_below(uint64_t *seed, uint32_t limit)
{
    return limit > 0 ? harness_random(seed) % limit : 0;
}

uint64_t harness_seed(uint64_t otherwise)
{
    const char *given = getenv("TH_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : otherwise;
    printf("TH_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}
