/* SPDX-License-Identifier: MIT */
#include "backends/tls_bearssl/internal.h"

_Static_assert(sizeof(br_sha256_context) <= TH_HASH_STATE, "a SHA-256 context fits");
_Static_assert(sizeof(br_sha1_context) <= TH_HASH_STATE, "a SHA-1 context fits");

static void sha256_init(union th_hash_state *state)
{
    br_sha256_init((br_sha256_context *)(void *)state);
}

static void sha256_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    br_sha256_update((br_sha256_context *)(void *)state, bytes, len);
}

static void sha256_out(const union th_hash_state *state, uint8_t *digest)
{
    br_sha256_out((const br_sha256_context *)(const void *)state, digest);
}

static void sha1_init(union th_hash_state *state)
{
    br_sha1_init((br_sha1_context *)(void *)state);
}

static void sha1_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    br_sha1_update((br_sha1_context *)(void *)state, bytes, len);
}

static void sha1_out(const union th_hash_state *state, uint8_t *digest)
{
    br_sha1_out((const br_sha1_context *)(const void *)state, digest);
}

static const struct th_hash_ops sha256 = {sha256_init, sha256_update, sha256_out};
static const struct th_hash_ops sha1 = {sha1_init, sha1_update, sha1_out};

const struct th_hashes th_bearssl_hashes = {&sha256, &sha1};
