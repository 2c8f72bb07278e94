/* SPDX-License-Identifier: MIT */
/*
 * Bytes from a server to a BearSSL client: [options] [2 bytes: length of the anchor] anchor, then
 * what the server sends. The client's randomness is fixed, so that a recorded handshake, as the
 * seed corpus holds them, replays to its end and the fuzzer starts from any point of it.
 *
 * The options: bits 0–1 the trust mode, bit 2 a name or an address, bits 3–5 the size of the
 * pieces, bit 6 whether the wire ends behind the last byte or is reset.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/tls_bearssl.h>

struct server {
    const uint8_t *bytes;
    size_t len, piece;
    enum th_stream_state end;
};

static enum th_stream_state wire_state(void *ctx)
{
    const struct server *server = ctx;
    return server->len == 0 ? server->end : TH_STREAM_OPEN;
}

static size_t wire_read(void *ctx, uint8_t *into, size_t room)
{
    struct server *server = ctx;
    size_t len = room < server->len ? room : server->len;
    if (len > server->piece)
        len = server->piece;
    memcpy(into, server->bytes, len);
    server->bytes += len;
    server->len -= len;
    return len;
}

static size_t wire_write(void *ctx, const uint8_t *bytes, size_t len, bool more)
{
    (void)ctx, (void)bytes, (void)more;
    return len;
}

static void wire_close(void *ctx, bool orderly)
{
    (void)ctx, (void)orderly;
}

static void wire_failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

static const struct th_wire_ops wire_ops = {wire_state, wire_read, wire_write, wire_close,
                                            wire_failure};

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    uint8_t *next = ctx;
    while (len--)
        *into++ = (*next)++;
    return true;
}

static const struct th_entropy_ops entropy_ops = {fill};

/* Reads what came and sends something, until the connection is over. */
static void talk(struct th_stream stream)
{
    for (unsigned step = 0; step < 100000; step++) {
        enum th_stream_state state = stream.ops->poll(stream.ctx, 0);
        struct th_span rx = stream.ops->rx(stream.ctx);
        uint8_t copy[TH_BEARSSL_IN(512)];
        if (rx.len != 0)
            memcpy(copy, rx.at, rx.len);
        if (rx.len != 0)
            stream.ops->rx_taken(stream.ctx, rx.len);
        else if (state == TH_STREAM_ENDED || state == TH_STREAM_FAILED)
            return;
        size_t room;
        uint8_t *into = stream.ops->tx(stream.ctx, &room);
        if (room > 10) {
            memset(into, 'x', 10);
            stream.ops->tx_put(stream.ctx, 10);
        }
    }
    abort(); /* the wire ended long ago */
}

static void run(uint8_t options, struct th_span anchor, struct th_span bytes)
{
    static const uint8_t prints[1][TH_SHA1_BYTES] = {{1}};
    uint8_t next = 1, in[TH_BEARSSL_IN(512)], out[TH_BEARSSL_OUT(512)];
    struct th_bearssl tls;
    struct th_board board = {.entropy = {&entropy_ops, &next}};
    struct th_trust trust = {.mode = (enum th_trust_mode)((options & 3) % 3),
                             .anchors = &anchor,
                             .anchor_count = 1,
                             .sha1_fingerprints = (const uint8_t(*)[TH_SHA1_BYTES])prints};
    trust.sha1_fingerprint_count = trust.mode == TH_TRUST_FINGERPRINT_INSTEAD;
    struct th_tls_config config = {
        .trust = &trust, .board = &board, .fragment_length = TH_FRAGMENT_512};
    struct server server = {bytes.at, bytes.len, (size_t)1 << (options >> 3 & 7) * 2,
                            options & 0x40 ? TH_STREAM_FAILED : TH_STREAM_ENDED};
    uint8_t *scratch = malloc(th_tls_bearssl.scratch_size);
    struct th_tls_start start = {.config = &config,
                                 .server_name = options & 4 ? "192.0.2.1" : "broker.test",
                                 .wire = {&wire_ops, &server},
                                 .scratch = th_span_of(scratch, th_tls_bearssl.scratch_size)};
    th_bearssl_init(&tls, &th_bearssl_host, in, sizeof in, out, sizeof out);
    struct th_stream stream = th_tls_bearssl.start(&tls, &start, 0);
    talk(stream);
    stream.ops->close(stream.ctx, true);
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 3)
        return 0;
    size_t anchor_len = (size_t)data[1] << 8 | data[2];
    if (anchor_len > len - 3)
        return 0;
    run(data[0], th_span_of(data + 3, anchor_len),
        th_span_of(data + 3 + anchor_len, len - 3 - anchor_len));
    return 0;
}
