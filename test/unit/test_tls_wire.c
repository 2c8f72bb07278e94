/* SPDX-License-Identifier: MIT */
/* Over each TLS backend: the bytes on the wire, in small pieces, cut, damaged, too large, too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_harness.h"

#include <openssl/err.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* BearSSL has one version. */
#define VERSIONS(state) (*(const enum harness_backend *)*(state) == OVER_BEARSSL ? 1u : 2u)

static uint8_t *pattern(size_t len)
{
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    return bytes;
}

/* ---- any fragmentation ---- */

static void the_handshake_bears_any_fragmentation(void **state)
{
    for (size_t piece = 1; piece < 40; piece += piece < 8 ? 1 : 7) {
        struct harness *harness = make(state);
        harness->piece = piece;
        for (size_t v = 0; v < VERSIONS(state); v++) {
            uint8_t back[3];
            SSL_CTX_set_max_proto_version(harness->server_ctx, versions[v]);
            assert_opens(harness);
            assert_true(harness_server_write(harness, (const uint8_t *)"abc", 3));
            assert_int_equal(harness_read(harness, back, 3), 3);
            harness_stop(harness, true);
        }
        harness_free(harness);
    }
}

static void large_transfers_arrive_whole_both_ways_through_small_pieces(void **state)
{
    static const size_t pieces[] = {7, 509, 100000};
    enum { LEN = 200000 };
    uint8_t *bytes = pattern(LEN), *back = malloc(LEN);
    for (size_t i = 0; i < 3; i++) {
        struct harness *harness = make(state);
        harness->piece = pieces[i];
        harness->up.capacity = 1000; /* so that the client is held up, too */
        assert_opens(harness);
        assert_true(harness_write(harness, bytes, LEN));
        for (unsigned n = 0; n < LEN && harness->got_len != LEN; n++)
            harness_step(harness);
        assert_int_equal(harness->got_len, LEN);
        assert_memory_equal(harness->got, bytes, LEN);
        assert_true(harness_server_write(harness, bytes, LEN));
        assert_int_equal(harness_read(harness, back, LEN), LEN);
        assert_memory_equal(back, bytes, LEN);
        harness_free(harness);
    }
    free(bytes);
    free(back);
}

/* Both directions at once: neither may wait for the other. */
static void bytes_cross_each_other(void **state)
{
    enum { LEN = 60000 };
    uint8_t *bytes = pattern(LEN), *back = malloc(LEN);
    struct harness *harness = make(state);
    harness->up.capacity = 700;
    harness->down.capacity = 700;
    assert_opens(harness);
    assert_true(harness_server_write(harness, bytes, LEN));
    size_t sent = 0, had = 0;
    for (unsigned n = 0; n < LEN && (harness->got_len != LEN || had != LEN); n++) {
        size_t room;
        uint8_t *into = harness->stream.ops->tx(harness->stream.ctx, &room);
        if (room > LEN - sent)
            room = LEN - sent;
        if (room != 0) {
            memcpy(into, bytes + sent, room);
            harness->stream.ops->tx_put(harness->stream.ctx, room);
            sent += room;
        }
        harness_step(harness);
        struct th_span span = harness->stream.ops->rx(harness->stream.ctx);
        size_t take = span.len > 1 ? span.len - span.len / 3 : span.len; /* some is left lying */
        if (take != 0) {
            memcpy(back + had, span.at, take);
            harness->stream.ops->rx_taken(harness->stream.ctx, take);
            had += take;
        }
    }
    assert_int_equal(had, LEN);
    assert_memory_equal(back, bytes, LEN);
    assert_int_equal(harness->got_len, LEN);
    assert_memory_equal(harness->got, bytes, LEN);
    harness_free(harness);
    free(bytes);
    free(back);
}

/* Several puts before one poll go out together. */
static void small_writes_are_coalesced(void **state)
{
    struct harness *harness = make(state);
    assert_opens(harness);
    size_t before = harness->up.total;
    for (int i = 0; i < 10; i++) {
        size_t room;
        uint8_t *into = harness->stream.ops->tx(harness->stream.ctx, &room);
        assert_true(room >= 10);
        memcpy(into, "0123456789", 10);
        harness->stream.ops->tx_put(harness->stream.ctx, 10);
    }
    assert_int_equal(harness->up.total, before);
    harness_step(harness);
    assert_true(harness->up.total - before < 100 + 40);
    harness_step(harness);
    assert_int_equal(harness->got_len, 100);
    harness_free(harness);
}

/* What a broker sends for each message is a record of its own. They are read together, and cut
 * anywhere. */
static void many_small_records_are_taken_from_the_wire_at_once(void **state)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 13, 300};
    uint8_t *bytes = pattern(4000), *back = malloc(4000);
    for (size_t i = 0; i < 4; i++) {
        struct harness *harness = make(state);
        assert_opens(harness);
        harness_run(harness, 5); /* tickets */
        harness->piece = pieces[i];
        for (size_t at = 0; at < 4000; at += 20)
            assert_true(harness_server_write(harness, bytes + at, 20));
        unsigned before = harness->reads;
        assert_int_equal(harness_read(harness, back, 4000), 4000);
        assert_memory_equal(back, bytes, 4000);
        if (pieces[i] == SIZE_MAX) /* 200 records */
            assert_true(harness->reads - before < 50);
        harness_free(harness);
    }
    free(bytes);
    free(back);
}

/* ---- T14 ---- */

/* The server's RSA signatures have one length, so every run has the same bytes to cut. */
static struct harness *make_rsa(void **state, size_t version)
{
    struct harness *harness = make(state);
    harness->shown[0] = pki.rsa_server;
    SSL_CTX_set_max_proto_version(harness->server_ctx, versions[version]);
    SSL_CTX_set_num_tickets(harness->server_ctx, 0);
    return harness;
}

static void measure(struct harness *harness, size_t *up, size_t *down)
{
    assert_opens(harness);
    *up = harness_info(harness).bytes_out;
    *down = harness_info(harness).bytes_in;
    assert_int_equal(harness->up.total, *up);
    assert_int_equal(harness->down.total, *down);
    harness_stop(harness, true);
}

/* Cut after each byte from the server, by an end and by a reset in turn; then a clean retry on the
 * same context. */
static void a_cut_at_every_byte_of_the_handshake_is_survived_T14(void **state)
{
    static const char *const said[] = {"TLS_CLOSED", "TCP_RESET"};
    for (size_t v = 0; v < VERSIONS(state); v++) {
        struct harness *harness = make_rsa(state, v);
        size_t up, down;
        measure(harness, &up, &down);
        for (size_t cut = 0; cut < down; cut++) {
            harness->down.cut = cut;
            harness->cut_state = cut % 2 ? TH_STREAM_FAILED : TH_STREAM_ENDED;
            harness_start(harness);
            if (harness_handshake(harness) != TH_STREAM_FAILED)
                fail_msg("cut after %zu of %zu bytes: state %d", cut, down, harness->state);
            assert_string_equal(th_error_name(harness_failure(harness).error), said[cut % 2]);
            harness_stop(harness, false);
        }
        harness->down.cut = SIZE_MAX;
        assert_opens(harness);
        harness_free(harness);
    }
}

/* In TLS 1.3 we are open with our last byte, and learn of the cut by reading. Our ECDSA signature
 * is now and then shorter by a byte or two; then the last cuts come too late. */
static void a_cut_at_every_byte_we_send_is_survived_T14(void **state)
{
    for (size_t v = 0; v < VERSIONS(state); v++) {
        struct harness *harness = make_rsa(state, v);
        size_t up, down;
        measure(harness, &up, &down);
        for (size_t cut = 0; cut < up; cut++) {
            harness->up.cut = cut;
            harness->cut_state = TH_STREAM_FAILED;
            harness_start(harness);
            harness_handshake(harness);
            harness_run(harness, 10);
            if (harness->wire_state == TH_STREAM_OPEN && cut + 8 >= up) {
                harness_stop(harness, true);
                continue;
            }
            if (harness->state != TH_STREAM_FAILED)
                fail_msg("cut after %zu of %zu bytes: state %d", cut, up, harness->state);
            assert_string_equal(th_error_name(harness_failure(harness).error), "TCP_RESET");
            harness_stop(harness, false);
        }
        harness->up.cut = SIZE_MAX;
        assert_opens(harness);
        harness_free(harness);
    }
}

/* The version in a record's header, which is not authenticated and not to be looked at (RFC 8446
 * §5.1). `bytes` are records from their start. */
static bool is_record_version(const uint8_t *bytes, size_t at)
{
    size_t record = 0;
    while (record + 5 <= at)
        record += 5 + (size_t)(bytes[record + 3] << 8 | bytes[record + 4]);
    return at == record + 2;
}

/* One bit of a byte; never is there a connection. The wire ends behind what was sent: a length
 * that grew would be waited for. */
static void a_damaged_byte_anywhere_from_the_server_ends_the_handshake(void **state)
{
    for (size_t v = 0; v < VERSIONS(state); v++) {
        struct harness *harness = make_rsa(state, v);
        size_t up, down;
        measure(harness, &up, &down);
        for (size_t flip = 0; flip < down; flip += flip < 64 ? 1 : 7) {
            harness->down.flip = flip;
            harness_start(harness);
            for (int i = 0; i < 60 && harness->state == TH_STREAM_OPENING; i++)
                harness_step(harness);
            harness->wire_state = TH_STREAM_ENDED;
            harness_handshake(harness);
            if (harness->state == TH_STREAM_FAILED)
                assert_true(harness_failure(harness).error >= TH_ERR_FENCE);
            else if (!is_record_version(harness->down.first, flip))
                fail_msg("bit flipped in byte %zu of %zu: state %d", flip, down, harness->state);
            harness_stop(harness, false);
        }
        harness_free(harness);
    }
}

static void a_damaged_record_after_the_handshake_is_told_so(void **state)
{
    struct harness *harness = make(state);
    for (size_t v = 0; v < VERSIONS(state); v++) {
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[v]);
        assert_opens(harness);
        harness_run(harness, 5);
        harness->down.flip = harness->down.total + 20;
        assert_true(harness_server_write(harness, (const uint8_t *)"0123456789", 10));
        harness_run(harness, 10);
        assert_int_equal(harness->state, TH_STREAM_FAILED);
        assert_string_equal(th_error_name(harness_failure(harness).error), "TLS_BAD_RECORD");
        harness->down.flip = SIZE_MAX;
        harness_stop(harness, false);
    }
    harness_free(harness);
}

/* A certificate shown by one who does not hold its key: only the signature in ServerKeyExchange
 * tells. It stands in the clear in TLS 1.2. */
static void a_server_that_cannot_prove_its_key_is_refused_for_that(void **state)
{
    /* The record that begins with handshake type 12, 60 bytes before its end: within r. */
    size_t at = 0;
    struct harness *harness = make(state);
    SSL_CTX_set_max_proto_version(harness->server_ctx, TLS1_2_VERSION);
    assert_opens(harness);
    const uint8_t *bytes = harness->down.first;
    while (bytes[at + 5] != 12)
        at += 5 + (size_t)(bytes[at + 3] << 8 | bytes[at + 4]);
    harness->down.flip = at + 5 + (size_t)(bytes[at + 3] << 8 | bytes[at + 4]) - 50;
    harness_stop(harness, true);
    assert_refuses(harness, TH_ERR_TLS_BAD_PROOF);
    harness_free(harness);
}

/* ---- T9 ---- */

/* A full record where 512 bytes were agreed on, as a server sends that does not know the extension.
 * BearSSL sees from its header that it does not fit the caller's memory; OpenSSL has room of its
 * own for it, and finds that it is forged. */
static void a_record_that_does_not_fit_is_an_error_never_an_overflow_T9(void **state)
{
    enum { LEN = 16384 + 24 };
    uint8_t *bytes = pattern(5 + LEN);
    struct harness *harness = make(state);
    memcpy(bytes, "\x17\x03\x03\x40\x18", 5);
    for (size_t piece = 100; piece < 100000; piece *= 100) {
        harness->piece = piece;
        assert_opens(harness);
        harness_run(harness, 5);
        harness_inject(harness, bytes, 5 + LEN);
        harness_run(harness, 500);
        assert_int_equal(harness->state, TH_STREAM_FAILED);
        struct th_failure failure = harness_failure(harness);
        bool small = harness->backend == OVER_BEARSSL;
        assert_string_equal(th_error_name(failure.error),
                            small ? "MEMORY_RECORD" : "TLS_BAD_RECORD");
        if (small)
            assert_int_equal(failure.detail, LEN);
        harness_stop(harness, false);
    }
    harness_free(harness);
    free(bytes);
}

static void full_records_fit_a_full_buffer_T9(void **state)
{
    enum { LEN = 100000 };
    uint8_t *bytes = pattern(LEN), *back = malloc(LEN);
    struct harness *harness = make(state);
    harness->config.fragment_length = TH_FRAGMENT_16384;
    harness->in_room = TH_BEARSSL_IN(16384);
    harness->out_room = TH_BEARSSL_OUT(16384);
    assert_opens(harness);
    assert_true(harness_server_write(harness, bytes, LEN));
    assert_int_equal(harness_read(harness, back, LEN), LEN);
    assert_memory_equal(back, bytes, LEN);
    harness_free(harness);
    free(bytes);
    free(back);
}

/* ---- ends ---- */

static void close_notify_ends_the_stream_in_good_order(void **state)
{
    struct harness *harness = make(state);
    for (size_t v = 0; v < VERSIONS(state); v++) {
        uint8_t back[4];
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[v]);
        assert_opens(harness);
        assert_true(harness_server_write(harness, (const uint8_t *)"last", 4));
        SSL_shutdown(harness->server);
        assert_int_equal(harness_read(harness, back, 4), 4);
        assert_memory_equal(back, "last", 4);
        harness_run(harness, 10);
        assert_int_equal(harness->state, TH_STREAM_ENDED);
        harness_stop(harness, true);
    }
    harness_free(harness);
}

static void we_end_in_good_order_too_and_what_was_put_is_sent(void **state)
{
    struct harness *harness = make(state);
    for (size_t v = 0; v < VERSIONS(state); v++) {
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[v]);
        assert_opens(harness);
        size_t room;
        memcpy(harness->stream.ops->tx(harness->stream.ctx, &room), "bye", 3);
        harness->stream.ops->tx_put(harness->stream.ctx, 3);
        harness->stream.ops->close(harness->stream.ctx, true);
        harness->started = false;
        assert_true(harness->wire_closed && harness->wire_closed_orderly);
        harness_server_step(harness);
        assert_int_equal(harness->got_len, 3);
        assert_true(harness->server_ended);
        harness_stop(harness, false);
    }
    harness_free(harness);
}

static void close_may_be_called_in_any_state_and_twice(void **state)
{
    struct harness *harness = make(state);
    struct th_failure failure;
    size_t room;
    for (int steps = 0; steps < 12; steps += 2) {
        harness_start(harness);
        for (int i = 0; i < steps; i++)
            harness_step(harness);
        for (int i = 0; i < 2; i++)
            harness->stream.ops->close(harness->stream.ctx, true);
        harness->stream.ops->poll(harness->stream.ctx, 0);
        assert_int_equal(harness->stream.ops->rx(harness->stream.ctx).len, 0);
        assert_null(harness->stream.ops->tx(harness->stream.ctx, &room));
        harness->stream.ops->failure(harness->stream.ctx, &failure);
        harness_info(harness);
        harness_stop(harness, false);
    }
    harness_free(harness);
}

static void an_end_without_close_notify_is_told_so_after_all_bytes_are_read(void **state)
{
    static const enum th_stream_state ends[] = {TH_STREAM_ENDED, TH_STREAM_FAILED};
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        uint8_t back[6];
        assert_opens(harness);
        assert_true(harness_server_write(harness, (const uint8_t *)"first", 5));
        assert_true(harness_server_write(harness, (const uint8_t *)"s", 1));
        harness->wire_state = ends[i];
        assert_int_equal(harness_read(harness, back, 6), 6);
        assert_memory_equal(back, "firsts", 6);
        harness_run(harness, 10);
        assert_int_equal(harness->state, TH_STREAM_FAILED);
        assert_string_equal(th_error_name(harness_failure(harness).error),
                            i ? "TCP_RESET" : "TLS_TRUNCATED");
        harness_free(harness);
    }
}

/* Its alert is in the wire when our write finds the wire broken: the alert is the reason. */
static void pending_input_is_read_before_a_broken_pipe_is_reported(void **state)
{
    struct harness *harness = make(state);
    harness->identity = pki_identity(pki.server, TH_KEY_EC_P256); /* of a CA it does not know */
    harness_start(harness);
    while (harness->state == TH_STREAM_OPENING && harness->server_error == 0)
        harness_step(harness);
    for (int i = 0; i < 20 && harness->server_error == 0; i++)
        harness_server_step(harness);
    assert_true(harness->server_error != 0);
    harness->wire_state = TH_STREAM_FAILED;
    if (harness->state == TH_STREAM_OPEN) {
        size_t room;
        memcpy(harness->stream.ops->tx(harness->stream.ctx, &room), "CONNECT", 7);
        harness->stream.ops->tx_put(harness->stream.ctx, 7);
    }
    harness_run(harness, 20);
    assert_int_equal(harness->state, TH_STREAM_FAILED);
    assert_string_equal(th_error_name(harness_failure(harness).error), "TRUST_WE_ARE_UNKNOWN");
    assert_int_equal(harness_failure(harness).alert, 48);
    harness_free(harness);
}

/* The application has bytes it cannot answer, for its answers find no room, and the wire breaks. */
static void a_broken_wire_is_told_to_one_who_waits_for_room(void **state)
{
    uint8_t *bytes = pattern(3000), *back = malloc(3000);
    struct harness *harness = make(state);
    size_t room = 1;
    assert_opens(harness);
    assert_true(harness_server_write(harness, bytes, 3000));
    harness->up.capacity = 0;
    for (int i = 0; i < 50; i++) {
        harness->stream.ops->tx(harness->stream.ctx, &room);
        harness->stream.ops->tx_put(harness->stream.ctx, room);
        harness->stream.ops->poll(harness->stream.ctx, 0);
    }
    assert_int_equal(room, 0);
    harness->wire_state = TH_STREAM_FAILED;
    harness_step(harness);
    harness->stream.ops->tx(harness->stream.ctx, &room);
    assert_true(room > 0);
    assert_int_equal(harness_read(harness, back, 3000), 3000);
    assert_memory_equal(back, bytes, 3000);
    harness_run(harness, 10);
    assert_int_equal(harness->state, TH_STREAM_FAILED);
    assert_string_equal(th_error_name(harness_failure(harness).error), "TCP_RESET");
    harness_free(harness);
    free(bytes);
    free(back);
}

static void renegotiation_is_refused(void **state)
{
    struct harness *harness = make(state);
    SSL_CTX_set_max_proto_version(harness->server_ctx, TLS1_2_VERSION);
    assert_opens(harness);
    SSL_renegotiate(harness->server);
    SSL_do_handshake(harness->server);
    harness_run(harness, 20);
    assert_int_equal(harness->state, TH_STREAM_FAILED);
    assert_string_equal(th_error_name(harness_failure(harness).error), "TLS_RENEGOTIATION");
    harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_EACH(the_handshake_bears_any_fragmentation),
        OVER_EACH(large_transfers_arrive_whole_both_ways_through_small_pieces),
        OVER_EACH(bytes_cross_each_other),
        OVER_EACH(small_writes_are_coalesced),
        OVER_EACH(many_small_records_are_taken_from_the_wire_at_once),
        OVER_EACH(a_cut_at_every_byte_of_the_handshake_is_survived_T14),
        OVER_EACH(a_cut_at_every_byte_we_send_is_survived_T14),
        OVER_EACH(a_damaged_byte_anywhere_from_the_server_ends_the_handshake),
        OVER_EACH(a_damaged_record_after_the_handshake_is_told_so),
        OVER_EACH(a_server_that_cannot_prove_its_key_is_refused_for_that),
        OVER_EACH(a_record_that_does_not_fit_is_an_error_never_an_overflow_T9),
        OVER_EACH(full_records_fit_a_full_buffer_T9),
        OVER_EACH(close_notify_ends_the_stream_in_good_order),
        OVER_EACH(we_end_in_good_order_too_and_what_was_put_is_sent),
        OVER_EACH(close_may_be_called_in_any_state_and_twice),
        OVER_EACH(an_end_without_close_notify_is_told_so_after_all_bytes_are_read),
        OVER_EACH(pending_input_is_read_before_a_broken_pipe_is_reported),
        OVER_EACH(a_broken_wire_is_told_to_one_who_waits_for_room),
        OVER_EACH(renegotiation_is_refused),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
