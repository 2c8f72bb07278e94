/* SPDX-License-Identifier: MIT */
/* What a WebSocket server may send: any answer to the upgrade, then any frames, in any pieces. */
#include <stdlib.h>
#include <string.h>

#include <thimble/tls_openssl.h>
#include <thimble/websocket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What our key, all zero, is answered with. */
static const char good[] = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Protocol: mqtt\r\n"
                           "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";

struct inner {
    const uint8_t *in;
    size_t from, shown, to, bite, room, out_len;
    uint8_t out[1024];
};

static enum th_stream_state poll(void *ctx, uint32_t now_ms)
{
    struct inner *inner = ctx;
    size_t left = inner->to - inner->shown;
    (void)now_ms;
    inner->shown += left < inner->bite ? left : inner->bite;
    inner->out_len = 0; /* all has left */
    return TH_STREAM_OPEN;
}

static struct th_span rx(void *ctx)
{
    const struct inner *inner = ctx;
    return th_span_of(inner->in + inner->from, inner->shown - inner->from);
}

static void rx_taken(void *ctx, size_t len)
{
    struct inner *inner = ctx;
    if (len > inner->shown - inner->from)
        abort();
    inner->from += len;
}

static uint8_t *tx(void *ctx, size_t *room)
{
    struct inner *inner = ctx;
    *room = inner->room - inner->out_len;
    return *room > 0 ? inner->out + inner->out_len : NULL;
}

static void tx_put(void *ctx, size_t len)
{
    struct inner *inner = ctx;
    if (len > inner->room - inner->out_len)
        abort();
    inner->out_len += len;
}

static void close(void *ctx, bool orderly)
{
    (void)ctx;
    (void)orderly;
}

static void failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

static struct th_stream start(void *ctx, const struct th_tls_start *how, uint32_t now_ms)
{
    static const struct th_stream_ops ops = {poll, rx, rx_taken, tx, tx_put, close, failure};
    (void)how;
    (void)now_ms;
    return (struct th_stream){&ops, ctx};
}

static bool zeros(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    memset(into, 0, len);
    return true;
}

/* Reads all that comes, and writes a little in between. */
static void play(struct th_stream *stream, struct inner *inner)
{
    for (size_t before = SIZE_MAX; before != inner->shown || inner->shown < inner->to;) {
        before = inner->shown;
        enum th_stream_state state = stream->ops->poll(stream->ctx, 0);
        struct th_span span = stream->ops->rx(stream->ctx);
        if (span.len > inner->shown - inner->from)
            abort();
        stream->ops->rx_taken(stream->ctx, span.len > 3 ? span.len / 2 : span.len);
        size_t room;
        uint8_t *at = stream->ops->tx(stream->ctx, &room);
        size_t len = room < 5 ? room : 5;
        if (at != NULL)
            memset(at, 'x', len);
        stream->ops->tx_put(stream->ctx, at != NULL ? len : 0);
        if (state == TH_STREAM_FAILED || state == TH_STREAM_ENDED)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct th_entropy_ops entropy = {zeros};
    static const struct th_tls_start how = {.config = NULL};
    if (size < 2)
        return 0;
    bool upgraded = (data[0] & 1) != 0;
    size_t answer = upgraded ? sizeof good - 1 : 0, len = answer + size - 2;
    uint8_t *bytes = malloc(len + 1);
    memcpy(bytes, good, answer);
    memcpy(bytes + answer, data + 2, size - 2);
    struct inner inner = {
        .in = bytes, .to = len, .bite = data[1] + 1u, .room = 300u + (data[0] >> 1)};
    struct th_tls_ops ops = {.name = "inner", .hashes = th_tls_openssl.hashes, .start = start};
    struct th_board board = {.entropy = {.ops = &entropy}};
    struct th_websocket websocket;
    struct th_tls tls = th_websocket_init(
        &websocket, &(struct th_websocket_options){
                        .tls = {&ops, &inner}, .board = &board, .host = "b", .path = "/"});
    struct th_stream stream = tls.ops->start(tls.ctx, &how, 0);
    play(&stream, &inner);
    stream.ops->close(stream.ctx, true);
    free(bytes);
    return 0;
}
