/* SPDX-License-Identifier: MIT */
/* Over each TLS backend: what we offer, and servers that are too weak, too strange or against us.
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

/* ---- our ClientHello, read back ---- */

struct hello {
    const uint8_t *suites;
    size_t suites_len;
    const uint8_t *extensions;
    size_t extensions_len;
    uint16_t version;
};

static size_t number(const uint8_t *at, size_t bytes)
{
    size_t value = 0;
    while (bytes--)
        value = value << 8 | *at++;
    return value;
}

static struct hello hello_of(struct harness *harness)
{
    struct hello hello;
    harness_start(harness);
    harness->stream.ops->poll(harness->stream.ctx, 0);
    const uint8_t *at = harness->up.bytes;
    assert_int_equal(at[0], 22);
    assert_int_equal(at[1], 3);
    assert_true(harness->up.to >= 5 + number(at + 3, 2));
    at += 5;
    assert_int_equal(at[0], 1);
    hello.version = (uint16_t)number(at + 4, 2);
    at += 4 + 2 + 32;
    at += 1 + at[0]; /* session id */
    hello.suites_len = number(at, 2);
    hello.suites = at + 2;
    at += 2 + hello.suites_len;
    assert_int_equal(number(at, 2), 0x0100); /* no compression but the null one */
    hello.extensions_len = number(at + 2, 2);
    hello.extensions = at + 4;
    return hello;
}

/* An extension's content, NULL when it is not there. */
static const uint8_t *extension(const struct hello *hello, uint16_t type, size_t *len)
{
    const uint8_t *at = hello->extensions, *end = at + hello->extensions_len;
    while (at + 4 <= end) {
        *len = number(at + 2, 2);
        if (number(at, 2) == type)
            return at + 4;
        at += 4 + *len;
    }
    assert_ptr_equal(at, end);
    return NULL;
}

static void only_tls_1_2_and_later_is_offered_T1(void **state)
{
    struct harness *harness = make(state);
    struct hello hello = hello_of(harness);
    size_t len;
    const uint8_t *versions = extension(&hello, 43, &len);
    assert_int_equal(hello.version, 0x0303);
    for (size_t i = 1; versions && i < len; i += 2)
        assert_true(number(versions + i, 2) >= 0x0303);
    assert_true(versions || harness->backend == OVER_BEARSSL);
    harness_free(harness);
}

static void only_ephemeral_key_exchange_with_authenticated_encryption_is_offered_T2(void **state)
{
    struct harness *harness = make(state);
    struct hello hello = hello_of(harness);
    size_t good = 0;
    for (size_t i = 0; i < hello.suites_len; i += 2) {
        uint16_t suite = (uint16_t)number(hello.suites + i, 2);
        if (suite == 0x00FF) /* the signalling value for renegotiation_info */
            continue;
        assert_string_not_equal(th_tls_suite_name(suite), "unknown");
        good++;
    }
    assert_int_equal(good, harness->backend == OVER_BEARSSL ? 6 : 9);
    harness_free(harness);
}

static void curves_and_hashes_that_are_weak_are_not_offered_T2(void **state)
{
    struct harness *harness = make(state);
    struct hello hello = hello_of(harness);
    size_t len;
    const uint8_t *curves = extension(&hello, 10, &len);
    assert_non_null(curves);
    assert_int_equal(len, 2 + 3 * 2);
    for (size_t i = 2; i < len; i += 2) {
        size_t curve = number(curves + i, 2);
        assert_true(curve == 29 || curve == 23 || curve == 24);
    }
    const uint8_t *hashes = extension(&hello, 13, &len);
    assert_non_null(hashes);
    for (size_t i = 2; i < len; i += 2)
        assert_true((hashes[i] >= 4 && hashes[i] <= 6) || hashes[i] == 8);
    harness_free(harness);
}

static void renegotiation_is_guarded_and_no_early_data_is_sent_T7_T8(void **state)
{
    struct harness *harness = make(state);
    struct hello hello = hello_of(harness);
    size_t len;
    bool signal = false;
    for (size_t i = 0; i < hello.suites_len; i += 2)
        signal |= number(hello.suites + i, 2) == 0x00FF;
    assert_true(signal || extension(&hello, 0xFF01, &len));
    assert_null(extension(&hello, 42, &len));
    /* Extended master secret: OpenSSL has it, BearSSL 0.6 does not (docs/tls.md). */
    assert_int_equal(extension(&hello, 23, &len) != NULL, harness->backend == OVER_OPENSSL);
    harness_free(harness);
}

static void the_fragment_length_is_asked_for_T9(void **state)
{
    static const struct {
        enum th_fragment_length length;
        uint8_t code;
    } cases[] = {{TH_FRAGMENT_512, 1},
                 {TH_FRAGMENT_1024, 2},
                 {TH_FRAGMENT_2048, 3},
                 {TH_FRAGMENT_4096, 4},
                 {TH_FRAGMENT_16384, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness *harness = make(state);
        size_t len;
        harness->config.fragment_length = cases[i].length;
        harness->in_room = sizeof harness->in;
        harness->out_room = sizeof harness->out;
        struct hello hello = hello_of(harness);
        const uint8_t *code = extension(&hello, 1, &len);
        if (cases[i].code == 0) {
            assert_null(code);
        } else {
            assert_non_null(code);
            assert_int_equal(code[0], cases[i].code);
        }
        harness_free(harness);
    }
}

/* ---- servers we do not talk to ---- */

static void a_server_that_knows_only_old_versions_is_refused_T1(void **state)
{
    const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[i]);
        assert_refuses(harness, TH_ERR_TLS_VERSION);
        harness_free(harness);
    }
}

static void a_server_that_has_only_weak_suites_is_refused_T2(void **state)
{
    const char *suites[] = {"ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256",
                            "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA"};
    for (size_t i = 0; i < 4; i++) {
        struct harness *harness = make(state);
        if (i == 1 || i == 2)
            harness->shown[0] = pki.rsa_server;
        SSL_CTX_set_max_proto_version(harness->server_ctx, TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_set_cipher_list(harness->server_ctx, suites[i]), 1);
        assert_refuses(harness, TH_ERR_TLS_NO_SUITE);
        assert_int_equal(harness_failure(harness).alert, 40);
        harness_free(harness);
    }
}

static void a_server_without_our_curves_is_refused(void **state)
{
    struct harness *harness = make(state);
    assert_int_equal(SSL_CTX_set1_groups_list(harness->server_ctx, "P-521"), 1);
    assert_refuses(harness, TH_ERR_TLS_NO_SUITE);
    harness_free(harness);
}

static void each_suite_we_offer_works(void **state)
{
    static const char *const suites[] = {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",   "ECDHE-RSA-CHACHA20-POLY1305"};
    for (size_t i = 0; i < 6; i++) {
        struct harness *harness = make(state);
        uint8_t back[4];
        if (i >= 3)
            harness->shown[0] = pki.rsa_server;
        SSL_CTX_set_max_proto_version(harness->server_ctx, TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_set_cipher_list(harness->server_ctx, suites[i]), 1);
        assert_opens(harness);
        assert_true(harness_server_write(harness, (const uint8_t *)"ping", 4));
        assert_int_equal(harness_read(harness, back, 4), 4);
        assert_memory_equal(back, "ping", 4);
        harness_free(harness);
    }
}

/* ---- what is no TLS at all ---- */

static void what_does_not_speak_tls_is_called_so(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } talk[] = {{"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
                {"\x20\x02\x00\x05", 4}, /* CONNACK of a plain listener */
                {"SSH-2.0-OpenSSH_9.2\r\n", 21},
                {"\x16\x02\x00\x00\x01\x00", 6},
                {"\x16\x7F\x01\x00\x01\x00", 6},
                {"\x00\x00\x00\x00\x00\x00", 6}};
    for (size_t i = 0; i < sizeof talk / sizeof talk[0]; i++) {
        for (size_t piece = 1; piece < 30; piece += 28) {
            struct harness *harness = make(state);
            harness->piece = piece;
            harness_start(harness);
            harness_mute(harness);
            harness_inject(harness, talk[i].bytes, talk[i].len);
            assert_int_equal(harness_handshake(harness), TH_STREAM_FAILED);
            assert_string_equal(th_error_name(harness_failure(harness).error), "TLS_NOT_TLS");
            harness_free(harness);
        }
    }
}

static void silence_leaves_the_stream_opening(void **state)
{
    struct harness *harness = make(state);
    harness_start(harness);
    harness_mute(harness);
    harness_run(harness, 100);
    assert_int_equal(harness->state, TH_STREAM_OPENING);
    harness_free(harness);
}

static void a_server_that_hangs_up_in_the_handshake_is_told_from_one_that_is_reset(void **state)
{
    struct harness *harness = make(state);
    harness_start(harness);
    harness_mute(harness);
    harness->wire_state = TH_STREAM_ENDED;
    assert_int_equal(harness_handshake(harness), TH_STREAM_FAILED);
    assert_string_equal(th_error_name(harness_failure(harness).error), "TLS_CLOSED");
    harness_stop(harness, false);
    harness_start(harness);
    harness_mute(harness);
    harness->wire_state = TH_STREAM_FAILED;
    assert_int_equal(harness_handshake(harness), TH_STREAM_FAILED);
    assert_string_equal(th_error_name(harness_failure(harness).error), "TCP_RESET");
    harness_free(harness);
}

/* In good order, and with a wire that takes no answer any more. */
static void a_server_that_says_goodbye_in_the_handshake_has_closed(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        harness_start(harness);
        harness->stream.ops->poll(harness->stream.ctx, 0);
        harness_mute(harness);
        harness_inject(harness, "\x15\x03\x03\x00\x02\x01\x00", 7);
        if (i == 1)
            harness->wire_state = TH_STREAM_FAILED;
        assert_int_equal(harness_handshake(harness), TH_STREAM_FAILED);
        assert_string_equal(th_error_name(harness_failure(harness).error), "TLS_CLOSED");
        harness_free(harness);
    }
}

static void nothing_is_sent_before_the_wire_is_open(void **state)
{
    struct harness *harness = make(state);
    harness_start(harness);
    harness->wire_state = TH_STREAM_OPENING;
    harness_run(harness, 10);
    assert_int_equal(harness->up.total, 0);
    harness->wire_state = TH_STREAM_OPEN;
    assert_int_equal(harness_handshake(harness), TH_STREAM_OPEN);
    harness_free(harness);
}

/* ---- the server's view of us, by its alert ---- */

static int verdict;

static int verify_as_told(int good, X509_STORE_CTX *store)
{
    (void)good;
    X509_STORE_CTX_set_error(store, verdict);
    return 0;
}

static void what_the_server_says_of_our_certificate_is_a_trust_failure(void **state)
{
    static const struct {
        int verdict;
        uint8_t alert;
        enum th_error error;
    } cases[] = {
        {X509_V_ERR_CERT_HAS_EXPIRED, 45, TH_ERR_TRUST_WE_ARE_EXPIRED},
        {X509_V_ERR_CRL_HAS_EXPIRED, 45, TH_ERR_TRUST_WE_ARE_EXPIRED},
        {X509_V_ERR_CERT_REVOKED, 44, TH_ERR_TRUST_WE_ARE_REVOKED},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 48, TH_ERR_TRUST_WE_ARE_UNKNOWN},
        {X509_V_ERR_CERT_REJECTED, 42, TH_ERR_TRUST_WE_ARE_REFUSED},
        {X509_V_ERR_INVALID_PURPOSE, 43, TH_ERR_TRUST_WE_ARE_REFUSED},
        {X509_V_ERR_APPLICATION_VERIFICATION, 40, TH_ERR_TRUST_WE_ARE_REFUSED},
    };
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct harness *harness = make(state);
        verdict = cases[i / 2].verdict;
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[i % 2]);
        SSL_CTX_set_verify(harness->server_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           verify_as_told);
        assert_refuses(harness, cases[i / 2].error);
        assert_int_equal(harness_failure(harness).alert, cases[i / 2].alert);
        harness_free(harness);
    }
}

static void a_server_that_demands_a_certificate_we_do_not_have_is_understood(void **state)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        harness->config.identity = NULL;
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[i]);
        assert_refuses(harness, TH_ERR_TRUST_WE_ARE_REQUIRED);
        harness_free(harness);
    }
}

static void a_server_that_cannot_take_our_kind_of_key_is_refused(void **state)
{
    struct harness *harness = make(state);
    SSL_CTX_set_max_proto_version(harness->server_ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(harness->server_ctx, SSL_VERIFY_PEER, NULL); /* asks, but would do without */
    harness->shown[0] = pki.rsa_server;
    assert_int_equal(SSL_CTX_set1_client_sigalgs_list(harness->server_ctx, "RSA+SHA256"), 1);
    assert_refuses(harness, TH_ERR_TRUST_WE_ARE_REFUSED);
    assert_int_equal(harness->got_len, 0);
    harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_EACH(only_tls_1_2_and_later_is_offered_T1),
        OVER_EACH(only_ephemeral_key_exchange_with_authenticated_encryption_is_offered_T2),
        OVER_EACH(curves_and_hashes_that_are_weak_are_not_offered_T2),
        OVER_EACH(renegotiation_is_guarded_and_no_early_data_is_sent_T7_T8),
        OVER_EACH(the_fragment_length_is_asked_for_T9),
        OVER_EACH(a_server_that_knows_only_old_versions_is_refused_T1),
        OVER_EACH(a_server_that_has_only_weak_suites_is_refused_T2),
        OVER_EACH(a_server_without_our_curves_is_refused),
        OVER_EACH(each_suite_we_offer_works),
        OVER_EACH(what_does_not_speak_tls_is_called_so),
        OVER_EACH(silence_leaves_the_stream_opening),
        OVER_EACH(a_server_that_hangs_up_in_the_handshake_is_told_from_one_that_is_reset),
        OVER_EACH(a_server_that_says_goodbye_in_the_handshake_has_closed),
        OVER_EACH(nothing_is_sent_before_the_wire_is_open),
        OVER_EACH(what_the_server_says_of_our_certificate_is_a_trust_failure),
        OVER_EACH(a_server_that_demands_a_certificate_we_do_not_have_is_understood),
        OVER_EACH(a_server_that_cannot_take_our_kind_of_key_is_refused),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
