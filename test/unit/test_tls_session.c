/* SPDX-License-Identifier: MIT */
/* Over each TLS backend: sessions that are resumed, as the server sees it, and those that are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_harness.h"

enum how { BY_ID, BY_TICKET, TLS_1_3 };

static struct harness *make_how(void **state, enum how how)
{
    struct harness *harness = make(state);
    SSL_CTX_set_max_proto_version(harness->server_ctx,
                                  how == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    if (how == BY_ID)
        SSL_CTX_set_options(harness->server_ctx, SSL_OP_NO_TICKET);
    return harness;
}

/* A full handshake, its session kept. TLS 1.3 sends it after the handshake. */
static struct th_tls_info first_connection(struct harness *harness)
{
    assert_opens(harness);
    harness_run(harness, 5);
    struct th_tls_info info = harness_info(harness);
    assert_false(info.resumed);
    assert_true(harness_keep_session(harness) > 0);
    harness_stop(harness, true);
    return info;
}

static void a_session_is_resumed_in_the_eyes_of_the_server(void **state)
{
    enum how ways = *(const enum harness_backend *)*state == OVER_BEARSSL ? BY_TICKET : TLS_1_3;
    for (enum how how = BY_ID; how <= ways; how++) {
        struct harness *harness = make_how(state, how);
        struct th_tls_info full = first_connection(harness);
        for (int i = 0; i < 3; i++) {
            assert_opens(harness);
            struct th_tls_info info = harness_info(harness);
            assert_true(info.resumed);
            assert_int_equal(SSL_session_reused(harness->server), 1);
            assert_false(info.client_certificate);
            assert_int_equal(info.version, full.version);
            assert_int_equal(info.suite, full.suite);
            assert_true(info.bytes_in * 2 < full.bytes_in);
            assert_true(harness_write(harness, (const uint8_t *)"again", 5));
            harness_run(harness, 5);
            assert_int_equal(harness->got_len, 5);
            if (harness_keep_session(harness) == 0)
                fail_msg("no session after resumption, way %d", (int)how);
            harness_stop(harness, true);
        }
        harness_free(harness);
    }
}

/* The identity the server gives us is the session's: nobody is asked for a certificate again. */
static void a_resumed_session_satisfies_the_demand_for_our_certificate_T6(void **state)
{
    struct harness *harness = make_how(state, BY_ID);
    first_connection(harness);
    assert_opens(harness);
    assert_true(harness_info(harness).resumed);
    X509 *seen = SSL_get0_peer_certificate(harness->server);
    assert_non_null(seen);
    assert_int_equal(X509_cmp(seen, pki.device->certificate), 0);
    harness_free(harness);
}

static void a_server_that_forgot_the_session_gets_a_full_handshake(void **state)
{
    enum how ways = *(const enum harness_backend *)*state == OVER_BEARSSL ? BY_ID : TLS_1_3;
    for (enum how how = BY_ID; how <= ways; how++) {
        struct harness *harness = make_how(state, how), *other = make_how(state, how);
        first_connection(harness);
        memcpy(other->session, harness->session, harness->session_len);
        other->session_len = harness->session_len;
        assert_opens(other);
        assert_false(harness_info(other).resumed);
        assert_true(harness_info(other).client_certificate);
        assert_string_equal(harness_info(other).server.subject, "broker");
        harness_free(harness);
        harness_free(other);
    }
}

/* Where the full handshake is judged, the policy is asked again. */
static void a_forgotten_session_does_not_spare_the_server_its_judgement_T10(void **state)
{
    struct harness *harness = make_how(state, BY_ID), *other = make_how(state, BY_ID);
    struct pki_entity *impostor =
        pki_make(&(struct pki_request){.common_name = "broker", .san = "DNS:broker.test"});
    first_connection(harness);
    memcpy(other->session, harness->session, harness->session_len);
    other->session_len = harness->session_len;
    other->shown[0] = impostor;
    assert_refuses(other, TH_ERR_TRUST_SELF_SIGNED);
    harness_free(harness);
    harness_free(other);
    pki_free(impostor);
}

static void bytes_that_are_no_session_only_cost_a_full_handshake(void **state)
{
    static const size_t lengths[] = {1, 85, 87, 500};
    for (size_t i = 0; i < 4; i++) {
        struct harness *harness = make_how(state, BY_ID);
        memset(harness->session, 0x30, sizeof harness->session);
        harness->session_len = lengths[i];
        assert_opens(harness);
        assert_false(harness_info(harness).resumed);
        harness_free(harness);
    }
}

static void a_session_fits_the_room_the_header_promises(void **state)
{
    struct harness *harness = make_how(state, BY_TICKET);
    size_t promised = harness->backend == OVER_BEARSSL ? TH_SESSION_BEARSSL : TH_SESSION_OPENSSL;
    first_connection(harness);
    assert_true(harness->session_len + TH_SESSION_OVERHEAD <= promised);
    print_message("  %s: %zu bytes\n", harness_ops(harness)->name, harness->session_len);
    assert_opens(harness);
    uint8_t small[16];
    assert_int_equal(harness_ops(harness)->session(harness_ctx(harness), small, sizeof small), 0);
    harness_free(harness);
}

static void there_is_no_session_before_the_end_of_the_handshake_nor_after_a_failure(void **state)
{
    struct harness *harness = make_how(state, BY_ID);
    uint8_t room[4096];
    const struct th_tls_ops *ops = harness_ops(harness);
    harness_start(harness);
    assert_int_equal(ops->session(harness_ctx(harness), room, sizeof room), 0);
    assert_int_equal(harness_handshake(harness), TH_STREAM_OPEN);
    assert_true(ops->session(harness_ctx(harness), room, sizeof room) > 0);
    harness_inject(harness, "\x17\x03\x03\x00\x20oooooooooooooooooooooooooooooooo", 37);
    harness_run(harness, 10);
    assert_int_equal(harness->state, TH_STREAM_FAILED);
    assert_int_equal(ops->session(harness_ctx(harness), room, sizeof room), 0);
    harness_free(harness);
}

/* T10, T11: what is stored opens under the same policy and certificate alone. */
static void a_stored_session_is_bound_to_the_policy_it_was_made_under_T10(void **state)
{
    struct harness *harness = make_how(state, BY_ID);
    const struct th_hashes *hashes = harness_ops(harness)->hashes;
    uint8_t stored[TH_SESSION_OPENSSL];
    uint8_t pin[1][TH_SHA256_BYTES] = {{1}};
    struct th_session_bond bond = {.not_after_s = 4102444800};
    first_connection(harness);
    memcpy(stored + TH_SESSION_OVERHEAD - 4, harness->session, harness->session_len);
    th_session_digests(&bond, &harness->trust, &harness->identity, hashes);
    size_t len = th_session_seal(stored, sizeof stored, harness->session_len, &bond);
    assert_int_equal(len, harness->session_len + TH_SESSION_OVERHEAD);

    struct th_session_bond now = {0};
    th_session_digests(&now, &harness->trust, &harness->identity, hashes);
    struct th_span opened = th_session_open(th_span_of(stored, len), &now, &harness->trust.clock);
    assert_int_equal(opened.len, harness->session_len);
    assert_memory_equal(opened.at, harness->session, opened.len);

    harness->trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])pin;
    harness->trust.pin_count = 1;
    th_session_digests(&now, &harness->trust, &harness->identity, hashes);
    assert_int_equal(th_session_open(th_span_of(stored, len), &now, &harness->trust.clock).len, 0);

    harness->trust.pin_count = 0;
    harness->identity = pki_identity(pki.other, TH_KEY_EC_P256);
    th_session_digests(&now, &harness->trust, &harness->identity, hashes);
    assert_int_equal(th_session_open(th_span_of(stored, len), &now, &harness->trust.clock).len, 0);
    harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_EACH(a_session_is_resumed_in_the_eyes_of_the_server),
        OVER_EACH(a_resumed_session_satisfies_the_demand_for_our_certificate_T6),
        OVER_EACH(a_server_that_forgot_the_session_gets_a_full_handshake),
        OVER_EACH(a_forgotten_session_does_not_spare_the_server_its_judgement_T10),
        OVER_EACH(bytes_that_are_no_session_only_cost_a_full_handshake),
        OVER_EACH(a_session_fits_the_room_the_header_promises),
        OVER_EACH(there_is_no_session_before_the_end_of_the_handshake_nor_after_a_failure),
        OVER_EACH(a_stored_session_is_bound_to_the_policy_it_was_made_under_T10),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
