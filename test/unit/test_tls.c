/* SPDX-License-Identifier: MIT */
/* One suite over each TLS backend: the handshake, our own identity, and what is negotiated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_harness.h"

#include <openssl/err.h>

/* ---- it works ---- */

static void a_device_and_a_broker_prove_themselves_to_each_other(void **state)
{
    struct harness *harness = make(state);
    assert_opens(harness);
    struct th_tls_info info = harness_info(harness);
    assert_true(info.version >= 0x0303);
    assert_true(info.client_certificate);
    assert_false(info.resumed);
    assert_string_not_equal(info.suite_name, "unknown");
    assert_string_equal(info.server.subject, "broker");
    assert_true(info.bytes_in > 500 && info.bytes_in < 5000);
    assert_true(info.bytes_out > 300 && info.bytes_out < 3000);
    X509 *seen = SSL_get0_peer_certificate(harness->server);
    assert_int_equal(X509_cmp(seen, pki.device->certificate), 0);
    harness_free(harness);
}

static void bytes_go_both_ways_and_arrive_as_they_were(void **state)
{
    struct harness *harness = make(state);
    uint8_t back[5];
    assert_opens(harness);
    assert_true(harness_write(harness, (const uint8_t *)"hello", 5));
    harness_step(harness);
    assert_int_equal(harness->got_len, 5);
    assert_memory_equal(harness->got, "hello", 5);
    assert_true(harness_server_write(harness, (const uint8_t *)"world", 5));
    assert_int_equal(harness_read(harness, back, 5), 5);
    assert_memory_equal(back, "world", 5);
    harness_free(harness);
}

static void a_server_without_client_certificates_is_fine_when_none_is_configured(void **state)
{
    struct harness *harness = make(state);
    SSL_CTX_set_verify(harness->server_ctx, SSL_VERIFY_NONE, NULL);
    harness->config.identity = NULL;
    assert_opens(harness);
    assert_false(harness_info(harness).client_certificate);
    harness_free(harness);
}

/* Each kind of key the server may have, in each version, with each kind of ours. */
static void every_kind_of_key_works_on_either_side(void **state)
{
    struct pki_entity *p384 =
        pki_make(&(struct pki_request){.common_name = "broker",
                                       .issuer = pki.server_ca,
                                       .key = PKI_EC_384,
                                       .san = "DNS:broker.test",
                                       .key_usage = "critical,digitalSignature"});
    const struct pki_entity *servers[] = {pki.server, pki.rsa_server, p384};
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 12; i++) {
        struct harness *harness = make(state);
        int version = versions[i / 6];
        if (i % 2)
            harness->identity = pki_identity(pki.rsa_device, TH_KEY_RSA);
        harness->shown[0] = servers[i / 2 % 3];
        SSL_CTX_set_max_proto_version(harness->server_ctx, version);
        assert_opens(harness);
        if (harness->backend == OVER_OPENSSL)
            assert_int_equal(harness_info(harness).version, version);
        assert_true(harness_info(harness).client_certificate);
        harness_free(harness);
    }
    pki_free(p384);
}

static void the_small_profile_works_as_well(void **state)
{
    const struct pki_entity *servers[] = {pki.server, pki.rsa_server};
    for (size_t i = 0; i < 4; i++) {
        struct harness *harness = make(state);
        harness->profile = &th_bearssl_small;
        if (i % 2)
            harness->identity = pki_identity(pki.rsa_device, TH_KEY_RSA);
        harness->shown[0] = servers[i / 2];
        assert_opens(harness);
        harness_free(harness);
    }
}

static void a_key_may_be_in_its_older_form(void **state)
{
    const struct pki_entity *devices[] = {pki.device, pki.rsa_device};
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        size_t len;
        uint8_t *der = pki_traditional_key(devices[i], &len);
        harness->identity = pki_identity(devices[i], i ? TH_KEY_RSA : TH_KEY_EC_P256);
        harness->identity.key = th_span_of(der, len);
        assert_opens(harness);
        harness_free(harness);
        OPENSSL_free(der);
    }
}

/* ---- what is wrong with our own files is said before anything is sent ---- */

static void a_key_of_another_certificate_is_told_at_once(void **state)
{
    struct harness *harness = make(state);
    harness->identity.key = th_span_of(pki.other->key_der, pki.other->key_len);
    assert_refuses(harness, TH_ERR_KEY_MISMATCH);
    assert_int_equal(harness->up.total, 0);
    harness_free(harness);
    harness = make(state);
    harness->identity = pki_identity(pki.rsa_device, TH_KEY_EC_P256);
    harness->identity.key = th_span_of(pki.device->key_der, pki.device->key_len);
    assert_refuses(harness, TH_ERR_KEY_MISMATCH);
    assert_int_equal(harness->up.total, 0);
    harness_free(harness);
}

/* The public key in a SEC1 file is optional; without it the check computes it. */
static void a_mismatch_is_found_without_the_public_key_too(void **state)
{
    struct harness *harness = make(state);
    uint8_t *der = NULL;
    const struct pki_entity *keys[] = {pki.other, pki.device};
    for (size_t i = 0; i < 2; i++) {
        BIGNUM *secret = NULL;
        uint8_t bare[64] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
        EVP_PKEY_get_bn_param(keys[i]->key, "priv", &secret);
        BN_bn2binpad(secret, bare + 7, 32);
        memcpy(bare + 39, "\xA0\x0A\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07", 12);
        BN_free(secret);
        harness->identity.key = th_span_of(bare, 51);
        if (i == 0)
            assert_refuses(harness, TH_ERR_KEY_MISMATCH);
        else
            assert_opens(harness);
        harness_stop(harness, false);
    }
    OPENSSL_free(der);
    harness_free(harness);
}

static void a_kind_of_key_that_is_not_supported_is_told_at_once(void **state)
{
    const enum pki_key kinds[] = {PKI_ED25519, PKI_EC_384, PKI_RSA_1024};
    for (size_t i = 0; i < 3; i++) {
        struct pki_entity *device = pki_make(
            &(struct pki_request){.common_name = "odd", .issuer = pki.device_ca, .key = kinds[i]});
        struct harness *harness = make(state);
        harness->identity =
            pki_identity(device, kinds[i] == PKI_RSA_1024 ? TH_KEY_RSA : TH_KEY_EC_P256);
        assert_refuses(harness, TH_ERR_KEY_KIND);
        assert_int_equal(harness->up.total, 0);
        harness_free(harness);
        pki_free(device);
    }
}

static void damaged_files_of_ours_are_told_at_once(void **state)
{
    uint8_t broken[2048];
    struct th_span chain[1] = {{broken, 100}};
    struct harness *harness = make(state);
    memcpy(broken, pki.device->der, 100);
    harness->identity.chain = chain;
    assert_refuses(harness, TH_ERR_CERT_MALFORMED);
    harness_stop(harness, false);
    harness->identity.chain = pki.device->chain;
    harness->identity.key.len -= 10;
    assert_refuses(harness, TH_ERR_FILE_FORMAT);
    harness_stop(harness, false);
    harness->identity.key.len += 10;
    memcpy(broken, pki.server_ca->der, pki.server_ca->der_len);
    broken[pki.server_ca->der_len] = 0;
    harness->anchors[0] = th_span_of(broken, pki.server_ca->der_len + 1);
    assert_refuses(harness, TH_ERR_CERT_MALFORMED);
    harness_stop(harness, false);
    harness->anchors[0] = th_span_of(broken, pki.server_ca->der_len - 1);
    assert_refuses(harness, TH_ERR_CERT_MALFORMED);
    assert_int_equal(harness->up.total, 0);
    harness_free(harness);
}

/* On the heap, so that reading behind the end is seen. */
static void assert_no_part_is_enough(struct harness *harness, struct th_span *file)
{
    struct th_span whole = *file;
    for (size_t len = 1; len < whole.len; len += len < 40 || len + 20 > whole.len ? 1 : 19) {
        uint8_t *part = malloc(len);
        memcpy(part, whole.at, len);
        *file = th_span_of(part, len);
        harness_start(harness);
        assert_int_equal(harness->stream.ops->poll(harness->stream.ctx, 0), TH_STREAM_FAILED);
        harness_stop(harness, false);
        free(part);
    }
    *file = whole;
}

static void a_file_that_is_cut_anywhere_is_told_at_once(void **state)
{
    const struct pki_entity *devices[] = {pki.device, pki.rsa_device};
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        struct th_span chain[1] = {devices[i]->chain[0]};
        size_t len;
        uint8_t *older = pki_traditional_key(devices[i], &len);
        harness->identity = pki_identity(devices[i], i ? TH_KEY_RSA : TH_KEY_EC_P256);
        harness->identity.chain = chain;
        assert_no_part_is_enough(harness, &harness->identity.key);
        assert_no_part_is_enough(harness, &chain[0]);
        assert_no_part_is_enough(harness, &harness->anchors[0]);
        harness->identity.key = th_span_of(older, len);
        assert_no_part_is_enough(harness, &harness->identity.key);
        assert_opens(harness);
        harness_free(harness);
        OPENSSL_free(older);
    }
}

static void a_contradictory_configuration_is_told_at_once(void **state)
{
    struct harness *harness = make(state);
    struct th_identity two_keys = harness->identity, no_key = harness->identity;
    two_keys.native_key = pki.device->key;
    no_key.key.len = 0;
    const struct {
        const struct th_identity *identity;
        uint8_t anchors;
        enum th_trust_mode mode;
        const char *name;
        enum th_error error;
    } cases[] = {
        {&two_keys, 1, TH_TRUST_ANCHORS, "broker.test", TH_ERR_CONFIG},
        {&no_key, 1, TH_TRUST_ANCHORS, "broker.test", TH_ERR_CONFIG},
        {NULL, 1, TH_TRUST_ANCHORS, NULL, TH_ERR_CONFIG},
        {NULL, 1, TH_TRUST_ANCHORS, "", TH_ERR_CONFIG},
        {NULL, 0, TH_TRUST_ANCHORS, "broker.test", TH_ERR_TRUST_NOTHING_CONFIGURED},
        {NULL, 1, TH_TRUST_FINGERPRINT_INSTEAD, NULL, TH_ERR_TRUST_NOTHING_CONFIGURED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        harness->config.identity = cases[i].identity;
        harness->trust.anchor_count = cases[i].anchors;
        harness->trust.mode = cases[i].mode;
        harness->server_name = cases[i].name;
        assert_refuses(harness, cases[i].error);
        assert_int_equal(harness->up.total, 0);
        harness_stop(harness, false);
    }
    harness_free(harness);
}

/* ---- a key that only signs ---- */

struct signer {
    EVP_PKEY *key;
    int calls;
    bool broken;
};

static size_t sign(void *user, const uint8_t *digest, size_t digest_len, uint8_t *signature,
                   size_t room)
{
    struct signer *signer = user;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(signer->key, NULL);
    const EVP_MD *hash = digest_len == 32   ? EVP_sha256()
                         : digest_len == 48 ? EVP_sha384()
                                            : EVP_sha512();
    size_t len = room;
    signer->calls++;
    bool good = !signer->broken && EVP_PKEY_sign_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_signature_md(ctx, hash) == 1 &&
                EVP_PKEY_sign(ctx, signature, &len, digest, digest_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? len : 0;
}

static void a_secure_element_can_sign_for_us(void **state)
{
    const struct pki_entity *devices[] = {pki.device, pki.rsa_device};
    for (size_t i = 0; i < 4; i++) {
        struct harness *harness = make(state);
        struct signer signer = {devices[i % 2]->key, 0, false};
        if (i / 2)
            SSL_CTX_set_max_proto_version(harness->server_ctx, TLS1_2_VERSION);
        harness->identity = pki_identity(devices[i % 2], i % 2 ? TH_KEY_RSA : TH_KEY_EC_P256);
        harness->identity.key.len = 0;
        harness->identity.sign = sign;
        harness->identity.user = &signer;
        assert_opens(harness);
        assert_int_equal(signer.calls, 1);
        assert_true(harness_info(harness).client_certificate);
        harness_free(harness);
    }
}

static void a_secure_element_that_fails_ends_the_handshake(void **state)
{
    struct harness *harness = make(state);
    struct signer signer = {pki.device->key, 0, true};
    harness->identity.key.len = 0;
    harness->identity.sign = sign;
    harness->identity.user = &signer;
    assert_refuses(harness, TH_ERR_TLS_LIBRARY);
    assert_true(signer.calls > 0);
    harness_free(harness);
}

static void openssl_takes_a_native_key(void **state)
{
    struct harness *harness = make(state);
    harness->identity.key.len = 0;
    harness->identity.native_key = pki.device->key;
    assert_opens(harness);
    harness_stop(harness, true);
    harness->identity.native_key = pki.other->key;
    assert_refuses(harness, TH_ERR_KEY_MISMATCH);
    harness_free(harness);
}

static void bearssl_says_that_it_has_no_native_keys(void **state)
{
    struct harness *harness = make(state);
    harness->identity.key.len = 0;
    harness->identity.native_key = pki.device->key;
    assert_refuses(harness, TH_ERR_CONFIG);
    harness_free(harness);
}

/* ---- T6 ---- */

static void a_server_that_does_not_ask_for_our_certificate_is_refused_T6(void **state)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        SSL_CTX_set_verify(harness->server_ctx, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[i]);
        assert_refuses(harness, TH_ERR_TLS_CLIENT_CERT_UNASKED);
        assert_int_equal(harness->got_len, 0);
        size_t room;
        assert_null(harness->stream.ops->tx(harness->stream.ctx, &room));
        harness_free(harness);
    }
}

/* ---- T12 ---- */

static const char *offered_name;

static int note_name(SSL *ssl, int *alert, void *unused)
{
    static char copy[256];
    (void)alert, (void)unused;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    offered_name = name ? strncpy(copy, name, sizeof copy - 1) : NULL;
    return SSL_TLSEXT_ERR_OK;
}

static void the_server_is_told_the_name_we_want_unless_it_is_an_address_T12(void **state)
{
    struct harness *harness = make(state);
    SSL_CTX_set_tlsext_servername_callback(harness->server_ctx, note_name);
    assert_opens(harness);
    assert_non_null(offered_name);
    assert_string_equal(offered_name, "broker.test");
    harness_stop(harness, true);
    harness->server_name = "broker.test."; /* RFC 6066 §3: without the dot */
    assert_opens(harness);
    assert_string_equal(offered_name, "broker.test");
    harness_stop(harness, true);
    harness->server_name = "192.0.2.1";
    assert_opens(harness);
    assert_null(offered_name);
    harness_free(harness);
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *answer)
{
    (void)ssl;
    if (in_len == 0 || in[0] != 14 || memcmp(in + 1, "x-amzn-mqtt-ca", 14) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (!answer)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = answer;
    *out_len = (unsigned char)strlen(answer);
    return SSL_TLSEXT_ERR_OK;
}

static void the_application_protocol_is_agreed_or_the_connection_refused_T12(void **state)
{
    struct harness *harness = make(state);
    static char wanted[] = "x-amzn-mqtt-ca";
    harness->config.alpn = wanted;
    SSL_CTX_set_alpn_select_cb(harness->server_ctx, choose_alpn, wanted);
    assert_opens(harness);
    harness_stop(harness, true);
    SSL_CTX_set_alpn_select_cb(harness->server_ctx, choose_alpn, NULL); /* alert 120 */
    assert_refuses(harness, TH_ERR_TLS_ALPN);
    assert_int_equal(harness_failure(harness).alert, 120);
    harness_stop(harness, false);
    SSL_CTX_set_alpn_select_cb(harness->server_ctx, NULL, NULL); /* no answer */
    assert_refuses(harness, TH_ERR_TLS_ALPN);
    harness_free(harness);
}

static void a_protocol_we_did_not_offer_is_refused_T12(void **state)
{
    struct harness *harness = make(state);
    static char other[] = "http/1.1";
    harness->config.alpn = "x-amzn-mqtt-ca";
    SSL_CTX_set_alpn_select_cb(harness->server_ctx, choose_alpn, other);
    assert_refuses(harness, TH_ERR_TLS_ALPN);
    harness_free(harness);
}

/* ---- T13 ---- */

struct source {
    uint8_t byte;
    enum { REFUSES, STUCK, REPEATS } how;
};

static bool bad_fill(void *ctx, uint8_t *into, size_t len)
{
    const struct source *source = ctx;
    for (size_t i = 0; i < len; i++)
        into[i] = source->how == REPEATS ? (uint8_t)(i * 37) : source->byte;
    return source->how != REFUSES;
}

static void without_entropy_there_is_no_handshake_T13(void **state)
{
    static const struct th_entropy_ops bad = {bad_fill};
    struct source sources[] = {{0x5A, REFUSES}, {0x00, STUCK}, {0xFF, STUCK}, {0, REPEATS}};
    for (size_t i = 0; i < 4; i++) {
        struct harness *harness = make(state);
        harness->board.entropy.ops = &bad;
        harness->board.entropy.ctx = &sources[i];
        assert_refuses(harness, TH_ERR_TLS_ENTROPY);
        assert_int_equal(harness->up.total, 0);
        harness_free(harness);
    }
}

/* BearSSL would look for entropy on its own; then no run could be repeated. */
static void all_chance_comes_from_the_board(void **state)
{
    uint8_t first[256];
    for (int i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        harness_start(harness);
        harness->stream.ops->poll(harness->stream.ctx, 0);
        assert_true(harness->up.total > 100);
        if (i == 0)
            memcpy(first, harness->up.first, 100);
        assert_memory_equal(first, harness->up.first, 100);
        harness_free(harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_EACH(a_device_and_a_broker_prove_themselves_to_each_other),
        OVER_EACH(bytes_go_both_ways_and_arrive_as_they_were),
        OVER_EACH(a_server_without_client_certificates_is_fine_when_none_is_configured),
        OVER_EACH(every_kind_of_key_works_on_either_side),
        OVER_BEAR(the_small_profile_works_as_well),
        OVER_EACH(a_key_may_be_in_its_older_form),
        OVER_EACH(a_key_of_another_certificate_is_told_at_once),
        OVER_EACH(a_mismatch_is_found_without_the_public_key_too),
        OVER_EACH(a_kind_of_key_that_is_not_supported_is_told_at_once),
        OVER_EACH(damaged_files_of_ours_are_told_at_once),
        OVER_EACH(a_file_that_is_cut_anywhere_is_told_at_once),
        OVER_EACH(a_contradictory_configuration_is_told_at_once),
        OVER_EACH(a_secure_element_can_sign_for_us),
        OVER_EACH(a_secure_element_that_fails_ends_the_handshake),
        OVER_OPEN(openssl_takes_a_native_key),
        OVER_BEAR(bearssl_says_that_it_has_no_native_keys),
        OVER_EACH(a_server_that_does_not_ask_for_our_certificate_is_refused_T6),
        OVER_EACH(the_server_is_told_the_name_we_want_unless_it_is_an_address_T12),
        OVER_EACH(the_application_protocol_is_agreed_or_the_connection_refused_T12),
        OVER_EACH(a_protocol_we_did_not_offer_is_refused_T12),
        OVER_EACH(without_entropy_there_is_no_handshake_T13),
        OVER_BEAR(all_chance_comes_from_the_board),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
