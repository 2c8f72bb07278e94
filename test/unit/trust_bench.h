/* SPDX-License-Identifier: MIT */
/* The policy over whole chains. Each chain is judged whole, byte by byte, and split at every byte;
 * the verdict must be the same. */
#ifndef TEST_TRUST_BENCH_H
#define TEST_TRUST_BENCH_H

#include "certs.h"

#define NOW_S  time(NULL)
#define DAY_S  86400
#define BROKER "broker.test"

struct chain {
    const struct cert *certs[9];
    const struct cert *anchor; /* told by the library; NULL: none */
    const char *server_name;
    struct th_trust trust;
};

struct verdict {
    enum th_error error;
    struct th_failure failure;
    struct th_trust_summary summary;
};

/* The root every case may use, made and freed by the group's fixtures. */
extern struct cert trust_root;

int trust_set_up(void **state);
int trust_tear_down(void **state);

/* `split` = 0: whole; SIZE_MAX: byte by byte; else every certificate in two pieces. */
void trust_feed(struct th_trust_check *check, struct th_span der, size_t split);
struct verdict trust_judge_split(const struct chain *chain, size_t split);
struct verdict trust_judge(const struct chain *chain);

/* This anchor, and the host's clock. */
struct th_trust trust_of_host(const struct th_span *anchor);
struct chain trust_chain(const struct cert *leaf, const struct cert *anchor);

/* Specifications of what is good, to be spoilt by the case. */
struct cert_spec trust_good_leaf(void);
struct cert_spec trust_good_ca(const char *cn);

struct verdict trust_judge_leaf(const struct cert_spec *spec);
void trust_expect_leaf(const struct cert_spec *spec, enum th_error error);

/* A leaf below an intermediate made from `spec`, whose failure is at depth 1. */
void trust_expect_ca(const struct cert_spec *spec, enum th_error error);

/* The same, with the defect in the anchor itself. */
void trust_expect_anchor(const struct cert_spec *spec, enum th_error error);

#endif
