/* SPDX-License-Identifier: MIT */
#include "trust_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

/* ---- running a check ---- */

/* `split` = 0: whole; SIZE_MAX: byte by byte; else every certificate in two pieces. */
void trust_feed(struct th_trust_check *check, struct th_span der, size_t split)
{
    th_trust_certificate(check, der.len);
    if (split == 0 || (split != SIZE_MAX && split >= der.len)) {
        th_trust_feed(check, der.at, der.len);
    } else if (split == SIZE_MAX) {
        for (size_t i = 0; i < der.len; i++)
            th_trust_feed(check, der.at + i, 1);
    } else {
        th_trust_feed(check, der.at, split);
        th_trust_feed(check, der.at + split, der.len - split);
    }
    th_trust_certificate_end(check);
}

struct verdict trust_judge_split(const struct chain *chain, size_t split)
{
    struct th_trust_check check;
    struct verdict verdict = {0};
    th_trust_begin(&check, &chain->trust, &cert_hashes, chain->server_name);
    for (int i = 0; chain->certs[i] != NULL; i++)
        trust_feed(&check, chain->certs[i]->der, split);
    if (chain->anchor != NULL)
        th_trust_anchor(&check, chain->anchor->der);
    verdict.error = th_trust_end(&check, &verdict.failure);
    verdict.summary = *th_trust_result(&check);
    return verdict;
}

struct verdict trust_judge(const struct chain *chain)
{
    struct verdict whole = trust_judge_split(chain, 0);
    struct verdict bytes = trust_judge_split(chain, SIZE_MAX);
    assert_memory_equal(&whole.failure, &bytes.failure, sizeof whole.failure);
    assert_memory_equal(&whole.summary, &bytes.summary, sizeof whole.summary);
    size_t longest = 0;
    for (int i = 0; chain->certs[i] != NULL; i++)
        longest = chain->certs[i]->der.len > longest ? chain->certs[i]->der.len : longest;
    for (size_t split = 1; split < longest; split++) {
        struct verdict other = trust_judge_split(chain, split);
        assert_int_equal(other.error, whole.error);
        assert_memory_equal(&other.failure, &whole.failure, sizeof other.failure);
        assert_memory_equal(&other.summary, &whole.summary, sizeof other.summary);
    }
    return whole;
}

struct th_trust trust_of_host(const struct th_span *anchor)
{
    return (struct th_trust){
        .anchors = anchor, .anchor_count = 1, .clock = {.kind = TH_CLOCK_TRUSTED, .now_s = NOW_S}};
}

struct chain trust_chain(const struct cert *leaf, const struct cert *anchor)
{
    return (struct chain){.certs = {leaf},
                          .anchor = anchor,
                          .server_name = BROKER,
                          .trust = trust_of_host(&anchor->der)};
}

/* ---- the root every case may use ---- */

struct cert trust_root;

int trust_set_up(void **state)
{
    (void)state;
    trust_root = cert_root("Test Server CA");
    return 0;
}

int trust_tear_down(void **state)
{
    (void)state;
    cert_free(&trust_root);
    return 0;
}

struct cert_spec trust_good_leaf(void)
{
    return (struct cert_spec){.cn = "broker",
                              .issuer = &trust_root,
                              .basic = "critical,CA:FALSE",
                              .usage = "critical,digitalSignature",
                              .purpose = "serverAuth",
                              .names = "DNS:" BROKER};
}

struct verdict trust_judge_leaf(const struct cert_spec *spec)
{
    struct cert leaf = cert_make(spec);
    struct chain chain = trust_chain(&leaf, &trust_root);
    struct verdict verdict = trust_judge(&chain);
    cert_free(&leaf);
    return verdict;
}

void trust_expect_leaf(const struct cert_spec *spec, enum th_error error)
{
    assert_string_equal(th_error_name(trust_judge_leaf(spec).error), th_error_name(error));
}

struct cert_spec trust_good_ca(const char *cn)
{
    return (struct cert_spec){.cn = cn,
                              .issuer = &trust_root,
                              .basic = "critical,CA:TRUE",
                              .usage = "critical,keyCertSign,cRLSign"};
}

/* A leaf below an intermediate made from `spec`, whose failure is at depth 1. */
void trust_expect_ca(const struct cert_spec *spec, enum th_error error)
{
    struct cert middle = cert_make(spec);
    struct cert leaf = cert_server("DNS:" BROKER, &middle);
    struct chain chain = trust_chain(&leaf, &trust_root);
    chain.certs[1] = &middle;
    struct verdict verdict = trust_judge(&chain);
    assert_string_equal(th_error_name(verdict.error), th_error_name(error));
    if (error != TH_OK) {
        assert_int_equal(verdict.failure.depth, 1);
        assert_string_equal(verdict.failure.name, spec->cn);
    }
    cert_free(&leaf);
    cert_free(&middle);
}

/* The same, with the defect in the anchor itself. */
void trust_expect_anchor(const struct cert_spec *spec, enum th_error error)
{
    struct cert anchor = cert_make(spec);
    struct cert leaf = cert_server("DNS:" BROKER, &anchor);
    struct chain chain = trust_chain(&leaf, &anchor);
    struct verdict verdict = trust_judge(&chain);
    assert_string_equal(th_error_name(verdict.error), th_error_name(error));
    cert_free(&leaf);
    cert_free(&anchor);
}
