/* SPDX-License-Identifier: MIT */
/* One connection: receive a request whole, have it answered, send the answer, the next one. */
#include <thimble/http.h>
#include <thimble/time.h>

#include "base/text.h"
#include "http/parts.h"

enum { READING, WAITING, ANSWERING, ENDED };

void th_http_init(struct th_http *http, uint8_t *buffer, size_t room, uint32_t now_ms)
{
    memset(http, 0, sizeof *http);
    http->buffer = buffer;
    http->room = room;
    http->since_ms = now_ms;
}

/* ---- receiving ---- */

size_t th_http_rx_space(struct th_http *http, uint8_t **at)
{
    *at = http->buffer + http->used;
    return http->state == READING && !http->peer_ended ? http->room - http->used : 0;
}

void th_http_rx_commit(struct th_http *http, size_t len, uint32_t now_ms)
{
    if (http->used == 0 && len > 0)
        http->since_ms = now_ms;
    http->used += len;
}

void th_http_rx_end(struct th_http *http)
{
    http->peer_ended = true;
}

/* ---- answering ---- */

static const struct {
    uint16_t status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *th_http_reason(uint16_t status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

static void put_head(struct th_http *http, const struct th_http_answer *answer, uint32_t len)
{
    size_t left = (size_t)(http->out_len - http->out_at); /* of a 100 that is on its way */

    memmove(http->out, http->out + http->out_at, left);
    struct th_text text = th_text_init((char *)http->out + left, sizeof http->out - left);

    th_text_str(&text, "HTTP/1.1 ");
    th_text_decimal(&text, answer->status);
    th_text_char(&text, ' ');
    th_text_str(&text, th_http_reason(answer->status));
    /* 204 and 304 have no content, and say nothing of its length (RFC 9110 §8.6). */
    if (answer->status != 204 && answer->status != 304) {
        th_text_str(&text, "\r\nContent-Length: ");
        th_text_decimal(&text, len);
    }
    if (answer->content_type) {
        th_text_str(&text, "\r\nContent-Type: ");
        th_text_str(&text, answer->content_type);
    }
    th_text_str(&text, http->closing ? "\r\nConnection: close\r\n" : "\r\n");
    if (answer->fields)
        th_text_str(&text, answer->fields);
    th_text_str(&text, "\r\n");
    http->out_len = (uint16_t)(left + text.len);
    http->out_at = 0;
}

static size_t read_body(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    const struct th_http *http = user;
    size_t left = http->body.len - offset, len = left < room ? left : room;

    memcpy(into, http->body.at + offset, len);
    return len;
}

static void begin_answer(struct th_http *http, const struct th_http_answer *answer, uint32_t now_ms)
{
    static const struct th_http_source nothing = {0};
    uint32_t len = answer->source ? answer->source->len : (uint32_t)answer->body.len;

    http->closing |= answer->close || ++http->requests >= TH_HTTP_REQUESTS ||
                     (http->peer_ended && http->used == http->all);
    put_head(http, answer, len);
    http->body = answer->body;
    http->source = answer->source     ? *answer->source
                   : answer->body.len ? (struct th_http_source){read_body, http, len}
                                      : nothing;
    if (http->no_body || answer->status == 204 || answer->status == 304)
        http->source = nothing;
    http->body_at = 0;
    http->chunk_len = http->chunk_at = 0;
    http->state = ANSWERING;
    http->since_ms = now_ms;
}

/* An error of the request itself: what follows it cannot be told apart from it any more. */
static void refuse(struct th_http *http, uint16_t status, uint32_t now_ms)
{
    const struct th_http_answer answer = {.status = status,
                                          .content_type = "text/plain; charset=utf-8",
                                          .body = th_span_str(th_http_reason(status)),
                                          .close = true};

    http->used = http->all = 0;
    http->no_body = false;
    begin_answer(http, &answer, now_ms);
}

void th_http_answer(struct th_http *http, const struct th_http_answer *answer, uint32_t now_ms)
{
    if (http->state == WAITING)
        begin_answer(http, answer, now_ms);
}

/* ---- sending ---- */

/* The body's next piece, behind the head. */
static bool refill(struct th_http *http)
{
    if (http->body_at == http->source.len)
        return false;
    size_t room = sizeof http->chunk, left = http->source.len - http->body_at;
    size_t len =
        http->source.read(http->source.user, http->body_at, http->chunk, left < room ? left : room);

    if (len == 0) { /* broken: fewer bytes than announced, which only a close can tell */
        http->source.len = http->body_at;
        http->closing = true;
        return false;
    }
    http->body_at += (uint32_t)len;
    http->chunk_len = (uint16_t)len;
    http->chunk_at = 0;
    return true;
}

struct th_span th_http_tx_pending(struct th_http *http)
{
    if (http->out_at < http->out_len)
        return th_span_of(http->out + http->out_at, (size_t)(http->out_len - http->out_at));
    if (http->state != ANSWERING)
        return th_span_of(NULL, 0);
    if (http->chunk_at == http->chunk_len && !refill(http))
        return th_span_of(NULL, 0);
    return th_span_of(http->chunk + http->chunk_at, (size_t)(http->chunk_len - http->chunk_at));
}

void th_http_tx_done(struct th_http *http, size_t len, uint32_t now_ms)
{
    if (len > 0 && http->state == ANSWERING)
        http->since_ms = now_ms;
    if (http->out_at < http->out_len)
        http->out_at = (uint16_t)(http->out_at + len);
    else
        http->chunk_at = (uint16_t)(http->chunk_at + len);
}

/* ---- the course ---- */

/* The answered request makes room for what came behind it (pipelining). */
static void next_request(struct th_http *http, uint32_t now_ms)
{
    http->used -= http->all;
    memmove(http->buffer, http->buffer + http->all, http->used);
    http->all = 0;
    http->told_continue = http->skipped = false;
    http->out_len = http->out_at = 0;
    http->state = http->closing ? ENDED : READING;
    http->since_ms = now_ms;
}

static void tell_continue(struct th_http *http)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (http->told_continue)
        return;
    http->told_continue = true;
    memcpy(http->out, text, sizeof text - 1);
    http->out_len = sizeof text - 1;
    http->out_at = 0;
}

/* One empty line before a request is passed over (RFC 9112 §2.2), and only one: else who sends
 * nothing but empty lines would never be late. */
static void skip_empty_line(struct th_http *http)
{
    if (http->skipped || http->used < 2 || http->buffer[0] != '\r' || http->buffer[1] != '\n')
        return;
    http->skipped = true;
    http->used -= 2;
    memmove(http->buffer, http->buffer + 2, http->used);
}

/* 0 when the head at the front is whole and good; `*head_len` 0: not whole yet. Else the status. */
static uint16_t judge(struct th_http *http, struct http_head *head, size_t *head_len)
{
    size_t len = http->used < TH_HTTP_HEAD_MAX ? http->used : TH_HTTP_HEAD_MAX;
    bool bad;

    *head_len = http_head_length(th_span_of(http->buffer, len), &bad);
    if (bad)
        return 400;
    if (*head_len == 0)
        return len == TH_HTTP_HEAD_MAX ? 431 : 0;
    uint16_t status = http_head_read(th_span_of(http->buffer, *head_len), head);
    return status == 0 && head->body_len > http->room - *head_len ? 413 : status;
}

/* What is there of a request: REQUEST when it is whole. */
static enum th_http_event read(struct th_http *http, uint32_t now_ms,
                               struct th_http_request *request)
{
    struct http_head head;
    size_t head_len;

    skip_empty_line(http);
    uint16_t status = judge(http, &head, &head_len);
    if (status != 0)
        refuse(http, status, now_ms);
    if (status != 0 || head_len == 0)
        return TH_HTTP_NONE;
    if (http->used - head_len < head.body_len) {
        if (head.expect_continue)
            tell_continue(http);
        return TH_HTTP_NONE;
    }
    http->all = head_len + head.body_len;
    *request = head.request;
    request->body = th_span_of(http->buffer + head_len, head.body_len);
    http->closing = head.close;
    http->no_body = head.request.method == TH_HTTP_HEAD;
    http->state = WAITING;
    return TH_HTTP_REQUEST;
}

static uint32_t allowed_ms(const struct th_http *http)
{
    return http->state == ANSWERING ? TH_HTTP_ANSWER_MS
           : http->used > 0         ? TH_HTTP_REQUEST_MS
                                    : TH_HTTP_IDLE_MS;
}

static void late(struct th_http *http, uint32_t now_ms)
{
    if (http->state == READING && http->used > 0)
        refuse(http, 408, now_ms);
    else
        http->state = ENDED;
}

enum th_http_event th_http_next(struct th_http *http, uint32_t now_ms,
                                struct th_http_request *request)
{
    if ((http->state == READING || http->state == ANSWERING) &&
        now_ms - http->since_ms >= allowed_ms(http))
        late(http, now_ms);
    if (http->state == ANSWERING && th_http_tx_pending(http).len == 0)
        next_request(http, now_ms);
    enum th_http_event event = http->state == READING ? read(http, now_ms, request) : TH_HTTP_NONE;
    if (http->state == READING && http->peer_ended)
        http->state = ENDED; /* half a request, and its sender is gone */
    return http->state == ENDED ? TH_HTTP_CLOSE : event;
}

bool th_http_waits(const struct th_http *http)
{
    return http->state == READING && http->out_at == http->out_len;
}

uint32_t th_http_deadline(const struct th_http *http, uint32_t now_ms)
{
    if (http->state == ENDED)
        return 0;
    if (http->state == WAITING)
        return TH_FOREVER;
    return th_time_until(now_ms, http->since_ms + allowed_ms(http));
}
