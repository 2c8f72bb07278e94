/* SPDX-License-Identifier: MIT */
/* An authority is made: its key in a file, encrypted or not, or in a token; its certificate. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ca.h"
#include "exits.h"
#include "key_pass.h"
#include "options.h"
#include "term.h"
#include "token_key.h"

#define CA_DAYS        3652 /* ten years */
#define DEFAULT_OBJECT "thimble"

struct authority {
    const char *subject; /* behind the installation's name: subjects must be distinct */
    const char *purpose;
    int64_t not_after_s; /* 0: CA_DAYS */
};

static const struct authority authorities[REGISTRY_AUTHORITIES] = {
    [REGISTRY_SERVER] = {"server CA", "devices and users know the broker by it", 0},
    [REGISTRY_DEVICE] = {"device CA", "the broker knows devices and users by it", 0},
    /* Birth certificates are for a device's life, so is their issuer. */
    [REGISTRY_IDEVID] = {"IDevID CA", "birth certificates, for recovery", X509_FOR_LIFE},
};

const char *ca_subject(enum registry_authority which)
{
    return authorities[which].subject;
}

const char *ca_purpose(enum registry_authority which)
{
    return authorities[which].purpose;
}

/* ---- how keys are kept ---- */

void ca_keys_of(struct home *home, struct ca_keys *out)
{
    char value[REGISTRY_TEXT_MAX];
    *out = (struct ca_keys){.rsa = registry_get(&home->registry, "ca.key", value) &&
                                   strcmp(value, "rsa") == 0};
    out->encrypt = registry_get(&home->registry, "ca.encrypt", value) && strcmp(value, "yes") == 0;
    if (!registry_get(&home->registry, "ca.token", out->token))
        out->token[0] = '\0';
}

int ca_keys_set(struct home *home, const struct ca_keys *keys)
{
    int code = registry_set(&home->registry, "ca.key", keys->rsa ? "rsa" : "ec");
    if (code == EXIT_OK)
        code = registry_set(&home->registry, "ca.encrypt", keys->encrypt ? "yes" : "no");
    return code == EXIT_OK ? registry_set(&home->registry, "ca.token", keys->token) : code;
}

/* "pkcs11:token=t;object=garden" becomes "pkcs11:token=t;object=garden-server;type=private". */
static void token_uri(const char *token, const char *suffix, char *into, size_t room)
{
    const char *object = strstr(token, "object=");
    if (!object) {
        snprintf(into, room, "%.700s;object=" DEFAULT_OBJECT "-%s;type=private", token, suffix);
        return;
    }
    size_t head = (size_t)(object - token) + strcspn(object, ";?");
    snprintf(into, room, "%.*s-%s;type=private%.300s", (int)head, token, suffix, token + head);
}

void ca_place(struct home *home, const struct ca_keys *keys, struct registry_anchor *anchor)
{
    char suffix[24];
    const char *name = registry_authority_name(anchor->which);
    int64_t count = registry_anchor_count(&home->registry, anchor->which);
    if (count == 0)
        snprintf(suffix, sizeof suffix, "%s", name);
    else
        snprintf(suffix, sizeof suffix, "%s.%u", name, (unsigned)count + 1);
    snprintf(anchor->stem, sizeof anchor->stem, "ca/%s", suffix);
    if (keys->token[0])
        token_uri(keys->token, suffix, anchor->key, sizeof anchor->key);
    else
        snprintf(anchor->key, sizeof anchor->key, "%s.key", anchor->stem);
}

bool ca_key_is_encrypted(const char *path)
{
    char text[2048]; /* the headers of either form of encrypted key stand in its first lines */
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    bool encrypted = strstr(text, "ENCRYPTED") != NULL;
    OPENSSL_cleanse(text, sizeof text);
    return encrypted;
}

int ca_write_key(const char *path, EVP_PKEY *key, bool encrypt, enum files_when when)
{
    const char *text;
    if (!encrypt)
        return x509_write_key(path, key, when);
    int code = key_pass_new("the authorities' keys", &text);
    return code == EXIT_OK ? x509_write_key_encrypted(path, key, text, when) : code;
}

int ca_unlock(struct home *home, enum registry_authority which)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    struct home_issuer issuer = {NULL, NULL};
    size_t count = registry_anchors(&home->registry, which, anchors);
    int code = count ? home_anchor_issuer(home, &anchors[0], &issuer) : EXIT_OK;
    home_issuer_free(&issuer);
    registry_anchors_free(anchors, count);
    return code;
}

/* ---- keys ---- */

/* The command gives each key an id of its own: libp11 takes keys of one id for the same key. */
static void command_for_key(const struct registry_anchor *anchor, bool rsa, char *into, size_t room)
{
    const char *object = strstr(anchor->key, "object=") + 7;
    const char *generation = strchr(anchor->stem, '.');
    long number = 1;
    if (generation)
        options_number(generation + 1, 1, 99, &number);
    snprintf(into, room,
             "pkcs11-tool --module \"$PKCS11_MODULE_PATH\" --login --keypairgen --key-type %s "
             "--label %.*s --id 74%02ld%02d",
             rsa ? "rsa:2048" : "EC:prime256v1", (int)strcspn(object, ";?"), object, number,
             (int)anchor->which + 1);
}

static int key_of_token(const struct ca_keys *keys, const struct registry_anchor *anchor,
                        EVP_PKEY **key)
{
    const char *pin = NULL;
    int code =
        token_key_has_pin(anchor->key) ? EXIT_OK : key_pass_take("the token (its PIN)", &pin);
    if (code != EXIT_OK)
        return code;
    char command[REGISTRY_TEXT_MAX];
    command_for_key(anchor, keys->rsa, command, sizeof command);
    return token_key_load(&(struct token_key){ca_subject(anchor->which), anchor->key, pin, command},
                          key);
}

/* A key left by a run that was cut off is used, never overwritten but to encrypt it. */
static int key_of_file(const struct ca_keys *keys, const char *path, EVP_PKEY **key)
{
    bool encrypted = false;
    if (files_exist(path)) {
        int code = x509_open_key(path, key, &encrypted);
        return code == EXIT_OK && keys->encrypt && !encrypted
                   ? ca_write_key(path, *key, true, FILES_REPLACE)
                   : code;
    }
    *key = keys->rsa ? x509_key_new_rsa() : x509_key_new();
    if (!*key)
        return fail(EXIT_FAILED, "cannot make a key: %s\ncheck libcrypto", x509_error());
    return ca_write_key(path, *key, keys->encrypt, FILES_NEW);
}

static int key_for(struct home *home, const struct ca_keys *keys,
                   const struct registry_anchor *anchor, EVP_PKEY **key)
{
    struct path path = home_anchor_key(home, anchor);
    *key = NULL;
    int code = keys->token[0] ? key_of_token(keys, anchor, key) : key_of_file(keys, path.text, key);
    const char *fault = code == EXIT_OK ? x509_key_fault(*key) : NULL;
    return fault ? fail(EXIT_INPUT, "%s cannot be an authority's key: %s\nmake it anew", path.text,
                        fault)
                 : code;
}

/* One key for two authorities would let a device pose as the broker. */
static int check_own(struct home *home, const char *common_name,
                     const struct registry_anchor *anchor)
{
    uint8_t pin[32];
    char owner[REGISTRY_NAME_MAX];
    x509_pin(anchor->certificate, pin);
    if (!registry_key_is_known(&home->registry, pin, common_name, owner))
        return EXIT_OK;
    return fail(EXIT_INPUT,
                "the key for the %s is the one of %s already, and each has its own\n"
                "%s",
                authorities[anchor->which].subject, owner,
                token_key_named(anchor->key) ? "give each key in the token an id of its own"
                                             : "remove the copied key file");
}

/* ---- the whole ---- */

static X509 *sign(const char *common_name, EVP_PKEY *key, const struct authority *authority)
{
    int64_t now = time(NULL);
    return x509_issue(&(struct x509_order){
        .kind = X509_CA,
        .common_name = common_name,
        .key = key,
        .issuer_key = key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = authority->not_after_s ? authority->not_after_s : now + CA_DAYS * HOME_DAY_S,
    });
}

int ca_make(struct home *home, const struct ca_keys *keys, const char *name,
            struct registry_anchor *anchor)
{
    const struct authority *authority = &authorities[anchor->which];
    EVP_PKEY *key = NULL;
    char common_name[96];
    ca_place(home, keys, anchor);
    const char *generation = strchr(anchor->stem, '.');
    /* A successor has another subject: an issuer is looked up by it. */
    snprintf(common_name, sizeof common_name, "%s %s%s%s", name, authority->subject,
             generation ? " " : "", generation ? generation + 1 : "");
    int code = key_for(home, keys, anchor, &key);
    if (code == EXIT_OK) {
        anchor->certificate = sign(common_name, key, authority);
        if (!anchor->certificate && keys->token[0])
            code = fail(EXIT_INPUT,
                        "the token does not sign with the key it shows for the %s: %s\n"
                        "give each key in the token an id of its own",
                        authority->subject, x509_error());
        else if (!anchor->certificate)
            code = fail(EXIT_FAILED, "cannot make the %s: %s\ncheck libcrypto", authority->subject,
                        x509_error());
    }
    EVP_PKEY_free(key);
    if (code == EXIT_OK)
        code = check_own(home, common_name, anchor);
    if (code == EXIT_OK)
        code = x509_write_certificate(home_anchor_path(home, anchor).text, anchor->certificate,
                                      FILES_REPLACE);
    return code == EXIT_OK ? registry_anchor_add(&home->registry, anchor) : code;
}
