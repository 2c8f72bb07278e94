/* SPDX-License-Identifier: MIT */
/* thimble trust: the keys that sign trust bundles, and the bundles. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include "commands.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "options.h"
#include "pass.h"
#include "term.h"
#include "trust_bundle.h"
#include "trust_key.h"
#include "trust_push.h"
#include "trust_show.h"
#include "trust_sign.h"

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

/* ---- sign ---- */

static int take_hardware(const char *text, struct trust_release *release)
{
    char first[8] = "";
    long from = 0, to = UINT16_MAX;
    size_t dash = text ? strcspn(text, "-") : 0;
    if (text && dash < sizeof first)
        snprintf(first, sizeof first, "%.*s", (int)dash, text);
    if (text && (!options_number(first, 0, UINT16_MAX, &from) ||
                 !options_number(text[dash] ? text + dash + 1 : first, from, UINT16_MAX, &to)))
        return fail(EXIT_USAGE,
                    "--hardware takes a revision or a range of them, not '%s'\n"
                    "thimble trust sign --hardware 1-3",
                    text);
    release->hardware_min = (uint16_t)from;
    release->hardware_max = (uint16_t)to;
    return EXIT_OK;
}

/* Sequence numbers are handed out once and for ever, also when the file is never written. */
static int take_sequence(struct home *home, long wanted, uint32_t *out)
{
    char text[REGISTRY_TEXT_MAX] = "0";
    long last = 0;
    int code = registry_begin(&home->registry);
    if (code != EXIT_OK)
        return code;
    registry_get(&home->registry, "trust.sequence", text);
    if (!options_number(text, 0, UINT32_MAX, &last) || last == UINT32_MAX)
        code = fail(EXIT_FAILED,
                    "the registry has no good sequence number: '%s'\n"
                    "restore registry.db from its backup",
                    text);
    else if (wanted != 0 && wanted <= last)
        code = fail(EXIT_INPUT, "sequence %ld was used already; the last was %ld\n--sequence %ld",
                    wanted, last, last + 1);
    *out = (uint32_t)(wanted != 0 ? wanted : last + 1);
    snprintf(text, sizeof text, "%u", *out);
    if (code == EXIT_OK)
        code = registry_set(&home->registry, "trust.sequence", text);
    if (code == EXIT_OK)
        code = registry_event(&home->registry, "trust bundle", text);
    if (code == EXIT_OK)
        return registry_commit(&home->registry);
    registry_rollback(&home->registry);
    return code;
}

/* Rolling a key takes two steps (O16): the bundle that brings the new key is signed with an old
 * one. */
static void check_signer(struct home *home, const struct trust_key *signer)
{
    char known[REGISTRY_TEXT_MAX], id[TRUST_KEY_ID_TEXT];
    trust_key_id_text(signer->id, id);
    if (registry_get(&home->registry, "trust.keys", known) && !strstr(known, id))
        warn("the last bundle did not name the key %s: devices that have taken it refuse this one\n"
             "sign with a key that it named, once: thimble trust sign --key FILE",
             id);
}

static int keep_keys(struct home *home, const struct trust_set *set)
{
    char text[REGISTRY_TEXT_MAX] = "";
    size_t len = 0;
    struct th_trust_item item;
    struct th_span span = th_span_of(set->at, set->len);
    for (size_t n = 0; th_trust_set_item(span, TH_ITEM_UPDATE_KEY, n, &item); n++) {
        uint8_t id[TH_KEY_ID_BYTES];
        if (!(item.key.components >> TH_COMPONENT_TRUST & 1))
            continue;
        th_key_id(th_crypto_openssl.hashes->sha256, item.key.point, id);
        text[len++] = ' ';
        trust_key_id_text(id, text + len);
        len += TRUST_KEY_ID_TEXT - 1;
    }
    return registry_set(&home->registry, "trust.keys", text);
}

static int write_bundle(struct home *home, const struct trust_sign *how, const uint8_t *bundle,
                        size_t len, struct path *path)
{
    if (how->out) {
        *path = path_of("%s", how->out);
        return files_write(path->text, bundle, len, FILES_PUBLIC, FILES_NEW);
    }
    int code = files_directory(home_path(home, "trust").text);
    *path = path_of("%s/trust/%u.bundle", home->dir, how->release.sequence);
    return code == EXIT_OK ? files_write(path->text, bundle, len, FILES_PUBLIC, FILES_NEW) : code;
}

/* What is refused is refused before a sequence number is spent. */
int trust_sign_now(struct home *home, struct trust_sign *how, struct path *path)
{
    static const uint32_t any = 1;
    struct trust_set set = {.len = 0};
    struct trust_key signer = {.name = ""};
    uint8_t bundle[TRUST_BUNDLE_MAX];
    size_t len = 0;
    EVP_PKEY *key = NULL;
    int code = trust_bundle_set(home, &how->order, &set);
    struct path usual = home_path(home, "update/main.key");
    if (code == EXIT_OK)
        code =
            trust_key_open(home, how->key ? how->key : usual.text, how->pass_file, &key, &signer);
    if (code == EXIT_OK && *signer.name && !(signer.update.components >> TH_COMPONENT_TRUST & 1))
        code = fail(EXIT_INPUT, "the key %s may not sign trust\nthimble trust keygen --for trust",
                    signer.name);
    how->release.development |= code == EXIT_OK && signer.update.development;
    how->release.sequence = any;
    if (code == EXIT_OK)
        code = trust_bundle_sign(&how->release, &set, key, &signer, bundle, &len);
    if (code == EXIT_OK)
        check_signer(home, &signer);
    if (code == EXIT_OK)
        code = take_sequence(home, how->sequence, &how->release.sequence);
    if (code == EXIT_OK)
        code = trust_bundle_sign(&how->release, &set, key, &signer, bundle, &len);
    if (code == EXIT_OK)
        code = write_bundle(home, how, bundle, len, path);
    if (code == EXIT_OK)
        code = keep_keys(home, &set);
    EVP_PKEY_free(key);
    return code;
}

static int sign_and_show(struct home *home, struct trust_sign *how)
{
    struct trust_key keys[TRUST_KEYS_MAX];
    struct path path;
    size_t count = 0;
    int code = trust_sign_now(home, how, &path);
    if (code == EXIT_OK)
        code = trust_keys(home, keys, &count);
    return code == EXIT_OK ? trust_show(path.text, keys, count) : code;
}

static int trust_sign(int argc, char **argv)
{
    static const struct usage usage = {
        "trust sign", "", "Signs what devices shall trust from now on.",
        "The bundle has the server CA, the broker, the update keys and the roles of all users as\n"
        "this state directory knows them, and replaces what a device trusted before. File:\n"
        "trust/SEQUENCE.bundle. To roll a key, sign once with the old one while both are in\n"
        "update/, and when the devices have it, again with the new one and --without OLD. "
        "Example:\n"
        "  thimble trust sign --anchor next-ca.crt"};
    const char *dir = NULL;
    struct trust_sign how = {.release = {.product = TRUST_PRODUCT, .time_s = time(NULL)}};
    struct words rest = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "key", "FILE", "the signing key, or a pkcs11: URI [update/main.key]", OPTION_TEXT,
         &how.key, 0, 0},
        {0, "pass-file", "FILE", "FILE's first line is the key's pass phrase", OPTION_TEXT,
         &how.pass_file, 0, 0},
        {0, "anchor", "FILE", "a CA besides the server CA; again for more", OPTION_LIST,
         &how.order.anchors, 0, 0},
        {0, "pin", "HEX", "SHA-256 of a public key the chain must have; again for more",
         OPTION_LIST, &how.order.pins, 0, 0},
        {0, "broker", "HOST:PORT", "instead of the one of broker init; in their order", OPTION_LIST,
         &how.order.brokers, 0, 0},
        {0, "recovery", "HOST:PORT", "the recovery listener, likewise", OPTION_LIST,
         &how.order.recovery, 0, 0},
        {0, "without", "NAME", "leave an update key out: devices forget it", OPTION_LIST,
         &how.order.without, 0, 0},
        {0, "product", "NAME", "for devices of this product alone [thimble]", OPTION_TEXT,
         &how.release.product, 0, 0},
        {0, "hardware", "RANGE", "for these hardware revisions alone [all]", OPTION_TEXT,
         &how.hardware, 0, 0},
        {0, "epoch", "N", "security epoch [0]", OPTION_NUMBER, &how.epoch, 0, UINT32_MAX},
        {0, "sequence", "N", "sequence number [the next one]", OPTION_NUMBER, &how.sequence, 1,
         UINT32_MAX},
        {0, "development", NULL, "release builds refuse it", OPTION_FLAG, &how.release.development,
         0, 0},
        {'o', "output", "FILE", "write the bundle there", OPTION_TEXT, &how.out, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count)
        return fail(EXIT_USAGE, "trust sign takes no '%s'\nthimble trust sign --help", rest.at[0]);
    how.release.epoch = (uint32_t)how.epoch;
    code = take_hardware(how.hardware, &how.release);
    if (code != EXIT_OK)
        return code;
    struct home home;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK)
        code = sign_and_show(&home, &how);
    home_close(&home);
    return code;
}

/* ---- show ---- */

static int trust_show_main(int argc, char **argv)
{
    static const struct usage usage = {
        "trust show", "FILE", "Shows what a bundle says, and whether it is whole and signed.",
        "The keys in the state directory's update/ are known, and those named with --key."};
    const char *dir = NULL;
    struct words rest = {0}, named = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "key", "FILE", "a public update key that may have signed it; again for more",
         OPTION_LIST, &named, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 3, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count != 1)
        return fail(EXIT_USAGE, "trust show needs one file\nthimble trust show trust/1.bundle");
    struct trust_key keys[TRUST_KEYS_MAX + WORDS_MAX];
    struct home home;
    size_t count = 0;
    code = EXIT_OK;
    if (dir || home_exists(dir)) {
        code = home_find(&home, dir);
        if (code == EXIT_OK)
            code = trust_keys(&home, keys, &count);
    }
    for (size_t i = 0; code == EXIT_OK && i < named.count; i++)
        code = trust_key_read(named.at[i], &keys[count++]);
    return code == EXIT_OK ? trust_show(rest.at[0], keys, count) : code;
}

int trust_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"keygen", trust_keygen, "makes a key that signs trust bundles"},
        {"sign", trust_sign, "signs what devices shall trust"},
        {"show", trust_show_main, "shows a bundle and checks it"},
        {"push", trust_push, "brings a bundle to a device"},
    };
    return commands_run("trust", verbs, 4, argc, argv);
}
