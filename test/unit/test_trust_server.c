/* SPDX-License-Identifier: MIT */
/* The server's own certificate: name, purpose, key, hash (T3, T4, T15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "trust_bench.h"

/* ---- good chains ---- */

static void t3_a_good_leaf_under_an_anchor_is_ours(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    struct verdict verdict = trust_judge_leaf(&spec);
    assert_int_equal(verdict.error, TH_OK);
    assert_string_equal(verdict.summary.subject, "broker");
    assert_string_equal(verdict.summary.issuer, "Test Server CA");
    assert_int_equal(verdict.summary.dates, TH_DATE_VALID);
    assert_true(verdict.summary.not_before_s < NOW_S);
    assert_true(verdict.summary.not_after_s > NOW_S);
    assert_int_equal(verdict.summary.floor_s, verdict.summary.not_before_s);
}

static void t3_a_chain_with_intermediates_is_ours_with_or_without_the_root_sent(void **state)
{
    (void)state;
    struct cert middle = cert_intermediate("Middle", &trust_root);
    struct cert low = cert_intermediate("Low", &middle);
    struct cert leaf = cert_server("DNS:" BROKER, &low);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.certs[1] = &low;
    chain.certs[2] = &middle;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    chain.certs[3] = &trust_root;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    cert_free(&leaf);
    cert_free(&low);
    cert_free(&middle);
}

static void an_empty_extended_key_usage_and_no_key_usage_allow_a_server(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.purpose = spec.usage = spec.basic = NULL;
    trust_expect_leaf(&spec, TH_OK);
}

static void every_strong_key_and_hash_is_taken(void **state)
{
    (void)state;
    static const char *const keys[] = {"P-256", "P-384", "P-521", "RSA-2048", "ED25519"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct cert_spec spec = trust_good_leaf();
        spec.key = keys[i];
        trust_expect_leaf(&spec, TH_OK);
    }
    static const char *const hashes[] = {"SHA256", "SHA384", "SHA512"};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        struct cert_spec spec = trust_good_leaf();
        spec.hash = hashes[i];
        trust_expect_leaf(&spec, TH_OK);
    }
}

/* ---- names (T4) ---- */

static void t4_the_name_comes_from_the_alternative_names_alone(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.names = "DNS:other.test,DNS:more.test";
    trust_expect_leaf(&spec, TH_ERR_SERVER_NAME_MISMATCH);
    spec.names = "DNS:other.test,DNS:" BROKER ",IP:192.0.2.1";
    trust_expect_leaf(&spec, TH_OK);
    spec.names = NULL;
    spec.cn = BROKER;
    trust_expect_leaf(&spec, TH_ERR_SERVER_NAME_NO_SAN);
    spec.names = "email:a@" BROKER ",URI:mqtts://" BROKER;
    trust_expect_leaf(&spec, TH_ERR_SERVER_NAME_MISMATCH);
}

static void expect_name(const char *names, const char *server_name, enum th_error error)
{
    struct cert leaf = cert_server(names, &trust_root);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.server_name = server_name;
    assert_string_equal(th_error_name(trust_judge(&chain).error), th_error_name(error));
    cert_free(&leaf);
}

static void t4_addresses_are_matched_as_addresses(void **state)
{
    (void)state;
    expect_name("IP:192.0.2.1", "192.0.2.1", TH_OK);
    expect_name("IP:192.0.2.1", "192.0.2.2", TH_ERR_SERVER_NAME_MISMATCH);
    expect_name("DNS:192.0.2.1", "192.0.2.1", TH_ERR_SERVER_NAME_MISMATCH);
    expect_name("IP:2001:db8::1", "2001:db8::1", TH_OK);
    expect_name("IP:2001:db8::1", "2001:db8:0:0:0:0:0:1", TH_OK);
    expect_name("IP:2001:db8::1", "2001:db8::2", TH_ERR_SERVER_NAME_MISMATCH);
    expect_name("DNS:*.0.2.1", "192.0.2.1", TH_ERR_SERVER_NAME_MISMATCH);
    expect_name("IP:192.0.2.1", "broker.test", TH_ERR_SERVER_NAME_MISMATCH);
}

static void a_leaf_without_common_name_is_called_by_its_dns_name(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.cn = NULL;
    struct verdict verdict = trust_judge_leaf(&spec);
    assert_int_equal(verdict.error, TH_OK);
    assert_string_equal(verdict.summary.subject, BROKER);
}

static void a_name_for_people_is_cut_and_printable(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.cn = "a common name\x1b[31m that is just much longer than forty-seve";
    struct verdict verdict = trust_judge_leaf(&spec);
    assert_string_equal(verdict.summary.subject, "a common name?[31m that is just much longer ...");
}

static void a_name_that_just_fits_is_not_cut(void **state)
{
    (void)state;
    char cn[TH_FAILURE_NAME_MAX + 2];
    struct cert_spec spec = trust_good_leaf();
    spec.cn = cn;
    for (size_t len = TH_FAILURE_NAME_MAX - 4; len < TH_FAILURE_NAME_MAX + 2; len++) {
        memset(cn, 'n', len);
        cn[len] = '\0';
        cn[3] = '\x7F';
        struct verdict verdict = trust_judge_leaf(&spec);
        bool fits = len < TH_FAILURE_NAME_MAX;
        cn[3] = '?';
        if (!fits)
            memcpy(cn + TH_FAILURE_NAME_MAX - 4, "...", 4);
        assert_string_equal(verdict.summary.subject, cn);
    }
}

/* ---- purpose, keys, hashes (T15) ---- */

static void t15_a_device_certificate_of_the_same_ca_cannot_be_the_broker(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.purpose = "clientAuth";
    trust_expect_leaf(&spec, TH_ERR_TRUST_EKU);
    spec.purpose = "anyExtendedKeyUsage";
    trust_expect_leaf(&spec, TH_ERR_TRUST_EKU);
    spec.purpose = "clientAuth,serverAuth";
    trust_expect_leaf(&spec, TH_OK);
}

static void t15_key_usage_must_let_a_server_sign(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.usage = "critical,keyEncipherment";
    trust_expect_leaf(&spec, TH_ERR_TRUST_KEY_USAGE);
    spec.usage = "critical,keyEncipherment,digitalSignature";
    trust_expect_leaf(&spec, TH_OK);
}

static void t15_weak_keys_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {"RSA-1024", "RSA-2040", "secp224r1", "prime192v1",
                                       "secp256k1"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct cert_spec spec = trust_good_leaf();
        spec.key = keys[i];
        trust_expect_leaf(&spec, TH_ERR_TRUST_WEAK_KEY);
    }
    struct cert_spec spec = trust_good_leaf();
    spec.explicit_curve = 1;
    trust_expect_leaf(&spec, TH_ERR_TRUST_WEAK_KEY);
    spec = trust_good_leaf();
    spec.key = "RSA-1024";
    assert_int_equal(trust_judge_leaf(&spec).failure.detail, 1024);
}

static void t15_weak_hashes_are_refused(void **state)
{
    (void)state;
    static const char *const hashes[] = {"SHA1", "SHA224"};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        struct cert_spec spec = trust_good_leaf();
        spec.hash = hashes[i];
        trust_expect_leaf(&spec, TH_ERR_TRUST_WEAK_HASH);
    }
    struct cert rsa = cert_make(&(struct cert_spec){
        .cn = "RSA", .key = "RSA-2048", .basic = "critical,CA:TRUE", .usage = "keyCertSign"});
    static const struct {
        const char *hash;
        enum th_error error;
    } cases[] = {{"MD5", TH_ERR_TRUST_WEAK_HASH},
                 {"SHA1", TH_ERR_TRUST_WEAK_HASH},
                 {"PSS-SHA1", TH_ERR_TRUST_WEAK_HASH},
                 {"PSS", TH_OK},
                 {"SHA384", TH_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cert_spec spec = trust_good_leaf();
        spec.issuer = &rsa;
        spec.hash = cases[i].hash;
        struct cert leaf = cert_make(&spec);
        struct chain chain = trust_chain(&leaf, &rsa);
        assert_string_equal(th_error_name(trust_judge(&chain).error),
                            th_error_name(cases[i].error));
        cert_free(&leaf);
    }
    cert_free(&rsa);
}

static void an_anchor_may_be_signed_with_an_old_hash(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Old Root");
    spec.issuer = NULL;
    spec.hash = "SHA1";
    trust_expect_anchor(&spec, TH_OK);
}

static void a_critical_extension_that_is_not_understood_refuses(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.unknown_extension = "1.3.6.1.4.1.99999.1";
    trust_expect_leaf(&spec, TH_ERR_TRUST_CRITICAL_EXTENSION);
    spec = trust_good_ca("Middle");
    spec.unknown_extension = "1.3.6.1.4.1.99999.1";
    trust_expect_ca(&spec, TH_ERR_TRUST_CRITICAL_EXTENSION);
    spec = trust_good_leaf();
    spec.unknown_extension = "1.3.6.1.4.1.99999.1";
    spec.unknown_is_harmless = 1;
    trust_expect_leaf(&spec, TH_OK);
}

static void an_extension_that_comes_twice_is_malformed(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.duplicate_extension = 1;
    trust_expect_leaf(&spec, TH_ERR_TRUST_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t3_a_good_leaf_under_an_anchor_is_ours),
        cmocka_unit_test(t3_a_chain_with_intermediates_is_ours_with_or_without_the_root_sent),
        cmocka_unit_test(an_empty_extended_key_usage_and_no_key_usage_allow_a_server),
        cmocka_unit_test(every_strong_key_and_hash_is_taken),
        cmocka_unit_test(t4_the_name_comes_from_the_alternative_names_alone),
        cmocka_unit_test(t4_addresses_are_matched_as_addresses),
        cmocka_unit_test(a_leaf_without_common_name_is_called_by_its_dns_name),
        cmocka_unit_test(a_name_for_people_is_cut_and_printable),
        cmocka_unit_test(a_name_that_just_fits_is_not_cut),
        cmocka_unit_test(t15_a_device_certificate_of_the_same_ca_cannot_be_the_broker),
        cmocka_unit_test(t15_key_usage_must_let_a_server_sign),
        cmocka_unit_test(t15_weak_keys_are_refused),
        cmocka_unit_test(t15_weak_hashes_are_refused),
        cmocka_unit_test(an_anchor_may_be_signed_with_an_old_hash),
        cmocka_unit_test(a_critical_extension_that_is_not_understood_refuses),
        cmocka_unit_test(an_extension_that_comes_twice_is_malformed),
    };
    return cmocka_run_group_tests_name("trust_server", tests, trust_set_up, trust_tear_down);
}
