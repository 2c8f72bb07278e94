/* SPDX-License-Identifier: MIT */
#include "tls_pki.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY (24L * 3600)

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "certificate factory: %s\n", what);
        abort();
    }
}

static EVP_PKEY *make_key(enum pki_key kind)
{
    switch (kind) {
    case PKI_EC_384: return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    case PKI_RSA: return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    case PKI_RSA_1024: return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    case PKI_ED25519: return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    default: return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    }
}

static void add_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
    if (!value)
        return;
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    need(extension && X509_add_ext(certificate, extension, -1), value);
    X509_EXTENSION_free(extension);
}

static void fill(X509 *certificate, EVP_PKEY *key, const struct pki_request *request)
{
    X509_set_version(certificate, X509_VERSION_3);
    unsigned char serial[8];
    need(RAND_bytes(serial, sizeof serial) == 1, "serial");
    serial[0] = (serial[0] & 0x7F) | 0x40;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    long from = request->from_s, to = request->to_s;
    if (from == 0 && to == 0) {
        from = -DAY;
        to = 365 * DAY;
    }
    X509_gmtime_adj(X509_getm_notBefore(certificate), from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to);
    X509_NAME *name = X509_get_subject_name(certificate);
    if (request->common_name)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)request->common_name, -1, -1, 0);
    X509_set_issuer_name(
        certificate, request->issuer ? X509_get_subject_name(request->issuer->certificate) : name);
    X509_set_pubkey(certificate, key);
}

static size_t encode_key(const struct pki_entity *entity, uint8_t **into)
{
    PKCS8_PRIV_KEY_INFO *pkcs8 = EVP_PKEY2PKCS8(entity->key);
    int len = i2d_PKCS8_PRIV_KEY_INFO(pkcs8, into);
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    need(len > 0, "key");
    return (size_t)len;
}

struct pki_entity *pki_make(const struct pki_request *request)
{
    struct pki_entity *entity = calloc(1, sizeof *entity);
    need(entity != NULL, "memory");
    entity->key = request->same_key ? request->same_key->key : make_key(request->key);
    if (request->same_key)
        EVP_PKEY_up_ref(entity->key);
    entity->certificate = X509_new();
    need(entity->key && entity->certificate, "key or certificate");
    const struct pki_entity *issuer = request->issuer ? request->issuer : entity;
    fill(entity->certificate, entity->key, request);
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer->certificate, entity->certificate, NULL, NULL, 0);
    add_extension(entity->certificate, &context, NID_basic_constraints, request->basic_constraints);
    add_extension(entity->certificate, &context, NID_key_usage, request->key_usage);
    add_extension(entity->certificate, &context, NID_ext_key_usage, request->eku);
    add_extension(entity->certificate, &context, NID_subject_alt_name, request->san);
    add_extension(entity->certificate, &context, NID_name_constraints, request->name_constraints);
    add_extension(entity->certificate, &context, NID_subject_key_identifier,
                  request->key_ids ? "hash" : NULL);
    add_extension(entity->certificate, &context, NID_authority_key_identifier,
                  request->key_ids && request->issuer ? "keyid:always" : NULL);
    const EVP_MD *hash = request->hash ? request->hash : EVP_sha256();
    if (EVP_PKEY_is_a(issuer->key, "ED25519"))
        hash = NULL;
    need(X509_sign(entity->certificate, issuer->key, hash) > 0, "signature");
    int len = i2d_X509(entity->certificate, &entity->der);
    need(len > 0, "certificate");
    entity->der_len = (size_t)len;
    entity->key_len = encode_key(entity, &entity->key_der);
    entity->chain[0] = th_span_of(entity->der, entity->der_len);
    return entity;
}

void pki_free(struct pki_entity *entity)
{
    if (!entity)
        return;
    X509_free(entity->certificate);
    EVP_PKEY_free(entity->key);
    OPENSSL_free(entity->der);
    OPENSSL_free(entity->key_der);
    free(entity);
}

uint8_t *pki_traditional_key(const struct pki_entity *entity, size_t *len)
{
    uint8_t *der = NULL;
    int got = i2d_PrivateKey(entity->key, &der);
    need(got > 0, "traditional key");
    *len = (size_t)got;
    return der;
}

/* ---- the usual set ---- */

static struct pki_entity *root(const char *name)
{
    return pki_make(&(struct pki_request){.common_name = name,
                                          .basic_constraints = "critical,CA:TRUE",
                                          .key_usage = "critical,keyCertSign,cRLSign"});
}

static struct pki_entity *server(const struct pki_entity *ca, enum pki_key key)
{
    return pki_make(&(struct pki_request){.common_name = "broker",
                                          .issuer = ca,
                                          .key = key,
                                          .san = "DNS:broker.test,IP:192.0.2.1",
                                          .basic_constraints = "critical,CA:FALSE",
                                          .key_usage = "critical,digitalSignature",
                                          .eku = "serverAuth"});
}

static struct pki_entity *device(const struct pki_entity *ca, const char *name, enum pki_key key)
{
    return pki_make(&(struct pki_request){.common_name = name,
                                          .issuer = ca,
                                          .key = key,
                                          .basic_constraints = "critical,CA:FALSE",
                                          .key_usage = "critical,digitalSignature",
                                          .eku = "clientAuth"});
}

int pki_setup(struct pki *pki)
{
    pki->server_ca = root("Test server CA");
    pki->device_ca = root("Test device CA");
    pki->server = server(pki->server_ca, PKI_EC);
    pki->rsa_server = server(pki->server_ca, PKI_RSA);
    pki->device = device(pki->device_ca, "pump-1", PKI_EC);
    pki->rsa_device = device(pki->device_ca, "pump-2", PKI_RSA);
    pki->other = device(pki->device_ca, "pump-3", PKI_EC);
    return 0;
}

void pki_teardown(struct pki *pki)
{
    pki_free(pki->server_ca);
    pki_free(pki->device_ca);
    pki_free(pki->server);
    pki_free(pki->rsa_server);
    pki_free(pki->device);
    pki_free(pki->rsa_device);
    pki_free(pki->other);
}

struct th_identity pki_identity(const struct pki_entity *entity, enum th_key_kind kind)
{
    return (struct th_identity){.chain = entity->chain,
                                .chain_count = 1,
                                .kind = kind,
                                .key = th_span_of(entity->key_der, entity->key_len)};
}
