/* SPDX-License-Identifier: MIT */
/* Dates, pins, fingerprints, modes (C2, T5), and damaged certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "trust_bench.h"

/* ---- dates (C2) ---- */

static void c2_a_leaf_that_expired_before_the_floor_is_refused_without_a_clock(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.not_before_s = NOW_S - 20 * DAY_S;
    spec.not_after_s = NOW_S - 10 * DAY_S;
    struct cert leaf = cert_make(&spec);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.trust.clock = (struct th_clock_view){TH_CLOCK_FLOOR_ONLY, NOW_S - 5 * DAY_S, 0};
    struct verdict verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_ERR_DATE_EXPIRED);
    assert_int_equal(verdict.failure.not_after_s, spec.not_after_s);
    assert_int_equal(verdict.failure.now_s, chain.trust.clock.floor_s);
    chain.trust.clock.floor_s = NOW_S - 15 * DAY_S;
    verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_OK); /* against this floor it may well be valid */
    cert_free(&leaf);
}

static void dates_of_every_certificate_count_and_the_worst_is_told(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Expired Middle");
    spec.not_before_s = NOW_S - 20 * DAY_S;
    spec.not_after_s = NOW_S - 10 * DAY_S;
    trust_expect_ca(&spec, TH_ERR_DATE_EXPIRED);
    spec.issuer = NULL;
    trust_expect_anchor(&spec, TH_ERR_DATE_EXPIRED);
    spec = trust_good_ca("Future Middle");
    spec.not_before_s = NOW_S + 5 * DAY_S;
    trust_expect_ca(&spec, TH_ERR_DATE_NOT_YET);

    struct cert middle = cert_make(&spec);
    struct cert leaf = cert_server("DNS:" BROKER, &middle);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.certs[1] = &middle;
    chain.trust.clock = (struct th_clock_view){TH_CLOCK_FLOOR_ONLY, NOW_S, 0};
    struct verdict verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_OK);
    assert_int_equal(verdict.summary.dates, TH_DATE_PROVISIONAL);
    assert_int_equal(verdict.summary.not_before_s, spec.not_before_s);
    struct th_clock_view trusted = {TH_CLOCK_TRUSTED, 0, NOW_S};
    assert_int_equal(th_trust_dates_again(&verdict.summary, &trusted), TH_DATE_NOT_YET);
    trusted.now_s += 6 * DAY_S;
    assert_int_equal(th_trust_dates_again(&verdict.summary, &trusted), TH_DATE_VALID);
    cert_free(&leaf);
    cert_free(&middle);
}

static void the_summary_holds_the_narrowest_dates_of_the_chain(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Short Middle");
    spec.not_before_s = NOW_S - 3 * DAY_S;
    spec.not_after_s = NOW_S + 3 * DAY_S;
    struct cert middle = cert_make(&spec);
    struct cert_spec leaf_spec = trust_good_leaf();
    leaf_spec.issuer = &middle;
    leaf_spec.not_before_s = NOW_S - 2 * DAY_S;
    leaf_spec.not_after_s = NOW_S + 5 * DAY_S;
    struct cert leaf = cert_make(&leaf_spec);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.certs[1] = &middle;
    struct verdict verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_OK);
    assert_int_equal(verdict.summary.not_after_s, spec.not_after_s);
    /* The root was made a day ago. */
    assert_true(verdict.summary.not_before_s > leaf_spec.not_before_s);
    cert_free(&leaf);
    cert_free(&middle);
}

static void a_failure_tells_the_time_it_was_judged_by_and_no_size_that_is_not_at_fault(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.not_before_s = NOW_S - 20 * DAY_S;
    spec.not_after_s = NOW_S - 10 * DAY_S;
    struct cert leaf = cert_make(&spec);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.trust.clock = (struct th_clock_view){TH_CLOCK_TRUSTED, NOW_S - 50 * DAY_S, NOW_S};
    struct verdict verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_ERR_DATE_EXPIRED);
    assert_int_equal(verdict.failure.now_s, chain.trust.clock.now_s);
    assert_int_equal(verdict.failure.detail, 0);
    chain.trust.clock =
        (struct th_clock_view){TH_CLOCK_TRUSTED, NOW_S - 5 * DAY_S, NOW_S - 15 * DAY_S};
    verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_ERR_DATE_EXPIRED);
    assert_int_equal(verdict.failure.now_s, chain.trust.clock.floor_s);
    cert_free(&leaf);
}

static void an_anchors_failure_names_its_place_in_the_chain(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Twin");
    struct cert sent = cert_make(&spec);
    spec.use_key = sent.key;
    spec.issuer = NULL;
    spec.not_before_s = NOW_S - 20 * DAY_S;
    spec.not_after_s = NOW_S - 10 * DAY_S;
    struct cert same = cert_make(&spec);
    spec.use_key = NULL;
    struct cert other_key = cert_make(&spec);
    struct cert leaf = cert_server("DNS:" BROKER, &sent);
    struct chain chain = trust_chain(&leaf, &same);
    chain.certs[1] = &sent;
    struct verdict verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_ERR_DATE_EXPIRED);
    assert_int_equal(verdict.failure.depth, 1); /* it is the CA the server sent */
    chain.anchor = &other_key;
    verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_ERR_DATE_EXPIRED);
    assert_int_equal(verdict.failure.depth, 2); /* the same name is not the same CA */
    cert_free(&leaf);
    cert_free(&other_key);
    cert_free(&same);
    cert_free(&sent);
}

static void a_chain_has_one_anchor_and_needs_a_certificate(void **state)
{
    (void)state;
    struct cert bad = cert_make(&(struct cert_spec){.cn = "not a CA"});
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    struct th_trust trust = trust_of_host(&trust_root.der);
    struct th_trust_check check;
    struct th_failure failure;
    th_trust_begin(&check, &trust, &cert_hashes, BROKER);
    trust_feed(&check, leaf.der, 0);
    th_trust_anchor(&check, trust_root.der);
    th_trust_anchor(&check, bad.der);
    assert_int_equal(th_trust_end(&check, &failure), TH_OK);
    th_trust_begin(&check, &trust, &cert_hashes, BROKER);
    th_trust_anchor(&check, trust_root.der);
    assert_int_equal(th_trust_end(&check, &failure), TH_ERR_TRUST_MALFORMED);
    cert_free(&leaf);
    cert_free(&bad);
}

/* ---- pins and fingerprints (T5) ---- */

struct digests {
    uint8_t pins[2][TH_SHA256_BYTES], sha256[1][TH_SHA256_BYTES], sha1[1][TH_SHA1_BYTES];
};

static struct digests digests_of(const struct cert *cert)
{
    struct digests digests = {0};
    X509_pubkey_digest(cert->x509, EVP_sha256(), digests.pins[1], NULL);
    X509_digest(cert->x509, EVP_sha256(), digests.sha256[0], NULL);
    X509_digest(cert->x509, EVP_sha1(), digests.sha1[0], NULL);
    /* OpenSSL's key digest is over the key bits alone; a pin is over the SubjectPublicKeyInfo. */
    uint8_t *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &spki);
    EVP_Digest(spki, (size_t)len, digests.pins[1], NULL, EVP_sha256(), NULL);
    OPENSSL_free(spki);
    return digests;
}

static void t5_one_pin_must_match_the_server_or_a_ca_above_it(void **state)
{
    (void)state;
    struct cert middle = cert_intermediate("Middle", &trust_root);
    struct cert leaf = cert_server("DNS:" BROKER, &middle);
    struct cert stranger = cert_server("DNS:" BROKER, &middle);
    const struct {
        const struct cert *pinned;
        enum th_error error;
    } cases[] = {
        {&leaf, TH_OK}, {&middle, TH_OK}, {&trust_root, TH_OK}, {&stranger, TH_ERR_TRUST_PIN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct digests digests = digests_of(cases[i].pinned);
        struct chain chain = trust_chain(&leaf, &trust_root);
        chain.certs[1] = &middle;
        chain.trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])digests.pins;
        chain.trust.pin_count = 2; /* the first is of no key at all: the backup pin */
        assert_string_equal(th_error_name(trust_judge(&chain).error),
                            th_error_name(cases[i].error));
    }
    cert_free(&stranger);
    cert_free(&leaf);
    cert_free(&middle);
}

static void certificates_after_the_anchor_satisfy_no_pin(void **state)
{
    (void)state;
    /* Whoever has a certificate of our CA could send the pinned key's certificate behind it. */
    struct cert pinned = cert_make(&(struct cert_spec){
        .cn = "Test Server CA", .basic = "critical,CA:TRUE", .usage = "keyCertSign"});
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    struct digests digests = digests_of(&pinned);
    struct th_trust trust = trust_of_host(&trust_root.der);
    struct th_trust_check check;
    struct th_failure failure;
    trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])digests.pins;
    trust.pin_count = 2;
    th_trust_begin(&check, &trust, &cert_hashes, BROKER);
    trust_feed(&check, leaf.der, 0);
    th_trust_anchor(&check, trust_root.der);
    trust_feed(&check, pinned.der, 0);
    assert_int_equal(th_trust_end(&check, &failure), TH_ERR_TRUST_PIN);
    cert_free(&leaf);
    cert_free(&pinned);
}

static void t5_fingerprints_are_in_addition_to_the_anchors(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec), other = cert_make(&spec);
    struct digests digests = digests_of(&leaf);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.trust.sha256_fingerprints = (const uint8_t(*)[TH_SHA256_BYTES])digests.sha256;
    chain.trust.sha256_fingerprint_count = 1;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    chain.certs[0] = &other;
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_FINGERPRINT);
    chain.trust.sha256_fingerprint_count = 0;
    chain.trust.sha1_fingerprints = (const uint8_t(*)[TH_SHA1_BYTES])digests.sha1;
    chain.trust.sha1_fingerprint_count = 1;
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_FINGERPRINT);
    chain.certs[0] = &leaf;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    chain.server_name = "other.test"; /* and the rest still counts */
    assert_int_equal(trust_judge(&chain).error, TH_ERR_SERVER_NAME_MISMATCH);
    cert_free(&leaf);
    cert_free(&other);
}

static void t5_a_fingerprint_instead_judges_nothing_else_but_pins_and_key(void **state)
{
    (void)state;
    struct cert leaf = cert_make(&(struct cert_spec){
        .cn = "tutorial", .not_before_s = NOW_S - 20 * DAY_S, .not_after_s = NOW_S - 10 * DAY_S});
    struct cert other = cert_make(&(struct cert_spec){.cn = "tutorial"});
    struct digests digests = digests_of(&leaf);
    struct chain chain = {.certs = {&leaf}};
    chain.trust.mode = TH_TRUST_FINGERPRINT_INSTEAD;
    chain.trust.clock = (struct th_clock_view){TH_CLOCK_TRUSTED, 0, NOW_S};
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_NOTHING_CONFIGURED);
    chain.trust.sha1_fingerprints = (const uint8_t(*)[TH_SHA1_BYTES])digests.sha1;
    chain.trust.sha1_fingerprint_count = 1;
    struct verdict verdict = trust_judge(&chain);
    assert_int_equal(verdict.error, TH_OK);
    assert_int_equal(verdict.summary.not_after_s, INT64_MAX);
    chain.certs[0] = &other;
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_FINGERPRINT);
    chain.certs[1] = &leaf; /* only the server's own certificate counts */
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_FINGERPRINT);
    chain.trust.sha1_fingerprint_count = 0;
    chain.trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])digests.pins;
    chain.trust.pin_count = 2;
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_PIN);
    chain.certs[0] = &leaf;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    cert_free(&leaf);
    cert_free(&other);
}

static void nothing_to_trust_by_is_said_and_insecure_is_an_explicit_mode(void **state)
{
    (void)state;
    struct cert leaf = cert_make(&(struct cert_spec){.cn = "anything"});
    struct chain chain = {.certs = {&leaf}, .server_name = BROKER};
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_NOTHING_CONFIGURED);
    chain.trust = trust_of_host(&trust_root.der);
    chain.server_name = NULL;
    assert_int_equal(trust_judge(&chain).error, TH_ERR_CONFIG);
    chain.trust.mode = TH_TRUST_INSECURE_BENCH_ONLY;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    chain.trust.mode = (enum th_trust_mode)7;
    assert_int_equal(trust_judge(&chain).error, TH_ERR_CONFIG);
    cert_free(&leaf);
}

/* ---- damaged certificates ---- */

static enum th_error judge_bytes(const uint8_t *bytes, size_t announced, size_t len)
{
    struct th_trust_check check;
    struct th_failure failure;
    struct th_trust trust = trust_of_host(&trust_root.der);
    th_trust_begin(&check, &trust, &cert_hashes, BROKER);
    th_trust_certificate(&check, announced);
    th_trust_feed(&check, bytes, len);
    th_trust_certificate_end(&check);
    return th_trust_end(&check, &failure);
}

static void a_truncated_certificate_is_malformed_wherever_it_is_cut(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    for (size_t len = 0; len < leaf.der.len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that the sanitizer sees one byte too many */
        memcpy(exact, leaf.der.at, len);
        assert_int_equal(judge_bytes(exact, len, len), TH_ERR_TRUST_MALFORMED);
        assert_int_equal(judge_bytes(exact, leaf.der.len, len), TH_ERR_TRUST_MALFORMED);
        free(exact);
    }
    assert_int_equal(judge_bytes(leaf.der.at, leaf.der.len, leaf.der.len), TH_OK);
    uint8_t more[2048] = {0};
    memcpy(more, leaf.der.at, leaf.der.len);
    assert_int_equal(judge_bytes(more, leaf.der.len + 1, leaf.der.len + 1), TH_ERR_TRUST_MALFORMED);
    assert_int_equal(judge_bytes(more, leaf.der.len, leaf.der.len + 1), TH_ERR_TRUST_MALFORMED);
    cert_free(&leaf);
}

static void a_certificate_with_any_byte_changed_is_judged_without_harm(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Middle");
    spec.constraints = "critical,permitted;DNS:test,excluded;IP:10.0.0.0/255.0.0.0";
    struct cert middle = cert_make(&spec);
    struct cert leaf = cert_server("DNS:" BROKER ",IP:192.0.2.1", &middle);
    const struct cert *both[2] = {&leaf, &middle};
    static const uint8_t flips[] = {0x01, 0x80, 0xFF, 0x20};
    for (int which = 0; which < 2; which++) {
        struct cert changed = *both[which];
        uint8_t *copy = malloc(changed.der.len);
        changed.der.at = copy;
        for (size_t i = 0; i < changed.der.len * sizeof flips; i++) {
            memcpy(copy, both[which]->der.at, changed.der.len);
            copy[i / sizeof flips] ^= flips[i % sizeof flips];
            struct chain chain = trust_chain(which == 0 ? &changed : &leaf, &trust_root);
            chain.certs[1] = which == 1 ? &changed : &middle;
            struct verdict whole = trust_judge_split(&chain, 0),
                           bytes = trust_judge_split(&chain, SIZE_MAX);
            assert_int_equal(whole.error, bytes.error);
        }
        free(copy);
    }
    cert_free(&leaf);
    cert_free(&middle);
}

static void the_size_of_a_check_is_bounded(void **state)
{
    (void)state;
    print_message("struct th_trust_check: %zu bytes, of them %zu for the reader\n",
                  th_trust_check_size(), sizeof(struct th_x509));
    assert_int_equal(th_trust_check_size(), sizeof(struct th_trust_check));
    assert_true(sizeof(struct th_x509) <= 400);
    assert_true(sizeof(struct th_trust_check) <= 1536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c2_a_leaf_that_expired_before_the_floor_is_refused_without_a_clock),
        cmocka_unit_test(dates_of_every_certificate_count_and_the_worst_is_told),
        cmocka_unit_test(the_summary_holds_the_narrowest_dates_of_the_chain),
        cmocka_unit_test(
            a_failure_tells_the_time_it_was_judged_by_and_no_size_that_is_not_at_fault),
        cmocka_unit_test(an_anchors_failure_names_its_place_in_the_chain),
        cmocka_unit_test(a_chain_has_one_anchor_and_needs_a_certificate),
        cmocka_unit_test(t5_one_pin_must_match_the_server_or_a_ca_above_it),
        cmocka_unit_test(certificates_after_the_anchor_satisfy_no_pin),
        cmocka_unit_test(t5_fingerprints_are_in_addition_to_the_anchors),
        cmocka_unit_test(t5_a_fingerprint_instead_judges_nothing_else_but_pins_and_key),
        cmocka_unit_test(nothing_to_trust_by_is_said_and_insecure_is_an_explicit_mode),
        cmocka_unit_test(a_truncated_certificate_is_malformed_wherever_it_is_cut),
        cmocka_unit_test(a_certificate_with_any_byte_changed_is_judged_without_harm),
        cmocka_unit_test(the_size_of_a_check_is_bounded),
    };
    return cmocka_run_group_tests_name("trust_policy", tests, trust_set_up, trust_tear_down);
}
