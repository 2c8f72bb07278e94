/* SPDX-License-Identifier: MIT */
#include <thimble/tls_bearssl.h>

const struct th_bearssl_profile th_bearssl_small = {
    .ec = &br_ec_all_m15,
    .ecdsa_verify = br_ecdsa_i15_vrfy_asn1,
    .ecdsa_verify_raw = br_ecdsa_i15_vrfy_raw,
    .ecdsa_sign = br_ecdsa_i15_sign_asn1,
    .ecdsa_sign_raw = br_ecdsa_i15_sign_raw,
    .rsa_verify = br_rsa_i15_pkcs1_vrfy,
    .rsa_sign = br_rsa_i15_pkcs1_sign,
    .chapol_in = &br_sslrec_in_chapol_vtable,
    .chapol_out = &br_sslrec_out_chapol_vtable,
    .chacha20 = br_chacha20_ct_run,
    .poly1305 = br_poly1305_ctmul32_run,
    .gcm_in = &br_sslrec_in_gcm_vtable,
    .gcm_out = &br_sslrec_out_gcm_vtable,
    .aes_ctr = &br_aes_ct_ctr_vtable,
    .ghash = br_ghash_ctmul32,
    .sha384 = &br_sha384_vtable,
    .sha512 = &br_sha512_vtable,
    .prf_sha384 = br_tls12_sha384_prf,
};
