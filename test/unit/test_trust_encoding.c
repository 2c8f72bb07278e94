/* SPDX-License-Identifier: MIT */
/* Certificates whose bytes are not as they should be, one change at a time. Nobody checks their
 * signatures here, so bytes are simply replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "trust_bench.h"

#define ROOM 2048

/* A certificate with the `which`th occurrence of some bytes replaced by others of the same length.
 */
struct patched {
    struct cert cert;
    uint8_t bytes[ROOM];
};

static void patch(struct patched *patched, const struct cert *from, int which, const void *find,
                  const void *replace, size_t len)
{
    assert_true(from->der.len <= ROOM);
    memcpy(patched->bytes, from->der.at, from->der.len);
    patched->cert = *from;
    patched->cert.der.at = patched->bytes;
    for (size_t at = 0; at + len <= from->der.len; at++) {
        if (memcmp(patched->bytes + at, find, len) != 0 || which-- > 0)
            continue;
        memcpy(patched->bytes + at, replace, len);
        return;
    }
    fail_msg("the bytes to replace are not there");
}

static void expect(const struct cert *from, int which, const char *find, const char *replace,
                   size_t len, enum th_error error)
{
    struct patched patched;
    patch(&patched, from, which, find, replace, len);
    struct chain chain = trust_chain(&patched.cert, &trust_root);
    assert_string_equal(th_error_name(trust_judge(&chain).error), th_error_name(error));
}

#define EXPECT(from, which, find, replace, error) \
    expect(from, which, find, replace, sizeof(find) - 1, error)

static const enum th_error malformed = TH_ERR_TRUST_MALFORMED;

static void only_version_3_has_extensions_and_no_later_version_is_known(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    EXPECT(&leaf, 0, "\xA0\x03\x02\x01\x02", "\xA0\x03\x02\x01\x02", TH_OK);
    EXPECT(&leaf, 0, "\xA0\x03\x02\x01\x02", "\xA0\x03\x02\x01\x01", malformed);
    EXPECT(&leaf, 0, "\xA0\x03\x02\x01\x02", "\xA0\x03\x02\x01\x00", malformed);
    EXPECT(&leaf, 0, "\xA0\x03\x02\x01\x02", "\xA0\x03\x02\x01\x03", malformed);
    EXPECT(&leaf, 0, "\xA0\x03\x02\x01\x02", "\xA0\x03\x04\x01\x02", malformed);
    cert_free(&leaf);
}

static void extensions_nobody_knows_need_version_3_too(void **state)
{
    (void)state;
    struct cert_spec spec = {.cn = "broker",
                             .issuer = &trust_root,
                             .unknown_extension = "1.2.3.4",
                             .unknown_is_harmless = 1};
    struct cert leaf = cert_make(&spec);
    EXPECT(&leaf, 0, "\xA0\x03\x02\x01\x02", "\xA0\x03\x02\x01\x02", TH_ERR_SERVER_NAME_NO_SAN);
    EXPECT(&leaf, 0, "\xA0\x03\x02\x01\x02", "\xA0\x03\x02\x01\x01", malformed);
    cert_free(&leaf);
}

static void a_version_of_two_bytes_is_no_version(void **state)
{
    (void)state;
    /* A serial number of one byte less makes room for it. */
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    uint8_t find[9] = {0xA0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x02}, replace[9];
    for (size_t i = 0; i + 9 < leaf.der.len; i++) {
        if (memcmp(leaf.der.at + i, find, 7) == 0)
            memcpy(find, leaf.der.at + i, 9);
    }
    memcpy(replace, (uint8_t[9]){0xA0, 0x04, 0x02, 0x02, 0x02, 0x02, 0x02, 0x01, 0x05}, 9);
    struct patched patched;
    patch(&patched, &leaf, 0, find, replace, sizeof find);
    struct chain chain = trust_chain(&patched.cert, &trust_root);
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_MALFORMED);
    cert_free(&leaf);
}

static void the_signed_algorithm_must_be_the_one_outside(void **state)
{
    (void)state;
    static const char sha256[] = "\x2A\x86\x48\xCE\x3D\x04\x03\x02";
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    EXPECT(&leaf, 0, sha256, "\x2A\x86\x48\xCE\x3D\x04\x03\x03", malformed);
    EXPECT(&leaf, 1, sha256, "\x2A\x86\x48\xCE\x3D\x04\x03\x03", malformed);
    EXPECT(&leaf, 1, sha256, "\x2A\x86\x48\xCE\x3D\x04\x03\x01", malformed);
    cert_free(&leaf);

    struct cert rsa = cert_make(&(struct cert_spec){
        .cn = "RSA", .key = "RSA-2048", .basic = "critical,CA:TRUE", .usage = "keyCertSign"});
    spec.issuer = &rsa;
    spec.hash = "PSS";
    leaf = cert_make(&spec);
    static const char hash[] = "\x60\x86\x48\x01\x65\x03\x04\x02\x01";
    EXPECT(&leaf, 0, hash, "\x60\x86\x48\x01\x65\x03\x04\x02\x02", malformed);
    cert_free(&leaf);
    cert_free(&rsa);
}

static void a_boolean_is_one_byte_of_all_zeros_or_all_ones(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.basic = "critical,CA:TRUE";
    struct cert leaf = cert_make(&spec);
    EXPECT(&leaf, 0, "\x01\x01\xFF\x04", "\x01\x01\x00\x04", TH_OK);
    EXPECT(&leaf, 0, "\x01\x01\xFF\x04", "\x01\x01\x01\x04", malformed);
    EXPECT(&leaf, 0, "\x30\x03\x01\x01\xFF", "\x30\x03\x01\x01\x01", malformed);
    EXPECT(&leaf, 0, "\x30\x03\x01\x01\xFF", "\x30\x03\x01\x00\xFF", malformed);
    cert_free(&leaf);
}

static void dates_are_dates(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.not_before_s = 1767225600; /* 2026-01-01 */
    spec.not_after_s = 4102444799;  /* 2099-12-31: a GeneralizedTime */
    struct cert leaf = cert_make(&spec);
    EXPECT(&leaf, 0,
           "\x17\x0D"
           "260101",
           "\x17\x0D"
           "260101",
           TH_OK);
    EXPECT(&leaf, 0,
           "\x17\x0D"
           "260101",
           "\x17\x0D"
           "261301",
           malformed);
    EXPECT(&leaf, 0,
           "\x17\x0D"
           "260101",
           "\x16\x0D"
           "260101",
           malformed);
    EXPECT(&leaf, 0,
           "\x18\x0F"
           "20991231",
           "\x18\x0F"
           "20990231",
           malformed);
    EXPECT(&leaf, 0, "235959Z", "235959+", malformed);
    cert_free(&leaf);
}

static void extensions_are_what_their_identifier_says_and_no_other_identifier_is_one(void **state)
{
    (void)state;
    static const char *const others[] = {"2.5.4.3", "1.3.6.1.5.5.7.3.1", "2.16.840.1.101.3.4.2.3",
                                         "2.5.29.54", "1.2.840.10045.2.1"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct cert_spec spec = trust_good_leaf();
        spec.unknown_extension = others[i];
        trust_expect_leaf(&spec, TH_ERR_TRUST_CRITICAL_EXTENSION);
    }
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    /* keyUsage's place taken by a second extKeyUsage: its contents are no list, and it comes twice.
     */
    EXPECT(&leaf, 0, "\x55\x1D\x0F", "\x55\x1D\x25", malformed);
    EXPECT(&leaf, 0, "\x55\x1D\x13", "\x55\x1D\x99", TH_ERR_TRUST_CRITICAL_EXTENSION);
    cert_free(&leaf);
}

static void addresses_have_the_length_of_addresses(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.names = "DNS:" BROKER ",IP:192.0.2.1,DNS:a";
    struct cert leaf = cert_make(&spec);
    EXPECT(&leaf, 0,
           "\x87\x04\xC0\x00\x02\x01\x82\x01"
           "a",
           "\x87\x07\xC0\x00\x02\x01\x82\x01"
           "a",
           malformed);
    EXPECT(&leaf, 0,
           "\x87\x04\xC0\x00\x02\x01\x82\x01"
           "a",
           "\x87\x03\xC0\x00\x02\x82\x02"
           "aa",
           malformed);
    cert_free(&leaf);
    spec = trust_good_ca("Middle");
    spec.issuer = NULL;
    spec.constraints = "critical,permitted;IP:192.0.2.0/255.255.255.0";
    struct cert anchor = cert_make(&spec);
    struct patched patched;
    patch(&patched, &anchor, 0, "\x87\x08\xC0\x00\x02\x00\xFF\xFF\xFF\x00",
          "\x87\x07\xC0\x00\x02\x00\xFF\xFF\xFF\x82", 10);
    leaf = cert_server("IP:192.0.2.1", &anchor);
    struct chain chain = trust_chain(&leaf, &patched.cert);
    chain.server_name = "192.0.2.1";
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_MALFORMED);
    chain.anchor = &anchor;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    cert_free(&leaf);
    cert_free(&anchor);
}

static void path_lengths_are_not_negative_and_large_ones_hold(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Middle");
    spec.basic = "critical,CA:TRUE,pathlen:2";
    struct cert middle = cert_make(&spec);
    struct cert leaf = cert_server("DNS:" BROKER, &middle);
    struct patched patched;
    static const struct {
        const char *replace;
        enum th_error error;
    } cases[] = {
        {"\xFF\x02\x01\x02", TH_OK},
        {"\xFF\x02\x01\x80", TH_ERR_TRUST_MALFORMED},
        {"\xFF\x02\x01\x7F", TH_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        patch(&patched, &middle, 0, cases[0].replace, cases[i].replace, 4);
        struct chain chain = trust_chain(&leaf, &trust_root);
        chain.certs[1] = &patched.cert;
        assert_int_equal(trust_judge(&chain).error, cases[i].error);
    }
    cert_free(&leaf);
    cert_free(&middle);
    static const char *const large[] = {
        "critical,CA:TRUE,pathlen:254", "critical,CA:TRUE,pathlen:255",
        "critical,CA:TRUE,pathlen:256", "critical,CA:TRUE,pathlen:65536"};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        spec.basic = large[i];
        trust_expect_ca(&spec, TH_OK);
    }
}

static void rsa_keys_of_every_length_are_measured_to_the_bit(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int bits;
        enum th_error error;
    } cases[] = {{"RSA-2046", 2046, TH_ERR_TRUST_WEAK_KEY},
                 {"RSA-2047", 2047, TH_ERR_TRUST_WEAK_KEY},
                 {"RSA-2048", 2048, TH_OK},
                 {"RSA-2049", 2049, TH_OK},
                 {"RSA-1023", 1023, TH_ERR_TRUST_WEAK_KEY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cert_spec spec = trust_good_leaf();
        spec.key = cases[i].key;
        struct verdict verdict = trust_judge_leaf(&spec);
        assert_string_equal(th_error_name(verdict.error), th_error_name(cases[i].error));
        if (verdict.error != TH_OK)
            assert_int_equal(verdict.failure.detail, cases[i].bits);
    }
}

static void an_rsa_key_with_a_negative_padded_or_trivial_number_is_refused(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.key = "RSA-2048";
    struct cert leaf = cert_make(&spec);
    uint8_t find[6] = {0x02, 0x82, 0x01, 0x01, 0x00}, replace[6];
    for (size_t i = 0; i + 6 < leaf.der.len; i++) {
        if (memcmp(leaf.der.at + i, find, 5) == 0)
            find[5] = leaf.der.at[i + 5];
    }
    struct patched patched;
    memcpy(replace, find, 6);
    replace[4] = 0x80;
    patch(&patched, &leaf, 0, find, replace, 6);
    struct chain chain = trust_chain(&patched.cert, &trust_root);
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_MALFORMED);
    memcpy(replace, find, 6);
    replace[5] = 0x00; /* two zeros before it: it says it is longer than it is */
    patch(&patched, &leaf, 0, find, replace, 6);
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_WEAK_KEY);
    EXPECT(&leaf, 0, "\x02\x03\x01\x00\x01", "\x02\x03\x81\x00\x01", malformed);
    EXPECT(&leaf, 0, "\x02\x03\x01\x00\x01", "\x02\x01\x03\x02\x00", malformed);
    cert_free(&leaf);
}

static void a_common_name_of_wide_characters_is_readable(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_leaf();
    spec.cn = "broker wide";
    spec.cn_is_wide = 1;
    struct verdict verdict = trust_judge_leaf(&spec);
    assert_int_equal(verdict.error, TH_OK);
    assert_string_equal(verdict.summary.subject, "broker wide");
    spec.cn_is_wide = 0;
    struct cert leaf = cert_make(&spec);
    struct patched patched;
    patch(&patched, &leaf, 0, "broker wide", "broker\0wide", 11);
    struct chain chain = trust_chain(&patched.cert, &trust_root);
    assert_string_equal(trust_judge(&chain).summary.subject, "broker?wide");
    cert_free(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_version_3_has_extensions_and_no_later_version_is_known),
        cmocka_unit_test(extensions_nobody_knows_need_version_3_too),
        cmocka_unit_test(a_version_of_two_bytes_is_no_version),
        cmocka_unit_test(the_signed_algorithm_must_be_the_one_outside),
        cmocka_unit_test(a_boolean_is_one_byte_of_all_zeros_or_all_ones),
        cmocka_unit_test(dates_are_dates),
        cmocka_unit_test(extensions_are_what_their_identifier_says_and_no_other_identifier_is_one),
        cmocka_unit_test(addresses_have_the_length_of_addresses),
        cmocka_unit_test(path_lengths_are_not_negative_and_large_ones_hold),
        cmocka_unit_test(rsa_keys_of_every_length_are_measured_to_the_bit),
        cmocka_unit_test(an_rsa_key_with_a_negative_padded_or_trivial_number_is_refused),
        cmocka_unit_test(a_common_name_of_wide_characters_is_readable),
    };
    return cmocka_run_group_tests_name("trust_encoding", tests, trust_set_up, trust_tear_down);
}
