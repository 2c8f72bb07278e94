/* SPDX-License-Identifier: MIT */
/* thimble user: people and programs, each with a role and a certificate of its own. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include "client_files.h"
#include "commands.h"
#include "exits.h"
#include "home.h"
#include "json.h"
#include "key_pass.h"
#include "mosquitto.h"
#include "options.h"
#include "pass.h"
#include "revoke.h"
#include "term.h"

#define USER_DAYS 180

static void show_added(struct home *home, const struct client *client)
{
    char to[24];
    say("%s%s is a user%s (%s) until %s:", term_out(TERM_BOLD), client->name, term_out(TERM_PLAIN),
        client->role, term_date(client->not_after_s, to));
    say_file(client_path(home, client, "user.key").text, "the private key");
    say_file(client_path(home, client, "user.crt").text, "the certificate");
    say_file(client_path(home, client, "ca.crt").text, "what the broker is known by");
}

static int add(struct home *home, struct client *client)
{
    int code = client_told(home, client, client_make(home, client));
    if (code != EXIT_OK)
        return code;
    if (term.json) {
        struct json json = json_begin(stdout);
        json_open(&json, "users", '[');
        client_json(&json, home, "user", client->name);
        json_close(&json, ']');
        json_end(&json);
    } else {
        show_added(home, client);
    }
    client_next(home, "user", client->name);
    return EXIT_OK;
}

static bool is_role(const char *role)
{
    return strcmp(role, "viewer") == 0 || strcmp(role, "operator") == 0 ||
           strcmp(role, "admin") == 0;
}

/* Two names that are reserved for programs of ours, each a role of its own. */
static bool is_ours(const char *name)
{
    return strcmp(name, "agent") == 0 || strcmp(name, "keeper") == 0;
}

struct addition {
    const char *dir, *role, *pass_file;
    long connections;
    struct client client;
    char pass[PASS_MAX + 1];
};

/* Name and role; what is refused is refused before anything is made. */
static int check(struct addition *addition, const struct words *names)
{
    if (names->count != 1)
        return fail(EXIT_USAGE, "user add needs one name\nthimble user add alice");
    const char *name = names->at[0];
    bool ours = is_ours(name);
    if (ours && addition->role)
        return fail(EXIT_USAGE, "'%s' is a role of its own\nthimble user add %s", name, name);
    if (addition->client.replace && (addition->role || addition->connections > 1))
        return fail(EXIT_USAGE,
                    "--replace gives new keys and keeps role and connections\n"
                    "thimble user add %s --replace",
                    name);
    if (!addition->role)
        addition->role = ours ? name : "viewer";
    if (!ours && !is_role(addition->role))
        return fail(EXIT_USAGE,
                    "--role is viewer, operator or admin, not '%s'\n"
                    "thimble user add %s --role operator",
                    addition->role, name);
    int code = ours ? OPTION_GO_ON : client_check_name("user", name);
    if (code == OPTION_GO_ON && addition->pass_file)
        code = pass_of_file(addition->pass_file, addition->pass);
    return code == OPTION_GO_ON ? EXIT_OK : code;
}

static int add_in(struct addition *addition, const char *name)
{
    struct home home;
    struct registry_principal row;
    struct client *client = &addition->client;
    int code = home_open(&home, addition->dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    bool known = code == EXIT_OK && registry_principal(&home.registry, name, &row);
    if (code == EXIT_OK && client->replace && (!known || strcmp(row.kind, "user") != 0))
        code = fail(EXIT_MISSING, "there is no user '%s' to replace\nthimble user list", name);
    client->kind = "user";
    client->name = name;
    client->role = client->replace && known ? row.role : addition->role;
    client->days = USER_DAYS;
    client->connections = (int)addition->connections;
    client->pkcs12_pass = addition->pass_file ? addition->pass : NULL;
    if (code == EXIT_OK)
        code = add(&home, client);
    OPENSSL_cleanse(addition->pass, sizeof addition->pass);
    home_close(&home);
    return code;
}

static int user_add(int argc, char **argv)
{
    static const struct usage usage = {
        "user add", "NAME", "Makes a user: a key, a certificate and the rights of a role.",
        "viewer    reads status, telemetry and zones of every device\n"
        "operator  reads their logs too\n"
        "admin     as operator; devices let an admin change settings\n"
        "The names agent and keeper are roles of their own: the agent answers devices in "
        "recovery,\n"
        "the keeper reads everything.\n\n"
        "Files: users/NAME/user.key user.crt ca.crt, user.2.key user.2.crt and so on for further\n"
        "connections; lines in broker/acl. Example:\n"
        "  thimble user add alice --role operator"};
    struct addition addition = {.connections = 1};
    struct words names = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&addition.dir),
        {0, "role", "ROLE", "viewer, operator or admin [viewer]", OPTION_TEXT, &addition.role, 0,
         0},
        {0, "connections", "N", "connections at once, each with a certificate [1]", OPTION_NUMBER,
         &addition.connections, 1, CLIENT_PAPERS_MAX},
        {0, "homeassistant", NULL, "reads the devices' Home Assistant entries", OPTION_FLAG,
         &addition.client.homeassistant, 0, 0},
        {0, "pkcs12", "FILE", "PKCS#12 files too; FILE's first line is the pass phrase",
         OPTION_TEXT, &addition.pass_file, 0, 0},
        {0, "rsa", NULL, "RSA-2048 keys, for programs that know no P-256", OPTION_FLAG,
         &addition.client.rsa, 0, 0},
        {0, "replace", NULL, "revoke what the name has, and give it new keys", OPTION_FLAG,
         &addition.client.replace, 0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    int code =
        options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &names);
    if (code != OPTION_GO_ON)
        return code;
    code = check(&addition, &names);
    return code == EXIT_OK ? add_in(&addition, names.at[0]) : code;
}

static int user_list(int argc, char **argv)
{
    static const struct usage usage = {"user list", "", "Lists the users.", NULL};
    return client_list(&usage, "user", argc, argv);
}

static int user_show(int argc, char **argv)
{
    static const struct usage usage = {"user show", "NAME", "Shows a user and its certificates.",
                                       NULL};
    return client_show(&usage, "user", argc, argv);
}

static int user_revoke(int argc, char **argv)
{
    static const struct usage usage = {
        "user revoke", "NAME", "Locks a user out: rights, certificates, passwords, connections.",
        "Run on the broker's machine. Rights go first, then every connection and session of each\n"
        "of the user's names; then it tries to get in. Run again, it finishes what was cut off.\n"
        "Only new certificates bring the name back: thimble user add NAME --replace"};
    return revoke_run(&usage, "user", argc, argv);
}

int user_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"add", user_add, "makes a user and its certificate"},
        {"list", user_list, "lists them"},
        {"show", user_show, "shows one and its certificates"},
        {"revoke", user_revoke, "takes certificates and rights away"},
    };
    return commands_run("user", verbs, 4, argc, argv);
}
