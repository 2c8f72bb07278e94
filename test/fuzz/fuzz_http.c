/* SPDX-License-Identifier: MIT */
/* R10: any bytes to the HTTP server, and the same bytes one by one: no harm, the same requests, and
 * nothing in a request that could be read in two ways. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/http.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t digest(uint32_t sum, struct th_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ bytes.at[i]) * 16777619u;
    return (sum ^ (uint32_t)bytes.len) * 16777619u;
}

static uint32_t see(uint32_t sum, const struct th_http_request *request)
{
    char into[32];

    if (request->path.len == 0 || request->path.at[0] != '/' ||
        memchr(request->path.at, ' ', request->path.len) ||
        memchr(request->path.at, '?', request->path.len))
        abort();
    if (request->method != TH_HTTP_POST && request->body.len > 0)
        abort();
    th_http_form_value(request->query, "a", into, sizeof into);
    th_http_form_value(request->body, "a", into, sizeof into);
    th_http_cookie(request->cookie, "a");
    sum = digest(sum, request->path);
    sum = digest(sum, request->query);
    sum = digest(sum, request->host);
    sum = digest(sum, request->cookie);
    return digest(sum, request->body);
}

/* Digest of all requests and of all that was sent. */
static uint32_t serve(const uint8_t *data, size_t size, size_t grain)
{
    struct th_http http;
    uint8_t *buffer = malloc(TH_HTTP_BUFFER_MIN);
    uint32_t sum = 2166136261u;
    enum th_http_event event = TH_HTTP_NONE;

    th_http_init(&http, buffer, TH_HTTP_BUFFER_MIN, 0);
    for (size_t turns = 0; turns < 3 * size + 1000 && event != TH_HTTP_CLOSE; turns++) {
        struct th_http_request request;
        uint8_t *at;
        size_t room = th_http_rx_space(&http, &at);
        size_t len = size < grain ? size : grain;
        len = len < room ? len : room;
        if (len > 0) {
            memcpy(at, data, len);
            data += len;
            size -= len;
            th_http_rx_commit(&http, len, 0);
        } else if (size == 0) {
            th_http_rx_end(&http);
        }
        event = th_http_next(&http, 0, &request);
        if (event == TH_HTTP_REQUEST) {
            sum = see(sum, &request);
            const struct th_http_answer answer = {.status = 200, .body = request.path};
            th_http_answer(&http, &answer, 0);
        }
        struct th_span out = th_http_tx_pending(&http);
        /* Whether 100 Continue is said depends on what has come: the digest leaves answers out. */
        th_http_tx_done(&http, out.len, 0);
    }
    if (event != TH_HTTP_CLOSE)
        abort();
    free(buffer);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192)
        return 0;
    uint32_t whole = serve(data, size, SIZE_MAX);
    if (serve(data, size, 1) != whole || serve(data, size, 7) != whole)
        abort();
    return 0;
}
