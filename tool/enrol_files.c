/* SPDX-License-Identifier: MIT */
#include "enrol_files.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <thimble/pem.h>

#include "exits.h"
#include "names.h"
#include "term.h"
#include "trust_sign.h"

static const struct th_hash_ops *sha256_ops(void)
{
    return th_crypto_openssl.hashes->sha256;
}

/* What a file holds, in PEM or as it is; false when it holds no such thing. */
static bool unwrap(struct bytes *file, const char *label, const char *magic, size_t *len)
{
    struct th_span text = {file->at, file->len};
    struct th_pem_block block;
    *len = file->len;
    if (file->len >= 4 && memcmp(file->at, magic, 4) == 0)
        return true;
    while (th_pem_next(&text, &block) == TH_OK) {
        if (th_span_equal(block.label, th_span_str(label)))
            return th_pem_decode(&block, file->at, file->len, len) == TH_OK;
    }
    return false;
}

/* ---- request ---- */

static X509_REQ *csr_of(struct th_span der)
{
    const uint8_t *at = der.at;
    X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)der.len);
    if (csr && at == der.at + der.len)
        return csr;
    ERR_clear_error();
    X509_REQ_free(csr);
    return NULL;
}

/* The point of a P-256 key, uncompressed. */
static bool point_of(X509_REQ *csr, uint8_t point[TH_P256_POINT])
{
    char group[32] = "";
    size_t len = 0;
    EVP_PKEY *key = X509_REQ_get0_pubkey(csr);
    bool ok = key && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
              strcmp(group, "prime256v1") == 0 &&
              EVP_PKEY_get_octet_string_param(key, "pub", point, TH_P256_POINT, &len) == 1 &&
              len == TH_P256_POINT && point[0] == 4;
    ERR_clear_error();
    return ok;
}

static const char *request_fault(struct enrol_request *request)
{
    uint8_t point[2][TH_P256_POINT], digest[TH_SHA256_BYTES];
    request->own[0] = csr_of(request->asked.csr);
    request->own[1] = csr_of(request->asked.birth_csr);
    for (int i = 0; i < 2; i++) {
        if (!request->own[i])
            return "one of its two certificate requests cannot be decoded";
        if (!point_of(request->own[i], point[i]))
            return "one of its two keys is not a P-256 key";
    }
    th_enrol_request_digest(sha256_ops(), request->asked.signed_part, digest);
    if (!th_crypto_openssl.p256_verify(NULL, point[1], digest, request->asked.signature))
        return "its signature by the birth key is wrong: it was altered under way";
    if (memcmp(point[0], point[1], TH_P256_POINT) == 0)
        return "it has one key for both certificates";
    return NULL;
}

/* The common name alone; the rest of the subject is judged when it is issued. */
static void take_name(struct enrol_request *request)
{
    X509_NAME *subject = X509_REQ_get_subject_name(request->own[0]);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const ASN1_STRING *text =
        at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    int len = text ? ASN1_STRING_length(text) : 0;
    if (len > 0 && len <= TH_NAME_MAX && !memchr(ASN1_STRING_get0_data(text), 0, (size_t)len))
        memcpy(request->name, ASN1_STRING_get0_data(text), (size_t)len);
}

int enrol_request_read(const char *path, struct enrol_request *out)
{
    struct bytes file;
    size_t len;
    memset(out, 0, sizeof *out);
    int code = files_read(path, &file);
    if (code != EXIT_OK)
        return code;
    bool good = unwrap(&file, TH_ENROL_REQUEST_LABEL, "THER", &len);
    code = enrol_request_take(th_span_of(file.at, good ? len : 0), path, out);
    bytes_free(&file);
    return code;
}

int enrol_request_take(struct th_span bytes, const char *path, struct enrol_request *out)
{
    memset(out, 0, sizeof *out);
    bool good = bytes.len > 0 && bytes.len <= sizeof out->bytes;
    if (good)
        memcpy(out->bytes, bytes.at, bytes.len);
    if (!good || th_enrol_request_decode(th_span_of(out->bytes, bytes.len), &out->asked) != TH_OK)
        return fail(EXIT_INPUT,
                    "%s is no enrolment request, or it is damaged\n"
                    "let the device make one: thimble-device --flash FILE --csr --out %s",
                    path, path);
    const char *fault = request_fault(out);
    if (!fault)
        take_name(out);
    if (!fault && out->name[0] == '\0')
        fault = "its common name is no device's name";
    if (!fault)
        return EXIT_OK;
    enrol_request_free(out);
    return fail(EXIT_INPUT,
                "%s is refused: %s\n"
                "let the device make another: thimble-device --flash FILE --csr --out %s",
                path, fault, path);
}

void enrol_request_free(struct enrol_request *request)
{
    X509_REQ_free(request->own[0]);
    X509_REQ_free(request->own[1]);
    request->own[0] = request->own[1] = NULL;
}

/* ---- trust ---- */

/* Manifest and set of a file, whole and one belonging to the other. */
static bool read_trust(const char *path, struct enrol_trust *out, struct th_manifest *manifest)
{
    struct bytes file;
    uint8_t digest[TH_SHA256_BYTES];
    union th_hash_state state;
    if (files_read(path, &file) != EXIT_OK)
        return false;
    bool fits = file.len > TH_MANIFEST_BYTES && file.len <= sizeof out->at;
    if (fits) {
        memcpy(out->at, file.at, file.len);
        out->len = file.len;
    }
    bytes_free(&file);
    if (!fits || th_manifest_decode(out->at, manifest) != TH_OK)
        return false;
    struct th_span set = {out->at + TH_MANIFEST_BYTES, out->len - TH_MANIFEST_BYTES};
    sha256_ops()->init(&state);
    sha256_ops()->update(&state, set.at, set.len);
    sha256_ops()->out(&state, digest);
    out->sequence = manifest->sequence;
    return manifest->component == TH_COMPONENT_TRUST && manifest->size == set.len &&
           memcmp(manifest->sha256, digest, sizeof digest) == 0 && th_trust_set_check(set) == TH_OK;
}

static int trust_of_file(const char *path, const struct th_enrol_request *asked,
                         struct enrol_trust *out)
{
    struct th_manifest manifest;
    if (!read_trust(path, out, &manifest))
        return fail(EXIT_INPUT, "%s is no trust bundle that devices take\nthimble trust show %s",
                    path, path);
    if (strcmp(manifest.product, asked->product) != 0 || asked->hardware < manifest.hardware_min ||
        asked->hardware > manifest.hardware_max)
        return fail(EXIT_INPUT,
                    "%s is for %s, hardware %u to %u, and the device is a %s, hardware %u\n"
                    "thimble trust sign --product %s --hardware %u",
                    path, manifest.product, manifest.hardware_min, manifest.hardware_max,
                    asked->product, asked->hardware, asked->product, asked->hardware);
    return EXIT_OK;
}

/* The key that a first enrolment needs. Whoever wants it encrypted has made it before. */
static int first_key(struct home *home)
{
    struct trust_key keys[TRUST_KEYS_MAX], made;
    size_t count = 0;
    int code = trust_keys(home, keys, &count);
    if (code != EXIT_OK || count > 0)
        return code;
    code = trust_key_make(home, "main", 1u << TH_COMPONENT_TRUST, false, NULL, &made);
    if (code == EXIT_OK)
        code = registry_event(&home->registry, "update key", made.name);
    if (code == EXIT_OK) {
        say("An update key is made, which signs what devices trust:");
        say_file(path_of("%s/update/main.key", home->dir).text,
                 "who has it commands every device; keep it offline, with a backup");
    }
    return code;
}

static int sign_now(struct home *home, const struct th_enrol_request *asked, struct path *path)
{
    struct trust_sign how = {
        .release = {.product = asked->product, .hardware_max = UINT16_MAX, .time_s = time(NULL)}};
    char number[16];
    int code = first_key(home);
    if (code == EXIT_OK)
        code = trust_sign_now(home, &how, path);
    snprintf(number, sizeof number, "%u", how.release.sequence);
    return code == EXIT_OK ? registry_set(&home->registry, "trust.plain", number) : code;
}

/* A bundle that was signed here without being asked for is signed again when what the directory
 * knows has changed; one that somebody signed on purpose stands until they sign the next. */
static bool is_stale(struct home *home, const char *number, const struct enrol_trust *newest)
{
    char plain[REGISTRY_TEXT_MAX] = "";
    const struct trust_order usual = {.anchors = {.count = 0}};
    struct trust_set set = {.len = 0};
    registry_get(&home->registry, "trust.plain", plain);
    if (strcmp(plain, number) != 0)
        return false;
    return trust_bundle_set(home, &usual, &set) == EXIT_OK &&
           !th_span_equal(th_span_of(set.at, set.len), th_span_of(newest->at + TH_MANIFEST_BYTES,
                                                                  newest->len - TH_MANIFEST_BYTES));
}

int enrol_trust(struct home *home, const char *file, const struct th_enrol_request *asked,
                struct enrol_trust *out)
{
    char number[REGISTRY_TEXT_MAX] = "";
    struct th_manifest manifest;
    struct path path = {""};
    if (file)
        return trust_of_file(file, asked, out);
    if (registry_get(&home->registry, "trust.sequence", number))
        path = path_of("%s/trust/%s.bundle", home->dir, number);
    if (files_exist(path.text) && read_trust(path.text, out, &manifest) &&
        strcmp(manifest.product, asked->product) == 0 && !is_stale(home, number, out))
        return trust_of_file(path.text, asked, out);
    int code = sign_now(home, asked, &path);
    return code == EXIT_OK ? trust_of_file(path.text, asked, out) : code;
}

/* ---- bundle ---- */

static int certificate_of(struct home *home, const char *name, const char *file, struct bytes *der)
{
    X509 *certificate = NULL;
    int code = x509_read_certificate(path_of("%s/devices/%s/%s", home->dir, name, file).text,
                                     &certificate);
    if (code == EXIT_OK)
        *der = x509_der(certificate);
    X509_free(certificate);
    return code;
}

static int write_pem(const char *path, const char *name, const uint8_t *bytes, size_t len)
{
    char *text = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    bool ok = memory &&
              BIO_printf(memory,
                         "Answer to the request of the device '%s'; it holds no secret.\n"
                         "  thimble-device --flash FLASH --bundle FILE\n",
                         name) > 0 &&
              PEM_write_bio(memory, TH_ENROL_BUNDLE_LABEL, "", bytes, (long)len) > 0;
    long text_len = ok ? BIO_get_mem_data(memory, &text) : 0;
    int code = ok ? files_write(path, text, (size_t)text_len, FILES_PUBLIC, FILES_REPLACE)
                  : fail(EXIT_FAILED, "no memory for the bundle\nend other programs");
    BIO_free(memory);
    return code;
}

int enrol_bundle_write(struct home *home, const struct enrol_request *request,
                       const struct enrol_trust *trust, const char *path)
{
    struct bytes ldevid = {0}, idevid = {0};
    uint8_t bytes[TH_ENROL_BUNDLE_MAX];
    size_t len = 0;
    int code = certificate_of(home, request->name, "device.crt", &ldevid);
    if (code == EXIT_OK)
        code = certificate_of(home, request->name, "birth.crt", &idevid);
    struct th_enrol_bundle bundle = {.time_s = time(NULL),
                                     .ldevid = {ldevid.at, ldevid.len},
                                     .idevid = {idevid.at, idevid.len},
                                     .trust = {trust->at, trust->len}};
    memcpy(bundle.nonce, request->asked.nonce, sizeof bundle.nonce);
    if (code == EXIT_OK &&
        th_enrol_bundle_encode(sha256_ops(), &bundle, bytes, sizeof bytes, &len) != TH_OK)
        code = fail(EXIT_FAILED,
                    "the certificates are larger than the %d bytes a device takes\n"
                    "use an EC authority: thimble ca init without --rsa",
                    TH_CHAIN_MAX);
    if (code == EXIT_OK)
        code = write_pem(path, request->name, bytes, len);
    bytes_free(&ldevid);
    bytes_free(&idevid);
    return code;
}

int enrol_bundle_read(const char *path, uint8_t *into, size_t room, size_t *len)
{
    struct bytes file;
    int code = files_read(path, &file);
    if (code != EXIT_OK)
        return code;
    if (!unwrap(&file, TH_ENROL_BUNDLE_LABEL, "THEB", len) || *len > room)
        code = fail(EXIT_INPUT, "%s is no enrolment bundle\nremove it, and try again", path);
    else
        memcpy(into, file.at, *len);
    bytes_free(&file);
    return code;
}

bool enrol_bundle_answers(const char *path, const struct enrol_request *request)
{
    struct th_enrol_bundle bundle;
    struct bytes file;
    size_t len;
    if (!files_exist(path) || files_read(path, &file) != EXIT_OK)
        return false;
    bool answers =
        unwrap(&file, TH_ENROL_BUNDLE_LABEL, "THEB", &len) &&
        th_enrol_bundle_decode(sha256_ops(), th_span_of(file.at, len), &bundle) == TH_OK &&
        memcmp(bundle.nonce, request->asked.nonce, sizeof bundle.nonce) == 0;
    bytes_free(&file);
    return answers;
}
