/* SPDX-License-Identifier: MIT */
#include "x509.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define SERIAL_BITS 128

const char *x509_error(void)
{
    unsigned long error = ERR_get_error();
    ERR_clear_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    return reason ? reason : "libcrypto gives no reason";
}

EVP_PKEY *x509_key_new(void)
{
    return EVP_EC_gen("P-256");
}

EVP_PKEY *x509_key_new_rsa(void)
{
    return EVP_RSA_gen(2048);
}

/* ---- names and numbers ---- */

static X509_NAME *subject_of(const char *common_name)
{
    X509_NAME *name = X509_NAME_new();
    if (name && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                           (const unsigned char *)common_name, -1, -1, 0) == 1)
        return name;
    X509_NAME_free(name);
    return NULL;
}

static bool set_subject(X509 *certificate, const char *common_name)
{
    X509_NAME *name = subject_of(common_name);
    bool done = name && X509_set_subject_name(certificate, name) == 1;
    X509_NAME_free(name);
    return done;
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool done = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

/* UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5): ASN1_TIME_set chooses. */
static bool set_dates(X509 *certificate, int64_t not_before_s, int64_t not_after_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)not_after_s) != NULL;
}

/* ---- extensions ---- */

/* Constant texts of ours alone go through OpenSSL's little language; names from outside never. */
static bool add_text(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool done = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static GENERAL_NAME *general_name(const char *host)
{
    uint8_t address[16];
    int len = inet_pton(AF_INET, host, address) == 1    ? 4
              : inet_pton(AF_INET6, host, address) == 1 ? 16
                                                        : 0;
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = len ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    const void *bytes = len ? (const void *)address : host;
    if (!name || !value || ASN1_STRING_set(value, bytes, len ? len : -1) != 1) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, len ? GEN_IPADD : GEN_DNS, value);
    return name;
}

static bool add_hosts(X509 *certificate, const char *const *hosts, size_t count)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool done = names != NULL;
    for (size_t i = 0; done && i < count; i++) {
        GENERAL_NAME *name = general_name(hosts[i]);
        done = name && sk_GENERAL_NAME_push(names, name) > 0;
        if (!done)
            GENERAL_NAME_free(name);
    }
    done = done &&
           X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1;
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return done;
}

static bool add_extensions(X509 *certificate, const struct x509_order *order)
{
    X509 *issuer = order->issuer ? order->issuer : certificate;
    bool is_ca = order->kind == X509_CA;
    if (!add_text(certificate, issuer, NID_basic_constraints,
                  is_ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") ||
        !add_text(certificate, issuer, NID_key_usage,
                  is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") ||
        !add_text(certificate, issuer, NID_subject_key_identifier, "hash"))
        return false;
    if (is_ca)
        return true;
    if (!add_text(certificate, issuer, NID_ext_key_usage,
                  order->kind == X509_SERVER ? "serverAuth" : "clientAuth") ||
        (X509_get0_subject_key_id(issuer) && /* an imported CA may have none */
         !add_text(certificate, issuer, NID_authority_key_identifier, "keyid:always")))
        return false;
    return order->kind != X509_SERVER || add_hosts(certificate, order->hosts, order->host_count);
}

X509 *x509_issue(const struct x509_order *order)
{
    X509 *certificate = X509_new();
    if (!certificate)
        return NULL;
    X509 *issuer = order->issuer ? order->issuer : certificate;
    if (X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
        set_dates(certificate, order->not_before_s, order->not_after_s) &&
        set_subject(certificate, order->common_name) &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
        X509_set_pubkey(certificate, order->key) == 1 && add_extensions(certificate, order) &&
        X509_sign(certificate, order->issuer_key, EVP_sha256()) > 0 &&
        /* A token may have signed with another key than the one it showed. */
        X509_verify(certificate, X509_get0_pubkey(issuer)) == 1)
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* ---- requests ---- */

X509_REQ *x509_request(EVP_PKEY *key, const char *common_name)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = subject_of(common_name);
    bool done = request && name && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
                X509_REQ_set_subject_name(request, name) == 1 &&
                X509_REQ_set_pubkey(request, key) == 1 &&
                X509_REQ_sign(request, key, EVP_sha256()) > 0;
    X509_NAME_free(name);
    if (done)
        return request;
    X509_REQ_free(request);
    return NULL;
}

const char *x509_key_fault(EVP_PKEY *key)
{
    char group[32] = "";
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        return EVP_PKEY_get_bits(key) >= 2048 ? NULL : "its RSA key is shorter than 2048 bits";
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
        return "its key is neither EC P-256 nor RSA";
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
        (strcmp(group, "prime256v1") != 0 && strcmp(group, "P-256") != 0))
        return "its EC key is not on the curve P-256";
    return NULL;
}

/* The common name must be the only part of the subject, and exactly `wanted`: embedded NULs, a
 * second CN or other parts could show another name to somebody else. */
static bool subject_is(const X509_NAME *name, const char *wanted)
{
    if (X509_NAME_entry_count(name) != 1 ||
        X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, -1) != 0)
        return false;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, 0));
    return (size_t)ASN1_STRING_length(value) == strlen(wanted) &&
           memcmp(ASN1_STRING_get0_data(value), wanted, strlen(wanted)) == 0;
}

const char *x509_request_fault(X509_REQ *request, const char *common_name)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (!key)
        return "its public key cannot be decoded";
    if (X509_REQ_verify(request, key) != 1) {
        ERR_clear_error();
        return "its signature is wrong: it does not prove possession of the key";
    }
    const char *fault = x509_key_fault(key);
    if (fault)
        return fault;
    if (!subject_is(X509_REQ_get_subject_name(request), common_name))
        return "its subject is not exactly CN=<the name asked for>";
    return NULL;
}

/* ---- revocation ---- */

static bool crl_add(X509_CRL *crl, const struct x509_revoked *entry)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial = NULL;
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)entry->at_s);
    bool done = revoked && at && BN_hex2bn(&number, entry->serial) > 0 &&
                (serial = BN_to_ASN1_INTEGER(number, NULL)) != NULL &&
                X509_REVOKED_set_serialNumber(revoked, serial) == 1 &&
                X509_REVOKED_set_revocationDate(revoked, at) == 1 &&
                X509_CRL_add0_revoked(crl, revoked) == 1;
    if (!done)
        X509_REVOKED_free(revoked);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
    BN_free(number);
    return done;
}

static bool crl_head(X509_CRL *crl, X509 *issuer, int64_t this_s, int64_t next_s)
{
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, (time_t)this_s);
    ASN1_TIME *next_update = ASN1_TIME_set(NULL, (time_t)next_s);
    bool done = this_update && next_update && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
                X509_CRL_set1_lastUpdate(crl, this_update) == 1 &&
                X509_CRL_set1_nextUpdate(crl, next_update) == 1;
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    return done;
}

static bool crl_authority(X509_CRL *crl, X509 *issuer)
{
    if (!X509_get0_subject_key_id(issuer))
        return true;
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *authority =
        X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    bool done = authority && X509_CRL_add_ext(crl, authority, -1) == 1;
    X509_EXTENSION_free(authority);
    return done;
}

static bool crl_number(X509_CRL *crl, int64_t number)
{
    ASN1_INTEGER *value = ASN1_INTEGER_new();
    bool done = value && ASN1_INTEGER_set_int64(value, number) == 1 &&
                X509_CRL_add1_ext_i2d(crl, NID_crl_number, value, 0, X509V3_ADD_APPEND) == 1;
    ASN1_INTEGER_free(value);
    return done;
}

X509_CRL *x509_crl(X509 *issuer, EVP_PKEY *key, int64_t number, int64_t this_s, int64_t next_s,
                   const struct x509_revoked *revoked, size_t count)
{
    X509_CRL *crl = X509_CRL_new();
    bool done = crl && crl_head(crl, issuer, this_s, next_s) && crl_number(crl, number) &&
                crl_authority(crl, issuer);
    for (size_t i = 0; done && i < count; i++)
        done = crl_add(crl, &revoked[i]);
    if (done)
        X509_CRL_sort(crl);
    if (done && X509_CRL_sign(crl, key, EVP_sha256()) > 0)
        return crl;
    X509_CRL_free(crl);
    return NULL;
}
