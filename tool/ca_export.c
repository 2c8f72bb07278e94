/* SPDX-License-Identifier: MIT */
/* thimble ca export: anchors and revocation lists for other programs, to a directory or stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "ca.h"
#include "exits.h"
#include "json.h"
#include "options.h"
#include "term.h"
#include "token_key.h"

struct export
{
    const char *to; /* NULL: stdout */
    bool der, keys;
    bool wanted[REGISTRY_AUTHORITIES + 1]; /* the last: revocation lists */
    struct home home;
    struct {
        struct path path;
        const char *what;
    } files[WORDS_MAX];
    size_t count;
};
#define WANTED_CRL REGISTRY_AUTHORITIES

/* ---- one object ---- */

static void wrote(struct export *export, struct path path, const char *what)
{
    if (export->count == WORDS_MAX)
        return;
    export->files[export->count].path = path;
    export->files[export->count++].what = what;
}

static void show(const struct export *export)
{
    if (!term.json) {
        for (size_t i = 0; i < export->count; i++)
            say_file(export->files[i].path.text, export->files[i].what);
        return;
    }
    struct json json = json_begin(stdout);
    json_open(&json, "files", '[');
    for (size_t i = 0; i < export->count; i++)
        json_text(&json, NULL, export->files[i].path.text);
    json_close(&json, ']');
    json_end(&json);
}

/* `bytes` is what libcrypto has put into `memory`, which is freed. */
static int put(struct export *export, const char *name, BIO *memory, int worked, const char *what)
{
    char *bytes = NULL;
    long len = memory ? BIO_get_mem_data(memory, &bytes) : 0;
    int code = EXIT_OK;
    if (worked != 1 || len <= 0) {
        code = fail(EXIT_FAILED, "cannot encode %s: %s\nreport this", name, x509_error());
    } else if (!export->to) {
        fwrite(bytes, 1, (size_t)len, stdout);
    } else {
        struct path path = path_of("%s/%s", export->to, name);
        code = files_write(path.text, bytes, (size_t)len, FILES_PUBLIC, FILES_REPLACE);
        if (code == EXIT_OK)
            wrote(export, path, what);
    }
    BIO_free(memory);
    return code;
}

static int put_certificate(struct export *export, const struct registry_anchor *anchor)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int worked = !memory       ? 0
                 : export->der ? i2d_X509_bio(memory, anchor->certificate)
                               : PEM_write_bio_X509(memory, anchor->certificate);
    struct path name = path_of("%s.%s", strchr(anchor->stem, '/') + 1, export->der ? "der" : "crt");
    return put(export, name.text, memory, worked, ca_purpose(anchor->which));
}

/* As it is kept: encrypted where it is. */
static int put_key(struct export *export, const struct registry_anchor *anchor)
{
    if (token_key_named(anchor->key))
        return fail(EXIT_INPUT,
                    "the %s's key is in a token, which gives none out\n"
                    "leave --with-private-keys out",
                    ca_subject(anchor->which));
    struct bytes bytes;
    struct path path = path_of("%s/%s.key", export->to, strchr(anchor->stem, '/') + 1);
    int code = files_read(home_anchor_key(&export->home, anchor).text, &bytes);
    if (code == EXIT_OK)
        code = files_write(path.text, bytes.at, bytes.len, FILES_SECRET, FILES_REPLACE);
    bytes_free(&bytes);
    if (code == EXIT_OK)
        wrote(export, path, "the private key: who reads it is the authority");
    return code;
}

static int put_authority(struct export *export, enum registry_authority which)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    size_t count = registry_anchors(&export->home.registry, which, anchors);
    int code = count ? EXIT_OK
                     : fail(EXIT_MISSING, "there is no %s in %s\nthimble ca init",
                            ca_subject(which), export->home.dir);
    for (size_t i = 0; code == EXIT_OK && i < count; i++) {
        code = put_certificate(export, &anchors[i]);
        if (code == EXIT_OK && export->keys)
            code = put_key(export, &anchors[i]);
    }
    registry_anchors_free(anchors, count);
    return code;
}

static int put_crls(struct export *export, const char *file)
{
    X509_CRL *crls[X509_CRLS_MAX];
    size_t count;
    int code =
        x509_read_crls(path_of("%s/broker/%s.crl", export->home.dir, file).text, crls, &count);
    for (size_t i = 0; i < count; i++) {
        BIO *memory = BIO_new(BIO_s_mem());
        int worked = !memory       ? 0
                     : export->der ? i2d_X509_CRL_bio(memory, crls[i])
                                   : PEM_write_bio_X509_CRL(memory, crls[i]);
        struct path name = i ? path_of("%s.%zu.crl", file, i + 1) : path_of("%s.crl", file);
        if (code == EXIT_OK)
            code = put(export, name.text, memory, worked, "what is revoked");
        else
            BIO_free(memory);
        X509_CRL_free(crls[i]);
    }
    return code;
}

/* ---- all that is wanted ---- */

static int put_all(struct export *export, bool crl_named)
{
    int code = EXIT_OK;
    for (int i = 0; code == EXIT_OK && i < REGISTRY_AUTHORITIES; i++) {
        if (export->wanted[i])
            code = put_authority(export, (enum registry_authority)i);
    }
    if (code != EXIT_OK || !export->wanted[WANTED_CRL])
        return code;
    if (!files_exist(home_path(&export->home, "broker/clients.crl").text))
        return crl_named ? fail(EXIT_MISSING, "there are no revocation lists yet\n"
                                              "thimble broker init makes them")
                         : EXIT_OK;
    code = put_crls(export, "clients");
    return code == EXIT_OK ? put_crls(export, "recovery") : code;
}

static int take_words(struct export *export, const struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        int at = strcmp(words->at[i], "crl") == 0 ? WANTED_CRL : -1;
        for (int j = 0; j < REGISTRY_AUTHORITIES; j++) {
            if (strcmp(words->at[i], registry_authority_name((enum registry_authority)j)) == 0)
                at = j;
        }
        if (at < 0)
            return fail(EXIT_USAGE,
                        "ca export takes server, device, idevid and crl, not '%s'\n"
                        "thimble ca export server --to DIR",
                        words->at[i]);
        export->wanted[at] = true;
    }
    for (int i = 0; words->count == 0 && i <= REGISTRY_AUTHORITIES; i++)
        export->wanted[i] = true;
    return EXIT_OK;
}

static int check(const struct export *export, const struct words *words)
{
    if (!export->to && export->keys)
        return fail(EXIT_USAGE, "private keys do not go to stdout\n"
                                "thimble ca export --with-private-keys --to DIR");
    if (!export->to && term.json)
        return fail(EXIT_USAGE, "--json lists the files of --to DIR\n"
                                "thimble ca export --to DIR --json");
    if (!export->to && export->der && (words->count != 1 || export->wanted[WANTED_CRL]))
        return fail(EXIT_USAGE, "DER holds one object, and stdout is one file\n"
                                "thimble ca export server --der, or --der --to DIR");
    return EXIT_OK;
}

static int export_in(const char *dir, struct export *export, const struct words *words)
{
    int code = home_open(&export->home, dir, false);
    if (code == EXIT_OK && export->to)
        code = files_directory(export->to);
    if (code == EXIT_OK)
        code = put_all(export, words->count > 0);
    if (code == EXIT_OK && export->keys)
        code = registry_event(&export->home.registry, "export keys", export->to);
    if (code == EXIT_OK && export->to)
        show(export);
    home_close(&export->home);
    return code;
}

int ca_export(int argc, char **argv)
{
    static const struct usage usage = {
        "ca export", "[server|device|idevid|crl]...",
        "Writes trust anchors and revocation lists for other programs.",
        "PEM to stdout, or one file each into DIR: server.crt device.crt idevid.crt clients.crl\n"
        "recovery.crl. Private keys stay where they are, unless they are asked for by name.\n"
        "Examples:\n"
        "  thimble ca export server >broker-ca.crt\n"
        "  thimble ca export --der --to anchors"};
    const char *dir = NULL;
    struct export export = {.to = NULL};
    struct words words = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "to", "DIR", "one file each, in this directory", OPTION_TEXT, &export.to, 0, 0},
        {0, "der", NULL, "DER instead of PEM", OPTION_FLAG, &export.der, 0, 0},
        {0, "with-private-keys", NULL, "the authorities' keys too, as they are kept", OPTION_FLAG,
         &export.keys, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 5, argc, argv, &words);
    if (code != OPTION_GO_ON)
        return code;
    code = take_words(&export, &words);
    if (code == EXIT_OK)
        code = check(&export, &words);
    return code == EXIT_OK ? export_in(dir, &export, &words) : code;
}
