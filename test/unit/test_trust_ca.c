/* SPDX-License-Identifier: MIT */
/* The CAs of a chain and their constraints (T3, T15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "trust_bench.h"

/* ---- CAs ---- */

static void t15_an_issuer_must_be_a_ca(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Middle");
    trust_expect_ca(&spec, TH_OK);
    spec.basic = "critical,CA:FALSE";
    trust_expect_ca(&spec, TH_ERR_TRUST_NOT_A_CA);
    spec.basic = NULL;
    trust_expect_ca(&spec, TH_ERR_TRUST_NOT_A_CA);
    spec.issuer = NULL;
    trust_expect_anchor(&spec, TH_ERR_TRUST_NOT_A_CA);
}

static void t15_a_ca_must_be_allowed_to_sign_certificates_for_servers(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Middle");
    spec.usage = "critical,cRLSign";
    trust_expect_ca(&spec, TH_ERR_TRUST_KEY_USAGE);
    spec = trust_good_ca("Middle");
    spec.purpose = "clientAuth";
    trust_expect_ca(&spec, TH_ERR_TRUST_EKU);
    spec = trust_good_ca("Middle");
    spec.key = "secp224r1";
    trust_expect_ca(&spec, TH_ERR_TRUST_WEAK_KEY);
    spec.issuer = NULL;
    trust_expect_anchor(&spec, TH_ERR_TRUST_WEAK_KEY);
    spec = trust_good_ca("Middle");
    spec.hash = "SHA1";
    trust_expect_ca(&spec, TH_ERR_TRUST_WEAK_HASH);
}

static void t15_the_path_length_of_every_ca_holds_the_anchors_too(void **state)
{
    (void)state;
    static const struct {
        const char *anchor, *middle;
        enum th_error error;
    } cases[] = {
        {"critical,CA:TRUE", "critical,CA:TRUE,pathlen:0", TH_OK},
        {"critical,CA:TRUE,pathlen:1", "critical,CA:TRUE,pathlen:0", TH_OK},
        {"critical,CA:TRUE,pathlen:0", "critical,CA:TRUE", TH_ERR_TRUST_PATH_LENGTH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cert_spec spec = trust_good_ca("Anchor");
        spec.issuer = NULL;
        spec.basic = cases[i].anchor;
        struct cert anchor = cert_make(&spec);
        spec = trust_good_ca("Middle");
        spec.issuer = &anchor;
        spec.basic = cases[i].middle;
        struct cert middle = cert_make(&spec);
        struct cert leaf = cert_server("DNS:" BROKER, &middle);
        struct chain chain = trust_chain(&leaf, &anchor);
        chain.certs[1] = &middle;
        assert_string_equal(th_error_name(trust_judge(&chain).error),
                            th_error_name(cases[i].error));
        chain.certs[2] = &anchor;
        assert_string_equal(th_error_name(trust_judge(&chain).error),
                            th_error_name(cases[i].error));
        cert_free(&leaf);
        cert_free(&middle);
        cert_free(&anchor);
    }
}

static void an_anchor_sent_as_another_certificate_of_the_same_ca_counts_once(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Middle");
    spec.basic = "critical,CA:TRUE,pathlen:0";
    struct cert sent = cert_make(&spec);
    spec.use_key = sent.key;
    spec.issuer = NULL;
    struct cert configured = cert_make(&spec);
    struct cert leaf = cert_server("DNS:" BROKER, &sent);
    struct chain chain = trust_chain(&leaf, &configured);
    chain.certs[1] = &sent;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    cert_free(&leaf);
    cert_free(&configured);
    cert_free(&sent);
}

static void self_issued_certificates_do_not_count_for_the_path_length(void **state)
{
    (void)state;
    struct cert_spec spec = trust_good_ca("Rolling");
    spec.issuer = NULL;
    spec.basic = "critical,CA:TRUE,pathlen:0";
    struct cert old = cert_make(&spec);
    spec.issuer = &old;
    struct cert new = cert_make(&spec);
    struct cert leaf = cert_server("DNS:" BROKER, &new);
    struct chain chain = trust_chain(&leaf, &old);
    chain.certs[1] = &new;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    cert_free(&leaf);
    cert_free(&new);
    cert_free(&old);
}

static void a_chain_of_more_than_six_is_refused(void **state)
{
    (void)state;
    struct cert certs[8];
    struct chain chain = {
        .server_name = BROKER, .anchor = &trust_root, .trust = trust_of_host(&trust_root.der)};
    certs[7] = cert_intermediate("CA 7", &trust_root);
    for (int i = 6; i > 0; i--)
        certs[i] = cert_intermediate("CA", &certs[i + 1]);
    certs[0] = cert_server("DNS:" BROKER, &certs[1]);
    for (int i = 0; i < 8; i++)
        chain.certs[i] = &certs[i];
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_CHAIN_TOO_LONG);
    for (int i = 0; i < 8; i++)
        cert_free(&certs[i]);
}

static void a_certificate_that_is_not_the_issuer_counts_for_nothing(void **state)
{
    (void)state;
    struct cert stranger = cert_root("Stranger");
    struct cert_spec spec = trust_good_leaf();
    struct cert leaf = cert_make(&spec);
    struct chain chain = trust_chain(&leaf, &trust_root);
    uint8_t pin[1][TH_SHA256_BYTES];
    chain.certs[1] = &stranger;
    assert_int_equal(trust_judge(&chain).error, TH_OK);
    X509_pubkey_digest(stranger.x509, EVP_sha256(), pin[0], NULL);
    chain.trust.pins = (const uint8_t(*)[TH_SHA256_BYTES])pin;
    chain.trust.pin_count = 1;
    assert_int_equal(trust_judge(&chain).error, TH_ERR_TRUST_PIN);
    cert_free(&leaf);
    cert_free(&stranger);
}

/* ---- name constraints ---- */

static void expect_constraints(const char *constraints, const char *names, const char *server_name,
                               enum th_error error)
{
    struct cert_spec spec = trust_good_ca("Constrained");
    spec.constraints = constraints;
    struct cert middle = cert_make(&spec);
    struct cert leaf = cert_server(names, &middle);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.certs[1] = &middle;
    chain.server_name = server_name;
    enum th_error got = trust_judge(&chain).error;
    if (got != error)
        print_error("%s for %s: %s\n", constraints, server_name, th_error_name(got));
    assert_int_equal(got, error);
    cert_free(&leaf);
    cert_free(&middle);
}

static void t3_name_constraints_bind_the_name_we_connect_to(void **state)
{
    (void)state;
    const enum th_error broken = TH_ERR_TRUST_NAME_CONSTRAINTS;
    static const char leaf[] = "DNS:a.home.test,DNS:home.test,DNS:ahome.test,IP:192.0.2.9,"
                               "IP:2001:db8::9";
    expect_constraints("critical,permitted;DNS:home.test", leaf, "a.home.test", TH_OK);
    expect_constraints("critical,permitted;DNS:HOME.test", leaf, "home.test", TH_OK);
    expect_constraints("critical,permitted;DNS:home.test", leaf, "ahome.test", broken);
    expect_constraints("critical,permitted;DNS:x.a.home.test", leaf, "a.home.test", broken);
    expect_constraints("critical,permitted;DNS:.home.test", leaf, "a.home.test", TH_OK);
    expect_constraints("critical,permitted;DNS:.home.test", leaf, "home.test", broken);
    expect_constraints("critical,permitted;DNS:x.test,permitted;DNS:home.test", leaf, "home.test",
                       TH_OK);
    expect_constraints("permitted;DNS:x.test", leaf, "home.test", broken);
    expect_constraints("critical,excluded;DNS:home.test", leaf, "a.home.test", broken);
    expect_constraints("critical,excluded;DNS:home.test", leaf, "ahome.test", TH_OK);
    expect_constraints("critical,permitted;DNS:test,excluded;DNS:a.home.test", leaf, "a.home.test",
                       broken);
    expect_constraints("critical,permitted;IP:192.0.2.0/255.255.255.0", leaf, "192.0.2.9", TH_OK);
    expect_constraints("critical,permitted;IP:192.0.3.0/255.255.255.0", leaf, "192.0.2.9", broken);
    expect_constraints("critical,excluded;IP:192.0.2.8/255.255.255.248", leaf, "192.0.2.9", broken);
    expect_constraints("critical,excluded;IP:192.0.2.0/255.255.255.248", leaf, "192.0.2.9", TH_OK);
    expect_constraints("critical,permitted;IP:2001:db8::/ffff:ffff::", leaf, "2001:db8::9", TH_OK);
    expect_constraints("critical,permitted;IP:2001:db9::/ffff:ffff::", leaf, "2001:db8::9", broken);
    /* One form of name says nothing about the other. */
    expect_constraints("critical,permitted;DNS:x.test", leaf, "192.0.2.9", TH_OK);
    expect_constraints("critical,permitted;IP:192.0.3.0/255.255.255.0", leaf, "home.test", TH_OK);
    /* Addresses are one form, of two lengths. */
    expect_constraints("critical,permitted;IP:192.0.2.0/255.255.255.0", leaf, "2001:db8::9",
                       broken);
}

static void name_constraints_of_other_forms_refuse_when_critical(void **state)
{
    (void)state;
    const char *other = "critical,permitted;DNS:home.test,permitted;email:home.test";
    expect_constraints(other, "DNS:home.test", "home.test", TH_ERR_TRUST_NAME_CONSTRAINTS);
    expect_constraints(other + strlen("critical,"), "DNS:home.test", "home.test", TH_OK);
}

/* ---- beside the library's verdict ---- */

static struct th_failure explain(const struct th_trust *trust, const struct cert *const *certs,
                                 enum th_error error, uint8_t depth)
{
    struct th_trust_check check;
    struct th_failure failure = th_failure_of(error);
    failure.depth = depth;
    th_trust_begin(&check, trust, &cert_hashes, BROKER);
    for (int i = 0; certs[i] != NULL; i++)
        trust_feed(&check, certs[i]->der, 0);
    th_trust_explain(&check, &failure);
    return failure;
}

static void expect_explained(struct th_failure failure, enum th_error error, uint8_t depth,
                             const char *name)
{
    assert_string_equal(th_error_name(failure.error), th_error_name(error));
    assert_int_equal(failure.depth, depth);
    assert_string_equal(failure.name, name);
}

static void what_the_library_misses_is_named_in_the_same_words(void **state)
{
    (void)state;
    struct cert me = cert_make(&(struct cert_spec){.cn = "me", .names = "DNS:" BROKER});
    struct cert stranger = cert_root("Stranger CA"), twin = cert_root("Test Server CA");
    struct cert middle = cert_intermediate("Stranger Middle", &stranger);
    struct cert leaf = cert_server("DNS:" BROKER, &middle);
    struct cert below = cert_server("DNS:" BROKER, &twin);
    struct th_trust trust = trust_of_host(&trust_root.der);
    const struct cert *chain[4] = {&me};
    const enum th_error no_ca = TH_ERR_TRUST_UNKNOWN_CA;

    expect_explained(explain(&trust, chain, no_ca, 0), TH_ERR_TRUST_SELF_SIGNED, 0, "me");
    chain[0] = &leaf;
    expect_explained(explain(&trust, chain, no_ca, 0), no_ca, 1, "Stranger Middle");
    chain[1] = &middle;
    expect_explained(explain(&trust, chain, no_ca, 0), no_ca, 2, "Stranger CA");
    chain[2] = &stranger;
    expect_explained(explain(&trust, chain, TH_ERR_TRUST_SELF_SIGNED, 0), no_ca, 2, "Stranger CA");
    expect_explained(explain(&trust, chain, TH_ERR_TRUST_SIGNATURE, 2), TH_ERR_TRUST_SIGNATURE, 2,
                     "Stranger CA");
    expect_explained(explain(&trust, chain, TH_ERR_TRUST_SIGNATURE, 0), TH_ERR_TRUST_SIGNATURE, 0,
                     "broker");
    expect_explained(explain(&trust, chain, TH_ERR_TRUST_MALFORMED, 0), TH_ERR_TRUST_MALFORMED, 0,
                     "");
    /* The name of our anchor, and not its key. */
    chain[0] = &below;
    chain[1] = NULL;
    expect_explained(explain(&trust, chain, no_ca, 0), TH_ERR_TRUST_SIGNATURE, 0, "broker");
    chain[1] = &twin;
    chain[2] = NULL;
    expect_explained(explain(&trust, chain, no_ca, 0), TH_ERR_TRUST_SIGNATURE, 1, "Test Server CA");
    cert_free(&leaf);
    cert_free(&below);
    cert_free(&middle);
    cert_free(&stranger);
    cert_free(&twin);
    cert_free(&me);
}

static enum th_error worse(enum th_error policy, enum th_error library)
{
    struct th_failure a = th_failure_of(policy), b = th_failure_of(library);
    return th_trust_worse(&a, &b)->error;
}

static void of_two_failures_the_one_to_act_on_first_is_reported(void **state)
{
    (void)state;
    assert_int_equal(worse(TH_OK, TH_OK), TH_OK);
    assert_int_equal(worse(TH_OK, TH_ERR_TRUST_UNKNOWN_CA), TH_ERR_TRUST_UNKNOWN_CA);
    assert_int_equal(worse(TH_ERR_TRUST_EKU, TH_OK), TH_ERR_TRUST_EKU);
    assert_int_equal(worse(TH_ERR_SERVER_NAME_MISMATCH, TH_ERR_TRUST_UNKNOWN_CA),
                     TH_ERR_TRUST_UNKNOWN_CA);
    assert_int_equal(worse(TH_ERR_TRUST_WEAK_HASH, TH_ERR_TRUST_UNKNOWN_CA),
                     TH_ERR_TRUST_WEAK_HASH);
    assert_int_equal(worse(TH_ERR_DATE_EXPIRED, TH_ERR_TLS_LIBRARY), TH_ERR_DATE_EXPIRED);
    assert_int_equal(worse(TH_ERR_DATE_EXPIRED, TH_ERR_TRUST_SIGNATURE), TH_ERR_TRUST_SIGNATURE);
    assert_int_equal(worse(TH_ERR_TRUST_NOTHING_CONFIGURED, TH_ERR_TRUST_UNKNOWN_CA),
                     TH_ERR_TRUST_NOTHING_CONFIGURED);
    assert_int_equal(worse(TH_ERR_TRUST_EKU, TH_ERR_DATE_EXPIRED), TH_ERR_TRUST_EKU);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t15_an_issuer_must_be_a_ca),
        cmocka_unit_test(t15_a_ca_must_be_allowed_to_sign_certificates_for_servers),
        cmocka_unit_test(t15_the_path_length_of_every_ca_holds_the_anchors_too),
        cmocka_unit_test(an_anchor_sent_as_another_certificate_of_the_same_ca_counts_once),
        cmocka_unit_test(self_issued_certificates_do_not_count_for_the_path_length),
        cmocka_unit_test(a_chain_of_more_than_six_is_refused),
        cmocka_unit_test(a_certificate_that_is_not_the_issuer_counts_for_nothing),
        cmocka_unit_test(t3_name_constraints_bind_the_name_we_connect_to),
        cmocka_unit_test(name_constraints_of_other_forms_refuse_when_critical),
        cmocka_unit_test(what_the_library_misses_is_named_in_the_same_words),
        cmocka_unit_test(of_two_failures_the_one_to_act_on_first_is_reported),
    };
    return cmocka_run_group_tests_name("trust_ca", tests, trust_set_up, trust_tear_down);
}
