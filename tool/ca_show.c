/* SPDX-License-Identifier: MIT */
/* thimble ca show, ca log. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ca.h"
#include "exits.h"
#include "json.h"
#include "options.h"
#include "term.h"
#include "token_key.h"

/* ---- show ---- */

static bool key_is_private(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & 077) == 0;
}

static const char *key_note(const struct registry_anchor *anchor, const char *path)
{
    if (token_key_named(anchor->key))
        return "";
    if (!files_exist(path))
        return " (missing)";
    return ca_key_is_encrypted(path) ? " (encrypted)" : "";
}

static const char *state_note(const struct registry_anchor *anchor)
{
    if (strcmp(anchor->state, "next") == 0)
        return " (next: trusted, issues nothing yet)";
    return strcmp(anchor->state, "old") == 0 ? " (old: trusted, issues nothing any more)" : "";
}

static void show_warnings(const struct registry_anchor *anchor, const char *key)
{
    if (!token_key_named(anchor->key) && files_exist(key) && !key_is_private(key))
        warn("others may read %s\nchmod 600 %s", key, key);
    if (x509_not_after(anchor->certificate) < time(NULL))
        warn("the %s has expired\nmake its successor: thimble ca rotate %s",
             ca_subject(anchor->which), registry_authority_name(anchor->which));
}

static void show_one(struct home *home, const struct registry_anchor *anchor)
{
    char name[128], from[24], to[24];
    uint8_t fingerprint[32];
    X509 *certificate = anchor->certificate;
    struct path key = home_anchor_key(home, anchor);
    x509_common_name(certificate, name, sizeof name);
    x509_fingerprint(certificate, fingerprint);
    say("%s%s%s: %s%s", term_out(TERM_BOLD), name, term_out(TERM_PLAIN), ca_purpose(anchor->which),
        state_note(anchor));
    say("  certificate  %s", home_anchor_path(home, anchor).text);
    say("  key          %s%s", key.text, key_note(anchor, key.text));
    say("  valid        %s to %s", term_date(x509_not_before(certificate), from),
        term_date(x509_not_after(certificate), to));
    say("  issued       %lld certificates",
        (long long)registry_issued(&home->registry, anchor->id));
    if (!term.quiet) {
        printf("  SHA-256      ");
        for (size_t i = 0; i < sizeof fingerprint; i++)
            printf("%s%02X", i ? ":" : "", fingerprint[i]);
        putchar('\n');
    }
    show_warnings(anchor, key.text);
}

static void json_one(struct json *json, struct home *home, const struct registry_anchor *anchor)
{
    char name[128], serial[X509_SERIAL_TEXT];
    uint8_t digest[32];
    X509 *certificate = anchor->certificate;
    struct path key = home_anchor_key(home, anchor);
    x509_common_name(certificate, name, sizeof name);
    x509_serial(certificate, serial);
    json_open(json, NULL, '{');
    json_text(json, "authority", registry_authority_name(anchor->which));
    json_text(json, "state", anchor->state);
    json_text(json, "name", name);
    json_text(json, "certificate", home_anchor_path(home, anchor).text);
    json_text(json, "key", key.text);
    json_text(json, "key_kept",
              token_key_named(anchor->key)    ? "token"
              : ca_key_is_encrypted(key.text) ? "encrypted"
                                              : "plain");
    json_number(json, "not_before", x509_not_before(certificate));
    json_number(json, "not_after", x509_not_after(certificate));
    json_text(json, "serial", serial);
    x509_fingerprint(certificate, digest);
    json_hex(json, "sha256", digest, sizeof digest);
    x509_pin(certificate, digest);
    json_hex(json, "pin", digest, sizeof digest);
    json_number(json, "issued", registry_issued(&home->registry, anchor->id));
    json_close(json, '}');
}

int ca_json(struct home *home)
{
    struct json json = json_begin(stdout);
    json_open(&json, "authorities", '[');
    for (int i = 0; i < REGISTRY_AUTHORITIES; i++) {
        struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
        size_t count = registry_anchors(&home->registry, (enum registry_authority)i, anchors);
        for (size_t j = 0; j < count; j++)
            json_one(&json, home, &anchors[j]);
        registry_anchors_free(anchors, count);
    }
    json_close(&json, ']');
    json_end(&json);
    return EXIT_OK;
}

static int show_all(struct home *home)
{
    for (int i = 0; i < REGISTRY_AUTHORITIES; i++) {
        struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
        size_t count = registry_anchors(&home->registry, (enum registry_authority)i, anchors);
        if (count == 0)
            return fail(EXIT_MISSING, "there is no %s in %s\nthimble ca init --dir %s",
                        ca_subject((enum registry_authority)i), home->dir, home->dir);
        for (size_t j = 0; !term.json && j < count; j++)
            show_one(home, &anchors[j]);
        registry_anchors_free(anchors, count);
    }
    return term.json ? ca_json(home) : EXIT_OK;
}

int ca_show(int argc, char **argv)
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

int ca_log(int argc, char **argv)
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
