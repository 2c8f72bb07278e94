/* SPDX-License-Identifier: MIT */
#include <thimble/tls.h>

static void put(const struct th_hash_ops *sha256, union th_hash_state *state, const void *bytes,
                size_t len)
{
    if (len > 0)
        sha256->update(state, bytes, len);
}

/* Every part goes in with its length before it, so that no two policies look the same. */
static void put_list(const struct th_hash_ops *sha256, union th_hash_state *state, const void *list,
                     uint8_t count, size_t size)
{
    put(sha256, state, &count, 1);
    put(sha256, state, list, count * size);
}

void th_trust_digest(const struct th_trust *trust, const struct th_hashes *hashes,
                     uint8_t digest[TH_SHA256_BYTES])
{
    const struct th_hash_ops *sha256 = hashes->sha256;
    union th_hash_state state;
    const uint8_t head[2] = {(uint8_t)trust->mode, trust->anchor_count};
    sha256->init(&state);
    put(sha256, &state, head, sizeof head);
    for (uint8_t i = 0; i < trust->anchor_count; i++) {
        size_t len = trust->anchors[i].len;
        const uint8_t length[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                                   (uint8_t)len};
        put(sha256, &state, length, sizeof length);
        put(sha256, &state, trust->anchors[i].at, len);
    }
    put_list(sha256, &state, trust->pins, trust->pin_count, TH_SHA256_BYTES);
    put_list(sha256, &state, trust->sha256_fingerprints, trust->sha256_fingerprint_count,
             TH_SHA256_BYTES);
    put_list(sha256, &state, trust->sha1_fingerprints, trust->sha1_fingerprint_count,
             TH_SHA1_BYTES);
    sha256->out(&state, digest);
}

void th_session_digests(struct th_session_bond *bond, const struct th_trust *trust,
                        const struct th_identity *identity, const struct th_hashes *hashes)
{
    th_trust_digest(trust, hashes, bond->policy);
    memset(bond->certificate, 0, sizeof bond->certificate);
    if (identity == NULL || identity->chain_count == 0)
        return;
    union th_hash_state state;
    hashes->sha256->init(&state);
    put(hashes->sha256, &state, identity->chain[0].at, identity->chain[0].len);
    hashes->sha256->out(&state, bond->certificate);
}
