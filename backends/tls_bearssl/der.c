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

/* The next element's content, and `whole` with its header; empty and bad when it has another tag
 * or does not fit. Lengths up to 65,535: no certificate or key is longer. */
static struct der take(struct der *from, uint8_t tag, struct th_span *whole)
{
    struct der none = {NULL, 0, true};
    const uint8_t *at = from->at;
    if (from->bad || from->len < 2 || at[0] != tag) {
        from->bad = true;
        return none;
    }
    size_t head = 2, len = at[1];
    if (len == 0x81 && from->len >= 3) {
        head = 3;
        len = at[2];
    } else if (len == 0x82 && from->len >= 4) {
        head = 4;
        len = (size_t)at[2] << 8 | at[3];
    } else if (len >= 0x80) {
        from->bad = true;
        return none;
    }
    if (len > from->len - head) {
        from->bad = true;
        return none;
    }
    if (whole)
        *whole = th_span_of(at, head + len);
    from->at += head + len;
    from->len -= head + len;
    return (struct der){at + head, len, false};
}

static struct der begin(struct th_span span)
{
    return (struct der){span.at, span.len, false};
}

static bool next_is(const struct der *der, uint8_t tag)
{
    return !der->bad && der->len != 0 && der->at[0] == tag;
}

/* A positive INTEGER without its leading zero. */
static struct th_span number(struct der *from)
{
    struct der value = take(from, INTEGER, NULL);
    while (value.len > 1 && value.at[0] == 0) {
        value.at++;
        value.len--;
    }
    return th_span_of(value.at, value.len);
}

static bool is(struct der value, const char *bytes, size_t len)
{
    return !value.bad && value.len == len && memcmp(value.at, bytes, len) == 0;
}

#define OID_RSA     "\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01"
#define OID_EC      "\x2A\x86\x48\xCE\x3D\x02\x01"
#define OID_P256    "\x2A\x86\x48\xCE\x3D\x03\x01\x07"
#define OID_P384    "\x2B\x81\x04\x00\x22"
#define OID_P521    "\x2B\x81\x04\x00\x23"
#define IS(der, o)  is(der, o, sizeof(o) - 1)
#define MUTABLE(at) ((unsigned char *)(uintptr_t)(at)) /* BearSSL's structs lack const */

static int curve_of(struct der oid)
{
    if (IS(oid, OID_P256))
        return BR_EC_secp256r1;
    if (IS(oid, OID_P384))
        return BR_EC_secp384r1;
    return IS(oid, OID_P521) ? BR_EC_secp521r1 : 0;
}

/* The content of a BIT STRING of whole bytes. */
static struct der bits(struct der *from)
{
    struct der value = take(from, BIT_STRING, NULL);
    if (value.bad || value.len < 1 || value.at[0] != 0)
        return (struct der){NULL, 0, true};
    value.at++;
    value.len--;
    return value;
}

static bool public_key(br_x509_pkey *out, struct der spki)
{
    struct der algorithm = take(&spki, SEQUENCE, NULL);
    struct der oid = take(&algorithm, OID, NULL);
    struct der value = bits(&spki);
    out->key_type = 0;
    if (IS(oid, OID_EC)) {
        out->key.ec.curve = curve_of(take(&algorithm, OID, NULL));
        out->key.ec.q = MUTABLE(value.at);
        out->key.ec.qlen = value.len;
        if (out->key.ec.curve != 0)
            out->key_type = BR_KEYTYPE_EC;
        return !value.bad;
    }
    if (!IS(oid, OID_RSA))
        return !oid.bad && !value.bad;
    struct der pair = take(&value, SEQUENCE, NULL);
    struct th_span n = number(&pair), e = number(&pair);
    out->key_type = BR_KEYTYPE_RSA;
    out->key.rsa.n = MUTABLE(n.at);
    out->key.rsa.nlen = n.len;
    out->key.rsa.e = MUTABLE(e.at);
    out->key.rsa.elen = e.len;
    return !pair.bad;
}

bool th_bearssl_anchor(br_x509_trust_anchor *out, struct th_span certificate)
{
    struct der outer = begin(certificate);
    struct der whole = take(&outer, SEQUENCE, NULL);
    struct der tbs = take(&whole, SEQUENCE, NULL);
    struct th_span subject = {NULL, 0};
    if (next_is(&tbs, 0xA0))
        take(&tbs, 0xA0, NULL); /* version */
    take(&tbs, INTEGER, NULL);  /* serial number */
    take(&tbs, SEQUENCE, NULL); /* signature algorithm */
    take(&tbs, SEQUENCE, NULL); /* issuer */
    take(&tbs, SEQUENCE, NULL); /* validity */
    take(&tbs, SEQUENCE, &subject);
    struct der spki = take(&tbs, SEQUENCE, NULL);
    if (tbs.bad || outer.len != 0)
        return false;
    out->dn.data = MUTABLE(subject.at);
    out->dn.len = subject.len;
    out->flags = BR_X509_TA_CA;
    return public_key(&out->pkey, spki);
}

/* RFC 5915; `curve` from PKCS#8 when not 0. */
static bool sec1(struct th_bearssl_key *out, struct der key, int curve)
{
    take(&key, INTEGER, NULL);
    struct der secret = take(&key, OCTETS, NULL);
    if (next_is(&key, 0xA0)) {
        struct der parameters = take(&key, 0xA0, NULL);
        curve = curve_of(take(&parameters, OID, NULL));
    }
    if (next_is(&key, 0xA1)) {
        struct der tagged = take(&key, 0xA1, NULL);
        struct der point = bits(&tagged);
        if (!point.bad)
            out->ec_point = th_span_of(point.at, point.len);
    }
    out->rsa = false;
    out->ec.curve = curve;
    out->ec.x = MUTABLE(secret.at);
    out->ec.xlen = secret.len;
    return !key.bad && secret.len != 0;
}

/* RFC 8017 §A.1.2. */
static bool pkcs1(struct th_bearssl_key *out, struct der key)
{
    take(&key, INTEGER, NULL);
    struct th_span n = number(&key);
    number(&key); /* e */
    number(&key); /* d */
    struct th_span p = number(&key), q = number(&key);
    struct th_span dp = number(&key), dq = number(&key), iq = number(&key);
    if (key.bad || n.len == 0)
        return false;
    uint32_t bits = (uint32_t)n.len * 8;
    for (uint8_t top = n.at[0]; !(top & 0x80) && bits; top = (uint8_t)(top << 1 | 1))
        bits--;
    out->rsa = true;
    out->rsa_modulus = n;
    out->rsa_key =
        (br_rsa_private_key){bits,   MUTABLE(p.at),  p.len,  MUTABLE(q.at),  q.len, MUTABLE(dp.at),
                             dp.len, MUTABLE(dq.at), dq.len, MUTABLE(iq.at), iq.len};
    return true;
}

bool th_bearssl_key_read(struct th_bearssl_key *out, struct th_span der, bool *known)
{
    memset(out, 0, sizeof *out);
    *known = true;
    struct der outer = begin(der);
    struct der key = take(&outer, SEQUENCE, NULL);
    struct der fields = key;
    take(&fields, INTEGER, NULL);
    if (next_is(&fields, OCTETS))
        return sec1(out, key, 0);
    if (next_is(&fields, INTEGER))
        return pkcs1(out, key);
    struct der algorithm = take(&fields, SEQUENCE, NULL);
    struct der oid = take(&algorithm, OID, NULL);
    struct der octets = take(&fields, OCTETS, NULL);
    if (fields.bad)
        return false;
    if (IS(oid, OID_RSA))
        return pkcs1(out, take(&octets, SEQUENCE, NULL));
    if (IS(oid, OID_EC)) {
        int curve = curve_of(take(&algorithm, OID, NULL));
        return sec1(out, take(&octets, SEQUENCE, NULL), curve);
    }
    *known = false;
    return true;
}
