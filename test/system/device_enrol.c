/* SPDX-License-Identifier: MIT */
/* Enrols the flash of a thimble-device piece by piece, as authorities other than ours would:
 *   device_enrol FLASH request NAME DEVICE.der BIRTH.der    makes the keys, writes both requests
 *   device_enrol FLASH take CHAIN.der BUNDLE                stores certificate and trust set
 *   device_enrol FLASH seek FILE...                         fails when a file has its key: as
 * bytes, in hexadecimal or in base64 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <thimble/identity.h>
#include <thimble/linux.h>
#include <thimble/trust_set.h>

static struct th_linux loop;
static struct th_linux_net net;
static struct th_linux_flash flash;
static struct th_board board;
static struct th_crypto crypto = {&th_crypto_openssl, NULL};
static struct th_factory factory;
static struct th_identity_store identity;

static void must(enum th_error error, const char *what)
{
    if (error == TH_OK)
        return;
    fprintf(stderr, "device_enrol: %s: %s\n", what, th_error_name(error));
    exit(EXIT_FAILURE);
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        must(TH_ERR_FILE_SYSTEM, path);
}

static struct th_span read_file(const char *path, uint8_t *into, size_t room)
{
    FILE *file = fopen(path, "rb");

    if (!file)
        must(TH_ERR_FILE_MISSING, path);
    size_t len = fread(into, 1, room, file);
    fclose(file);
    return th_span_of(into, len);
}

static void open_stores(const char *path)
{
    const char *name = getenv("DEVICE_GEOMETRY");
    const struct th_flash_map *map =
        name && strcmp(name, "lx106") == 0 ? &th_flash_map_lx106 : &th_flash_map_chip;
    const struct th_flash_geometry geometry = {map->size, map->erase_unit, 4};
    struct th_failure failure;

    must(th_linux_flash_open(&flash, path, geometry, &failure), path);
    if (!th_linux_init(&loop, &failure))
        must(failure.error, "loop");
    th_linux_net_init(&net, &loop);
    th_linux_board(&net, &board);
    board.flash.ops = &th_linux_flash_ops;
    board.flash.ctx = &flash;
    must(th_factory_open(&factory, &board, map, 1), "factory area");
    must(th_identity_open(&identity, &board, map, 2), "identity");
}

static void request(const char *name, const char *device, const char *birth)
{
    uint8_t csr[TH_CSR_MAX];
    char birth_name[64];
    size_t len;

    must(th_factory_key_make(&factory, &crypto, &board), "birth key");
    must(th_identity_next_make(&identity, &crypto, &board, th_span_str(name)), "key");
    must(th_identity_next_csr(&identity, &crypto, csr, sizeof csr, &len), "request");
    write_file(device, csr, len);
    snprintf(birth_name, sizeof birth_name, "%s.birth", name);
    must(th_factory_csr(&factory, &crypto, th_span_str(birth_name), csr, sizeof csr, &len),
         "birth request");
    write_file(birth, csr, len);
}

static void take(const char *chain, const char *bundle)
{
    static uint8_t chain_bytes[TH_CHAIN_MAX], bundle_bytes[TH_MANIFEST_BYTES + TH_TRUST_SET_MAX];

    must(th_identity_enrol(&identity, read_file(chain, chain_bytes, sizeof chain_bytes),
                           read_file(bundle, bundle_bytes, sizeof bundle_bytes)),
         "enrolment");
}

/* ---- looking for the key ---- */

#define SECRET_AT 7 /* in the SEC1 form */
#define FILE_MAX  (8u << 20)

static bool holds(const uint8_t *bytes, size_t len, const void *what, size_t what_len)
{
    return memmem(bytes, len, what, what_len) != NULL;
}

/* In base64 the same bytes look different at each of three places in a text; the last and first
 * characters mix with their neighbours and are left out. */
static bool holds_base64(const uint8_t *bytes, size_t len, const uint8_t *secret)
{
    for (int shift = 0; shift < 3; shift++) {
        uint8_t padded[TH_P256_SECRET + 2] = {0};
        unsigned char text[80];

        memcpy(padded + shift, secret, TH_P256_SECRET);
        int got = EVP_EncodeBlock(text, padded, shift + TH_P256_SECRET);
        if (holds(bytes, len, text + 4, (size_t)got - 8))
            return true;
    }
    return false;
}

static int seek(int count, char **paths)
{
    static uint8_t bytes[FILE_MAX];
    uint8_t chain[TH_CHAIN_MAX];
    struct th_credential credential;
    char hex[2 * TH_P256_SECRET + 1];

    must(th_identity_load(&identity, TH_IN_FORCE, chain, sizeof chain, &credential), "identity");
    const uint8_t *secret = credential.key + SECRET_AT;
    for (int i = 0; i < TH_P256_SECRET; i++)
        snprintf(hex + 2 * i, 3, "%02x", secret[i]);
    for (int i = 0; i < count; i++) {
        struct th_span file = read_file(paths[i], bytes, sizeof bytes);

        if (holds(file.at, file.len, secret, TH_P256_SECRET) ||
            holds(file.at, file.len, hex, sizeof hex - 1) ||
            holds_base64(file.at, file.len, secret)) {
            printf("%s holds the key\n", paths[i]);
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int code = EXIT_SUCCESS;

    if (argc < 4)
        return EXIT_FAILURE;
    open_stores(argv[1]);
    if (strcmp(argv[2], "seek") == 0)
        code = seek(argc - 3, argv + 3);
    else if (strcmp(argv[2], "request") == 0 && argc == 6)
        request(argv[3], argv[4], argv[5]);
    else if (argc == 5)
        take(argv[3], argv[4]);
    th_linux_net_close(&net);
    th_linux_close(&loop);
    th_linux_flash_close(&flash);
    return code;
}
