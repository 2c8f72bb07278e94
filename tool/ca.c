/* SPDX-License-Identifier: MIT */
/* thimble ca: two separate roots and the key for birth certificates (DESIGN: Authorities). */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "commands.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "options.h"
#include "term.h"

#define CA_DAYS 3652 /* ten years */

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

/* ---- init ---- */

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

/* A key left by an init that was cut off is used, never overwritten. */
static int key_for(const char *path, bool rsa, EVP_PKEY **key)
{
    if (files_exist(path))
        return x509_read_key(path, key);
    *key = rsa ? x509_key_new_rsa() : x509_key_new();
    if (!*key)
        return fail(EXIT_FAILED, "cannot make a key: %s\ncheck libcrypto", x509_error());
    return x509_write_key(path, *key, FILES_NEW);
}

static int make(struct home *home, enum registry_authority which, const char *name, bool rsa)
{
    const struct authority *authority = &authorities[which];
    struct path key_path = home_authority_path(home, which, "key");
    struct path path = home_authority_path(home, which, "crt");
    EVP_PKEY *key = NULL;
    int code = key_for(key_path.text, rsa, &key);
    if (code != EXIT_OK)
        return code;
    char common_name[96], key_ref[32];
    snprintf(common_name, sizeof common_name, "%s %s", name, authority->subject);
    snprintf(key_ref, sizeof key_ref, "ca/%s.key", registry_authority_name(which));
    int64_t now = time(NULL);
    X509 *certificate = x509_issue(&(struct x509_order){
        .kind = X509_CA,
        .common_name = common_name,
        .key = key,
        .issuer_key = key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = authority->not_after_s ? authority->not_after_s : now + CA_DAYS * HOME_DAY_S,
    });
    if (!certificate)
        code = fail(EXIT_FAILED, "cannot make the %s: %s\ncheck libcrypto", authority->subject,
                    x509_error());
    if (code == EXIT_OK)
        code = x509_write_certificate(path.text, certificate, FILES_REPLACE);
    if (code == EXIT_OK)
        code = registry_authority_add(&home->registry, which, certificate, key_ref);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return code;
}

static int make_all(struct home *home, const char *name, bool rsa)
{
    X509 *present = registry_authority(&home->registry, REGISTRY_SERVER);
    X509_free(present);
    if (present)
        return fail(EXIT_EXISTS,
                    "there are authorities in %s already; they were left as they are\n"
                    "thimble ca show --dir %s, or begin elsewhere: thimble ca init --dir DIR",
                    home->dir, home->dir);
    struct path folder = home_path(home, "ca");
    int code = files_directory(folder.text);
    for (int i = 0; code == EXIT_OK && i < REGISTRY_AUTHORITIES; i++)
        code = make(home, (enum registry_authority)i, name, rsa);
    if (code == EXIT_OK)
        code = registry_set(&home->registry, "ca.name", name);
    if (code == EXIT_OK)
        code = registry_set(&home->registry, "ca.key", rsa ? "rsa" : "ec");
    return code == EXIT_OK ? registry_event(&home->registry, "ca init", name) : code;
}

static void show_made(struct home *home)
{
    say("%sTwo separate authorities are made%s, so that no device can pose as the broker:",
        term_out(TERM_BOLD), term_out(TERM_PLAIN));
    for (int i = 0; i < REGISTRY_AUTHORITIES; i++) {
        enum registry_authority which = (enum registry_authority)i;
        say_file(home_authority_path(home, which, "crt").text, authorities[which].purpose);
        say_file(home_authority_path(home, which, "key").text, "its private key: keep it secret");
    }
    say_file(home_path(home, "registry.db").text, "what was issued and revoked");
    say("Next: %sthimble broker init%s%s", term_out(TERM_CYAN), home->flag, term_out(TERM_PLAIN));
}

static int ca_json(struct home *home);

static int ca_init(int argc, char **argv)
{
    static const struct usage usage = {
        "ca init", "", "Makes the server CA, the device CA and the key for birth certificates.",
        "Files: ca/{server,device,idevid}.{crt,key} and registry.db in the state directory.\n"
        "Keys are P-256 unless --rsa is given, readable by you alone, and never overwritten. "
        "Example:\n"
        "  thimble ca init --name 'Garden'"};
    const char *dir = NULL, *name = NULL;
    bool rsa = false;
    struct words rest = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "name", "NAME", "name in the CAs' subjects [Thimble <random>]", OPTION_TEXT, &name, 0,
         0},
        {0, "rsa", NULL, "RSA-2048 keys, for peers that know no P-256", OPTION_FLAG, &rsa, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 4, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count)
        return fail(EXIT_USAGE, "ca init takes no '%s'\nthimble ca init --help", rest.at[0]);
    char random[32];
    if (name && (strlen(name) == 0 || strlen(name) > 48))
        return fail(EXIT_USAGE, "--name has 1 to 48 bytes\nthimble ca init --name Garden");
    if (!name && default_name(random, sizeof random) != EXIT_OK)
        return EXIT_FAILED;
    struct home home;
    code = home_open(&home, dir, true);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK)
        code = registry_begin(&home.registry);
    if (code == EXIT_OK)
        code = make_all(&home, name ? name : random, rsa);
    if (code == EXIT_OK)
        code = registry_commit(&home.registry);
    if (code == EXIT_OK)
        code = term.json ? ca_json(&home) : (show_made(&home), EXIT_OK);
    home_close(&home);
    return code;
}

/* ---- show ---- */

static bool key_is_private(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & 077) == 0;
}

static void show_one(struct home *home, enum registry_authority which, X509 *certificate)
{
    char name[128], from[24], to[24];
    uint8_t fingerprint[32];
    struct path path = home_authority_path(home, which, "crt");
    struct path key = home_authority_path(home, which, "key");
    x509_common_name(certificate, name, sizeof name);
    x509_fingerprint(certificate, fingerprint);
    say("%s%s%s: %s", term_out(TERM_BOLD), name, term_out(TERM_PLAIN), authorities[which].purpose);
    say("  certificate  %s", path.text);
    say("  key          %s%s", key.text, files_exist(key.text) ? "" : " (missing)");
    say("  valid        %s to %s", term_date(x509_not_before(certificate), from),
        term_date(x509_not_after(certificate), to));
    say("  issued       %lld certificates", (long long)registry_issued(&home->registry, which));
    if (!term.json && !term.quiet) {
        printf("  SHA-256      ");
        for (size_t i = 0; i < sizeof fingerprint; i++)
            printf("%s%02X", i ? ":" : "", fingerprint[i]);
        putchar('\n');
    }
    if (files_exist(key.text) && !key_is_private(key.text))
        warn("others may read %s\nchmod 600 %s", key.text, key.text);
    if (x509_not_after(certificate) < time(NULL))
        warn("the %s has expired\nbegin anew: thimble ca init --dir DIR",
             authorities[which].subject);
}

static void json_one(struct json *json, struct home *home, enum registry_authority which,
                     X509 *certificate)
{
    char name[128], serial[X509_SERIAL_TEXT];
    uint8_t digest[32];
    x509_common_name(certificate, name, sizeof name);
    x509_serial(certificate, serial);
    json_open(json, NULL, '{');
    json_text(json, "authority", registry_authority_name(which));
    json_text(json, "name", name);
    json_text(json, "certificate", home_authority_path(home, which, "crt").text);
    json_text(json, "key", home_authority_path(home, which, "key").text);
    json_number(json, "not_before", x509_not_before(certificate));
    json_number(json, "not_after", x509_not_after(certificate));
    json_text(json, "serial", serial);
    x509_fingerprint(certificate, digest);
    json_hex(json, "sha256", digest, sizeof digest);
    x509_pin(certificate, digest);
    json_hex(json, "pin", digest, sizeof digest);
    json_number(json, "issued", registry_issued(&home->registry, which));
    json_close(json, '}');
}

static int ca_json(struct home *home)
{
    struct json json = json_begin(stdout);
    json_open(&json, "authorities", '[');
    for (int i = 0; i < REGISTRY_AUTHORITIES; i++) {
        X509 *certificate = registry_authority(&home->registry, (enum registry_authority)i);
        if (certificate)
            json_one(&json, home, (enum registry_authority)i, certificate);
        X509_free(certificate);
    }
    json_close(&json, ']');
    json_end(&json);
    return EXIT_OK;
}

static int show_all(struct home *home)
{
    for (int i = 0; i < REGISTRY_AUTHORITIES; i++) {
        X509 *certificate = registry_authority(&home->registry, (enum registry_authority)i);
        if (!certificate)
            return fail(EXIT_MISSING, "there is no %s in %s\nthimble ca init --dir %s",
                        authorities[i].subject, home->dir, home->dir);
        if (!term.json)
            show_one(home, (enum registry_authority)i, certificate);
        X509_free(certificate);
    }
    return term.json ? ca_json(home) : EXIT_OK;
}

static int ca_show(int argc, char **argv)
{
    static const struct usage usage = {"ca show", "", "Shows the authorities and their files.",
                                       NULL};
    const char *dir = NULL;
    struct words rest = {0};
    const struct option options[] = {OPTION_ROW_DIR(&dir), OPTION_ROW_JSON};
    int code = options_take(&usage, options, 2, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count)
        return fail(EXIT_USAGE, "ca show takes no '%s'\nthimble ca show --help", rest.at[0]);
    struct home home;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = show_all(&home);
    home_close(&home);
    return code;
}

/* ---- log ---- */

static void event_text(void *user, int64_t at_s, const char *what, const char *subject)
{
    (void)user;
    char at[24];
    say("%s  %-12s %s", term_date(at_s, at), what, subject);
}

static void event_json(void *user, int64_t at_s, const char *what, const char *subject)
{
    struct json *json = user;
    json_open(json, NULL, '{');
    json_number(json, "at", at_s);
    json_text(json, "what", what);
    json_text(json, "subject", subject);
    json_close(json, '}');
}

static int ca_log(int argc, char **argv)
{
    static const struct usage usage = {"ca log", "", "Shows what was issued, revoked and made.",
                                       NULL};
    const char *dir = NULL;
    long lines = 100;
    struct words rest = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {'n', "lines", "N", "the last N [100]", OPTION_NUMBER, &lines, 1, 1000000},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 3, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count)
        return fail(EXIT_USAGE, "ca log takes no '%s'\nthimble ca log --help", rest.at[0]);
    struct home home;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK && term.json) {
        struct json json = json_begin(stdout);
        json_open(&json, "events", '[');
        registry_events(&home.registry, lines, event_json, &json);
        json_close(&json, ']');
        json_end(&json);
    } else if (code == EXIT_OK) {
        registry_events(&home.registry, lines, event_text, NULL);
    }
    home_close(&home);
    return code;
}

int ca_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"init", ca_init, "makes the authorities"},
        {"show", ca_show, "shows them"},
        {"log", ca_log, "shows what was issued and revoked"},
    };
    return commands_run("ca", verbs, 3, argc, argv);
}
