/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/csr.h>
#include <thimble/topic.h>

#include "base/off_stack.h"

enum tag {
    INTEGER = 0x02,
    BIT_STRING = 0x03,
    UTF8_STRING = 0x0C,
    SEQUENCE = 0x30,
    SET = 0x31,
    ATTRIBUTES = 0xA0,
};

/* AlgorithmIdentifier of a P-256 key (RFC 5480 §2.1.1) and the start of its BIT STRING. */
const uint8_t th_p256_spki_head[TH_P256_SPKI_HEAD] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
    0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
/* ecdsa-with-SHA256 (RFC 5758 §3.2). */
static const uint8_t algorithm[] = {0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86,
                                    0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02};
static const uint8_t common_name_oid[] = {0x06, 0x03, 0x55, 0x04, 0x03};
static const uint8_t version_0[] = {INTEGER, 1, 0};

/* Writes from the end to the beginning, so that a length is known when its head is written. */
struct backwards {
    uint8_t *begin, *at;
    bool failed;
};

static void put(struct backwards *out, const void *bytes, size_t len)
{
    if ((size_t)(out->at - out->begin) < len) {
        out->failed = true;
        return;
    }
    out->at -= len;
    memcpy(out->at, bytes, len);
}

/* Everything from `end` back to here becomes the content of a tag. */
static void wrap(struct backwards *out, enum tag tag, const uint8_t *end)
{
    size_t len = (size_t)(end - out->at);
    const uint8_t head[4] = {(uint8_t)tag, 0x82, (uint8_t)(len >> 8), (uint8_t)len};
    const uint8_t middle[3] = {(uint8_t)tag, 0x81, (uint8_t)len};
    const uint8_t small[2] = {(uint8_t)tag, (uint8_t)len};

    if (len < 0x80)
        put(out, small, sizeof small);
    else if (len < 0x100)
        put(out, middle, sizeof middle);
    else
        put(out, head, sizeof head);
}

/* One half of a signature as an INTEGER: positive, without needless zeros. */
static void put_integer(struct backwards *out, const uint8_t number[32])
{
    const uint8_t *end = out->at;
    size_t skip = 0;
    static const uint8_t zero;

    while (skip < 31 && number[skip] == 0)
        skip++;
    put(out, number + skip, 32 - skip);
    if (number[skip] >= 0x80)
        put(out, &zero, 1);
    wrap(out, INTEGER, end);
}

static void put_signature(struct backwards *out, const uint8_t signature[TH_P256_SIGNATURE])
{
    const uint8_t *end = out->at;
    static const uint8_t unused_bits;

    put_integer(out, signature + 32);
    put_integer(out, signature);
    wrap(out, SEQUENCE, end);
    put(out, &unused_bits, 1);
    wrap(out, BIT_STRING, end);
}

/* CertificationRequestInfo. */
static void put_info(struct backwards *out, const uint8_t point[TH_P256_POINT], struct th_span name)
{
    const uint8_t *end = out->at;

    wrap(out, ATTRIBUTES, end);
    put(out, point, TH_P256_POINT);
    put(out, th_p256_spki_head, sizeof th_p256_spki_head);
    const uint8_t *subject = out->at;
    put(out, name.at, name.len);
    wrap(out, UTF8_STRING, subject);
    put(out, common_name_oid, sizeof common_name_oid);
    wrap(out, SEQUENCE, subject);
    wrap(out, SET, subject);
    wrap(out, SEQUENCE, subject);
    put(out, version_0, sizeof version_0);
    wrap(out, SEQUENCE, end);
}

static bool name_valid(struct th_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] < 0x20 || name.at[i] == 0x7F)
            return false;
    }
    return name.len > 0 && name.len <= TH_CSR_NAME_MAX && th_utf8_valid(name);
}

#define TAIL 96 /* algorithm and signature take at most 89 bytes */

static OFF_THE_STACK void digest_of(const struct th_crypto *crypto, struct th_span bytes,
                                    uint8_t digest[TH_SHA256_BYTES])
{
    const struct th_hash_ops *sha256 = crypto->ops->hashes->sha256;
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, bytes.at, bytes.len);
    sha256->out(&state, digest);
}

/* Written to the end of the room. */
static OFF_THE_STACK bool begin_info(const struct th_crypto *crypto,
                                     const uint8_t secret[TH_P256_SECRET], struct th_span name,
                                     struct backwards *out)
{
    uint8_t point[TH_P256_POINT];

    if (!name_valid(name) || !crypto->ops->p256_public(crypto->ctx, secret, point))
        return false;
    put_info(out, point, name);
    return !out->failed;
}

/* The information moves to the front of the room, and gets algorithm and signature behind it. */
static OFF_THE_STACK size_t add_signature(const uint8_t signature[TH_P256_SIGNATURE],
                                          struct th_span body, uint8_t *into, size_t room)
{
    uint8_t bytes[TAIL];
    struct backwards tail = {bytes, bytes + TAIL, false}, out = {into, into + room, false};

    put_signature(&tail, signature);
    put(&tail, algorithm, sizeof algorithm);
    size_t tail_len = (size_t)(bytes + TAIL - tail.at);
    if (room < body.len + tail_len + 4)
        return 0;
    out.at -= tail_len + body.len;
    memmove(out.at, body.at, body.len);
    memcpy(out.at + body.len, tail.at, tail_len);
    wrap(&out, SEQUENCE, into + room);
    size_t len = (size_t)(into + room - out.at);
    memmove(into, out.at, len);
    return len;
}

size_t th_csr_make(const struct th_crypto *crypto, const uint8_t secret[TH_P256_SECRET],
                   struct th_span common_name, uint8_t *into, size_t room)
{
    uint8_t digest[TH_SHA256_BYTES];
    struct backwards info = {into, into + room, false};

    if (!begin_info(crypto, secret, common_name, &info))
        return 0;
    struct th_span body = {info.at, (size_t)(into + room - info.at)};
    digest_of(crypto, body, digest);
    /* The signature lies at the front of the room until it is put in its place. */
    if (room - body.len < TH_P256_SIGNATURE ||
        !crypto->ops->p256_sign(crypto->ctx, secret, digest, into))
        return 0;
    return add_signature(into, body, into, room);
}

void th_csr_key(const uint8_t secret[TH_P256_SECRET], const uint8_t point[TH_P256_POINT],
                uint8_t into[TH_SEC1_KEY])
{
    static const uint8_t head[] = {SEQUENCE, TH_SEC1_KEY - 2, INTEGER, 1, 1, 0x04, TH_P256_SECRET};
    static const uint8_t curve[] = {0xA0, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D,
                                    0x03, 0x01, 0x07, 0xA1, 0x44, 0x03, 0x42, 0x00};
    struct backwards out = {into, into + TH_SEC1_KEY, false};

    put(&out, point, TH_P256_POINT);
    put(&out, curve, sizeof curve);
    put(&out, secret, TH_P256_SECRET);
    put(&out, head, sizeof head);
}
