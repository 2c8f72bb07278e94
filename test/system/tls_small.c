/* SPDX-License-Identifier: MIT */
/* A client of a profile of its own, the smallest there is: for test_tls_linking.sh, which looks at
 * what it links. Run, it says what is missing in its configuration. */
#include <stdio.h>

#include <thimble/tls_bearssl.h>

static const struct th_bearssl_profile smallest = {
    .ec = &br_ec_p256_m15,
    .ecdsa_verify = br_ecdsa_i15_vrfy_asn1,
    .ecdsa_sign = br_ecdsa_i15_sign_asn1,
    .chapol_in = &br_sslrec_in_chapol_vtable,
    .chapol_out = &br_sslrec_out_chapol_vtable,
    .chacha20 = br_chacha20_ct_run,
    .poly1305 = br_poly1305_ctmul32_run,
};

int main(void)
{
    static struct th_bearssl tls;
    static uint8_t in[TH_BEARSSL_IN(512)], out[TH_BEARSSL_OUT(512)];
    struct th_tls_start start = {.config = NULL};
    struct th_failure failure;
    th_bearssl_init(&tls, &smallest, in, sizeof in, out, sizeof out);
    struct th_stream stream = th_tls_bearssl.start(&tls, &start, 0);
    stream.ops->failure(stream.ctx, &failure);
    printf("%s\n", th_error_name(failure.error));
    return stream.ops->poll(stream.ctx, 0) == TH_STREAM_FAILED ? 0 : 1;
}
