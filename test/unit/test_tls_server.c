/* SPDX-License-Identifier: MIT */
/* Over each TLS backend: which servers are ours, and what is said of those that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tls_harness.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#define DAY  (24L * 3600)
#define LEAF .common_name = "broker", .san = "DNS:broker.test"
#define CA   .basic_constraints = "critical,CA:TRUE", .key_usage = "critical,keyCertSign"

static struct harness *make_dated(void **state)
{
    struct harness *harness = make(state);
    harness->trust.clock =
        (struct th_clock_view){.kind = TH_CLOCK_TRUSTED, .now_s = (int64_t)time(NULL)};
    return harness;
}

/* The server shows this certificate, and these behind it. */
static void show(struct harness *harness, const struct pki_entity *leaf,
                 const struct pki_entity *second, const struct pki_entity *third)
{
    harness->shown[0] = leaf;
    harness->shown[1] = second;
    harness->shown[2] = third;
}

/* ---- T3, T4, T15: certificates that are not a broker's ---- */

struct bad {
    const char *what;
    struct pki_request leaf;
    enum th_error error;
};

static void each_bad_certificate_is_refused_for_its_own_reason_T3_T4_T15(void **state)
{
    const struct bad cases[] = {
        {"wrong name",
         {.san = "DNS:other.test", .issuer = pki.server_ca},
         TH_ERR_SERVER_NAME_MISMATCH},
        {"no name but a common name",
         {.common_name = "broker.test", .issuer = pki.server_ca},
         TH_ERR_SERVER_NAME_NO_SAN},
        {"partial wildcard",
         {.san = "DNS:b*.test", .issuer = pki.server_ca},
         TH_ERR_SERVER_NAME_MISMATCH},
        {"expired",
         {LEAF, .issuer = pki.server_ca, .from_s = -9 * DAY, .to_s = -DAY},
         TH_ERR_DATE_EXPIRED},
        {"not valid yet",
         {LEAF, .issuer = pki.server_ca, .from_s = DAY, .to_s = 9 * DAY},
         TH_ERR_DATE_NOT_YET},
        {"a device's certificate",
         {LEAF, .issuer = pki.server_ca, .eku = "clientAuth"},
         TH_ERR_TRUST_EKU},
        {"key usage",
         {LEAF, .issuer = pki.server_ca, .key = PKI_RSA, .key_usage = "critical,keyEncipherment"},
         TH_ERR_TRUST_KEY_USAGE},
        {"self-signed", {LEAF}, TH_ERR_TRUST_SELF_SIGNED},
        {"another CA", {LEAF, .issuer = pki.device_ca}, TH_ERR_TRUST_UNKNOWN_CA},
        {"issued by no CA",
         {.common_name = "leaf", .san = "DNS:broker.test", .issuer = pki.server},
         TH_ERR_TRUST_UNKNOWN_CA},
        {"RSA of 1024 bits",
         {LEAF, .issuer = pki.server_ca, .key = PKI_RSA_1024},
         TH_ERR_TRUST_WEAK_KEY},
        {"SHA-1", {LEAF, .issuer = pki.server_ca, .hash = EVP_sha1()}, TH_ERR_TRUST_WEAK_HASH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pki_entity *leaf = pki_make(&cases[i].leaf);
        struct harness *harness = make_dated(state);
        print_message("  %s\n", cases[i].what);
        show(harness, leaf, NULL, NULL);
        assert_refuses(harness, cases[i].error);
        assert_string_not_equal(harness_failure(harness).name, ""); /* of whom it is said */
        assert_int_equal(harness->got_len, 0);
        harness_free(harness);
        pki_free(leaf);
    }
}

static void a_certificate_issued_by_another_certificate_is_refused_T3(void **state)
{
    struct pki_entity *leaf = pki_make(&(struct pki_request){LEAF, .issuer = pki.server});
    struct harness *harness = make_dated(state);
    show(harness, leaf, pki.server, NULL);
    assert_refuses(harness, TH_ERR_TRUST_NOT_A_CA);
    harness_free(harness);
    pki_free(leaf);
}

static void a_path_longer_than_its_ca_allows_is_refused_T15(void **state)
{
    struct pki_entity *root =
        pki_make(&(struct pki_request){.common_name = "Root",
                                       .basic_constraints = "critical,CA:TRUE,pathlen:0",
                                       .key_usage = "critical,keyCertSign"});
    struct pki_entity *middle =
        pki_make(&(struct pki_request){.common_name = "Middle", CA, .issuer = root});
    struct pki_entity *leaf = pki_make(&(struct pki_request){LEAF, .issuer = middle});
    struct harness *harness = make_dated(state);
    harness->anchors[0] = root->chain[0];
    show(harness, leaf, middle, NULL);
    assert_refuses(harness, TH_ERR_TRUST_PATH_LENGTH);
    harness_free(harness);
    pki_free(leaf);
    pki_free(middle);
    pki_free(root);
}

/* Another CA of the same name is no reason to say that the CA is unknown. */
static void a_false_signature_is_told_from_an_unknown_ca_T3(void **state)
{
    struct pki_entity *twin = pki_make(&(struct pki_request){.common_name = "Test server CA", CA});
    struct pki_entity *leaf = pki_make(&(struct pki_request){LEAF, .issuer = twin});
    struct harness *harness = make_dated(state);
    show(harness, leaf, NULL, NULL);
    assert_refuses(harness, TH_ERR_TRUST_SIGNATURE);
    harness_free(harness);
    pki_free(leaf);
    pki_free(twin);
}

/* Its operator reads our reason in the server's log. */
static void a_server_that_is_refused_is_told_why(void **state)
{
    static const struct {
        enum th_error error;
        int reason;
    } cases[] = {{TH_ERR_TRUST_UNKNOWN_CA, SSL_R_TLSV1_ALERT_UNKNOWN_CA},
                 {TH_ERR_DATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED},
                 {TH_ERR_SERVER_NAME_MISMATCH, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE}};
    for (size_t i = 0; i < 3; i++) {
        struct harness *harness = make_dated(state);
        if (i == 0)
            harness->anchors[0] = pki.device_ca->chain[0];
        if (i == 1)
            harness->trust.clock.now_s += 4000 * DAY;
        if (i == 2)
            harness->server_name = "other.test";
        assert_refuses(harness, cases[i].error);
        assert_int_equal(ERR_GET_REASON(harness->server_error), cases[i].reason);
        harness_free(harness);
    }
}

/* ---- chains that are good ---- */

static void an_address_in_the_certificate_can_be_connected_to_T4(void **state)
{
    struct harness *harness = make_dated(state);
    harness->server_name = "192.0.2.1";
    assert_opens(harness);
    harness_stop(harness, true);
    harness->server_name = "192.0.2.2";
    assert_refuses(harness, TH_ERR_SERVER_NAME_MISMATCH);
    harness_free(harness);
}

/* With the root sent too, and with certificates that are no part of the path. */
static void a_chain_with_intermediates_may_bring_more_than_it_needs(void **state)
{
    struct pki_entity *middle =
        pki_make(&(struct pki_request){.common_name = "Middle", CA, .issuer = pki.server_ca});
    struct pki_entity *leaf =
        pki_make(&(struct pki_request){LEAF, .issuer = middle, .key = PKI_RSA});
    const struct pki_entity *extra[] = {NULL, pki.server_ca, pki.device_ca};
    for (size_t i = 0; i < 3; i++) {
        struct harness *harness = make_dated(state);
        show(harness, leaf, middle, extra[i]);
        assert_opens(harness);
        harness_free(harness);
    }
    struct harness *harness = make_dated(state);
    show(harness, leaf, NULL, NULL);
    assert_refuses(harness, TH_ERR_TRUST_UNKNOWN_CA);
    harness_free(harness);
    pki_free(leaf);
    pki_free(middle);
}

static void an_intermediate_can_be_the_anchor(void **state)
{
    struct pki_entity *middle =
        pki_make(&(struct pki_request){.common_name = "Middle", CA, .issuer = pki.server_ca});
    struct pki_entity *leaf = pki_make(&(struct pki_request){LEAF, .issuer = middle});
    struct harness *harness = make_dated(state);
    harness->anchors[0] = middle->chain[0];
    show(harness, leaf, NULL, NULL);
    assert_opens(harness);
    harness_stop(harness, true);
    show(harness, leaf, middle, NULL);
    assert_opens(harness);
    harness_free(harness);
    pki_free(leaf);
    pki_free(middle);
}

/* BearSSL 0.6 refuses every critical name constraint; the policy judges them over both. */
static void name_constraints_are_judged_by_their_content(void **state)
{
    static const struct {
        const char *constraints;
        enum th_error error;
    } cases[] = {{"critical,permitted;DNS:test", TH_OK},
                 {"critical,permitted;DNS:example", TH_ERR_TRUST_NAME_CONSTRAINTS},
                 {"critical,excluded;DNS:broker.test", TH_ERR_TRUST_NAME_CONSTRAINTS}};
    for (size_t i = 0; i < 3; i++) {
        struct pki_entity *middle =
            pki_make(&(struct pki_request){.common_name = "Middle",
                                           CA,
                                           .name_constraints = cases[i].constraints,
                                           .issuer = pki.server_ca});
        struct pki_entity *leaf = pki_make(&(struct pki_request){LEAF, .issuer = middle});
        struct harness *harness = make_dated(state);
        show(harness, leaf, middle, NULL);
        if (cases[i].error == TH_OK)
            assert_opens(harness);
        else
            assert_refuses(harness, cases[i].error);
        harness_free(harness);
        pki_free(leaf);
        pki_free(middle);
    }
}

/* When a CA is renewed both are anchors for a while; what counts is the one that signed. */
static void of_two_anchors_of_one_name_the_one_that_signed_is_judged(void **state)
{
    struct pki_entity *old = pki_make(&(struct pki_request){
        .common_name = "Root", CA, .key_ids = true, .from_s = -9 * DAY, .to_s = -DAY});
    struct pki_entity *new = pki_make(&(struct pki_request){
        .common_name = "Root", CA, .key_ids = true, .from_s = -DAY, .to_s = 9 * DAY});
    const struct pki_entity *issuers[] = {new, old};
    for (size_t i = 0; i < 4; i++) {
        struct pki_entity *leaf =
            pki_make(&(struct pki_request){LEAF, .issuer = issuers[i % 2], .key_ids = true});
        struct th_span anchors[] = {old->chain[0], new->chain[0]};
        if (i / 2) {
            anchors[0] = new->chain[0];
            anchors[1] = old->chain[0];
        }
        struct harness *harness = make_dated(state);
        harness->trust.anchors = anchors;
        harness->trust.anchor_count = 2;
        show(harness, leaf, NULL, NULL);
        if (issuers[i % 2] == new)
            assert_opens(harness);
        else
            assert_refuses(harness, TH_ERR_DATE_EXPIRED);
        harness_free(harness);
        pki_free(leaf);
    }
    pki_free(old);
    pki_free(new);
}

/* ---- dates by the policy's clock alone (C2) ---- */

static void dates_are_judged_by_the_clock_of_the_policy_alone(void **state)
{
    struct pki_entity *old = pki_make(&(struct pki_request){
        LEAF, .issuer = pki.server_ca, .from_s = -900 * DAY, .to_s = -800 * DAY});
    struct pki_entity *young = pki_make(&(struct pki_request){
        LEAF, .issuer = pki.server_ca, .from_s = 800 * DAY, .to_s = 900 * DAY});
    int64_t now = (int64_t)time(NULL);
    const struct {
        const struct pki_entity *leaf;
        struct th_clock_view clock;
        enum th_error error;
        enum th_date_verdict verdict;
    } cases[] = {
        {old, {TH_CLOCK_FLOOR_ONLY, 0, 0}, TH_OK, TH_DATE_PROVISIONAL},
        {old, {TH_CLOCK_FLOOR_ONLY, now, 0}, TH_ERR_DATE_EXPIRED, 0},
        {old, {TH_CLOCK_HINT, 0, now}, TH_OK, TH_DATE_DOUBTFUL},
        {old, {TH_CLOCK_TRUSTED, 0, now - 850 * DAY}, TH_ERR_DATE_NOT_YET, 0}, /* the CA's */
        {young, {TH_CLOCK_FLOOR_ONLY, now, 0}, TH_OK, TH_DATE_PROVISIONAL},
        {young, {TH_CLOCK_TRUSTED, 0, now}, TH_ERR_DATE_NOT_YET, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness *harness = make_dated(state);
        harness->trust.clock = cases[i].clock;
        show(harness, cases[i].leaf, NULL, NULL);
        if (cases[i].error == TH_OK) {
            assert_opens(harness);
            assert_int_equal(harness_info(harness).server.dates, cases[i].verdict);
        } else {
            assert_refuses(harness, cases[i].error);
        }
        harness_free(harness);
    }
    pki_free(old);
    pki_free(young);
}

/* ---- T5 ---- */

static void spki_digest(const struct pki_entity *entity, uint8_t digest[TH_SHA256_BYTES])
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(entity->certificate), &der);
    SHA256(der, (size_t)len, digest);
    OPENSSL_free(der);
}

static void a_pinned_key_is_demanded_in_addition_to_the_chain_T5(void **state)
{
    uint8_t pins[2][TH_SHA256_BYTES] = {{0}};
    struct harness *harness = make_dated(state);
    harness->trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])pins;
    harness->trust.pin_count = 2;
    assert_refuses(harness, TH_ERR_TRUST_PIN);
    harness_stop(harness, false);
    spki_digest(pki.server, pins[1]); /* the next pin, staged */
    assert_opens(harness);
    harness_stop(harness, false);
    spki_digest(pki.server_ca, pins[1]);
    assert_opens(harness);
    harness_free(harness);
}

static void a_fingerprint_can_stand_instead_of_a_ca_T5(void **state)
{
    struct pki_entity *leaf = pki_make(&(struct pki_request){
        .common_name = "tutorial", .from_s = -9 * DAY, .to_s = -DAY, .key = PKI_RSA});
    uint8_t sha256[1][TH_SHA256_BYTES], sha1[1][TH_SHA1_BYTES];
    SHA256(leaf->der, leaf->der_len, sha256[0]);
    SHA1(leaf->der, leaf->der_len, sha1[0]);
    struct harness *harness = make_dated(state);
    show(harness, leaf, NULL, NULL);
    harness->server_name = NULL;
    harness->trust = (struct th_trust){.mode = TH_TRUST_FINGERPRINT_INSTEAD};
    harness->trust.sha256_fingerprints = (const uint8_t(*)[TH_SHA256_BYTES])sha256;
    harness->trust.sha256_fingerprint_count = 1;
    assert_opens(harness);
    harness_stop(harness, true);
    harness->trust.sha256_fingerprint_count = 0;
    harness->trust.sha1_fingerprints = (const uint8_t(*)[TH_SHA1_BYTES])sha1;
    harness->trust.sha1_fingerprint_count = 1;
    assert_opens(harness);
    harness_stop(harness, true);
    sha1[0][0] ^= 1;
    assert_refuses(harness, TH_ERR_TRUST_FINGERPRINT);
    harness_free(harness);
    pki_free(leaf);
}

static void a_pin_can_stand_instead_of_a_ca_but_not_by_a_certificate_sent_along_T5(void **state)
{
    struct pki_entity *leaf = pki_make(&(struct pki_request){.common_name = "pinned"});
    uint8_t pins[1][TH_SHA256_BYTES];
    struct harness *harness = make_dated(state);
    show(harness, leaf, pki.server_ca, NULL);
    harness->server_name = NULL;
    harness->trust = (struct th_trust){.mode = TH_TRUST_FINGERPRINT_INSTEAD, .pin_count = 1};
    harness->trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])pins;
    spki_digest(leaf, pins[0]);
    assert_opens(harness);
    harness_stop(harness, true);
    spki_digest(pki.server_ca, pins[0]);
    assert_refuses(harness, TH_ERR_TRUST_PIN);
    harness_free(harness);
    pki_free(leaf);
}

/* Behind an anchored path a server may send what it likes: it proves nothing. */
static void a_pin_is_not_met_by_a_certificate_that_is_no_part_of_the_path_T5(void **state)
{
    uint8_t pins[1][TH_SHA256_BYTES];
    struct harness *harness = make_dated(state);
    show(harness, pki.server, pki.device_ca, NULL);
    harness->trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])pins;
    harness->trust.pin_count = 1;
    spki_digest(pki.device_ca, pins[0]);
    assert_refuses(harness, TH_ERR_TRUST_PIN);
    harness_free(harness);
}

static void insecure_mode_takes_any_server(void **state)
{
    struct pki_entity *leaf = pki_make(&(struct pki_request){.common_name = "anything"});
    struct harness *harness = make_dated(state);
    show(harness, leaf, pki.device_ca, NULL);
    harness->trust = (struct th_trust){.mode = TH_TRUST_INSECURE_BENCH_ONLY};
    assert_opens(harness);
    harness_free(harness);
    pki_free(leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_EACH(each_bad_certificate_is_refused_for_its_own_reason_T3_T4_T15),
        OVER_EACH(a_certificate_issued_by_another_certificate_is_refused_T3),
        OVER_EACH(a_path_longer_than_its_ca_allows_is_refused_T15),
        OVER_EACH(a_false_signature_is_told_from_an_unknown_ca_T3),
        OVER_EACH(a_server_that_is_refused_is_told_why),
        OVER_EACH(an_address_in_the_certificate_can_be_connected_to_T4),
        OVER_EACH(a_chain_with_intermediates_may_bring_more_than_it_needs),
        OVER_EACH(an_intermediate_can_be_the_anchor),
        OVER_EACH(name_constraints_are_judged_by_their_content),
        OVER_EACH(of_two_anchors_of_one_name_the_one_that_signed_is_judged),
        OVER_EACH(dates_are_judged_by_the_clock_of_the_policy_alone),
        OVER_EACH(a_pinned_key_is_demanded_in_addition_to_the_chain_T5),
        OVER_EACH(a_fingerprint_can_stand_instead_of_a_ca_T5),
        OVER_EACH(a_pin_can_stand_instead_of_a_ca_but_not_by_a_certificate_sent_along_T5),
        OVER_EACH(a_pin_is_not_met_by_a_certificate_that_is_no_part_of_the_path_T5),
        OVER_EACH(insecure_mode_takes_any_server),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
