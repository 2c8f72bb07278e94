/* SPDX-License-Identifier: MIT */
/* Request and bundle in their bit-exact form; docs/enrolment.md. */
#include "device/enrol.h"

const uint8_t enrol_request_magic[ENROL_MAGIC] = {'T', 'H', 'E', 'R', ENROL_VERSION, 0};
static const uint8_t bundle_magic[ENROL_MAGIC + 2] = {'T', 'H', 'E', 'B', ENROL_VERSION, 0, 0, 0};

static uint32_t get_le(const uint8_t *at, int bytes)
{
    uint32_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

void enrol_put_le(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* ---- request ---- */

/* Printable ASCII without spaces, then zeros to the end. */
static bool take_product(const uint8_t *from, char into[TH_MANIFEST_PRODUCT + 1])
{
    size_t len = 0;

    while (len < TH_MANIFEST_PRODUCT && from[len] > 0x20 && from[len] < 0x7F)
        len++;
    for (size_t i = len; i < TH_MANIFEST_PRODUCT; i++) {
        if (from[i] != 0)
            return false;
    }
    memcpy(into, from, len);
    into[len] = '\0';
    return len > 0;
}

enum th_error th_enrol_request_decode(struct th_span request, struct th_enrol_request *out)
{
    const uint8_t *at = request.at;

    memset(out, 0, sizeof *out);
    if (request.len < TH_ENROL_REQUEST_HEAD + TH_P256_SIGNATURE ||
        request.len > TH_ENROL_REQUEST_MAX ||
        memcmp(at, enrol_request_magic, sizeof enrol_request_magic) != 0)
        return TH_ERR_ENROL_FORMAT;
    size_t one = get_le(at + REQUEST_CSR_LEN, 2), two = get_le(at + REQUEST_BIRTH_LEN, 2);
    if (one == 0 || two == 0 ||
        TH_ENROL_REQUEST_HEAD + one + two + TH_P256_SIGNATURE != request.len ||
        !take_product(at + REQUEST_PRODUCT, out->product))
        return TH_ERR_ENROL_FORMAT;
    out->hardware = (uint16_t)get_le(at + REQUEST_HARDWARE, 2);
    memcpy(out->nonce, at + REQUEST_NONCE, sizeof out->nonce);
    out->csr = th_span_of(at + TH_ENROL_REQUEST_HEAD, one);
    out->birth_csr = th_span_of(at + TH_ENROL_REQUEST_HEAD + one, two);
    out->signed_part = th_span_of(at, TH_ENROL_REQUEST_HEAD + one + two);
    out->signature = at + TH_ENROL_REQUEST_HEAD + one + two;
    return TH_OK;
}

void th_enrol_request_digest(const struct th_hash_ops *sha256, struct th_span signed_part,
                             uint8_t digest[TH_SHA256_BYTES])
{
    static const char context[] = "thimble request 1";
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, (const uint8_t *)context, sizeof context);
    sha256->update(&state, signed_part.at, signed_part.len);
    sha256->out(&state, digest);
}

/* ---- bundle ---- */

static void digest_of(const struct th_hash_ops *sha256, struct th_span bytes,
                      uint8_t digest[TH_SHA256_BYTES])
{
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, bytes.at, bytes.len);
    sha256->out(&state, digest);
}

static bool lengths_good(size_t ldevid, size_t idevid, size_t trust)
{
    return ldevid > 0 && ldevid <= TH_CHAIN_MAX && idevid > 0 && idevid <= TH_CHAIN_MAX &&
           trust > TH_MANIFEST_BYTES && trust <= TH_MANIFEST_BYTES + TH_TRUST_SET_MAX;
}

enum th_error th_enrol_bundle_decode(const struct th_hash_ops *sha256, struct th_span bundle,
                                     struct th_enrol_bundle *out)
{
    const uint8_t *at = bundle.at;
    uint8_t digest[TH_SHA256_BYTES];

    memset(out, 0, sizeof *out);
    if (bundle.len < TH_ENROL_BUNDLE_HEAD + TH_SHA256_BYTES || bundle.len > TH_ENROL_BUNDLE_MAX ||
        memcmp(at, bundle_magic, sizeof bundle_magic) != 0)
        return TH_ERR_ENROL_FORMAT;
    size_t body = bundle.len - TH_SHA256_BYTES;
    size_t one = get_le(at + BUNDLE_LDEVID_LEN, 2), two = get_le(at + BUNDLE_IDEVID_LEN, 2);
    size_t three = get_le(at + BUNDLE_TRUST_LEN, 4);
    if (!lengths_good(one, two, three) || TH_ENROL_BUNDLE_HEAD + one + two + three != body)
        return TH_ERR_ENROL_FORMAT;
    digest_of(sha256, th_span_of(at, body), digest);
    if (memcmp(digest, at + body, sizeof digest) != 0)
        return TH_ERR_ENROL_FORMAT;
    memcpy(out->nonce, at + BUNDLE_NONCE, sizeof out->nonce);
    out->time_s =
        (int64_t)(get_le(at + BUNDLE_TIME, 4) | (uint64_t)get_le(at + BUNDLE_TIME + 4, 4) << 32);
    out->ldevid = th_span_of(at + TH_ENROL_BUNDLE_HEAD, one);
    out->idevid = th_span_of(at + TH_ENROL_BUNDLE_HEAD + one, two);
    out->trust = th_span_of(at + TH_ENROL_BUNDLE_HEAD + one + two, three);
    return TH_OK;
}

enum th_error th_enrol_bundle_encode(const struct th_hash_ops *sha256,
                                     const struct th_enrol_bundle *bundle, uint8_t *into,
                                     size_t room, size_t *len)
{
    const struct th_span parts[] = {bundle->ldevid, bundle->idevid, bundle->trust};
    size_t at = TH_ENROL_BUNDLE_HEAD;

    if (!lengths_good(parts[0].len, parts[1].len, parts[2].len))
        return TH_ERR_INVALID;
    if (at + parts[0].len + parts[1].len + parts[2].len + TH_SHA256_BYTES > room)
        return TH_ERR_TOO_LARGE;
    memcpy(into, bundle_magic, sizeof bundle_magic);
    memcpy(into + BUNDLE_NONCE, bundle->nonce, sizeof bundle->nonce);
    enrol_put_le(into + BUNDLE_TIME, (uint64_t)bundle->time_s, 8);
    enrol_put_le(into + BUNDLE_LDEVID_LEN, parts[0].len, 2);
    enrol_put_le(into + BUNDLE_IDEVID_LEN, parts[1].len, 2);
    enrol_put_le(into + BUNDLE_TRUST_LEN, parts[2].len, 4);
    for (int i = 0; i < 3; i++) {
        memcpy(into + at, parts[i].at, parts[i].len);
        at += parts[i].len;
    }
    digest_of(sha256, th_span_of(into, at), into + at);
    *len = at + TH_SHA256_BYTES;
    return TH_OK;
}
