/* SPDX-License-Identifier: MIT */
/*
 * thimble ca import: an authority that openssl or easy-rsa made.
 *
 * The broker lets in whoever has a certificate of a device CA, by the name in it. So everything
 * that CA has issued must be known: each certificate becomes a row, and what has a name that is
 * taken, or that no name may be (F7), is revoked before the broker trusts the CA. Without its full
 * index it is refused as device CA. As server CA it needs none: devices judge its certificates by
 * their name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "ca.h"
#include "ca_index.h"
#include "exits.h"
#include "json.h"
#include "key_pass.h"
#include "mosquitto.h"
#include "names.h"
#include "options.h"
#include "term.h"

#define SECURITY_BITS 112 /* RSA-2048, P-256 */

struct import {
    const char *dir, *path, *as, *key, *index_file;
    bool dry_run;
    enum registry_authority which;
    struct home home;
    struct ca_source source;
    struct ca_index index;
    struct registry_anchor anchor;
    EVP_PKEY *private_key;
    bool encrypted;
    size_t kept, revoked, servers, past;
};

/* ---- the authority itself ---- */

static const char *authority_fault(X509 *certificate, enum registry_authority which)
{
    uint32_t usage = X509_get_key_usage(certificate);
    const char *fault = x509_key_fault(X509_get0_pubkey(certificate));
    if (X509_check_ca(certificate) != 1)
        return "it is no certificate of an authority (CA:TRUE)";
    if (X509_self_signed(certificate, 1) != 1)
        return "it is not self-signed: the broker needs the root, and leaves signed by it directly";
    if (!(usage & KU_KEY_CERT_SIGN) || (which == REGISTRY_DEVICE && !(usage & KU_CRL_SIGN)))
        return "its key usage lets it sign no certificates, or no revocation lists";
    if (x509_not_after(certificate) <= time(NULL))
        return "it has expired";
    return fault;
}

static int read_authority(struct import *import)
{
    const char *path = import->source.certificate.text;
    int code = x509_read_certificate(path, &import->anchor.certificate);
    const char *fault =
        code == EXIT_OK ? authority_fault(import->anchor.certificate, import->which) : NULL;
    ERR_clear_error();
    if (fault)
        return fail(EXIT_INPUT, "%s is refused: %s\nmake a new one: thimble ca init", path, fault);
    if (code == EXIT_OK && !import->source.key.text[0])
        code = fail(EXIT_MISSING, "the private key of %s is not there\ngive --key FILE", path);
    if (code == EXIT_OK)
        code = x509_open_key(import->source.key.text, &import->private_key, &import->encrypted);
    if (code == EXIT_OK &&
        X509_check_private_key(import->anchor.certificate, import->private_key) != 1)
        code = fail(EXIT_INPUT, "%s is not the key of %s\ngive --key FILE", import->source.key.text,
                    path);
    ERR_clear_error();
    return code;
}

/* ---- what it has issued ---- */

static bool is_past(const struct ca_row *row)
{
    return row->status != 'V' || row->not_after_s < time(NULL);
}

/* The common name, when there is exactly one, without a NUL; mosquitto would take the first. */
static bool name_of_certificate(const X509 *certificate, char into[64])
{
    X509_NAME *name = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return false;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    int len = ASN1_STRING_length(value);
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    if (len <= 0 || len >= 64 || memchr(bytes, 0, (size_t)len))
        return false;
    memcpy(into, bytes, (size_t)len);
    into[len] = '\0';
    return true;
}

/* Of the index's text, where the certificate is not there: "/C=XX/CN=lamp". What is ambiguous in
 * it, as a '/' or an escape in a name, cannot be a name by F7 either. */
static bool name_of_text(const char *text, char into[64])
{
    const char *at = strstr(text, "/CN=");
    if (!at || strstr(at + 1, "/CN="))
        return false;
    size_t len = strcspn(at + 4, "/");
    if (len == 0 || len >= 64)
        return false;
    memcpy(into, at + 4, len);
    into[len] = '\0';
    return true;
}

static bool name_of(const struct ca_row *row, char into[64])
{
    into[0] = '\0';
    return row->certificate ? name_of_certificate(row->certificate, into)
                            : name_of_text(row->name, into);
}

/* What cannot be a client's at all is let be: the broker refuses it (T15). */
static bool is_server_alone(const struct ca_row *row)
{
    bool client =
        !row->certificate || X509_check_purpose(row->certificate, X509_PURPOSE_SSL_CLIENT, 0) == 1;
    ERR_clear_error();
    return !client;
}

static int64_t age_of(const struct ca_row *row)
{
    return row->certificate ? x509_not_before(row->certificate) : 0;
}

/* One name is one connection: of several certificates the newest stays. */
static bool is_outdone(const struct ca_index *index, const struct ca_row *row, const char *name)
{
    char other[64];
    for (size_t i = 0; i < index->count; i++) {
        const struct ca_row *rival = &index->rows[i];
        if (rival == row || is_past(rival) || is_server_alone(rival) || !name_of(rival, other) ||
            strcmp(other, name) != 0)
            continue;
        if (age_of(rival) > age_of(row) || (age_of(rival) == age_of(row) && rival > row))
            return true;
    }
    return false;
}

static const char *verdict_on(struct import *import, const struct ca_row *row)
{
    char name[64];
    struct registry_principal taken;
    if (row->certificate && X509_check_ca(row->certificate) != 0)
        return "it is an authority itself";
    if (!name_of(row, name))
        return "it has not exactly one common name of 1 to 63 bytes";
    const char *fault = names_fault(name);
    if (fault)
        return fault;
    if (registry_principal(&import->home.registry, name, &taken))
        return "the name is taken here";
    if (row->certificate &&
        EVP_PKEY_get_security_bits(X509_get0_pubkey(row->certificate)) < SECURITY_BITS)
        return "its key is weak";
    if (is_outdone(&import->index, row, name))
        return "a newer certificate has the same name";
    return NULL;
}

static bool is_the_authority(const struct import *import, const struct ca_row *row)
{
    char serial[X509_SERIAL_TEXT];
    x509_serial(import->anchor.certificate, serial);
    return !row->certificate && strcmp(serial, row->serial) == 0;
}

static int take_row(struct import *import, struct ca_row *row)
{
    char name[64];
    bool named = name_of(row, name), past = is_past(row), server = is_server_alone(row);
    int64_t now = time(NULL);
    struct registry_import in = {.serial = row->serial,
                                 .kind = server ? "server" : "ldevid",
                                 .common_name = named ? name : "",
                                 .certificate = row->certificate,
                                 .not_after_s = row->not_after_s,
                                 .revoked_s = row->revoked_s,
                                 .reason = row->status == 'R' ? "before import" : NULL};
    row->verdict = past || server ? NULL : verdict_on(import, row);
    if (row->verdict) {
        in.revoked_s = now;
        in.reason = row->verdict;
    }
    *(past           ? &import->past
      : server       ? &import->servers
      : row->verdict ? &import->revoked
                     : &import->kept) += 1;
    int code = EXIT_OK;
    if (!past && !server && !row->verdict) {
        struct registry_principal principal = {.kind = "device", .connections = 1};
        snprintf(principal.name, sizeof principal.name, "%.32s", name); /* as F7 has it */
        in.principal = name;
        code = registry_principal_add(&import->home.registry, &principal);
    }
    return code == EXIT_OK
               ? registry_certificate_import(&import->home.registry, import->anchor.id, &in)
               : code;
}

/* Verdicts first: a name that is taken here by the import itself is no collision. */
static int take_rows(struct import *import)
{
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < import->index.count; i++) {
        if (!is_the_authority(import, &import->index.rows[i]))
            code = take_row(import, &import->index.rows[i]);
    }
    return code;
}

/* ---- the whole ---- */

static int write_files(struct import *import)
{
    struct home *home = &import->home;
    struct ca_keys keys;
    ca_keys_of(home, &keys);
    int code = files_directory(home_path(home, "ca").text);
    for (int i = 0; code == EXIT_OK && keys.encrypt && i < REGISTRY_AUTHORITIES; i++) {
        if ((enum registry_authority)i != import->which)
            code = ca_unlock(home, (enum registry_authority)i);
    }
    if (code == EXIT_OK)
        code = ca_write_key(home_anchor_key(home, &import->anchor).text, import->private_key,
                            keys.encrypt || import->encrypted, FILES_REPLACE);
    if (code == EXIT_OK)
        code = x509_write_certificate(home_anchor_path(home, &import->anchor).text,
                                      import->anchor.certificate, FILES_REPLACE);
    return code == EXIT_OK ? ca_publish(home, import->which) : code;
}

static int add_anchor(struct import *import)
{
    struct home *home = &import->home;
    char owner[REGISTRY_NAME_MAX];
    uint8_t pin[32];
    struct ca_keys files = {.rsa = false}; /* an imported key is never in our token */
    X509 *active = registry_authority(&home->registry, import->which);
    import->anchor.which = import->which;
    snprintf(import->anchor.state, sizeof import->anchor.state, "%s", active ? "old" : "active");
    X509_free(active);
    ca_place(home, &files, &import->anchor);
    x509_pin(import->anchor.certificate, pin);
    int code = EXIT_OK;
    if (registry_key_is_known(&home->registry, pin, "", owner))
        code = fail(EXIT_EXISTS, "its key is known here already, as that of %s\nthimble ca show",
                    owner);
    if (code == EXIT_OK)
        code = registry_anchor_add(&home->registry, &import->anchor);
    if (code == EXIT_OK)
        code = registry_anchor_crl_number(&home->registry, import->anchor.id,
                                          ca_source_crl_number(&import->source));
    return code;
}

static int change(struct import *import)
{
    struct registry *registry = &import->home.registry;
    char name[128];
    int code = registry_begin(registry);
    if (code == EXIT_OK)
        code = add_anchor(import);
    if (code == EXIT_OK)
        code = take_rows(import);
    if (code != EXIT_OK || import->dry_run)
        return code;
    x509_common_name(import->anchor.certificate, name, sizeof name);
    code = write_files(import);
    if (code == EXIT_OK)
        code = registry_event(registry, "import", name);
    return code == EXIT_OK ? registry_commit(registry) : code;
}

static void show_json(const struct import *import)
{
    struct json json = json_begin(stdout);
    json_text(&json, "authority", registry_authority_name(import->which));
    json_text(&json, "state", import->anchor.state);
    json_bool(&json, "done", !import->dry_run);
    json_number(&json, "kept", (int64_t)import->kept);
    json_number(&json, "past", (int64_t)import->past);
    json_open(&json, "revoked", '[');
    for (size_t i = 0; i < import->index.count; i++) {
        const struct ca_row *row = &import->index.rows[i];
        if (!row->verdict)
            continue;
        json_open(&json, NULL, '{');
        json_text(&json, "serial", row->serial);
        json_text(&json, "subject", row->name);
        json_text(&json, "why", row->verdict);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_end(&json);
}

static void show(const struct import *import)
{
    bool active = strcmp(import->anchor.state, "active") == 0;
    const char *subject = ca_subject(import->which);
    if (import->revoked)
        say("%s%s%s: %zu that could pose as another, or that nobody should trust:",
            term_out(TERM_BOLD), import->dry_run ? "To be revoked" : "Revoked",
            term_out(TERM_PLAIN), import->revoked);
    for (size_t i = 0; i < import->index.count; i++) {
        const struct ca_row *row = &import->index.rows[i];
        if (row->verdict)
            say("  %s  %s: %s", row->serial, row->name, row->verdict);
    }
    if (import->which == REGISTRY_DEVICE)
        say("%zu devices keep their certificates, %zu certificates are past or revoked before.",
            import->kept, import->past);
    if (import->dry_run) {
        say("Nothing was changed. Without --dry-run it is done.");
        return;
    }
    say("%sThe %s is imported%s%s.", term_out(TERM_BOLD), subject, term_out(TERM_PLAIN),
        active ? ", and issues from now on" : " as an old one: trusted, and issues nothing");
    say_file(home_anchor_path(&import->home, &import->anchor).text, ca_purpose(import->which));
    say_file(home_anchor_key(&import->home, &import->anchor).text, "a copy of its private key");
    if (import->which == REGISTRY_SERVER)
        warn("what it has issued before can pose as your broker, by the name in it\n"
             "let it be followed soon: thimble ca rotate server");
    say("Next: %s%s", active ? "thimble ca init, which makes the others" : "thimble ca show",
        import->home.flag);
}

static int find_parts(struct import *import)
{
    int code = ca_source_find(&import->source, import->path);
    if (import->key)
        import->source.key = path_of("%s", import->key);
    if (import->index_file)
        import->source.index = path_of("%s", import->index_file);
    if (code != EXIT_OK || import->which == REGISTRY_SERVER || import->source.index.text[0])
        return code;
    return fail(EXIT_INPUT,
                "a device CA is imported with its index.txt alone: what it has issued and nobody "
                "knows could never be revoked\n"
                "give --index FILE, or import it --as server, or begin anew: thimble ca init");
}

/* A dry run makes no directory: where there is none, nothing is taken either. */
static int open_home(struct import *import)
{
    if (import->dry_run && !home_exists(import->dir))
        return registry_open(&import->home.registry, ":memory:", true);
    int code = home_open(&import->home, import->dir, true);
    return code == EXIT_OK ? home_lock(&import->home) : code;
}

static int import_all(struct import *import)
{
    int code = find_parts(import);
    if (code == EXIT_OK)
        code = read_authority(import);
    if (code == EXIT_OK && import->which == REGISTRY_DEVICE)
        code = ca_index_read(&import->index, &import->source, import->anchor.certificate);
    if (code == EXIT_OK)
        code = open_home(import);
    if (code == EXIT_OK)
        code = change(import);
    if (code == EXIT_OK && !import->dry_run)
        code = mosquitto_rights_changed(&import->home);
    if (code == EXIT_OK && term.json)
        show_json(import);
    else if (code == EXIT_OK)
        show(import);
    return code;
}

int ca_import(int argc, char **argv)
{
    static const struct usage usage = {
        "ca import", "DIR|CERTIFICATE", "Takes over an authority that openssl or easy-rsa made.",
        "As device CA its index.txt must be full: each certificate in it becomes a device, and "
        "one\n"
        "whose name is taken or not allowed is revoked. Where there is an authority already, the\n"
        "imported one is trusted beside it. Examples:\n"
        "  thimble ca import /etc/openvpn/easy-rsa/pki --as device --dry-run\n"
        "  thimble ca import ca.crt --key ca.key --as server"};
    struct import import = {.home = {.lock = -1}};
    struct words words = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&import.dir),
        {0, "as", "KIND", "device or server", OPTION_TEXT, &import.as, 0, 0},
        {0, "key", "FILE", "its private key [found in DIR]", OPTION_TEXT, &import.key, 0, 0},
        {0, "index", "FILE", "what it has issued [index.txt in DIR]", OPTION_TEXT,
         &import.index_file, 0, 0},
        {0, "dry-run", NULL, "only tell what would be done", OPTION_FLAG, &import.dry_run, 0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    int code =
        options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &words);
    if (code != OPTION_GO_ON)
        return code;
    if (words.count != 1)
        return fail(EXIT_USAGE, "ca import needs one directory or certificate\n"
                                "thimble ca import DIR --as device");
    if (!import.as || (strcmp(import.as, "device") != 0 && strcmp(import.as, "server") != 0))
        return fail(EXIT_USAGE, "--as is device or server\nthimble ca import %s --as device",
                    words.at[0]);
    import.path = words.at[0];
    import.which = strcmp(import.as, "device") == 0 ? REGISTRY_DEVICE : REGISTRY_SERVER;
    code = import_all(&import);
    ca_index_free(&import.index);
    registry_anchors_free(&import.anchor, 1);
    EVP_PKEY_free(import.private_key);
    home_close(&import.home);
    return code;
}
