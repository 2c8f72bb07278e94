/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/manifest.h>

#define VERSION  1
#define SIGNED   192 /* bytes that the signature covers */
#define REVISION "thimble manifest 1"

enum offset {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_COMPONENT = 5,
    AT_FLAGS = 6,
    AT_ZERO = 7,
    AT_SEQUENCE = 8,
    AT_EPOCH = 12,
    AT_TIME = 16,
    AT_PRODUCT = 24,
    AT_HARDWARE_MIN = 56,
    AT_HARDWARE_MAX = 58,
    AT_SIZE = 60,
    AT_BLOCK_SIZE = 64,
    AT_SPARE = 68,
    AT_SHA256 = 72,
    AT_BLOCKS = 104,
    AT_BASE = 136,
    AT_KEY_ID = 168,
    AT_RESERVED = 176,
    AT_SIGNATURE = 192,
};

enum flag { FLAG_DEVELOPMENT = 1, FLAG_DELTA = 2 };

static const uint8_t magic[4] = {'T', 'H', 'M', 'F'};

/* ---- little-endian ---- */

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* ---- form ---- */

static bool all_zero(const uint8_t *at, size_t len)
{
    uint8_t any = 0;

    while (len-- > 0)
        any |= *at++;
    return any == 0;
}

/* Printable ASCII, then zeros to the end. */
static bool product_valid(const uint8_t *at)
{
    size_t len = 0;

    while (len < TH_MANIFEST_PRODUCT && at[len] > 0x20 && at[len] < 0x7F)
        len++;
    return len > 0 && all_zero(at + len, TH_MANIFEST_PRODUCT - len);
}

static bool block_size_valid(uint32_t size)
{
    return size >= 256 && size <= 65536 && (size & (size - 1)) == 0;
}

static bool fields_valid(const struct th_manifest *manifest)
{
    return manifest->component >= TH_COMPONENT_FIRMWARE &&
           manifest->component <= TH_COMPONENT_TRUST &&
           manifest->hardware_min <= manifest->hardware_max && manifest->size > 0 &&
           block_size_valid(manifest->block_size) && manifest->time_s >= 0;
}

/* Reserved bytes are zero and refused otherwise: a later version that uses them says so by its
 * number. */
enum th_error th_manifest_decode(const uint8_t bytes[TH_MANIFEST_BYTES], struct th_manifest *out)
{
    uint8_t flags = bytes[AT_FLAGS];

    if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0 || bytes[AT_VERSION] != VERSION ||
        flags > (FLAG_DEVELOPMENT | FLAG_DELTA) || bytes[AT_ZERO] != 0 ||
        !all_zero(bytes + AT_SPARE, AT_SHA256 - AT_SPARE) ||
        !all_zero(bytes + AT_RESERVED, AT_SIGNATURE - AT_RESERVED) ||
        !product_valid(bytes + AT_PRODUCT))
        return TH_ERR_UPDATE_FORMAT;
    memset(out, 0, sizeof *out);
    out->component = bytes[AT_COMPONENT];
    out->development = (flags & FLAG_DEVELOPMENT) != 0;
    out->delta = (flags & FLAG_DELTA) != 0;
    out->sequence = (uint32_t)get(bytes + AT_SEQUENCE, 4);
    out->epoch = (uint32_t)get(bytes + AT_EPOCH, 4);
    out->time_s = (int64_t)get(bytes + AT_TIME, 8);
    memcpy(out->product, bytes + AT_PRODUCT, TH_MANIFEST_PRODUCT);
    out->hardware_min = (uint16_t)get(bytes + AT_HARDWARE_MIN, 2);
    out->hardware_max = (uint16_t)get(bytes + AT_HARDWARE_MAX, 2);
    out->size = (uint32_t)get(bytes + AT_SIZE, 4);
    out->block_size = (uint32_t)get(bytes + AT_BLOCK_SIZE, 4);
    memcpy(out->sha256, bytes + AT_SHA256, sizeof out->sha256);
    memcpy(out->blocks, bytes + AT_BLOCKS, sizeof out->blocks);
    memcpy(out->base, bytes + AT_BASE, sizeof out->base);
    memcpy(out->key_id, bytes + AT_KEY_ID, sizeof out->key_id);
    if (!fields_valid(out) || out->delta == all_zero(out->base, sizeof out->base))
        return TH_ERR_UPDATE_FORMAT;
    return TH_OK;
}

enum th_error th_manifest_encode(const struct th_manifest *manifest,
                                 uint8_t bytes[TH_MANIFEST_BYTES])
{
    struct th_manifest back;
    size_t product = strlen(manifest->product);

    memset(bytes, 0, TH_MANIFEST_BYTES);
    if (product > TH_MANIFEST_PRODUCT)
        return TH_ERR_INVALID;
    memcpy(bytes + AT_MAGIC, magic, sizeof magic);
    bytes[AT_VERSION] = VERSION;
    bytes[AT_COMPONENT] = manifest->component;
    bytes[AT_FLAGS] = (uint8_t)((manifest->development ? FLAG_DEVELOPMENT : 0) |
                                (manifest->delta ? FLAG_DELTA : 0));
    put(bytes + AT_SEQUENCE, manifest->sequence, 4);
    put(bytes + AT_EPOCH, manifest->epoch, 4);
    put(bytes + AT_TIME, (uint64_t)manifest->time_s, 8);
    memcpy(bytes + AT_PRODUCT, manifest->product, product);
    put(bytes + AT_HARDWARE_MIN, manifest->hardware_min, 2);
    put(bytes + AT_HARDWARE_MAX, manifest->hardware_max, 2);
    put(bytes + AT_SIZE, manifest->size, 4);
    put(bytes + AT_BLOCK_SIZE, manifest->block_size, 4);
    memcpy(bytes + AT_SHA256, manifest->sha256, sizeof manifest->sha256);
    memcpy(bytes + AT_BLOCKS, manifest->blocks, sizeof manifest->blocks);
    memcpy(bytes + AT_BASE, manifest->base, sizeof manifest->base);
    memcpy(bytes + AT_KEY_ID, manifest->key_id, sizeof manifest->key_id);
    return th_manifest_decode(bytes, &back) == TH_OK ? TH_OK : TH_ERR_INVALID;
}

/* ---- signature ---- */

void th_manifest_digest(const struct th_hash_ops *sha256, const uint8_t bytes[TH_MANIFEST_BYTES],
                        uint8_t digest[TH_SHA256_BYTES])
{
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, (const uint8_t *)REVISION, sizeof REVISION);
    sha256->update(&state, bytes, SIGNED);
    sha256->out(&state, digest);
}

void th_manifest_sign(uint8_t bytes[TH_MANIFEST_BYTES], const uint8_t signature[TH_P256_SIGNATURE])
{
    memcpy(bytes + AT_SIGNATURE, signature, TH_P256_SIGNATURE);
}

void th_key_id(const struct th_hash_ops *sha256, const uint8_t point[TH_P256_POINT],
               uint8_t id[TH_KEY_ID_BYTES])
{
    union th_hash_state state;
    uint8_t digest[TH_SHA256_BYTES];

    sha256->init(&state);
    sha256->update(&state, point, TH_P256_POINT);
    sha256->out(&state, digest);
    memcpy(id, digest, TH_KEY_ID_BYTES);
}

/* ---- judgement ---- */

static const struct th_update_key *signer(const struct th_manifest *manifest,
                                          const struct th_update_key *keys, size_t count,
                                          const struct th_hash_ops *sha256)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t id[TH_KEY_ID_BYTES];

        th_key_id(sha256, keys[i].point, id);
        if (memcmp(id, manifest->key_id, sizeof id) == 0 &&
            (keys[i].components >> manifest->component & 1) != 0)
            return &keys[i];
    }
    return NULL;
}

static enum th_error judge(const struct th_manifest *manifest, const struct th_update_key *key,
                           const struct th_manifest_rules *rules)
{
    if ((manifest->development || key->development) && !rules->allow_development)
        return TH_ERR_UPDATE_DEVELOPMENT;
    if (strcmp(manifest->product, rules->product) != 0)
        return TH_ERR_UPDATE_PRODUCT;
    if (rules->hardware < manifest->hardware_min || rules->hardware > manifest->hardware_max)
        return TH_ERR_UPDATE_HARDWARE;
    if (manifest->epoch < rules->epoch)
        return TH_ERR_UPDATE_EPOCH;
    return manifest->sequence > rules->sequence ? TH_OK : TH_ERR_UPDATE_OLD;
}

enum th_error th_manifest_verify(const uint8_t bytes[TH_MANIFEST_BYTES],
                                 const struct th_update_key *keys, size_t key_count,
                                 const struct th_manifest_rules *rules,
                                 const struct th_crypto *crypto, struct th_manifest *out)
{
    const struct th_hash_ops *sha256 = crypto->ops->hashes->sha256;
    uint8_t digest[TH_SHA256_BYTES];

    if (th_manifest_decode(bytes, out) != TH_OK)
        return TH_ERR_UPDATE_FORMAT;
    const struct th_update_key *key = signer(out, keys, key_count, sha256);
    if (!key)
        return TH_ERR_UPDATE_KEY;
    th_manifest_digest(sha256, bytes, digest);
    if (!crypto->ops->p256_verify(crypto->ctx, key->point, digest, bytes + AT_SIGNATURE))
        return TH_ERR_UPDATE_SIGNATURE;
    return judge(out, key, rules);
}
