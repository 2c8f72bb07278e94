/* SPDX-License-Identifier: MIT */
/*
 * The server's certificates: BearSSL's "minimal" engine checks signatures up to an anchor,
 * src/trust judges everything else from the same bytes.
 *
 * BearSSL 0.6 has no way to leave dates and critical extensions to its caller, so its verdict on
 * them is taken back: the engine is a coroutine that stops where it objects, with a consistent
 * stack, and goes on from there when `err` is cleared. The tests with expired certificates and with
 * name constraints show it.
 */
#include "backends/tls_bearssl/internal.h"

#include <string.h>

static struct th_bearssl_handshake *of(const br_x509_class *const *ctx)
{
    return (struct th_bearssl_handshake *)(uintptr_t)ctx;
}

/* ---- which anchor it was ---- */

/* The engine hands its own signature buffer to the verifier: from its address we know the engine.
 */
static struct th_bearssl_handshake *from_signature(const void *signature)
{
    return (struct th_bearssl_handshake *)((uintptr_t)signature -
                                           offsetof(br_x509_minimal_context, cert_sig) -
                                           offsetof(struct th_bearssl_handshake, minimal));
}

/* `key` lies in the array of anchors exactly when an anchor is being tried. */
static void note(struct th_bearssl_handshake *handshake, const void *key, bool good)
{
    uintptr_t offset = (uintptr_t)key - (uintptr_t)handshake->anchors;
    handshake->worked = true;
    if (good && offset < handshake->anchor_count * sizeof handshake->anchors[0])
        handshake->anchor = (int)(offset / sizeof handshake->anchors[0]);
}

static uint32_t ecdsa_verify(const br_ec_impl *impl, const void *hash, size_t hash_len,
                             const br_ec_public_key *key, const void *signature, size_t len)
{
    struct th_bearssl_handshake *handshake = from_signature(signature);
    uint32_t good =
        handshake->tls->profile->ecdsa_verify(impl, hash, hash_len, key, signature, len);
    note(handshake, key, good);
    return good;
}

/* BearSSL compares the hash after this returns, so a wrong one may still be noted as verified; then
 * another anchor follows or the chain fails, and the note is overwritten or not used. */
static uint32_t rsa_verify(const unsigned char *signature, size_t len,
                           const unsigned char *hash_oid, size_t hash_len,
                           const br_rsa_public_key *key, unsigned char *hash)
{
    struct th_bearssl_handshake *handshake = from_signature(signature);
    uint32_t good = handshake->rsa_verify(signature, len, hash_oid, hash_len, key, hash);
    note(handshake, key, good);
    return good;
}

/* ---- the engine's callbacks ---- */

static bool chain_wanted(const struct th_bearssl_handshake *handshake)
{
    return handshake->tls->config->trust->mode == TH_TRUST_ANCHORS;
}

static void start_chain(const br_x509_class **ctx, const char *server_name)
{
    (void)server_name; /* names are src/trust's: BearSSL would fall back to the common name */
    struct th_bearssl_handshake *handshake = of(ctx);
    handshake->chain_seen = true;
    handshake->minimal.vtable->start_chain(&handshake->minimal.vtable, NULL);
}

static void start_cert(const br_x509_class **ctx, uint32_t length)
{
    struct th_bearssl_handshake *handshake = of(ctx);
    handshake->chain_bytes += length; /* of at most 2^24 bytes together */
    if (handshake->path_complete)
        return;
    th_trust_certificate(&handshake->check, length);
    handshake->minimal.vtable->start_cert(&handshake->minimal.vtable, length);
}

static void append(const br_x509_class **ctx, const unsigned char *bytes, size_t len)
{
    struct th_bearssl_handshake *handshake = of(ctx);
    br_x509_minimal_context *minimal = &handshake->minimal;
    if (handshake->path_complete)
        return;
    th_trust_feed(&handshake->check, bytes, len);
    minimal->vtable->append(&minimal->vtable, bytes, len);
    while (minimal->err == BR_ERR_X509_EXPIRED || minimal->err == BR_ERR_X509_CRITICAL_EXTENSION) {
        minimal->err = 0;
        minimal->vtable->append(&minimal->vtable, minimal->hbuf, minimal->hlen);
    }
}

/* What the server sends behind an anchored path, or where no path is wanted behind its own
 * certificate, was verified by nobody. */
static void end_cert(const br_x509_class **ctx)
{
    struct th_bearssl_handshake *handshake = of(ctx);
    if (handshake->path_complete)
        return;
    th_trust_certificate_end(&handshake->check);
    handshake->minimal.vtable->end_cert(&handshake->minimal.vtable);
    if (handshake->minimal.err == 0 && handshake->accepted < UINT8_MAX)
        handshake->accepted++;
    handshake->path_complete = !chain_wanted(handshake) || handshake->minimal.err == BR_ERR_X509_OK;
}

/* What BearSSL says of the chain. A signature is checked with the key of the next certificate, so a
 * wrong one is on the last that was accepted. */
static struct th_failure library_verdict(struct th_bearssl_handshake *handshake, int error)
{
    struct th_failure verdict = th_failure_of(th_bearssl_x509_error(error));
    if (!chain_wanted(handshake)) {
        bool has_key = handshake->minimal.pkey.key_type != 0;
        return th_failure_of(has_key ? TH_OK : TH_ERR_TRUST_MALFORMED);
    }
    if (verdict.error != TH_OK) {
        verdict.depth = handshake->accepted > 0 ? (uint8_t)(handshake->accepted - 1) : 0;
        verdict.detail = error;
        th_trust_explain(&handshake->check, &verdict);
    }
    return verdict;
}

static unsigned end_chain(const br_x509_class **ctx)
{
    struct th_bearssl_handshake *handshake = of(ctx);
    struct th_trust_check *check = &handshake->check;
    struct th_failure policy = th_failure_of(TH_OK);
    unsigned error = handshake->minimal.vtable->end_chain(&handshake->minimal.vtable);
    struct th_failure library = library_verdict(handshake, (int)error);
    if (library.error == TH_OK && handshake->anchor >= 0)
        th_trust_anchor(check, handshake->tls->config->trust->anchors[handshake->anchor]);
    th_trust_end(check, &policy);
    if (library.error == TH_OK && policy.error == TH_OK) {
        handshake->tls->server = *th_trust_result(check);
        return 0;
    }
    handshake->tls->failure = *th_trust_worse(&policy, &library);
    return error ? error : BR_ERR_X509_NOT_TRUSTED;
}

/* Without a chain the engine ends with some objection, but it has decoded the key by then. */
static const br_x509_pkey *get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
    struct th_bearssl_handshake *handshake = of(ctx);
    if (chain_wanted(handshake))
        return handshake->minimal.vtable->get_pkey(&handshake->minimal.vtable, usages);
    if (usages)
        *usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    return &handshake->minimal.pkey;
}

static const br_x509_class judge = {
    sizeof(struct th_bearssl_handshake),
    start_chain,
    start_cert,
    append,
    end_cert,
    end_chain,
    get_pkey,
};

/* ---- set-up ---- */

static enum th_error anchors(struct th_bearssl_handshake *handshake, size_t room)
{
    const struct th_trust *trust = handshake->tls->config->trust;
    if (!chain_wanted(handshake))
        return TH_OK;
    if (trust->anchor_count > room)
        return TH_ERR_MEMORY_HANDSHAKE;
    br_x509_trust_anchor *into = handshake->anchors; /* and on into what was lent behind */
    for (; handshake->anchor_count < trust->anchor_count; handshake->anchor_count++) {
        uint8_t index = handshake->anchor_count;
        if (!th_bearssl_anchor(into + index, trust->anchors[index]))
            return TH_ERR_CERT_MALFORMED;
    }
    return TH_OK;
}

enum th_error th_bearssl_x509_init(struct th_bearssl_handshake *handshake, size_t anchor_room,
                                   const char *server_name)
{
    struct th_bearssl *tls = handshake->tls;
    const struct th_bearssl_profile *profile = tls->profile;
    br_x509_minimal_context *minimal = &handshake->minimal;
    enum th_error error = anchors(handshake, anchor_room);
    if (error != TH_OK)
        return error;
    handshake->x509 = &judge;
    handshake->anchor = -1;
    handshake->rsa_verify = br_ssl_engine_get_rsavrfy(&tls->client.eng);
    br_x509_minimal_init(minimal, &br_sha256_vtable, handshake->anchors, handshake->anchor_count);
    br_x509_minimal_set_time(minimal, 1, 0); /* any: its verdict is taken back, and no clock read */
    br_x509_minimal_set_ecdsa(minimal, profile->ec, ecdsa_verify);
    if (handshake->rsa_verify)
        br_x509_minimal_set_rsa(minimal, rsa_verify);
    br_x509_minimal_set_hash(minimal, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(minimal, br_sha384_ID, profile->sha384);
    br_x509_minimal_set_hash(minimal, br_sha512_ID, profile->sha512);
    br_ssl_engine_set_x509(&tls->client.eng, &handshake->x509);
    th_trust_begin(&handshake->check, tls->config->trust, &th_bearssl_hashes, server_name);
    return TH_OK;
}
