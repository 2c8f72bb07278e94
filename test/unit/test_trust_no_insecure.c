/* SPDX-License-Identifier: MIT */
/* A build without the insecure mode: TH_NO_INSECURE takes it out of the policy and out of what a
 * backend accepts as configuration. */
#define TH_NO_INSECURE
#include "trust/check.c"
#include "trust/tls_common.c"

/* cmocka has a macro called fail, so it comes after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "certs.h"

static void without_it_the_insecure_mode_is_refused_as_configuration(void **state)
{
    (void)state;
    const struct th_trust trust = {.mode = TH_TRUST_INSECURE_BENCH_ONLY};
    const struct th_board board = {.clock = {NULL, NULL}};
    const struct th_tls_config config = {.trust = &trust, .board = &board};
    const struct th_wire_ops ops = {.state = NULL};
    const struct th_tls_start start = {
        .config = &config, .server_name = "broker.test", .wire = {.ops = &ops}};
    struct cert leaf = cert_make(&(struct cert_spec){.cn = "anything"});
    struct th_trust_check check;
    struct th_failure failure = th_failure_of(TH_OK);
    th_trust_begin(&check, &trust, &cert_hashes, "broker.test");
    th_trust_certificate(&check, leaf.der.len);
    th_trust_feed(&check, leaf.der.at, leaf.der.len);
    th_trust_certificate_end(&check);
    assert_int_equal(th_trust_end(&check, &failure), TH_ERR_CONFIG);
    assert_int_equal(failure.error, TH_ERR_CONFIG);
    assert_int_equal(th_tls_start_check(&start, 0), TH_ERR_CONFIG);
    cert_free(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_it_the_insecure_mode_is_refused_as_configuration),
    };
    return cmocka_run_group_tests_name("trust_no_insecure", tests, NULL, NULL);
}
