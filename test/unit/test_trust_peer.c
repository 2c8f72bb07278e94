/* SPDX-License-Identifier: MIT */
/* The policy beside OpenSSL's own validation (purpose, names, security level 2), over random
 * chains: what we accept OpenSSL accepts too, and where we refuse more it is for a reason that is
 * written down in docs/trust.md (T3, T4, T15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "trust_bench.h"

#define CHAINS 1500

static uint32_t chance;

static unsigned pick(unsigned count)
{
    chance = chance * 1664525 + 1013904223;
    return (chance >> 16) % count;
}

/* One of `count` texts, the first one in most cases. */
static const char *choose(const char *const *texts, unsigned count)
{
    return pick(100) < 75 ? texts[0] : texts[pick(count)];
}

#define CHOOSE(texts) choose(texts, sizeof texts / sizeof texts[0])

static EVP_PKEY *keys[4];
static const char *const key_kinds[4] = {"P-256", "RSA-2048", "RSA-1024", "secp224r1"};

static void choose_common(struct cert_spec *spec)
{
    static const char *const hashes[] = {"SHA256", "SHA384", "SHA1"};
    spec->hash = CHOOSE(hashes);
    if (pick(100) < 8)
        spec->use_key = keys[pick(4)];
    if (pick(100) < 3)
        spec->not_after_s = NOW_S - DAY_S / 2;
    if (pick(100) < 3)
        spec->not_before_s = NOW_S + DAY_S;
    if (pick(100) < 3)
        spec->unknown_extension = "1.3.6.1.4.1.99999.1";
}

static struct cert random_ca(const struct cert *issuer)
{
    static const char *const basics[] = {"critical,CA:TRUE", "critical,CA:TRUE,pathlen:0",
                                         "CA:TRUE,pathlen:1", "CA:FALSE", NULL};
    static const char *const usages[] = {"critical,keyCertSign,cRLSign", "keyCertSign", "cRLSign",
                                         NULL};
    static const char *const purposes[] = {NULL, "serverAuth", "clientAuth,serverAuth",
                                           "clientAuth"};
    static const char *const constraints[] = {
        NULL,
        "critical,permitted;DNS:test",
        "critical,permitted;DNS:.home.test",
        "permitted;DNS:other.test",
        "critical,excluded;DNS:home.test",
        "critical,excluded;DNS:test",
        "critical,permitted;IP:192.0.2.0/255.255.255.0",
        "critical,excluded;IP:192.0.2.0/255.255.255.252",
        "critical,permitted;IP:2001:db8::/ffff:ffff::,excluded;DNS:broker.test",
        "critical,permitted;DNS:broker.test,excluded;IP:0.0.0.0/0.0.0.0"};
    struct cert_spec spec = {.cn = issuer ? "Middle CA" : "Root CA",
                             .issuer = issuer,
                             .basic = CHOOSE(basics),
                             .usage = CHOOSE(usages),
                             .purpose = CHOOSE(purposes),
                             .constraints = CHOOSE(constraints)};
    char cn[32];
    snprintf(cn, sizeof cn, "CA %u", chance);
    spec.cn = cn;
    choose_common(&spec);
    return cert_make(&spec);
}

static const char *const server_names[] = {"broker.test", "a.home.test", "192.0.2.9", "2001:db8::9",
                                           "home.test"};

static struct cert random_leaf(const struct cert *issuer, const char *server_name)
{
    static const char *const others[] = {
        "DNS:other.test", "DNS:*.home.test", "DNS:*.test",     "DNS:A.HOME.test", "IP:192.0.2.9",
        "IP:192.0.2.8",   "DNS:a.*.test",    "IP:2001:db8::9", "DNS:*",           NULL};
    static const char *const usages[] = {
        "critical,digitalSignature", NULL,           "digitalSignature,keyEncipherment",
        "keyEncipherment",           "keyAgreement", "cRLSign"};
    static const char *const purposes[] = {"serverAuth", NULL, "clientAuth,serverAuth",
                                           "clientAuth"};
    static const char *const basics[] = {"critical,CA:FALSE", NULL, "CA:TRUE"};
    char names[80];
    bool is_address = strchr(server_name, ':') != NULL || server_name[0] == '1';
    snprintf(names, sizeof names, "%s:%s", is_address ? "IP" : "DNS", server_name);
    struct cert_spec spec = {.cn = "a leaf",
                             .issuer = issuer,
                             .basic = CHOOSE(basics),
                             .usage = CHOOSE(usages),
                             .purpose = CHOOSE(purposes),
                             .names = pick(100) < 70 ? names : others[pick(10)]};
    choose_common(&spec);
    return cert_make(&spec);
}

/* ---- the peer's verdict ---- */

static bool peer_accepts(const struct cert *certs, int count, const char *server_name)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *sent = sk_X509_new_null();
    X509_STORE_add_cert(store, certs[count - 1].x509);
    for (int i = 1; i + 1 < count; i++)
        sk_X509_push(sent, certs[i].x509);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, certs[0].x509, sent), 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_auth_level(param, 2);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, server_name) != 1)
        X509_VERIFY_PARAM_set1_host(param, server_name, 0);
    bool accepts = X509_verify_cert(ctx) == 1;
    sk_X509_free(sent);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return accepts;
}

/* ---- ours ---- */

static enum th_error our_verdict(const struct cert *certs, int count, const char *server_name)
{
    struct chain chain = trust_chain(&certs[0], &certs[count - 1]);
    for (int i = 1; i + 1 < count; i++)
        chain.certs[i] = &certs[i];
    chain.server_name = server_name;
    return trust_judge_split(&chain, 7).error;
}

/* What docs/trust.md says we refuse beyond OpenSSL. */
static bool may_be_stricter(enum th_error error)
{
    return error == TH_ERR_TRUST_WEAK_KEY ||     /* P-224 */
           error == TH_ERR_TRUST_NOT_A_CA ||     /* no basicConstraints but keyCertSign */
           error == TH_ERR_TRUST_KEY_USAGE ||    /* a server that cannot sign */
           error == TH_ERR_SERVER_NAME_MISMATCH; /* *.test for broker.test */
}

static void we_accept_nothing_that_openssl_refuses_and_refuse_more_only_where_we_say_so(
    void **state)
{
    (void)state;
    unsigned both = 0, neither = 0, stricter = 0;
    for (unsigned seed = 1; seed <= CHAINS; seed++) {
        struct cert certs[4];
        chance = seed * 2654435761u;
        int count = 2 + (int)pick(3);
        const char *server_name = server_names[pick(5)];
        certs[count - 1] = random_ca(NULL);
        for (int i = count - 2; i > 0; i--)
            certs[i] = random_ca(&certs[i + 1]);
        certs[0] = random_leaf(&certs[1], server_name);
        bool theirs = peer_accepts(certs, count, server_name);
        enum th_error ours = our_verdict(certs, count, server_name);
        if ((ours == TH_OK && !theirs) || (ours != TH_OK && theirs && !may_be_stricter(ours)))
            fail_msg("seed %u, %s: we say %s, OpenSSL %s", seed, server_name, th_error_name(ours),
                     theirs ? "accepts" : "refuses");
        both += ours == TH_OK && theirs;
        neither += ours != TH_OK && !theirs;
        stricter += ours != TH_OK && theirs;
        for (int i = 0; i < count; i++)
            cert_free(&certs[i]);
    }
    print_message("%u accepted by both, %u by neither, %u by OpenSSL alone\n", both, neither,
                  stricter);
    assert_true(both > CHAINS / 20);
    assert_true(neither > CHAINS / 4);
}

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        keys[i] = cert_key(key_kinds[i]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        EVP_PKEY_free(keys[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            we_accept_nothing_that_openssl_refuses_and_refuse_more_only_where_we_say_so),
    };
    return cmocka_run_group_tests_name("trust_peer", tests, set_up, tear_down);
}
