/* SPDX-License-Identifier: MIT */
/* thimble trust: the keys that sign trust bundles, and the bundles. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include "commands.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "options.h"
#include "pass.h"
#include "term.h"
#include "trust_key.h"

/* ---- keygen ---- */

struct keygen {
    const char *name, *signs, *pass_file;
    bool development, encrypt;
};

static void keygen_json(struct home *home, const struct trust_key *key)
{
    char id[TRUST_KEY_ID_TEXT], signs[40];
    struct json json = json_begin(stdout);
    trust_key_id_text(key->id, id);
    trust_key_components_text(key->update.components, signs, sizeof signs);
    json_text(&json, "name", key->name);
    json_text(&json, "id", id);
    json_text(&json, "signs", signs);
    json_bool(&json, "development", key->update.development);
    json_hex(&json, "point", key->update.point, sizeof key->update.point);
    json_text(&json, "key", path_of("%s/update/%s.key", home->dir, key->name).text);
    json_text(&json, "public", path_of("%s/update/%s.pub", home->dir, key->name).text);
    json_end(&json);
}

static void show_made(struct home *home, const struct trust_key *key)
{
    char id[TRUST_KEY_ID_TEXT], signs[40];
    trust_key_id_text(key->id, id);
    trust_key_components_text(key->update.components, signs, sizeof signs);
    say("%s%s is an update key%s for %s%s (id %s):", term_out(TERM_BOLD), key->name,
        term_out(TERM_PLAIN), signs, key->update.development ? ", of development builds alone" : "",
        id);
    say_file(path_of("%s/update/%s.key", home->dir, key->name).text,
             "the private key: who has it commands every device; keep it offline, with a backup");
    say_file(path_of("%s/update/%s.pub", home->dir, key->name).text,
             "the public key: devices enrolled from now on take what it signs");
}

static int keygen(struct home *home, const struct keygen *how, uint8_t components)
{
    char pass[PASS_MAX + 1] = "";
    struct trust_key key;
    int code = EXIT_OK;
    if (how->encrypt || how->pass_file)
        code = pass_take(how->pass_file, "Pass phrase for the update key: ", true,
                         "name a file that holds it: --pass-file FILE", pass);
    if (code == EXIT_OK)
        code = trust_key_make(home, how->name, components, how->development, pass, &key);
    OPENSSL_cleanse(pass, sizeof pass);
    if (code == EXIT_OK)
        code = registry_event(&home->registry, "update key", how->name);
    if (code != EXIT_OK)
        return code;
    if (term.json)
        keygen_json(home, &key);
    else
        show_made(home, &key);
    return EXIT_OK;
}

static int trust_keygen(int argc, char **argv)
{
    static const struct usage usage = {
        "trust keygen", "[NAME]", "Makes a key that signs what devices trust.",
        "The key is P-256 and no authority's. Devices learn its public half at enrolment, or by a\n"
        "trust bundle that a key they know has signed. Files: update/NAME.key update/NAME.pub; "
        "the\n"
        "name is 'main' unless one is given. Example:\n"
        "  thimble trust keygen --encrypt"};
    const char *dir = NULL;
    struct keygen how = {.name = "main", .signs = "trust"};
    struct words rest = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "for", "LIST", "what it may sign: trust, firmware, coproc [trust]", OPTION_TEXT,
         &how.signs, 0, 0},
        {0, "development", NULL, "release builds refuse what it signs", OPTION_FLAG,
         &how.development, 0, 0},
        {0, "encrypt", NULL, "ask for a pass phrase and encrypt the key", OPTION_FLAG, &how.encrypt,
         0, 0},
        {0, "pass-file", "FILE", "encrypt it; FILE's first line is the pass phrase", OPTION_TEXT,
         &how.pass_file, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 6, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count > 1)
        return fail(EXIT_USAGE, "trust keygen takes one name\nthimble trust keygen %s", rest.at[0]);
    if (rest.count == 1)
        how.name = rest.at[0];
    uint8_t components = trust_key_components_of(how.signs);
    if (components == 0)
        return fail(EXIT_USAGE,
                    "--for takes trust, firmware and coproc, with commas between, not '%s'\n"
                    "thimble trust keygen --for trust,firmware",
                    how.signs);
    struct home home;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK)
        code = keygen(&home, &how, components);
    home_close(&home);
    return code;
}

int trust_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"keygen", trust_keygen, "makes a key that signs trust bundles"},
    };
    return commands_run("trust", verbs, 1, argc, argv);
}
