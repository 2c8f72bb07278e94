/* SPDX-License-Identifier: MIT */
/* thimble ca: two separate roots and the key for birth certificates (DESIGN: Authorities). */
#include "ca.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "commands.h"
#include "exits.h"
#include "key_pass.h"
#include "options.h"
#include "term.h"
#include "token_key.h"

/* Two installations must not have issuers of the same name: a wrong CA would then look like a
 * damaged signature. */
static int default_name(char *into, size_t room)
{
    uint8_t random[3];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return fail(EXIT_FAILED, "the system gives no random numbers\ntry again");
    snprintf(into, room, "Thimble %02x%02x%02x", random[0], random[1], random[2]);
    return EXIT_OK;
}

static bool is_there(struct home *home, enum registry_authority which)
{
    X509 *certificate = registry_authority(&home->registry, which);
    X509_free(certificate);
    return certificate != NULL;
}

/* Those that are missing: one may have been imported before. */
static int make_all(struct home *home, const char *name, const struct ca_keys *keys)
{
    int made = 0;
    int code = files_directory(home_path(home, "ca").text);
    for (int i = 0; code == EXIT_OK && keys->encrypt && i < REGISTRY_AUTHORITIES; i++)
        code = ca_unlock(home, (enum registry_authority)i);
    for (int i = 0; code == EXIT_OK && i < REGISTRY_AUTHORITIES; i++) {
        struct registry_anchor anchor = {.which = (enum registry_authority)i, .state = "active"};
        if (is_there(home, anchor.which))
            continue;
        code = ca_make(home, keys, name, &anchor);
        registry_anchors_free(&anchor, 1);
        made++;
    }
    if (code == EXIT_OK && made == 0)
        return fail(EXIT_EXISTS,
                    "there are authorities in %s already; they were left as they are\n"
                    "thimble ca show --dir %s, or begin elsewhere: thimble ca init --dir DIR",
                    home->dir, home->dir);
    if (code == EXIT_OK)
        code = registry_set(&home->registry, "ca.name", name);
    if (code == EXIT_OK)
        code = ca_keys_set(home, keys);
    return code == EXIT_OK ? registry_event(&home->registry, "ca init", name) : code;
}

static void show_made(struct home *home, const struct ca_keys *keys)
{
    say("%sTwo separate authorities are made%s, so that no device can pose as the broker:",
        term_out(TERM_BOLD), term_out(TERM_PLAIN));
    for (int i = 0; i < REGISTRY_AUTHORITIES; i++) {
        struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
        enum registry_authority which = (enum registry_authority)i;
        size_t count = registry_anchors(&home->registry, which, anchors);
        if (count) {
            say_file(home_anchor_path(home, &anchors[0]).text, ca_purpose(which));
            say_file(home_anchor_key(home, &anchors[0]).text,
                     keys->token[0] ? "its private key: stays in the token"
                                    : "its private key: keep it secret");
        }
        registry_anchors_free(anchors, count);
    }
    say_file(home_path(home, "registry.db").text, "what was issued and revoked");
    if (!keys->encrypt && !keys->token[0])
        say("Who reads the keys is the authority: keep the directory to yourself, or begin with "
            "--encrypt");
    say("Next: %sthimble broker init%s%s", term_out(TERM_CYAN), home->flag, term_out(TERM_PLAIN));
}

struct init {
    const char *dir, *name, *token;
    struct ca_keys keys;
};

static int check(struct init *init, const struct words *rest)
{
    if (rest->count)
        return fail(EXIT_USAGE, "ca init takes no '%s'\nthimble ca init --help", rest->at[0]);
    if (init->name && (strlen(init->name) == 0 || strlen(init->name) > 48))
        return fail(EXIT_USAGE, "--name has 1 to 48 bytes\nthimble ca init --name Garden");
    if (!init->token)
        return EXIT_OK;
    if (init->keys.encrypt)
        return fail(EXIT_USAGE, "--encrypt is for key files, and --pkcs11 makes none\n"
                                "leave one of the two out");
    if (!token_key_named(init->token) || strlen(init->token) > 512)
        return fail(EXIT_USAGE,
                    "--pkcs11 takes a URI of at most 512 bytes, not '%s'\n"
                    "thimble ca init --pkcs11 'pkcs11:token=thimble'",
                    init->token);
    if (strstr(init->token, "pin-value="))
        return fail(EXIT_USAGE, "a PIN in --pkcs11 would be kept in the registry and shown by ps\n"
                                "put it into a file: --passphrase-file FILE");
    snprintf(init->keys.token, sizeof init->keys.token, "%s", init->token);
    return EXIT_OK;
}

static int init_in(const struct init *init, const char *name)
{
    struct home home;
    int code = home_open(&home, init->dir, true);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK)
        code = registry_begin(&home.registry);
    if (code == EXIT_OK)
        code = make_all(&home, name, &init->keys);
    if (code == EXIT_OK)
        code = registry_commit(&home.registry);
    if (code == EXIT_OK)
        code = term.json ? ca_json(&home) : (show_made(&home, &init->keys), EXIT_OK);
    home_close(&home);
    return code;
}

static int ca_init(int argc, char **argv)
{
    static const struct usage usage = {
        "ca init", "", "Makes the server CA, the device CA and the key for birth certificates.",
        "Files: ca/{server,device,idevid}.{crt,key} and registry.db in the state directory.\n"
        "Keys are P-256 unless --rsa is given, readable by you alone, and never overwritten.\n"
        "With --pkcs11 they are in a token already, as thimble-server, thimble-device and\n"
        "thimble-idevid, or as NAME-server and so on where the URI has object=NAME. Examples:\n"
        "  thimble ca init --name 'Garden'\n"
        "  thimble ca init --encrypt\n"
        "  thimble ca init --pkcs11 'pkcs11:token=thimble'"};
    struct init init = {.dir = NULL};
    struct words rest = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&init.dir),
        {0, "name", "NAME", "name in the CAs' subjects [Thimble <random>]", OPTION_TEXT, &init.name,
         0, 0},
        {0, "rsa", NULL, "RSA-2048 keys, for peers that know no P-256", OPTION_FLAG, &init.keys.rsa,
         0, 0},
        {0, "encrypt", NULL, "key files under a pass phrase, which signing then asks for",
         OPTION_FLAG, &init.keys.encrypt, 0, 0},
        {0, "pkcs11", "URI", "keys in this PKCS#11 token", OPTION_TEXT, &init.token, 0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    char random[32];
    code = check(&init, &rest);
    if (code == EXIT_OK && !init.name)
        code = default_name(random, sizeof random);
    return code == EXIT_OK ? init_in(&init, init.name ? init.name : random) : code;
}

int ca_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"init", ca_init, "makes the authorities"},
        {"show", ca_show, "shows them"},
        {"export", ca_export, "writes trust anchors and revocation lists"},
        {"import", ca_import, "takes over one of openssl or easy-rsa"},
        {"rotate", ca_rotate, "makes an authority's successor, retires the old"},
        {"backup", ca_backup, "archives everything, encrypted"},
        {"restore", ca_restore, "has it back"},
        {"log", ca_log, "shows what was issued and revoked"},
    };
    return commands_run("ca", verbs, sizeof verbs / sizeof verbs[0], argc, argv);
}
