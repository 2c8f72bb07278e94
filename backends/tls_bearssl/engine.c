/* SPDX-License-Identifier: MIT */
/* BearSSL's engine with what the profile names, and nothing else. */
#include "backends/tls_bearssl/internal.h"

#include <string.h>

#define CURVES (1u << BR_EC_curve25519 | 1u << BR_EC_secp256r1 | 1u << BR_EC_secp384r1)

static const uint16_t chacha_suites[] = {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                         BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256};
static const uint16_t gcm_suites[] = {
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384};

static void set_public_key(struct th_bearssl *tls)
{
    const struct th_bearssl_profile *profile = tls->profile;
    br_ssl_engine_context *engine = &tls->client.eng;
    br_rsa_pkcs1_vrfy rsa = profile->rsa_verify_get ? profile->rsa_verify_get() : 0;
    tls->ec = *profile->ec;
    tls->ec.supported_curves &= CURVES;
    br_ssl_engine_set_ec(engine, &tls->ec);
    br_ssl_engine_set_ecdsa(engine, profile->ecdsa_verify);
    br_ssl_engine_set_rsavrfy(engine, rsa ? rsa : profile->rsa_verify);
}

static void set_hashes(struct th_bearssl *tls)
{
    const struct th_bearssl_profile *profile = tls->profile;
    br_ssl_engine_context *engine = &tls->client.eng;
    br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(engine, br_sha384_ID, profile->sha384);
    br_ssl_engine_set_hash(engine, br_sha512_ID, profile->sha512);
    br_ssl_engine_set_prf_sha256(engine, br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(engine, profile->prf_sha384);
}

static void set_chapol(struct th_bearssl *tls)
{
    const struct th_bearssl_profile *profile = tls->profile;
    br_ssl_engine_context *engine = &tls->client.eng;
    br_chacha20_run chacha = profile->chacha20_get ? profile->chacha20_get() : 0;
    br_poly1305_run poly = profile->poly1305_get ? profile->poly1305_get() : 0;
    br_ssl_engine_set_chapol(engine, profile->chapol_in, profile->chapol_out);
    br_ssl_engine_set_chacha20(engine, chacha ? chacha : profile->chacha20);
    br_ssl_engine_set_poly1305(engine, poly ? poly : profile->poly1305);
}

/* Returns whether AES is in hardware. */
static bool set_gcm(struct th_bearssl *tls)
{
    const struct th_bearssl_profile *profile = tls->profile;
    br_ssl_engine_context *engine = &tls->client.eng;
    const br_block_ctr_class *aes = profile->aes_ctr_get ? profile->aes_ctr_get() : NULL;
    br_ghash ghash = profile->ghash_get ? profile->ghash_get() : 0;
    br_ssl_engine_set_gcm(engine, profile->gcm_in, profile->gcm_out);
    br_ssl_engine_set_aes_ctr(engine, aes ? aes : profile->aes_ctr);
    br_ssl_engine_set_ghash(engine, ghash ? ghash : profile->ghash);
    return aes != NULL;
}

/* ECDHE_ECDSA and ECDHE_RSA alternate in the tables. */
static size_t add(struct th_bearssl *tls, uint16_t *into, size_t count, const uint16_t *from,
                  size_t from_count)
{
    bool rsa = br_ssl_engine_get_rsavrfy(&tls->client.eng) != 0;
    for (size_t i = 0; i < from_count; i += rsa ? 1 : 2)
        into[count++] = from[i];
    return count;
}

bool th_bearssl_engine_init(struct th_bearssl *tls)
{
    const struct th_bearssl_profile *profile = tls->profile;
    br_ssl_engine_context *engine = &tls->client.eng;
    uint16_t suites[6];
    size_t count = 0;
    size_t gcm = profile->sha384 && profile->prf_sha384 ? 4 : 2;
    br_ssl_client_zero(&tls->client);
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    set_public_key(tls);
    set_hashes(tls);
    bool fast_aes = profile->gcm_in && set_gcm(tls);
    if (profile->chacha20)
        set_chapol(tls);
    if (fast_aes)
        count = add(tls, suites, count, gcm_suites, gcm);
    if (profile->chacha20)
        count = add(tls, suites, count, chacha_suites, 2);
    if (profile->gcm_in && !fast_aes)
        count = add(tls, suites, count, gcm_suites, gcm);
    br_ssl_engine_set_suites(engine, suites, count);
    br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION);
    return count != 0;
}
