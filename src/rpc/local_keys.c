/* SPDX-License-Identifier: MIT */
/* What both ends of a session compute: docs/config-mode.md, "Keys" to "Within a session". */
#include <thimble/local.h>

#include "base/wipe.h"

#define BLOCK 32

static void put32(uint8_t at[4], uint32_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

bool th_local_key(const struct th_crypto *crypto, enum th_local_kind kind,
                  const char code[TH_SETUP_CODE + 1], uint8_t key[32])
{
    return th_hkdf(crypto, th_span_of(NULL, 0), th_span_of(code, TH_SETUP_CODE),
                   kind == TH_LOCAL_PAGE ? TH_SPAN("thimble page 1") : TH_SPAN("thimble enrol 1"),
                   key, 32);
}

static void transcript(const struct th_crypto *crypto, const struct th_local_hello *hello,
                       uint8_t digest[TH_SHA256_BYTES])
{
    static const char label[] = "thimble session 1"; /* with its NUL */
    const struct th_hash_ops *sha256 = crypto->ops->hashes->sha256;
    union th_hash_state state;
    uint8_t head[5], name_len = (uint8_t)strlen(hello->name);

    head[0] = (uint8_t)hello->kind;
    put32(head + 1, hello->number);
    sha256->init(&state);
    sha256->update(&state, (const uint8_t *)label, sizeof label);
    sha256->update(&state, head, sizeof head);
    sha256->update(&state, hello->client, sizeof hello->client);
    sha256->update(&state, hello->device, sizeof hello->device);
    sha256->update(&state, &name_len, 1);
    sha256->update(&state, (const uint8_t *)hello->name, name_len);
    if (hello->kind == TH_LOCAL_ENROL) {
        sha256->update(&state, hello->client_point, sizeof hello->client_point);
        sha256->update(&state, hello->device_point, sizeof hello->device_point);
    }
    sha256->out(&state, digest);
}

bool th_local_derive(const struct th_crypto *crypto, const struct th_local_hello *hello,
                     const uint8_t key[32], const uint8_t shared[32], struct th_local_keys *keys)
{
    uint8_t digest[TH_SHA256_BYTES], secret[64], all[6 * 32];
    bool enrol = hello->kind == TH_LOCAL_ENROL;

    memcpy(secret, key, 32);
    if (enrol)
        memcpy(secret + 32, shared, 32);
    transcript(crypto, hello, digest);
    bool ok =
        th_hkdf(crypto, th_span_of(digest, sizeof digest), th_span_of(secret, enrol ? 64 : 32),
                TH_SPAN("thimble session keys 1"), all, sizeof all);
    memcpy(keys->client_proof, all, 32);
    memcpy(keys->device_proof, all + 32, 32);
    memcpy(keys->request.cipher, all + 64, 32);
    memcpy(keys->request.mac, all + 96, 32);
    memcpy(keys->answer.cipher, all + 128, 32);
    memcpy(keys->answer.mac, all + 160, 32);
    th_wipe(secret, sizeof secret);
    th_wipe(all, sizeof all);
    if (!ok)
        th_wipe(keys, sizeof *keys);
    return ok;
}

/* ---- boxes ---- */

static bool crypt(const struct th_crypto *crypto, const uint8_t key[32], uint32_t number,
                  uint8_t *bytes, size_t len)
{
    uint8_t counter[8], block[BLOCK];
    const struct th_span part = {counter, sizeof counter};
    bool ok = true;

    put32(counter, number);
    for (size_t at = 0; ok && at < len; at += BLOCK) {
        put32(counter + 4, (uint32_t)(at / BLOCK));
        ok = crypto->ops->hmac(crypto->ctx, th_span_of(key, 32), &part, 1, block);
        for (size_t i = 0; ok && i < BLOCK && at + i < len; i++)
            bytes[at + i] ^= block[i];
    }
    th_wipe(block, sizeof block);
    return ok;
}

static bool tag_of(const struct th_crypto *crypto, const uint8_t key[32], uint32_t number,
                   const uint8_t *bytes, size_t len, uint8_t mac[TH_SHA256_BYTES])
{
    uint8_t counter[4];
    const struct th_span parts[] = {{counter, sizeof counter}, {bytes, len}};

    put32(counter, number);
    return crypto->ops->hmac(crypto->ctx, th_span_of(key, 32), parts, 2, mac);
}

bool th_local_seal(const struct th_crypto *crypto, const struct th_local_direction *keys,
                   uint32_t number, uint8_t *bytes, size_t len)
{
    uint8_t mac[TH_SHA256_BYTES];
    bool ok = crypt(crypto, keys->cipher, number, bytes, len) &&
              tag_of(crypto, keys->mac, number, bytes, len, mac);

    if (ok)
        memcpy(bytes + len, mac, TH_LOCAL_TAG);
    else
        th_wipe(bytes, len);
    return ok;
}

/* In the same time wherever they differ. */
static bool same(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint8_t differs = 0;

    for (size_t i = 0; i < len; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}

bool th_local_open(const struct th_crypto *crypto, const struct th_local_direction *keys,
                   uint32_t number, uint8_t *bytes, size_t len)
{
    uint8_t mac[TH_SHA256_BYTES];

    if (len < TH_LOCAL_TAG)
        return false;
    len -= TH_LOCAL_TAG;
    return tag_of(crypto, keys->mac, number, bytes, len, mac) &&
           same(mac, bytes + len, TH_LOCAL_TAG) && crypt(crypto, keys->cipher, number, bytes, len);
}
