/* SPDX-License-Identifier: MIT */
/* Stored TLS sessions and what they are bound to (T10, I11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <thimble/tls.h>

#include "certs.h"

#define AT_LIBRARY (TH_SESSION_OVERHEAD - 4)

static const char secret[] = "what the library needs to resume";

static struct th_session_bond a_bond(void)
{
    struct th_session_bond bond = {.broker = 1, .not_after_s = 1000000};
    memset(bond.policy, 0x11, sizeof bond.policy);
    memset(bond.certificate, 0x22, sizeof bond.certificate);
    return bond;
}

static size_t seal(uint8_t *into, size_t room)
{
    struct th_session_bond bond = a_bond();
    memcpy(into + AT_LIBRARY, secret, sizeof secret);
    return th_session_seal(into, room, sizeof secret, &bond);
}

static const struct th_clock_view no_clock = {TH_CLOCK_FLOOR_ONLY, 0, 0};

static void t10_a_session_opens_under_the_bond_it_was_sealed_with(void **state)
{
    (void)state;
    uint8_t stored[TH_SESSION_BEARSSL];
    size_t len = seal(stored, sizeof stored);
    assert_int_equal(len, TH_SESSION_OVERHEAD + sizeof secret);
    struct th_session_bond bond = a_bond();
    bond.not_after_s = 0;
    struct th_span got = th_session_open(th_span_of(stored, len), &bond, &no_clock);
    assert_int_equal(got.len, sizeof secret);
    assert_string_equal(got.at, secret);
    assert_int_equal(bond.not_after_s, 1000000);
}

static void t10_a_session_is_unusable_when_anything_it_was_made_under_differs(void **state)
{
    (void)state;
    uint8_t stored[TH_SESSION_BEARSSL];
    struct th_span sealed = {stored, seal(stored, sizeof stored)};
    struct th_session_bond bond = a_bond();
    bond.broker = 0;
    assert_int_equal(th_session_open(sealed, &bond, &no_clock).len, 0);
    bond = a_bond();
    bond.policy[31] ^= 1;
    assert_int_equal(th_session_open(sealed, &bond, &no_clock).len, 0);
    bond = a_bond();
    bond.certificate[0] ^= 1;
    assert_int_equal(th_session_open(sealed, &bond, &no_clock).len, 0);
}

static void t10_a_session_ends_with_the_chain_it_was_made_under(void **state)
{
    (void)state;
    uint8_t stored[TH_SESSION_BEARSSL];
    struct th_span sealed = {stored, seal(stored, sizeof stored)};
    static const struct {
        struct th_clock_view clock;
        int usable;
    } cases[] = {
        {{TH_CLOCK_FLOOR_ONLY, 1000000, 0}, 1}, {{TH_CLOCK_FLOOR_ONLY, 1000001, 0}, 0},
        {{TH_CLOCK_TRUSTED, 0, 1000000}, 1},    {{TH_CLOCK_TRUSTED, 0, 1000001}, 0},
        {{TH_CLOCK_HINT, 0, 1000001}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct th_session_bond bond = a_bond();
        assert_int_equal(th_session_open(sealed, &bond, &cases[i].clock).len > 0, cases[i].usable);
    }
}

static void a_session_with_any_bit_damaged_or_cut_anywhere_is_unusable(void **state)
{
    (void)state;
    uint8_t stored[TH_SESSION_BEARSSL];
    size_t len = seal(stored, sizeof stored);
    for (size_t bit = 0; bit < len * 8; bit++) {
        struct th_session_bond bond = a_bond();
        stored[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(th_session_open(th_span_of(stored, len), &bond, &no_clock).len, 0);
        stored[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut + 1);
        struct th_session_bond bond = a_bond();
        memcpy(exact, stored, cut);
        assert_int_equal(th_session_open(th_span_of(exact, cut), &bond, &no_clock).len, 0);
        free(exact);
    }
}

static void what_does_not_fit_is_not_sealed(void **state)
{
    (void)state;
    struct th_session_bond bond = a_bond();
    static uint8_t stored[TH_SESSION_OVERHEAD + UINT16_MAX + 1];
    assert_int_equal(th_session_seal(stored, TH_SESSION_OVERHEAD + 9, 10, &bond), 0);
    assert_int_equal(th_session_seal(stored, TH_SESSION_OVERHEAD - 1, 1, &bond), 0);
    assert_int_equal(th_session_seal(stored, sizeof stored, 0, &bond), 0);
    assert_int_equal(th_session_seal(stored, sizeof stored, UINT16_MAX + 1, &bond), 0);
    assert_int_equal(th_session_seal(stored, sizeof stored, UINT16_MAX, &bond),
                     TH_SESSION_OVERHEAD + UINT16_MAX);
}

/* ---- digests ---- */

static void digest(const struct th_trust *trust, uint8_t out[TH_SHA256_BYTES])
{
    th_trust_digest(trust, &cert_hashes, out);
}

static void t10_the_digest_of_a_policy_covers_everything_but_the_clock(void **state)
{
    (void)state;
    static const struct th_span one[] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"c", 1}};
    static const struct th_span two[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"bc", 2}};
    static const uint8_t digests[2][TH_SHA256_BYTES] = {{1}, {2}};
    static const uint8_t sha1[2][TH_SHA1_BYTES] = {{1}, {2}};
    const struct th_trust policies[] = {
        {.anchors = one, .anchor_count = 2},
        {.anchors = two, .anchor_count = 2},
        {.anchors = one, .anchor_count = 1},
        {.anchors = one, .anchor_count = 2, .mode = TH_TRUST_INSECURE_BENCH_ONLY},
        {.anchors = one, .anchor_count = 2, .pins = digests, .pin_count = 1},
        {.anchors = one, .anchor_count = 2, .pins = digests, .pin_count = 2},
        {.anchors = one, .anchor_count = 2, .pins = digests + 1, .pin_count = 1},
        {.anchors = one,
         .anchor_count = 2,
         .sha256_fingerprints = digests,
         .sha256_fingerprint_count = 1},
        {.anchors = one, .anchor_count = 2, .sha1_fingerprints = sha1, .sha1_fingerprint_count = 1},
    };
    enum { COUNT = sizeof policies / sizeof policies[0] };
    uint8_t seen[COUNT][TH_SHA256_BYTES];
    for (size_t i = 0; i < COUNT; i++) {
        digest(&policies[i], seen[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], TH_SHA256_BYTES);
    }
    struct th_trust later = policies[0];
    uint8_t again[TH_SHA256_BYTES];
    later.clock = (struct th_clock_view){TH_CLOCK_TRUSTED, 5, 6};
    digest(&later, again);
    assert_memory_equal(again, seen[0], TH_SHA256_BYTES);
}

static void our_own_certificate_is_part_of_the_bond(void **state)
{
    (void)state;
    static const struct th_span chain[] = {{(const uint8_t *)"own", 3}};
    const struct th_identity identity = {.chain = chain, .chain_count = 1};
    const struct th_trust trust = {.mode = TH_TRUST_ANCHORS};
    struct th_session_bond without = a_bond(), with = a_bond();
    uint8_t zeros[TH_SHA256_BYTES] = {0}, expected[TH_SHA256_BYTES];
    th_session_digests(&without, &trust, NULL, &cert_hashes);
    th_session_digests(&with, &trust, &identity, &cert_hashes);
    EVP_Digest("own", 3, expected, NULL, EVP_sha256(), NULL);
    assert_memory_equal(without.certificate, zeros, sizeof zeros);
    assert_memory_equal(with.certificate, expected, sizeof expected);
    assert_memory_equal(with.policy, without.policy, sizeof with.policy);
}

static void cipher_suites_have_their_iana_names(void **state)
{
    (void)state;
    assert_string_equal(th_tls_suite_name(0x1301), "TLS_AES_128_GCM_SHA256");
    assert_string_equal(th_tls_suite_name(0xC02B), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    assert_string_equal(th_tls_suite_name(0x002F), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t10_a_session_opens_under_the_bond_it_was_sealed_with),
        cmocka_unit_test(t10_a_session_is_unusable_when_anything_it_was_made_under_differs),
        cmocka_unit_test(t10_a_session_ends_with_the_chain_it_was_made_under),
        cmocka_unit_test(a_session_with_any_bit_damaged_or_cut_anywhere_is_unusable),
        cmocka_unit_test(what_does_not_fit_is_not_sealed),
        cmocka_unit_test(t10_the_digest_of_a_policy_covers_everything_but_the_clock),
        cmocka_unit_test(our_own_certificate_is_part_of_the_bond),
        cmocka_unit_test(cipher_suites_have_their_iana_names),
    };
    return cmocka_run_group_tests_name("session_store", tests, NULL, NULL);
}
