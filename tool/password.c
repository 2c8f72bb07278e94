/* SPDX-License-Identifier: MIT */
/* thimble broker password: for clients that come without a certificate, to a broker made with
 * --one-way or --plaintext-loopback. Only the hash is kept. */
#include "password.h"

#include <string.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include "client_files.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "mosquitto.h"
#include "options.h"
#include "secret.h"
#include "term.h"

struct password {
    const char *name, *role, *from, *to;
    bool device, remove;
    char secret[SECRET_MAX];
};

/* The name's row; one that is not there yet is added where the flags say as what. */
static int take_name(struct home *home, const struct password *password)
{
    struct registry_principal row = {.connections = 1};
    if (registry_principal(&home->registry, password->name, &row)) {
        if (strcmp(row.state, "active") != 0)
            return fail(EXIT_INPUT, "'%s' is %s\nchoose another name", row.name, row.state);
        return EXIT_OK;
    }
    if (password->remove || (!password->device && !password->role))
        return fail(EXIT_MISSING,
                    "there is no device or user '%s'\n"
                    "thimble broker password %s --device, or --role viewer for a user",
                    password->name, password->name);
    const char *kind = password->device ? "device" : "user";
    int code = client_check_name(kind, password->name);
    if (code != OPTION_GO_ON)
        return code;
    snprintf(row.name, sizeof row.name, "%s", password->name);
    snprintf(row.kind, sizeof row.kind, "%s", kind);
    snprintf(row.role, sizeof row.role, "%s", password->device ? "" : password->role);
    return registry_principal_add(&home->registry, &row);
}

static int change(struct home *home, const struct password *password)
{
    char hash[REGISTRY_HASH_MAX] = "";
    if (!password->remove && !secret_hash(password->secret, hash))
        return fail(EXIT_FAILED, "the password cannot be hashed\ncheck libcrypto");
    int code = registry_begin(&home->registry);
    if (code == EXIT_OK)
        code = take_name(home, password);
    if (code == EXIT_OK)
        code = registry_principal_password(&home->registry, password->name, hash);
    if (code == EXIT_OK)
        code = registry_event(&home->registry, password->remove ? "password remove" : "password",
                              password->name);
    if (code == EXIT_OK)
        code = registry_commit(&home->registry);
    else
        registry_rollback(&home->registry);
    return code;
}

/* Into a file for its owner alone, before anything changes: a password that nobody got to see is
 * of no use. */
static int hand_out(const struct password *password)
{
    char line[SECRET_MAX + 1];
    if (!password->to)
        return EXIT_OK;
    int len = snprintf(line, sizeof line, "%s\n", password->secret);
    int code = files_write(password->to, line, (size_t)len, FILES_SECRET, FILES_NEW);
    OPENSSL_cleanse(line, sizeof line);
    return code;
}

static void show(const struct password *password)
{
    bool ours = !password->from && !password->remove;
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "name", password->name);
        if (password->to)
            json_text(&json, "file", password->to);
        else if (ours)
            json_text(&json, "password", password->secret);
        json_end(&json);
        return;
    }
    if (password->remove)
        say("%s has no password any more.", password->name);
    else if (ours && !password->to)
        say("The password of %s, shown this once: %s", password->name, password->secret);
    else
        say("%s has its new password.", password->name);
    if (password->to)
        say_file(password->to, "the password");
}

static int run(struct home *home, struct password *password)
{
    int code = home_lock(home);
    if (code == EXIT_OK && !password->remove)
        code = hand_out(password);
    if (code == EXIT_OK) {
        code = change(home, password);
        if (code != EXIT_OK && password->to)
            remove(password->to);
    }
    if (code == EXIT_OK)
        code = mosquitto_rights_changed(home);
    if (code == EXIT_OK)
        show(password);
    return code;
}

static int check(struct password *password)
{
    if (password->device && password->role)
        return fail(EXIT_USAGE, "a device has no role\nleave --role out");
    if (password->role && strcmp(password->role, "viewer") != 0 &&
        strcmp(password->role, "operator") != 0 && strcmp(password->role, "admin") != 0)
        return fail(EXIT_USAGE,
                    "--role is viewer, operator or admin, not '%s'\n"
                    "thimble broker password %s --role viewer",
                    password->role, password->name);
    if (password->from && password->to)
        return fail(EXIT_USAGE, "--from takes a password, --to makes one\nleave one of them out");
    if (password->from)
        return pass_of_file(password->from, password->secret);
    if (!password->remove && !secret_make(password->secret))
        return fail(EXIT_FAILED, "the system gives no random numbers\ntry again");
    return EXIT_OK;
}

int broker_password(int argc, char **argv)
{
    static const struct usage usage = {
        "broker password", "NAME", "Gives a device or a user a password, for a one-way broker.",
        "It is made here and shown once, or written with --to; the broker gets its hash alone.\n"
        "A name that does not exist yet is added with --device or --role, without a certificate.\n"
        "Example:\n"
        "  thimble broker password lamp --device --to lamp.password"};
    const char *dir = NULL;
    struct password password = {.name = NULL};
    struct words names = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "device", NULL, "NAME is a new device", OPTION_FLAG, &password.device, 0, 0},
        {0, "role", "ROLE", "NAME is a new user: viewer, operator or admin", OPTION_TEXT,
         &password.role, 0, 0},
        {0, "from", "FILE", "take the first line of this file as its password", OPTION_TEXT,
         &password.from, 0, 0},
        {0, "to", "FILE", "write the password there, for you alone to read", OPTION_TEXT,
         &password.to, 0, 0},
        {0, "remove", NULL, "take its password away", OPTION_FLAG, &password.remove, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 7, argc, argv, &names);
    if (code != OPTION_GO_ON)
        return code;
    if (names.count != 1)
        return fail(EXIT_USAGE, "broker password needs one name\nthimble broker password lamp");
    password.name = names.at[0];
    code = check(&password);
    struct home home;
    if (code == EXIT_OK) {
        code = home_open(&home, dir, false);
        if (code == EXIT_OK)
            code = run(&home, &password);
        home_close(&home);
    }
    OPENSSL_cleanse(password.secret, sizeof password.secret);
    return code;
}
