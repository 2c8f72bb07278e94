/* SPDX-License-Identifier: MIT */
/* What stands in a certificate, and certificates in files. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>

#include "exits.h"
#include "key_pass.h"
#include "term.h"
#include "x509.h"

#define PBKDF2_ITERATIONS 600000 /* a fifth of a second: a guess must cost something */

/* ---- fields ---- */

void x509_serial(const X509 *certificate, char into[X509_SERIAL_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t number[(X509_SERIAL_TEXT - 1) / 2] = {0};
    BIGNUM *value = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    int len = value && BN_num_bytes(value) > 16 ? (int)sizeof number : 16;
    if (value)
        BN_bn2binpad(value, number, len);
    BN_free(value);
    for (int i = 0; i < len; i++) {
        into[2 * i] = digits[number[i] >> 4];
        into[2 * i + 1] = digits[number[i] & 15];
    }
    into[2 * len] = '\0';
}

void x509_common_name(const X509 *certificate, char *into, size_t room)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    if (X509_NAME_get_text_by_NID(name, NID_commonName, into, (int)room) < 0)
        snprintf(into, room, "(no common name)");
}

static int64_t seconds(const ASN1_TIME *at)
{
    struct tm parts;
    return ASN1_TIME_to_tm(at, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

int64_t x509_not_before(const X509 *certificate)
{
    return seconds(X509_get0_notBefore(certificate));
}

int64_t x509_not_after(const X509 *certificate)
{
    return seconds(X509_get0_notAfter(certificate));
}

int64_t x509_crl_this_update(const X509_CRL *crl)
{
    return seconds(X509_CRL_get0_lastUpdate(crl));
}

int64_t x509_crl_next_update(const X509_CRL *crl)
{
    return X509_CRL_get0_nextUpdate(crl) ? seconds(X509_CRL_get0_nextUpdate(crl)) : 0;
}

void x509_fingerprint(const X509 *certificate, uint8_t sha256[32])
{
    unsigned len = 32;
    if (X509_digest(certificate, EVP_sha256(), sha256, &len) != 1)
        memset(sha256, 0, 32);
}

void x509_pin(const X509 *certificate, uint8_t sha256[32])
{
    unsigned char *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    unsigned out = 32;
    if (len <= 0 || EVP_Digest(spki, (size_t)len, sha256, &out, EVP_sha256(), NULL) != 1)
        memset(sha256, 0, 32);
    OPENSSL_free(spki);
}

void x509_request_pin(X509_REQ *request, uint8_t sha256[32])
{
    unsigned char *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &spki);
    unsigned out = 32;
    if (len <= 0 || EVP_Digest(spki, (size_t)len, sha256, &out, EVP_sha256(), NULL) != 1)
        memset(sha256, 0, 32);
    OPENSSL_free(spki);
}

struct bytes x509_der(X509 *certificate)
{
    struct bytes der = {NULL, 0};
    int len = i2d_X509(certificate, NULL);
    if (len <= 0 || (der.at = malloc((size_t)len)) == NULL)
        return der;
    unsigned char *at = der.at;
    der.len = (size_t)i2d_X509(certificate, &at);
    return der;
}

X509 *x509_of_der(const void *der, size_t len)
{
    const unsigned char *at = der;
    return d2i_X509(NULL, &at, (long)len);
}

/* ---- writing ---- */

/* Writes what a PEM_write_bio_* has put into `memory`, if it `worked`, and frees it. */
static int write_pem(const char *path, BIO *memory, int worked, int mode, enum files_when when)
{
    char *text = NULL;
    long len = memory ? BIO_get_mem_data(memory, &text) : 0;
    int code = worked == 1 && len > 0
                   ? files_write(path, text, (size_t)len, mode, when)
                   : fail(EXIT_FAILED, "cannot encode %s: %s\nreport this", path, x509_error());
    if (text && mode == FILES_SECRET)
        OPENSSL_cleanse(text, (size_t)len);
    BIO_free(memory);
    return code;
}

int x509_write_key(const char *path, EVP_PKEY *key, enum files_when when)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int worked = memory ? PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) : 0;
    return write_pem(path, memory, worked, FILES_SECRET, when);
}

/* PKCS5_pbe2_set_iv() chooses salt and IV itself where it is given none. */
static X509_SIG *encrypt_key(EVP_PKEY *key, const char *pass)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    X509_ALGOR *scheme =
        PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), PBKDF2_ITERATIONS, NULL, 0, NULL, NID_hmacWithSHA256);
    X509_SIG *encrypted =
        info && scheme ? PKCS8_set0_pbe(pass, (int)strlen(pass), info, scheme) : NULL;
    if (!encrypted)
        X509_ALGOR_free(scheme);
    PKCS8_PRIV_KEY_INFO_free(info);
    return encrypted;
}

int x509_write_key_encrypted(const char *path, EVP_PKEY *key, const char *pass,
                             enum files_when when)
{
    BIO *memory = BIO_new(BIO_s_mem());
    X509_SIG *encrypted = encrypt_key(key, pass);
    int worked = memory && encrypted ? PEM_write_bio_PKCS8(memory, encrypted) : 0;
    X509_SIG_free(encrypted);
    return write_pem(path, memory, worked, FILES_SECRET, when);
}

int x509_write_certificate(const char *path, X509 *certificate, enum files_when when)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int worked = memory ? PEM_write_bio_X509(memory, certificate) : 0;
    return write_pem(path, memory, worked, FILES_PUBLIC, when);
}

int x509_write_certificates(const char *path, X509 *const *certificates, size_t count)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int worked = memory != NULL && count > 0;
    for (size_t i = 0; worked == 1 && i < count; i++)
        worked = PEM_write_bio_X509(memory, certificates[i]);
    return write_pem(path, memory, worked, FILES_PUBLIC, FILES_REPLACE);
}

int x509_write_request(const char *path, X509_REQ *request, enum files_when when)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int worked = memory ? PEM_write_bio_X509_REQ(memory, request) : 0;
    return write_pem(path, memory, worked, FILES_PUBLIC, when);
}

int x509_write_pkcs12(const char *path, const char *pass, EVP_PKEY *key, X509 *certificate,
                      X509 *issuer)
{
    char name[128];
    x509_common_name(certificate, name, sizeof name);
    STACK_OF(X509) *issuers = sk_X509_new_null();
    BIO *memory = BIO_new(BIO_s_mem());
    PKCS12 *store = issuers && sk_X509_push(issuers, issuer) > 0
                        ? PKCS12_create(pass, name, key, certificate, issuers, 0, 0, 0, 0, 0)
                        : NULL;
    int worked = memory && store ? i2d_PKCS12_bio(memory, store) : 0;
    PKCS12_free(store);
    sk_X509_free(issuers);
    return write_pem(path, memory, worked, FILES_SECRET, FILES_REPLACE);
}

int x509_write_crls(const char *path, X509_CRL *const *crls, size_t count)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int worked = memory != NULL && count > 0;
    for (size_t i = 0; worked == 1 && i < count; i++)
        worked = PEM_write_bio_X509_CRL(memory, crls[i]);
    return write_pem(path, memory, worked, FILES_PUBLIC, FILES_REPLACE);
}

/* ---- reading ---- */

static BIO *open_memory(const char *path, struct bytes *bytes, int *code)
{
    *code = files_read(path, bytes);
    if (*code != EXIT_OK)
        return NULL;
    BIO *memory = BIO_new_mem_buf(bytes->at, (int)bytes->len);
    if (!memory)
        *code = fail(EXIT_FAILED, "no memory to read %s\nend other programs", path);
    return memory;
}

static int not_a(const char *path, const char *what, const struct bytes *bytes)
{
    ERR_clear_error();
    if (strstr((const char *)bytes->at, "ENCRYPTED"))
        return fail(EXIT_INPUT, "%s is encrypted\nopenssl pkey -in %s -out %s.plain", path, path,
                    path);
    if (bytes->at[0] == 0x30)
        return fail(EXIT_INPUT, "%s is DER, and PEM is needed here\nopenssl %s -inform DER -in %s",
                    path, strcmp(what, "certificate") == 0 ? "x509" : "pkey", path);
    return fail(EXIT_INPUT, "%s holds no PEM %s\nhead -n 1 %s", path, what, path);
}

/* No prompt: an encrypted key is an error with a next step. */
static int no_password(char *into, int room, int writing, void *user)
{
    (void)into;
    (void)room;
    (void)writing;
    (void)user;
    return -1;
}

/* One PEM object of a file; NULL, with `*code` set and the reason said, when it holds none. */
typedef void *read_pem(BIO *memory);

static void *read_one(const char *path, const char *what, read_pem *read, int *code)
{
    struct bytes bytes;
    BIO *memory = open_memory(path, &bytes, code);
    if (!memory)
        return NULL;
    void *found = read(memory);
    if (!found)
        *code = not_a(path, what, &bytes);
    BIO_free(memory);
    bytes_free(&bytes);
    return found;
}

static void *read_key(BIO *memory)
{
    return PEM_read_bio_PrivateKey(memory, NULL, no_password, NULL);
}

static void *read_certificate(BIO *memory)
{
    return PEM_read_bio_X509(memory, NULL, NULL, NULL);
}

static void *read_request(BIO *memory)
{
    return PEM_read_bio_X509_REQ(memory, NULL, NULL, NULL);
}

int x509_read_key(const char *path, EVP_PKEY **out)
{
    int code;
    *out = read_one(path, "private key", read_key, &code);
    return code;
}

/* Asked for a pass phrase, libcrypto knows that the key is encrypted. */
struct asked {
    const char *path;
    bool asked;
    int code;
};

static int give_password(char *into, int room, int writing, void *user)
{
    struct asked *key = user;
    const char *text;
    (void)writing;
    if (key->asked && key->code != EXIT_OK)
        return -1; /* each decoder that libcrypto tries asks again */
    key->asked = true;
    key->code = key_pass_take(key->path, &text);
    size_t len = key->code == EXIT_OK ? strlen(text) : 0;
    if (key->code != EXIT_OK || len >= (size_t)room)
        return -1;
    return snprintf(into, (size_t)room, "%s", text);
}

static int not_opened(const struct asked *key, const struct bytes *bytes)
{
    ERR_clear_error();
    if (!key->asked)
        return not_a(key->path, "private key", bytes);
    if (key->code != EXIT_OK)
        return key->code;
    return fail(EXIT_INPUT,
                "the pass phrase does not open %s\n"
                "give the one it was encrypted with: --passphrase-file FILE",
                key->path);
}

int x509_open_key(const char *path, EVP_PKEY **out, bool *encrypted)
{
    struct bytes bytes;
    struct asked key = {path, false, EXIT_OK};
    int code;
    *out = NULL;
    BIO *memory = open_memory(path, &bytes, &code);
    if (memory)
        *out = PEM_read_bio_PrivateKey(memory, NULL, give_password, &key);
    if (memory && !*out)
        code = not_opened(&key, &bytes);
    BIO_free(memory);
    bytes_free(&bytes);
    *encrypted = key.asked;
    return code;
}

int x509_read_certificate(const char *path, X509 **out)
{
    int code;
    *out = read_one(path, "certificate", read_certificate, &code);
    return code;
}

int x509_read_request(const char *path, X509_REQ **out)
{
    int code;
    *out = read_one(path, "certificate request", read_request, &code);
    return code;
}

int x509_read_certificates(const char *path, X509 **out, size_t room, size_t *count)
{
    struct bytes bytes;
    int code;
    *count = 0;
    BIO *memory = open_memory(path, &bytes, &code);
    while (memory && *count < room &&
           (out[*count] = PEM_read_bio_X509(memory, NULL, NULL, NULL)) != NULL)
        (*count)++;
    if (memory && *count == 0)
        code = not_a(path, "certificate", &bytes);
    ERR_clear_error(); /* the end of the file is one */
    BIO_free(memory);
    bytes_free(&bytes);
    return code;
}

int x509_read_crls(const char *path, X509_CRL *out[X509_CRLS_MAX], size_t *count)
{
    struct bytes bytes;
    int code;
    *count = 0;
    BIO *memory = open_memory(path, &bytes, &code);
    while (memory && *count < X509_CRLS_MAX &&
           (out[*count] = PEM_read_bio_X509_CRL(memory, NULL, NULL, NULL)) != NULL)
        (*count)++;
    if (memory && *count == 0)
        code = not_a(path, "revocation list", &bytes);
    ERR_clear_error(); /* the end of the file is one */
    BIO_free(memory);
    bytes_free(&bytes);
    return code;
}
