/* SPDX-License-Identifier: MIT */
#include "trust_key.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "exits.h"
#include "names.h"
#include "pass.h"
#include "term.h"
#include "token_key.h"
#include "x509.h"

#define TITLE      "Thimble update key\n"
#define SPKI_BYTES 91

/* What scrypt costs (RFC 7914): 16 MiB and some tens of milliseconds. */
#define SCRYPT_N    16384
#define SCRYPT_R    8
#define SCRYPT_P    1
#define SCRYPT_SALT 16

static const char *const components[] = {
    [TH_COMPONENT_FIRMWARE] = "firmware",
    [TH_COMPONENT_COPROC] = "coproc",
    [TH_COMPONENT_TRUST] = "trust",
};
#define COMPONENT_LAST TH_COMPONENT_TRUST

/* ---- words ---- */

void trust_key_id_text(const uint8_t id[TH_KEY_ID_BYTES], char into[TRUST_KEY_ID_TEXT])
{
    for (size_t i = 0; i < TH_KEY_ID_BYTES; i++)
        snprintf(into + 2 * i, 3, "%02x", id[i]);
}

void trust_key_components_text(uint8_t bits, char *into, size_t room)
{
    size_t len = 0;
    into[0] = '\0';
    for (int i = COMPONENT_LAST; i >= TH_COMPONENT_FIRMWARE; i--) {
        if ((bits >> i & 1) != 0 && len < room)
            len += (size_t)snprintf(into + len, room - len, "%s%s", len ? "," : "", components[i]);
    }
}

static uint8_t component_of(const char *word, size_t len)
{
    for (int i = TH_COMPONENT_FIRMWARE; i <= COMPONENT_LAST; i++) {
        if (strlen(components[i]) == len && memcmp(components[i], word, len) == 0)
            return (uint8_t)(1u << i);
    }
    return 0;
}

uint8_t trust_key_components_of(const char *text)
{
    uint8_t bits = 0;
    while (true) {
        size_t len = strcspn(text, ",");
        uint8_t bit = component_of(text, len);
        if (bit == 0)
            return 0;
        bits |= bit;
        if (text[len] == '\0')
            return bits;
        text += len + 1;
    }
}

/* ---- the point ---- */

/* The encoding of a P-256 key has one length, and ends with the point (RFC 5480); keys in a token
 * have no other way to it. */
static bool point_of(EVP_PKEY *key, uint8_t point[TH_P256_POINT])
{
    char group[32] = "";
    unsigned char *spki = NULL;
    bool done = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
                EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
                (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
    int len = done ? i2d_PUBKEY(key, &spki) : 0;
    done = len == SPKI_BYTES && spki[SPKI_BYTES - TH_P256_POINT] == 4;
    if (done)
        memcpy(point, spki + SPKI_BYTES - TH_P256_POINT, TH_P256_POINT);
    OPENSSL_free(spki);
    ERR_clear_error();
    return done;
}

static void set_id(struct trust_key *key)
{
    th_key_id(th_crypto_openssl.hashes->sha256, key->update.point, key->id);
}

static struct path file_of(const struct home *home, const char *name, const char *ending)
{
    return path_of("%s/update/%s.%s", home->dir, name, ending);
}

/* ---- making ---- */

/* PKCS#8 under scrypt and AES-256: 2048 rounds of PBKDF2, OpenSSL's default, are too few. */
static X509_SIG *encrypted(EVP_PKEY *key, const char *pass)
{
    uint8_t salt[SCRYPT_SALT];
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
    X509_ALGOR *how = NULL;
    X509_SIG *out = NULL;
    if (plain && RAND_bytes(salt, sizeof salt) == 1)
        how = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof salt, NULL, SCRYPT_N, SCRYPT_R,
                                    SCRYPT_P);
    if (how)
        out = PKCS8_set0_pbe(pass, (int)strlen(pass), plain, how);
    if (!out)
        X509_ALGOR_free(how);
    PKCS8_PRIV_KEY_INFO_free(plain);
    return out;
}

static int write_private(const char *path, EVP_PKEY *key, const char *pass)
{
    if (!pass || *pass == '\0')
        return x509_write_key(path, key, FILES_NEW);
    X509_SIG *sealed = encrypted(key, pass);
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    int code = EXIT_FAILED;
    if (sealed && memory && PEM_write_bio_PKCS8(memory, sealed) == 1) {
        long len = BIO_get_mem_data(memory, &text);
        code = files_write(path, text, (size_t)len, FILES_SECRET, FILES_NEW);
    } else {
        fail(EXIT_FAILED, "cannot encrypt %s: %s\ncheck libcrypto", path, x509_error());
    }
    X509_SIG_free(sealed);
    BIO_free(memory);
    return code;
}

static int write_public(const char *path, EVP_PKEY *key, const struct trust_key *public)
{
    char signs[40], id[TRUST_KEY_ID_TEXT];
    char *text = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    trust_key_components_text(public->update.components, signs, sizeof signs);
    trust_key_id_text(public->id, id);
    int code = EXIT_FAILED;
    if (memory &&
        BIO_printf(memory, TITLE "id: %s\nsigns: %s\nkind: %s\n", id, signs,
                   public->update.development ? "development" : "release") > 0 &&
        PEM_write_bio_PUBKEY(memory, key) == 1) {
        long len = BIO_get_mem_data(memory, &text);
        code = files_write(path, text, (size_t)len, FILES_PUBLIC, FILES_REPLACE);
    } else {
        fail(EXIT_FAILED, "cannot encode %s: %s\ncheck libcrypto", path, x509_error());
    }
    BIO_free(memory);
    return code;
}

static int make_files(const struct home *home, EVP_PKEY *key, const char *pass,
                      struct trust_key *public)
{
    if (!point_of(key, public->update.point))
        return fail(EXIT_FAILED, "libcrypto made no P-256 key\ncheck libcrypto");
    set_id(public);
    int code = files_directory(home_path(home, "update").text);
    if (code == EXIT_OK)
        code = write_private(file_of(home, public->name, "key").text, key, pass);
    if (code == EXIT_OK)
        code = write_public(file_of(home, public->name, "pub").text, key, public);
    return code;
}

int trust_key_make(const struct home *home, const char *name, uint8_t bits, bool development,
                   const char *pass, struct trust_key *out)
{
    const char *fault = names_fault(name);
    struct path present = file_of(home, name, "pub");
    memset(out, 0, sizeof *out);
    if (fault)
        return fail(EXIT_INPUT, "'%s' is no name for a key: %s\nthimble trust keygen main", name,
                    fault);
    if (files_exist(present.text))
        return fail(EXIT_EXISTS, "%s exists already and was left as it is\nchoose another name",
                    present.text);
    snprintf(out->name, sizeof out->name, "%s", name);
    out->update.components = bits;
    out->update.development = development;
    EVP_PKEY *key = x509_key_new();
    if (!key)
        return fail(EXIT_FAILED, "cannot make a key: %s\ncheck libcrypto", x509_error());
    int code = make_files(home, key, pass, out);
    EVP_PKEY_free(key);
    return code;
}

/* ---- public halves ---- */

/* The rest of the line that begins with `label`, NULL when there is none. */
static const char *line_of(const char *text, const char *label, char *into, size_t room)
{
    const char *end = strstr(text, "-----BEGIN ");
    for (const char *at = text; at < end; at += strcspn(at, "\n") + 1) {
        if (strncmp(at, label, strlen(label)) == 0) {
            at += strlen(label);
            snprintf(into, room, "%.*s", (int)strcspn(at, "\r\n"), at);
            return into;
        }
    }
    return NULL;
}

static bool decode_public(const char *text, struct trust_key *out)
{
    char signs[40], kind[16];
    if (strncmp(text, TITLE, sizeof TITLE - 1) != 0 || !strstr(text, "-----BEGIN ") ||
        !line_of(text, "signs: ", signs, sizeof signs) ||
        !line_of(text, "kind: ", kind, sizeof kind))
        return false;
    out->update.components = trust_key_components_of(signs);
    out->update.development = strcmp(kind, "development") == 0;
    if (out->update.components == 0 || (!out->update.development && strcmp(kind, "release") != 0))
        return false;
    BIO *memory = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = memory ? PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL) : NULL;
    bool done = key && point_of(key, out->update.point);
    if (done)
        set_id(out);
    EVP_PKEY_free(key);
    BIO_free(memory);
    ERR_clear_error();
    return done;
}

int trust_key_read(const char *path, struct trust_key *out)
{
    struct bytes text;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int code = files_read(path, &text);
    if (code != EXIT_OK)
        return code;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%.*s", (int)strcspn(name, "."), name);
    if (!decode_public((const char *)text.at, out))
        code = fail(EXIT_INPUT,
                    "%s is no public update key as trust keygen writes it\n"
                    "restore it from its backup, or take it out of that directory",
                    path);
    bytes_free(&text);
    return code;
}

int trust_keys(const struct home *home, struct trust_key keys[TRUST_KEYS_MAX], size_t *count)
{
    glob_t found;
    int code = EXIT_OK;
    *count = 0;
    /* The directory may have characters that mean something to glob(). */
    char pattern[2 * sizeof home->dir + 32], *at = pattern;
    for (const char *from = home->dir; *from; from++) {
        if (strchr("*?[]\\", *from))
            *at++ = '\\';
        *at++ = *from;
    }
    snprintf(at, 32, "/update/*.pub");
    if (glob(pattern, 0, NULL, &found) != 0)
        return EXIT_OK;
    if (found.gl_pathc > TRUST_KEYS_MAX)
        code = fail(EXIT_INPUT, "%s/update has more than %d public keys\nmove old ones away",
                    home->dir, TRUST_KEYS_MAX);
    for (size_t i = 0; code == EXIT_OK && i < found.gl_pathc; i++) {
        code = trust_key_read(found.gl_pathv[i], &keys[i]);
        *count += code == EXIT_OK;
    }
    globfree(&found);
    return code;
}

/* ---- private halves ---- */

static int give_pass(char *into, int room, int writing, void *user)
{
    (void)writing;
    int len = snprintf(into, (size_t)room, "%s", (const char *)user);
    return len > 0 && len < room ? len : -1;
}

static EVP_PKEY *decode_private(const struct bytes *file, char *pass)
{
    BIO *memory = BIO_new_mem_buf(file->at, (int)file->len);
    EVP_PKEY *key = memory ? PEM_read_bio_PrivateKey(memory, NULL, give_pass, pass) : NULL;
    BIO_free(memory);
    ERR_clear_error();
    return key;
}

static int of_file(const char *path, const char *pass_file, EVP_PKEY **key)
{
    struct bytes file;
    char pass[PASS_MAX + 1] = "";
    int code = files_read(path, &file);
    if (code != EXIT_OK)
        return code;
    bool sealed = strstr((const char *)file.at, "ENCRYPTED") != NULL;
    if (sealed)
        code = pass_take(pass_file, "Pass phrase of the update key: ", false,
                         "name a file that holds it: --pass-file FILE", pass);
    if (code == EXIT_OK && (*key = decode_private(&file, pass)) == NULL)
        code = sealed ? fail(EXIT_INPUT, "the pass phrase is not that of %s\ntry again", path)
                      : fail(EXIT_INPUT, "%s holds no PEM private key\nhead -n 1 %s", path, path);
    OPENSSL_cleanse(pass, sizeof pass);
    bytes_free(&file);
    return code;
}

/* A key that a certificate was issued for is online somewhere, or an authority's. */
static int check_apart(struct home *home, const char *path, EVP_PKEY *key)
{
    char owner[REGISTRY_NAME_MAX];
    uint8_t pin[32];
    unsigned char *spki = NULL;
    unsigned out = sizeof pin;
    int len = i2d_PUBKEY(key, &spki);
    bool done = len > 0 && EVP_Digest(spki, (size_t)len, pin, &out, EVP_sha256(), NULL) == 1;
    OPENSSL_free(spki);
    if (!done)
        return fail(EXIT_FAILED, "cannot encode the key: %s\ncheck libcrypto", x509_error());
    if (!home->registry.sqlite || !registry_key_is_known(&home->registry, pin, "", owner))
        return EXIT_OK;
    return fail(EXIT_INPUT,
                "%s is the key of the certificate '%s': a key that signs updates is nothing else\n"
                "thimble trust keygen",
                path, owner);
}

static void find_name(const struct home *home, struct trust_key *key)
{
    struct trust_key all[TRUST_KEYS_MAX];
    size_t count = 0;
    if (trust_keys(home, all, &count) != EXIT_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(all[i].update.point, key->update.point, TH_P256_POINT) == 0)
            *key = all[i];
    }
}

int trust_key_open(struct home *home, const char *path, const char *pass_file, EVP_PKEY **key,
                   struct trust_key *out)
{
    *key = NULL;
    memset(out, 0, sizeof *out);
    int code = token_key_named(path)
                   ? token_key_load(&(struct token_key){.what = "--key", .uri = path}, key)
                   : of_file(path, pass_file, key);
    if (code != EXIT_OK)
        return code;
    if (!point_of(*key, out->update.point))
        code =
            fail(EXIT_INPUT, "%s is no P-256 key, and update keys are\nthimble trust keygen", path);
    if (code == EXIT_OK)
        code = check_apart(home, path, *key);
    if (code == EXIT_OK) {
        set_id(out);
        find_name(home, out);
        return EXIT_OK;
    }
    EVP_PKEY_free(*key);
    *key = NULL;
    return code;
}

/* ---- signing ---- */

static bool sign_digest(EVP_PKEY *key, const uint8_t digest[TH_SHA256_BYTES],
                        uint8_t signature[TH_P256_SIGNATURE])
{
    uint8_t der[80];
    size_t len = sizeof der;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool done = context && EVP_PKEY_sign_init(context) == 1 &&
                EVP_PKEY_sign(context, der, &len, digest, TH_SHA256_BYTES) == 1;
    EVP_PKEY_CTX_free(context);
    const unsigned char *at = der;
    ECDSA_SIG *parts = done ? d2i_ECDSA_SIG(NULL, &at, (long)len) : NULL;
    done = parts && BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, 32) == 32 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + 32, 32) == 32;
    ECDSA_SIG_free(parts);
    return done;
}

int trust_key_sign(EVP_PKEY *key, uint8_t manifest[TH_MANIFEST_BYTES])
{
    uint8_t digest[TH_SHA256_BYTES], signature[TH_P256_SIGNATURE];
    th_manifest_digest(th_crypto_openssl.hashes->sha256, manifest, digest);
    if (!sign_digest(key, digest, signature))
        return fail(EXIT_FAILED, "cannot sign: %s\ncheck libcrypto, or the token", x509_error());
    th_manifest_sign(manifest, signature);
    return EXIT_OK;
}
