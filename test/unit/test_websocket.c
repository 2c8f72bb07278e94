/* SPDX-License-Identifier: MIT */
/* WebSocket framing over a stream that gives and takes as the test says: whole, byte by byte, split
 * at each point ([MQTT-6.0.0-1] to -4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/tls_openssl.h>
#include <thimble/websocket.h>

#define GOOD                                                                \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"            \
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Protocol:  mqtt \r\n" \
    "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\nServer: x\r\n\r\n"

/* What a TLS engine shows of what has arrived, at most `bite` bytes a poll, and takes. */
struct inner {
    enum th_stream_state state;
    uint8_t in[200000], out[70000];
    size_t from, shown, to, bite, out_len, room;
    bool closed, entropy_fails;
    uint8_t fill;
    unsigned starts;
};

static enum th_stream_state inner_poll(void *ctx, uint32_t now_ms)
{
    struct inner *inner = ctx;
    (void)now_ms;
    size_t left = inner->to - inner->shown;
    inner->shown += left < inner->bite ? left : inner->bite;
    return inner->state;
}

static struct th_span inner_rx(void *ctx)
{
    struct inner *inner = ctx;
    return th_span_of(inner->in + inner->from, inner->shown - inner->from);
}

static void inner_taken(void *ctx, size_t len)
{
    struct inner *inner = ctx;
    assert_true(len <= inner->shown - inner->from);
    inner->from += len;
}

static uint8_t *inner_tx(void *ctx, size_t *room)
{
    struct inner *inner = ctx;
    *room = inner->room - inner->out_len;
    return *room > 0 ? inner->out + inner->out_len : NULL;
}

static void inner_put(void *ctx, size_t len)
{
    struct inner *inner = ctx;
    assert_true(len <= inner->room - inner->out_len);
    inner->out_len += len;
}

static void inner_close(void *ctx, bool orderly)
{
    struct inner *inner = ctx;
    (void)orderly;
    inner->closed = true;
}

static void inner_failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_RESET);
}

static struct th_stream inner_start(void *ctx, const struct th_tls_start *how, uint32_t now_ms)
{
    static const struct th_stream_ops ops = {inner_poll, inner_rx,    inner_taken,  inner_tx,
                                             inner_put,  inner_close, inner_failure};
    struct inner *inner = ctx;
    (void)how;
    (void)now_ms;
    inner->starts++;
    return (struct th_stream){&ops, inner};
}

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    struct inner *inner = ctx;
    memset(into, inner->fill, len);
    return !inner->entropy_fails;
}

struct fixture {
    struct inner inner;
    struct th_tls_ops ops;
    struct th_board board;
    struct th_websocket websocket;
    struct th_stream stream;
};

static void start(struct fixture *fixture)
{
    static const struct th_tls_start how = {.config = NULL};
    struct inner *inner = &fixture->inner;
    inner->from = inner->shown = inner->to = inner->out_len = 0;
    fixture->stream = fixture->websocket.ops.start(&fixture->websocket, &how, 0);
}

static int setup(void **state)
{
    static const struct th_entropy_ops entropy = {fill};
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->inner.state = TH_STREAM_OPEN;
    fixture->inner.bite = SIZE_MAX;
    fixture->inner.room = sizeof fixture->inner.out;
    fixture->ops =
        (struct th_tls_ops){.name = "inner", .hashes = th_tls_openssl.hashes, .start = inner_start};
    fixture->board.entropy.ops = &entropy;
    fixture->board.entropy.ctx = &fixture->inner;
    th_websocket_init(&fixture->websocket,
                      &(struct th_websocket_options){.tls = {&fixture->ops, &fixture->inner},
                                                     .board = &fixture->board,
                                                     .host = "broker.example:8884",
                                                     .path = "/mqtt"});
    start(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static enum th_stream_state poll(struct fixture *fixture)
{
    return fixture->stream.ops->poll(fixture->stream.ctx, 0);
}

static void arrives(struct fixture *fixture, const void *bytes, size_t len)
{
    struct inner *inner = &fixture->inner;
    assert_true(inner->to + len <= sizeof inner->in);
    if (len > 0)
        memcpy(inner->in + inner->to, bytes, len);
    inner->to += len;
}

static void answers(struct fixture *fixture, const char *answer)
{
    arrives(fixture, answer, strlen(answer));
}

static enum th_stream_state settle(struct fixture *fixture)
{
    enum th_stream_state state;
    size_t before;
    do {
        before = fixture->inner.shown;
        state = poll(fixture);
    } while (fixture->inner.shown != before && state != TH_STREAM_FAILED);
    return state;
}

static void open_it(struct fixture *fixture)
{
    assert_int_equal(poll(fixture), TH_STREAM_OPENING);
    answers(fixture, GOOD);
    assert_int_equal(settle(fixture), TH_STREAM_OPEN);
    fixture->inner.out_len = 0;
}

/* All that can be read now, in pieces as it is lent. */
static size_t read_all(struct fixture *fixture, uint8_t *into, size_t room)
{
    size_t len = 0;
    for (;;) {
        struct th_span span = fixture->stream.ops->rx(fixture->stream.ctx);
        if (span.len == 0 && fixture->inner.shown == fixture->inner.to)
            return len;
        assert_true(len + span.len <= room);
        if (span.len > 0)
            memcpy(into + len, span.at, span.len);
        len += span.len;
        fixture->stream.ops->rx_taken(fixture->stream.ctx, span.len);
        if (poll(fixture) == TH_STREAM_FAILED)
            return len;
    }
}

static enum th_error failure_of(struct fixture *fixture)
{
    struct th_failure failure;
    fixture->stream.ops->failure(fixture->stream.ctx, &failure);
    return failure.error;
}

/* ---- the upgrade ---- */

static void the_request_offers_mqtt_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    poll(fixture);
    fixture->inner.out[fixture->inner.out_len] = '\0';
    assert_string_equal((char *)fixture->inner.out,
                        "GET /mqtt HTTP/1.1\r\nHost: broker.example:8884\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Protocol: mqtt\r\n" /* [MQTT-6.0.0-3] */
                        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
}

static void a_request_goes_out_in_whatever_room_there_is(void **state)
{
    struct fixture *fixture = *state;
    fixture->inner.room = 0;
    for (int i = 0; i < 400; i++) {
        fixture->inner.room++;
        assert_int_equal(poll(fixture), TH_STREAM_OPENING);
    }
    assert_memory_equal(fixture->inner.out + fixture->inner.out_len - 6, "==\r\n\r\n", 6);
}

static void a_good_answer_opens_it_split_at_each_point(void **state)
{
    struct fixture *fixture = *state;
    for (size_t bite = 1; bite <= sizeof GOOD; bite++) {
        fixture->inner.bite = bite;
        start(fixture);
        poll(fixture);
        answers(fixture, GOOD);
        assert_int_equal(settle(fixture), TH_STREAM_OPEN);
    }
}

static void any_other_answer_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bad[] = {
        "HTTP/1.1 404 Not Found\r\n\r\n",
        "HTTP/1.0 101 x\r\n",
        "SSH-2.0-x\r\n",
        "\r\n",
        "HTTP/1.1 101 x\r\n\r\n",
        /* no Upgrade; no Connection; the wrong key; no protocol; another one */
        "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"
        "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n"
        "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: "
        "mqtt\r\nSec-WebSocket-Accept: icx+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: "
        "chat\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        start(fixture);
        poll(fixture);
        answers(fixture, bad[i]);
        assert_int_equal(settle(fixture), TH_STREAM_FAILED);
        assert_int_equal(failure_of(fixture), TH_ERR_WEBSOCKET_REFUSED);
    }
}

static void an_answer_without_end_is_refused(void **state)
{
    struct fixture *fixture = *state;
    poll(fixture);
    answers(fixture, "HTTP/1.1 101 x\r\n");
    for (int i = 0; i < 9000; i++)
        answers(fixture, "x");
    assert_int_equal(settle(fixture), TH_STREAM_FAILED);
    assert_int_equal(failure_of(fixture), TH_ERR_WEBSOCKET_REFUSED);
}

static void without_random_numbers_nothing_is_sent(void **state)
{
    struct fixture *fixture = *state;
    fixture->inner.entropy_fails = true;
    assert_int_equal(poll(fixture), TH_STREAM_FAILED);
    assert_int_equal(failure_of(fixture), TH_ERR_TLS_ENTROPY);
    assert_int_equal(fixture->inner.out_len, 0);
}

static void what_the_tls_below_says_is_passed_on(void **state)
{
    struct fixture *fixture = *state;
    fixture->inner.state = TH_STREAM_OPENING;
    assert_int_equal(poll(fixture), TH_STREAM_OPENING);
    assert_int_equal(fixture->inner.out_len, 0);
    fixture->inner.state = TH_STREAM_FAILED;
    assert_int_equal(poll(fixture), TH_STREAM_FAILED);
    assert_int_equal(failure_of(fixture), TH_ERR_TCP_RESET);
    fixture->stream.ops->close(fixture->stream.ctx, false);
    assert_true(fixture->inner.closed);
}

/* ---- frames that come ---- */

/* A frame as a server sends it, unmasked; its length in the shortest form. */
static void frame(struct fixture *fixture, uint8_t first, const uint8_t *payload, size_t len)
{
    uint8_t head[10] = {first, (uint8_t)len};
    size_t used = 2;
    if (len > 125) {
        int bytes = len > 65535 ? 8 : 2;
        head[1] = bytes == 2 ? 126 : 127;
        for (int i = 0; i < bytes; i++)
            head[used++] = (uint8_t)((uint64_t)len >> 8 * (bytes - 1 - i));
    }
    arrives(fixture, head, used);
    arrives(fixture, payload, len);
}

static void packets_and_frames_need_not_line_up(void **state)
{
    static uint8_t sent[140000], got[140000];
    static const size_t lengths[] = {1, 125, 0, 126, 2, 65535, 65536, 127};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t bite = 1; bite < 100000; bite = bite * 3 + 1) {
        size_t len = 0;
        fixture->inner.bite = SIZE_MAX;
        start(fixture);
        open_it(fixture);
        fixture->inner.bite = bite;
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            /* every other one is a fragment that the next frame continues: [MQTT-6.0.0-2] */
            frame(fixture, i % 2 ? 0x80 : 0x02, sent + len, lengths[i]);
            len += lengths[i];
        }
        poll(fixture);
        assert_int_equal(read_all(fixture, got, sizeof got), len);
        assert_memory_equal(got, sent, len);
    }
}

static void a_ping_is_answered_with_its_own_words(void **state)
{
    struct fixture *fixture = *state;
    uint8_t got[16];
    open_it(fixture);
    fixture->inner.fill = 0x11;
    frame(fixture, 0x82, (const uint8_t *)"ab", 2);
    frame(fixture, 0x89, (const uint8_t *)"ping", 4);
    frame(fixture, 0x82, (const uint8_t *)"cd", 2);
    poll(fixture);
    assert_int_equal(read_all(fixture, got, sizeof got), 4);
    assert_memory_equal(got, "abcd", 4);
    poll(fixture);
    assert_int_equal(fixture->inner.out_len, 10);
    assert_memory_equal(fixture->inner.out, "\x8A\x84\x11\x11\x11\x11", 6);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fixture->inner.out[6 + i] ^ 0x11, "ping"[i]);
}

static void an_answer_to_a_ping_waits_for_room(void **state)
{
    struct fixture *fixture = *state;
    open_it(fixture);
    fixture->inner.room = 9;
    frame(fixture, 0x89, (const uint8_t *)"ping", 4);
    poll(fixture);
    assert_int_equal(fixture->inner.out_len, 0);
    fixture->inner.room = 1000;
    poll(fixture);
    assert_int_equal(fixture->inner.out_len, 10);
}

static void a_close_ends_the_stream_behind_what_was_sent(void **state)
{
    struct fixture *fixture = *state;
    uint8_t got[16];
    open_it(fixture);
    frame(fixture, 0x82, (const uint8_t *)"ab", 2);
    frame(fixture, 0x88, (const uint8_t *)"\x03\xE8", 2);
    assert_int_equal(poll(fixture), TH_STREAM_OPEN);
    assert_int_equal(read_all(fixture, got, sizeof got), 2);
    assert_int_equal(poll(fixture), TH_STREAM_ENDED);
}

static void what_breaks_the_protocol_ends_the_connection(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t bad[][10] = {
        {0x81, 1, 'x'},                      /* text: [MQTT-6.0.0-1] */
        {0xC2, 1, 'x'},                      /* reserved bits */
        {0x83, 0},                           /* an opcode nobody knows */
        {0x8B, 0},                           /* … of a control frame */
        {0x82, 0x81, 1, 2, 3, 4, 5},         /* a server never masks */
        {0x09, 0},                           /* a control frame in pieces */
        {0x89, 126, 0, 126},                 /* one that is too long */
        {0x82, 127, 0x80, 0, 0, 0, 0, 0, 0}, /* a length of 2^63 */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        start(fixture);
        open_it(fixture);
        arrives(fixture, bad[i], sizeof bad[i]);
        assert_int_equal(settle(fixture), TH_STREAM_FAILED);
        assert_int_equal(failure_of(fixture), TH_ERR_WEBSOCKET_FRAME);
    }
}

/* ---- frames that go ---- */

static void what_is_put_goes_out_masked_in_binary_frames(void **state)
{
    static const size_t lengths[] = {1, 125, 126, 60000};
    struct fixture *fixture = *state;
    open_it(fixture);
    fixture->inner.fill = 0xA5;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t room, len = lengths[i], head = len < 126 ? 6 : 8;
        fixture->inner.out_len = 0;
        uint8_t *at = fixture->stream.ops->tx(fixture->stream.ctx, &room);
        assert_true(room >= len);
        for (size_t j = 0; j < len; j++)
            at[j] = (uint8_t)(j * 3);
        fixture->stream.ops->tx_put(fixture->stream.ctx, len);
        const uint8_t *out = fixture->inner.out;
        assert_int_equal(fixture->inner.out_len, head + len);
        assert_int_equal(out[0], 0x82);
        assert_int_equal(out[1], 0x80 | (len < 126 ? len : 126));
        if (head == 8)
            assert_int_equal(out[2] << 8 | out[3], len);
        assert_memory_equal(out + head - 4, "\xA5\xA5\xA5\xA5", 4);
        for (size_t j = 0; j < len; j++)
            assert_int_equal(out[head + j] ^ 0xA5, (uint8_t)(j * 3));
    }
}

static void there_is_no_room_for_less_than_a_head(void **state)
{
    struct fixture *fixture = *state;
    size_t room = 1;
    assert_null(fixture->stream.ops->tx(fixture->stream.ctx, &room)); /* not open yet */
    assert_int_equal(room, 0);
    open_it(fixture);
    fixture->inner.room = 8;
    assert_null(fixture->stream.ops->tx(fixture->stream.ctx, &room));
    fixture->inner.room = 9;
    assert_non_null(fixture->stream.ops->tx(fixture->stream.ctx, &room));
    assert_int_equal(room, 1);
}

static void an_orderly_end_says_so(void **state)
{
    struct fixture *fixture = *state;
    open_it(fixture);
    fixture->stream.ops->close(fixture->stream.ctx, true);
    assert_int_equal(fixture->inner.out_len, 8);
    assert_memory_equal(fixture->inner.out, "\x88\x82", 2);
    assert_true(fixture->inner.closed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_request_offers_mqtt_and_nothing_else),
        TEST(a_request_goes_out_in_whatever_room_there_is),
        TEST(a_good_answer_opens_it_split_at_each_point),
        TEST(any_other_answer_is_refused),
        TEST(an_answer_without_end_is_refused),
        TEST(without_random_numbers_nothing_is_sent),
        TEST(what_the_tls_below_says_is_passed_on),
        TEST(packets_and_frames_need_not_line_up),
        TEST(a_ping_is_answered_with_its_own_words),
        TEST(an_answer_to_a_ping_waits_for_room),
        TEST(a_close_ends_the_stream_behind_what_was_sent),
        TEST(what_breaks_the_protocol_ends_the_connection),
        TEST(what_is_put_goes_out_masked_in_binary_frames),
        TEST(there_is_no_room_for_less_than_a_head),
        TEST(an_orderly_end_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
