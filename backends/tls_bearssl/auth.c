/* SPDX-License-Identifier: MIT */
/* Our own certificate: offered when the server asks, signed for by the key or by th_sign_fn. */
#include "backends/tls_bearssl/internal.h"

#include <string.h>

static struct th_bearssl_handshake *of(const br_ssl_client_certificate_class **ctx)
{
    return (struct th_bearssl_handshake *)((uintptr_t)ctx -
                                           offsetof(struct th_bearssl_handshake, auth_class));
}

/* ---- BearSSL's callbacks ---- */

static void start_name_list(const br_ssl_client_certificate_class **ctx)
{
    of(ctx)->tls->asked = true;
}

/* The server's list of acceptable issuers is not needed: we have one certificate. */
static void start_name(const br_ssl_client_certificate_class **ctx, size_t len)
{
    (void)ctx, (void)len;
}

static void append_name(const br_ssl_client_certificate_class **ctx, const unsigned char *bytes,
                        size_t len)
{
    (void)ctx, (void)bytes, (void)len;
}

static void end_name(const br_ssl_client_certificate_class **ctx)
{
    (void)ctx;
}

/* SHA-256 where the server takes it; `accepted` has bit n for hash n. */
static int choose_hash(const struct th_bearssl_handshake *handshake, unsigned accepted)
{
    static const uint8_t order[] = {br_sha256_ID, br_sha384_ID, br_sha512_ID};
    for (size_t i = 0; i < sizeof order; i++) {
        if (accepted >> order[i] & 1 &&
            br_ssl_engine_get_hash(&handshake->tls->client.eng, order[i]))
            return order[i];
    }
    return 0;
}

static void load(struct th_bearssl_signing *signing, const struct th_identity *identity)
{
    bool known;
    th_bearssl_key_read(&signing->key, identity->key, &known); /* it was tried before */
    for (uint8_t i = 0; i < identity->chain_count; i++) {
        signing->chain[i].data = (unsigned char *)(uintptr_t)identity->chain[i].at;
        signing->chain[i].data_len = identity->chain[i].len;
    }
}

static void choose(const br_ssl_client_certificate_class **ctx, const br_ssl_client_context *client,
                   uint32_t auth_types, br_ssl_client_certificate *choice)
{
    (void)client;
    struct th_bearssl_handshake *handshake = of(ctx);
    const struct th_identity *identity = handshake->tls->config->identity;
    memset(choice, 0, sizeof *choice); /* an empty chain */
    if (!identity)
        return;
    bool rsa = identity->kind == TH_KEY_RSA;
    int hash = choose_hash(handshake, (rsa ? auth_types : auth_types >> 8) & 0xFF);
    if (hash == 0) {
        handshake->auth_unusable = true;
        return;
    }
    load(&handshake->signing, identity);
    handshake->tls->presented = true;
    choice->auth_type = rsa ? BR_AUTH_RSA : BR_AUTH_ECDSA;
    choice->hash_id = hash;
    choice->chain = handshake->signing.chain;
    choice->chain_len = identity->chain_count;
}

/* Static ECDH is in no suite we offer. */
static uint32_t do_keyx(const br_ssl_client_certificate_class **ctx, unsigned char *bytes,
                        size_t *len)
{
    (void)ctx, (void)bytes, (void)len;
    return 0;
}

static const unsigned char *hash_oid(int hash)
{
    switch (hash) {
    case br_sha384_ID: return BR_HASH_OID_SHA384;
    case br_sha512_ID: return BR_HASH_OID_SHA512;
    default: return BR_HASH_OID_SHA256;
    }
}

static br_rsa_pkcs1_sign rsa_signer(const struct th_bearssl_profile *profile)
{
    br_rsa_pkcs1_sign best = profile->rsa_sign_get ? profile->rsa_sign_get() : 0;
    return best ? best : profile->rsa_sign;
}

static size_t sign(struct th_bearssl_handshake *handshake, int hash, const uint8_t *digest,
                   size_t digest_len, unsigned char *into, size_t room)
{
    const struct th_identity *identity = handshake->tls->config->identity;
    const struct th_bearssl_profile *profile = handshake->tls->profile;
    const struct th_bearssl_key *key = &handshake->signing.key;
    if (identity->sign)
        return identity->sign(identity->user, digest, digest_len, into, room);
    if (!key->rsa)
        return profile->ecdsa_sign(profile->ec,
                                   br_ssl_engine_get_hash(&handshake->tls->client.eng, hash),
                                   digest, &key->ec, into);
    size_t len = (key->rsa_key.n_bitlen + 7) / 8;
    if (len > room || !rsa_signer(profile)(hash_oid(hash), digest, digest_len, &key->rsa_key, into))
        return 0;
    return len;
}

/* `bytes` holds the digest, and takes the signature. */
static size_t do_sign(const br_ssl_client_certificate_class **ctx, int hash, size_t digest_len,
                      unsigned char *bytes, size_t room)
{
    struct th_bearssl_handshake *handshake = of(ctx);
    uint8_t digest[64];
    memcpy(digest, bytes, digest_len);
    handshake->worked = true;
    size_t len = sign(handshake, hash, digest, digest_len, bytes, room);
    if (len > room)
        len = 0;
    handshake->sign_failed = len == 0;
    return len;
}

static const br_ssl_client_certificate_class callbacks = {
    sizeof(const br_ssl_client_certificate_class *),
    start_name_list,
    start_name,
    append_name,
    end_name,
    end_name,
    choose,
    do_keyx,
    do_sign,
};

/* ---- set-up ---- */

/* Only when the file does not say its public key is it computed: one multiplication. */
static bool ec_belongs(const struct th_bearssl_key *key, const br_ec_public_key *public,
                       const br_ec_impl *ec)
{
    uint8_t computed[BR_EC_KBUF_PUB_MAX_SIZE];
    struct th_span point = key->ec_point;
    if (key->ec.curve != public->curve)
        return false;
    if (point.len == 0)
        point = th_span_of(computed, ec->mulgen(computed, key->ec.x, key->ec.xlen, key->ec.curve));
    return th_span_equal(point, th_span_of(public->q, public->qlen));
}

static bool belongs(const struct th_bearssl_key *key, const br_x509_pkey *public,
                    const br_ec_impl *ec)
{
    if (key->rsa)
        return public->key_type == BR_KEYTYPE_RSA &&
               th_span_equal(key->rsa_modulus, th_span_of(public->key.rsa.n, public->key.rsa.nlen));
    return public->key_type == BR_KEYTYPE_EC && ec_belongs(key, &public->key.ec, ec);
}

static enum th_error check_key(const struct th_identity *identity, const br_x509_pkey *public,
                               const struct th_bearssl_profile *profile)
{
    bool rsa = identity->kind == TH_KEY_RSA, known;
    struct th_bearssl_key key;
    if (identity->native_key)
        return TH_ERR_CONFIG; /* BearSSL has no such thing */
    if (identity->sign)
        return (public->key_type == BR_KEYTYPE_RSA) == rsa ? TH_OK : TH_ERR_KEY_MISMATCH;
    if (!th_bearssl_key_read(&key, identity->key, &known))
        return TH_ERR_FILE_FORMAT;
    if (!known || key.rsa != rsa || (rsa && key.rsa_key.n_bitlen < 2048))
        return TH_ERR_KEY_KIND;
    if (rsa ? !rsa_signer(profile) : !profile->ecdsa_sign)
        return TH_ERR_KEY_KIND;
    if (!rsa && key.ec.curve != BR_EC_secp256r1)
        return TH_ERR_KEY_KIND;
    return belongs(&key, public, profile->ec) ? TH_OK : TH_ERR_KEY_MISMATCH;
}

enum th_error th_bearssl_auth_init(struct th_bearssl_handshake *handshake)
{
    const struct th_identity *identity = handshake->tls->config->identity;
    br_x509_trust_anchor own;
    handshake->auth_class = &callbacks;
    br_ssl_client_set_client_certificate(&handshake->tls->client, &handshake->auth_class);
    if (!identity)
        return TH_OK;
    if (identity->chain_count > TH_TRUST_CHAIN_MAX)
        return TH_ERR_CONFIG;
    if (!th_bearssl_anchor(&own, identity->chain[0]))
        return TH_ERR_CERT_MALFORMED;
    return check_key(identity, &own.pkey, handshake->tls->profile);
}
