/* SPDX-License-Identifier: MIT */
/* What src/http makes of connections. Standard input: for each the length of what the client says,
 * four bytes little-endian, then that. Standard output: a line of JSON for each: the requests that
 * were understood, and the status of the answer that refused the next (0: none was refused). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/http.h>

enum { ROOM = TH_HTTP_HEAD_MAX + 2000, SAID_MAX = 16000, LINE_MAX_BYTES = 200000 };

struct verdict {
    char line[LINE_MAX_BYTES];
    size_t len;
    bool full;
};

static void put(struct verdict *verdict, const char *text, size_t len)
{
    verdict->full |= len >= sizeof verdict->line - verdict->len;
    if (verdict->full)
        return;
    memcpy(verdict->line + verdict->len, text, len);
    verdict->len += len;
    verdict->line[verdict->len] = '\0';
}

static void put_text(struct verdict *verdict, const char *text)
{
    put(verdict, text, strlen(text));
}

/* In hexadecimal: whatever bytes there are, Node reads the same. */
static void put_span(struct verdict *verdict, const char *name, struct th_span value)
{
    static const char digits[] = "0123456789abcdef";

    put_text(verdict, ",\"");
    put_text(verdict, name);
    put_text(verdict, "\":\"");
    for (size_t i = 0; i < value.len; i++) {
        const char pair[] = {digits[value.at[i] >> 4], digits[value.at[i] & 15]};
        put(verdict, pair, sizeof pair);
    }
    put_text(verdict, "\"");
}

static void put_request(struct verdict *verdict, const struct th_http_request *request)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "OPTIONS"};
    struct th_span target = request->path;

    /* The query lies behind its path, with the question mark between. */
    if (request->query.at)
        target.len += 1 + request->query.len;
    if (verdict->line[verdict->len - 1] == '}')
        put_text(verdict, ",");
    put_text(verdict, "{\"method\":\"");
    put_text(verdict, methods[request->method]);
    put_text(verdict, "\"");
    put_span(verdict, "target", target);
    put_span(verdict, "host", request->host);
    put_span(verdict, "cookie", request->cookie);
    put_span(verdict, "origin", request->origin);
    put_span(verdict, "type", request->content_type);
    put_span(verdict, "body", request->body);
    put_text(verdict, "}");
}

/* Takes what is to be sent; the status of an answer that the server gave by itself. */
static int take_answers(struct th_http *http)
{
    int status = 0;

    for (struct th_span out; (out = th_http_tx_pending(http)).len > 0;) {
        if (out.len > 12 && memcmp(out.at, "HTTP/1.1 ", 9) == 0 && out.at[9] != '1')
            status = (out.at[9] - '0') * 100 + (out.at[10] - '0') * 10 + out.at[11] - '0';
        th_http_tx_done(http, out.len, 0);
    }
    return status;
}

struct connection {
    struct th_http http;
    uint8_t buffer[ROOM];
    int refused;
    bool closed;
};

static void turn(struct connection *connection, struct verdict *verdict)
{
    static const struct th_http_answer answer = {.status = 204};
    struct th_http_request request;
    struct th_http *http = &connection->http;

    for (;;) {
        enum th_http_event event = th_http_next(http, 0, &request);
        if (event == TH_HTTP_REQUEST) {
            put_request(verdict, &request);
            th_http_answer(http, &answer, 0);
            take_answers(http);
            continue;
        }
        int status = take_answers(http);
        connection->refused |= status;
        connection->closed = event == TH_HTTP_CLOSE;
        if (status == 0)
            return;
    }
}

static void judge(const uint8_t *said, size_t len, size_t grain, struct verdict *verdict)
{
    static struct connection connection;
    char status[32];

    memset(&connection, 0, sizeof connection);
    th_http_init(&connection.http, connection.buffer, sizeof connection.buffer, 0);
    verdict->len = 0;
    put_text(verdict, "{\"requests\":[");
    for (size_t at = 0; at < len && !connection.closed;) {
        uint8_t *into;
        size_t room = th_http_rx_space(&connection.http, &into);
        size_t part = len - at < grain ? len - at : grain;
        part = part < room ? part : room;
        if (part == 0)
            break;
        memcpy(into, said + at, part);
        at += part;
        th_http_rx_commit(&connection.http, part, 0);
        turn(&connection, verdict);
    }
    th_http_rx_end(&connection.http);
    turn(&connection, verdict);
    snprintf(status, sizeof status, "],\"refused\":%d}", connection.refused);
    put_text(verdict, status);
}

int main(void)
{
    static struct verdict whole, bytes;
    static uint8_t said[SAID_MAX];
    uint8_t head[4];

    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
        if (len > sizeof said || fread(said, 1, len, stdin) != len)
            return EXIT_FAILURE;
        judge(said, len, len, &whole);
        judge(said, len, 1, &bytes);
        if (whole.full || strcmp(whole.line, bytes.line) != 0) {
            fprintf(stderr, "whole: %s\nbyte by byte: %s\n", whole.line, bytes.line);
            return EXIT_FAILURE;
        }
        puts(whole.line);
    }
    return EXIT_SUCCESS;
}
