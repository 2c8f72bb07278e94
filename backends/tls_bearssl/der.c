/* SPDX-License-Identifier: MIT */
#include "backends/tls_bearssl/der.h"

#include <string.h>

enum { INTEGER = 0x02, BIT_STRING = 0x03, OCTETS = 0x04, OID = 0x06, SEQUENCE = 0x30 };

/* What is left to read; `bad` sticks. */
struct der {
    const uint8_t *at;
    size_t len;
    bool bad;
};

static void begin(struct der *der, struct th_span span)
{
    der->at = span.at;
    der->len = span.len;
    der->bad = false;
}

/* The next element's content; empty and bad, as `from` is then, when it has another tag or does not
 * fit. Lengths up to 65,535: no certificate or key is longer. */
static void take(struct der *from, uint8_t tag, struct der *into)
{
    const uint8_t *at = from->at;
    size_t head = 2, len = 0;
    bool good = !from->bad && from->len >= 2 && at[0] == tag;
    if (good && at[1] < 0x80) {
        len = at[1];
    } else if (good && at[1] == 0x81 && from->len >= 3) {
        head = 3;
        len = at[2];
    } else if (good && at[1] == 0x82 && from->len >= 4) {
        head = 4;
        len = (size_t)at[2] << 8 | at[3];
    } else {
        good = false;
    }
    if (!good || len > from->len - head) {
        from->bad = true;
        *into = (struct der){NULL, 0, true};
        return;
    }
    *into = (struct der){at + head, len, false};
    from->at += head + len;
    from->len -= head + len;
}

static void skip(struct der *from, uint8_t tag)
{
    struct der content;
    take(from, tag, &content);
}

static bool next_is(const struct der *der, uint8_t tag)
{
    return !der->bad && der->len != 0 && der->at[0] == tag;
}

/* A positive INTEGER without its leading zeros. */
static void number(struct der *from, struct th_span *out)
{
    struct der value;
    take(from, INTEGER, &value);
    while (value.len > 1 && value.at[0] == 0) {
        value.at++;
        value.len--;
    }
    *out = th_span_of(value.at, value.len);
}

/* The content of a BIT STRING of whole bytes. */
static void bits(struct der *from, struct der *into)
{
    take(from, BIT_STRING, into);
    into->bad |= into->len < 1 || into->at[0] != 0;
    if (into->bad)
        return;
    into->at++;
    into->len--;
}

#define MUTABLE(at) ((unsigned char *)(uintptr_t)(at)) /* BearSSL's structs lack const */

enum oid { OTHER, RSA, EC, P256, P384, P521 };

/* The next element, an OBJECT IDENTIFIER, as one of those that matter. */
static enum oid oid(struct der *from)
{
    static const struct {
        uint8_t len;
        char bytes[9];
    } known[] = {[RSA] = {9, "\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01"},
                 [EC] = {7, "\x2A\x86\x48\xCE\x3D\x02\x01"},
                 [P256] = {8, "\x2A\x86\x48\xCE\x3D\x03\x01\x07"},
                 [P384] = {5, "\x2B\x81\x04\x00\x22"},
                 [P521] = {5, "\x2B\x81\x04\x00\x23"}};
    struct der value;
    take(from, OID, &value);
    for (int i = RSA; i <= P521; i++) {
        if (value.len == known[i].len && memcmp(value.at, known[i].bytes, value.len) == 0)
            return (enum oid)i;
    }
    return OTHER;
}

static int curve(struct der *from)
{
    switch (oid(from)) {
    case P256: return BR_EC_secp256r1;
    case P384: return BR_EC_secp384r1;
    case P521: return BR_EC_secp521r1;
    default: return 0;
    }
}

static bool public_key(br_x509_pkey *out, struct der *spki)
{
    struct der algorithm, value, pair;
    take(spki, SEQUENCE, &algorithm);
    bits(spki, &value);
    out->key_type = 0;
    enum oid kind = oid(&algorithm);
    if (kind == EC && next_is(&algorithm, OID)) { /* else parameters of its own: no curve of ours */
        out->key.ec.curve = curve(&algorithm);
        out->key.ec.q = MUTABLE(value.at);
        out->key.ec.qlen = value.len;
        if (out->key.ec.curve != 0)
            out->key_type = BR_KEYTYPE_EC;
    }
    if (kind == RSA) {
        struct th_span n, e;
        take(&value, SEQUENCE, &pair);
        number(&pair, &n);
        number(&pair, &e);
        out->key_type = BR_KEYTYPE_RSA;
        out->key.rsa.n = MUTABLE(n.at);
        out->key.rsa.nlen = n.len;
        out->key.rsa.e = MUTABLE(e.at);
        out->key.rsa.elen = e.len;
        value.bad |= pair.bad;
    }
    return !algorithm.bad && !value.bad;
}

bool th_bearssl_anchor(br_x509_trust_anchor *out, struct th_span certificate)
{
    struct der outer, whole, tbs, spki;
    begin(&outer, certificate);
    take(&outer, SEQUENCE, &whole);
    take(&whole, SEQUENCE, &tbs);
    if (next_is(&tbs, 0xA0))
        skip(&tbs, 0xA0); /* version */
    skip(&tbs, INTEGER);  /* serial number */
    skip(&tbs, SEQUENCE); /* signature algorithm */
    skip(&tbs, SEQUENCE); /* issuer */
    skip(&tbs, SEQUENCE); /* validity */
    out->dn.data = MUTABLE(tbs.at);
    skip(&tbs, SEQUENCE); /* subject */
    if (tbs.bad || outer.len != 0)
        return false;
    out->dn.len = (size_t)(tbs.at - out->dn.data);
    out->flags = BR_X509_TA_CA;
    take(&tbs, SEQUENCE, &spki);
    return public_key(&out->pkey, &spki);
}

/* RFC 5915; `curve_id` from PKCS#8, 0 when not from there. */
static bool sec1(struct th_bearssl_key *out, struct der *key, int curve_id)
{
    struct der secret, tagged, point;
    skip(key, INTEGER);
    take(key, OCTETS, &secret);
    if (next_is(key, 0xA0)) {
        take(key, 0xA0, &tagged);
        curve_id = curve(&tagged);
    }
    if (next_is(key, 0xA1)) {
        take(key, 0xA1, &tagged);
        bits(&tagged, &point);
        if (!point.bad)
            out->ec_point = th_span_of(point.at, point.len);
    }
    out->ec.curve = curve_id;
    out->ec.x = MUTABLE(secret.at);
    out->ec.xlen = secret.len;
    return !key->bad && secret.len != 0;
}

/* RFC 8017 §A.1.2. */
static bool pkcs1(struct th_bearssl_key *out, struct der *key)
{
    enum { N, E, D, P, Q, DP, DQ, IQ, COUNT };
    struct th_span value[COUNT];
    skip(key, INTEGER);
    for (int i = N; i < COUNT; i++)
        number(key, &value[i]);
    if (key->bad || value[N].len == 0)
        return false;
    uint32_t bit_len = (uint32_t)value[N].len * 8;
    for (uint8_t top = value[N].at[0]; !(top & 0x80) && bit_len; top = (uint8_t)(top << 1 | 1))
        bit_len--;
    out->rsa = true;
    out->rsa_modulus = value[N];
    out->rsa_key = (br_rsa_private_key){
        .n_bitlen = bit_len,
        .p = MUTABLE(value[P].at),
        .plen = value[P].len,
        .q = MUTABLE(value[Q].at),
        .qlen = value[Q].len,
        .dp = MUTABLE(value[DP].at),
        .dplen = value[DP].len,
        .dq = MUTABLE(value[DQ].at),
        .dqlen = value[DQ].len,
        .iq = MUTABLE(value[IQ].at),
        .iqlen = value[IQ].len,
    };
    return true;
}

bool th_bearssl_key_read(struct th_bearssl_key *out, struct th_span der, bool *known)
{
    struct der outer, key, fields, algorithm, octets, inner;
    memset(out, 0, sizeof *out);
    *known = true;
    begin(&outer, der);
    take(&outer, SEQUENCE, &key);
    fields = key;
    skip(&fields, INTEGER);
    if (next_is(&fields, OCTETS))
        return sec1(out, &key, 0);
    if (next_is(&fields, INTEGER))
        return pkcs1(out, &key);
    take(&fields, SEQUENCE, &algorithm);
    take(&fields, OCTETS, &octets);
    if (fields.bad)
        return false;
    enum oid kind = oid(&algorithm);
    *known = kind == RSA || kind == EC;
    if (!*known)
        return true;
    take(&octets, SEQUENCE, &inner);
    return kind == RSA ? pkcs1(out, &inner) : sec1(out, &inner, curve(&algorithm));
}
