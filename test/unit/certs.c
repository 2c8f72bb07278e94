/* SPDX-License-Identifier: MIT */
#define OPENSSL_SUPPRESS_DEPRECATED /* the low-level hashes, whose state is a plain struct */
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#define DAY_S 86400

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "certs: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

EVP_PKEY *cert_key(const char *kind)
{
    EVP_PKEY *key = NULL;
    if (strncmp(kind, "RSA-", 4) == 0)
        key = EVP_RSA_gen((unsigned)atoi(kind + 4));
    else if (strcmp(kind, "ED25519") == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        key = EVP_EC_gen(kind);
    must(key != NULL, kind);
    return key;
}

static void set_wide_name(X509_NAME *name, const char *cn)
{
    uint8_t wide[128];
    size_t len = strlen(cn);
    must(2 * len <= sizeof wide, "short name");
    for (size_t i = 0; i < len; i++) {
        wide[2 * i] = 0;
        wide[2 * i + 1] = (uint8_t)cn[i];
    }
    must(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_BMPSTRING, wide, (int)(2 * len),
                                    -1, 0),
         "common name");
}

static void set_name(X509_NAME *name, const char *cn)
{
    must(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Thimble", -1, -1, 0),
         "organisation");
    if (cn != NULL)
        must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0),
             "common name");
}

static void replace_bars(X509_EXTENSION *extension)
{
    ASN1_OCTET_STRING *octets = X509_EXTENSION_get_data(extension);
    unsigned char *bytes = OPENSSL_memdup(octets->data, (size_t)octets->length);
    must(bytes != NULL, "copy");
    for (int i = 0; i < octets->length; i++) {
        if (bytes[i] == '|')
            bytes[i] = 0;
    }
    ASN1_STRING_set0(octets, bytes, octets->length);
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    if (value == NULL)
        return;
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension != NULL, value);
    if (nid == NID_subject_alt_name && strchr(value, '|') != NULL)
        replace_bars(extension);
    must(X509_add_ext(x509, extension, -1), value);
    X509_EXTENSION_free(extension);
}

static void add_unknown(X509 *x509, const char *oid, int critical)
{
    if (oid == NULL)
        return;
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    must(object && octets && ASN1_OCTET_STRING_set(octets, (const uint8_t *)"\x04\x02ok", 4), oid);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
    must(extension && X509_add_ext(x509, extension, -1), oid);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
    ASN1_OBJECT_free(object);
}

static void add_extensions(X509 *x509, X509 *issuer, const struct cert_spec *spec)
{
    add_extension(x509, issuer, NID_basic_constraints, spec->basic);
    add_extension(x509, issuer, NID_key_usage, spec->usage);
    add_extension(x509, issuer, NID_ext_key_usage, spec->purpose);
    add_extension(x509, issuer, NID_subject_alt_name, spec->names);
    add_extension(x509, issuer, NID_name_constraints, spec->constraints);
    add_unknown(x509, spec->unknown_extension, !spec->unknown_is_harmless);
    if (spec->duplicate_extension)
        add_extension(x509, issuer, NID_basic_constraints, spec->basic);
}

static void set_dates(X509 *x509, const struct cert_spec *spec)
{
    int64_t now_s = time(NULL);
    int64_t from_s = spec->not_before_s ? spec->not_before_s : now_s - DAY_S;
    int64_t to_s = spec->not_after_s ? spec->not_after_s : now_s + 30 * DAY_S;
    must(ASN1_TIME_set(X509_getm_notBefore(x509), from_s) != NULL, "notBefore");
    must(ASN1_TIME_set(X509_getm_notAfter(x509), to_s) != NULL, "notAfter");
}

static void sign(X509 *x509, EVP_PKEY *key, const char *hash)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL;
    int pss = strncmp(hash, "PSS", 3) == 0;
    const char *name = strcmp(hash, "PSS-SHA1") == 0 ? "SHA1" : pss ? "SHA256" : hash;
    const EVP_MD *md = EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_get_digestbyname(name);
    must(EVP_DigestSignInit(ctx, &key_ctx, md, NULL, key) > 0, "signature set-up");
    if (pss)
        must(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) > 0, "PSS");
    must(X509_sign_ctx(x509, ctx) > 0, "signature");
    EVP_MD_CTX_free(ctx);
}

static void damage_signature(struct cert *cert)
{
    uint8_t *bytes = OPENSSL_memdup(cert->der.at, cert->der.len);
    must(bytes != NULL, "copy");
    bytes[cert->der.len - 1] ^= 1;
    OPENSSL_free((void *)(uintptr_t)cert->der.at);
    cert->der.at = bytes;
    const uint8_t *at = bytes;
    X509_free(cert->x509);
    cert->x509 = d2i_X509(NULL, &at, (long)cert->der.len);
    must(cert->x509 != NULL, "damaged certificate");
}

static EVP_PKEY *key_for(const struct cert_spec *spec)
{
    if (spec->use_key != NULL) {
        EVP_PKEY_up_ref(spec->use_key);
        return spec->use_key;
    }
    return cert_key(spec->key ? spec->key : "P-256");
}

struct cert cert_make(const struct cert_spec *spec)
{
    static long serial = 1000;
    struct cert cert = {.x509 = X509_new(), .key = key_for(spec)};
    X509 *x509 = cert.x509;
    X509 *issuer = spec->issuer ? spec->issuer->x509 : x509;
    must(x509 != NULL && X509_set_version(x509, spec->version_1 ? 0 : 2), "version");
    must(ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++), "serial");
    set_name(X509_get_subject_name(x509), spec->cn_is_wide ? NULL : spec->cn);
    if (spec->cn_is_wide)
        set_wide_name(X509_get_subject_name(x509), spec->cn);
    if (spec->issuer_cn != NULL)
        set_name(X509_get_issuer_name(x509), spec->issuer_cn);
    else
        must(X509_set_issuer_name(x509, X509_get_subject_name(issuer)), "issuer");
    set_dates(x509, spec);
    if (spec->explicit_curve)
        must(EVP_PKEY_set_utf8_string_param(cert.key, "encoding", "explicit"), "explicit curve");
    must(X509_set_pubkey(x509, cert.key), "public key");
    add_extensions(x509, issuer, spec);
    sign(x509, spec->issuer ? spec->issuer->key : cert.key, spec->hash ? spec->hash : "SHA256");
    uint8_t *der = NULL;
    int len = i2d_X509(x509, &der);
    must(len > 0, "encoding");
    cert.der = th_span_of(der, (size_t)len);
    if (spec->bad_signature)
        damage_signature(&cert);
    return cert;
}

/* The signed part of a certificate of less than 64 KiB begins with 30 82 hh ll, behind the first
 * four bytes; it becomes 30 83 00 hh ll. */
struct cert cert_not_der(const struct cert *cert, const struct cert *issuer)
{
    const uint8_t *tbs = cert->der.at + 4;
    size_t len = (size_t)(tbs[2] << 8 | tbs[3]) + 4, signature_len = 0;
    uint8_t longer[2048] = {0x30, 0x83, 0x00}, signature[512], algorithm[32];
    must(len + 1 <= sizeof longer && tbs[1] == 0x82, "certificate");
    memcpy(longer + 3, tbs + 2, len - 2);

    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    signature_len = sizeof signature;
    must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, issuer->key) > 0 &&
             EVP_DigestSign(ctx, signature, &signature_len, longer, len + 1) > 0,
         "signature");
    EVP_MD_CTX_free(ctx);

    size_t algorithm_len = (size_t)tbs[len + 1] + 2; /* what follows the signed part */
    memcpy(algorithm, tbs + len, algorithm_len);
    size_t bits_len = signature_len + 1, total = len + 1 + algorithm_len + 2 + bits_len;
    must(bits_len < 128 && total >= 256, "short signature");
    uint8_t *der = OPENSSL_malloc(total + 4), *at = der;
    *at++ = 0x30;
    *at++ = 0x82;
    *at++ = (uint8_t)(total >> 8);
    *at++ = (uint8_t)total;
    memcpy(at, longer, len + 1);
    at += len + 1;
    memcpy(at, algorithm, algorithm_len);
    at += algorithm_len;
    *at++ = 0x03;
    *at++ = (uint8_t)bits_len;
    *at++ = 0;
    memcpy(at, signature, signature_len);
    const uint8_t *from = der;
    struct cert other = {.x509 = d2i_X509(NULL, &from, (long)total + 4), .key = cert->key};
    must(other.x509 != NULL, "certificate");
    EVP_PKEY_up_ref(other.key);
    other.der = th_span_of(der, total + 4);
    return other;
}

void cert_free(struct cert *cert)
{
    OPENSSL_free((void *)(uintptr_t)cert->der.at);
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (struct cert){0};
}

struct cert cert_root(const char *cn)
{
    return cert_make(&(struct cert_spec){
        .cn = cn, .basic = "critical,CA:TRUE", .usage = "critical,keyCertSign,cRLSign"});
}

struct cert cert_intermediate(const char *cn, const struct cert *issuer)
{
    return cert_make(&(struct cert_spec){.cn = cn,
                                         .issuer = issuer,
                                         .basic = "critical,CA:TRUE",
                                         .usage = "critical,keyCertSign,cRLSign"});
}

struct cert cert_server(const char *names, const struct cert *issuer)
{
    return cert_make(&(struct cert_spec){.cn = "broker",
                                         .issuer = issuer,
                                         .basic = "critical,CA:FALSE",
                                         .usage = "critical,digitalSignature",
                                         .purpose = "serverAuth",
                                         .names = names});
}

/* ---- hashes ---- */

_Static_assert(sizeof(SHA256_CTX) <= TH_HASH_STATE, "SHA-256 fits the state");

static void sha256_init(union th_hash_state *state)
{
    SHA256_Init((SHA256_CTX *)state);
}

static void sha256_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    SHA256_Update((SHA256_CTX *)state, bytes, len);
}

static void sha256_out(const union th_hash_state *state, uint8_t *digest)
{
    union th_hash_state copy = *state;
    SHA256_Final(digest, (SHA256_CTX *)&copy);
}

static void sha1_init(union th_hash_state *state)
{
    SHA1_Init((SHA_CTX *)state);
}

static void sha1_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    SHA1_Update((SHA_CTX *)state, bytes, len);
}

static void sha1_out(const union th_hash_state *state, uint8_t *digest)
{
    union th_hash_state copy = *state;
    SHA1_Final(digest, (SHA_CTX *)&copy);
}

static const struct th_hash_ops sha256 = {sha256_init, sha256_update, sha256_out};
static const struct th_hash_ops sha1 = {sha1_init, sha1_update, sha1_out};
const struct th_hashes cert_hashes = {&sha256, &sha1};
