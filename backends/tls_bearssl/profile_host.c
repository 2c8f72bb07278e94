/* SPDX-License-Identifier: MIT */
#include <thimble/tls_bearssl.h>

const struct th_bearssl_profile th_bearssl_host = {
    .ec = &br_ec_all_m31,
    .ecdsa_verify = br_ecdsa_i31_vrfy_asn1,
    .ecdsa_verify_raw = br_ecdsa_i31_vrfy_raw,
    .ecdsa_sign = br_ecdsa_i31_sign_asn1,
    .ecdsa_sign_raw = br_ecdsa_i31_sign_raw,
    .rsa_verify = br_rsa_i31_pkcs1_vrfy,
    .rsa_sign = br_rsa_i31_pkcs1_sign,
    .rsa_verify_get = br_rsa_i62_pkcs1_vrfy_get,
    .rsa_sign_get = br_rsa_i62_pkcs1_sign_get,
    .chapol_in = &br_sslrec_in_chapol_vtable,
    .chapol_out = &br_sslrec_out_chapol_vtable,
    .chacha20 = br_chacha20_ct_run,
    .poly1305 = br_poly1305_ctmul_run,
    .chacha20_get = br_chacha20_sse2_get,
    .poly1305_get = br_poly1305_ctmulq_get,
    .gcm_in = &br_sslrec_in_gcm_vtable,
    .gcm_out = &br_sslrec_out_gcm_vtable,
    .aes_ctr = &br_aes_ct64_ctr_vtable,
    .ghash = br_ghash_ctmul64,
    .aes_ctr_get = br_aes_x86ni_ctr_get_vtable,
    .ghash_get = br_ghash_pclmul_get,
    .sha384 = &br_sha384_vtable,
    .sha512 = &br_sha512_vtable,
    .prf_sha384 = br_tls12_sha384_prf,
};
