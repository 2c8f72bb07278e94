/* SPDX-License-Identifier: MIT */
#include "client_files.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "exits.h"
#include "names.h"
#include "term.h"

int client_check_name(const char *kind, const char *name)
{
    const char *fault = names_fault(name);
    if (!fault)
        return OPTION_GO_ON;
    return fail(EXIT_INPUT,
                "'%s' cannot be the name of a %s: %s\n"
                "choose a name of a-z, 0-9, '_' and '-', for example %s",
                name, kind, fault, strcmp(kind, "device") == 0 ? "lamp-2" : "alice");
}

static struct path path_in(const struct home *home, const char *kind, const char *name,
                           const char *file)
{
    return path_of("%s/%ss/%s%s%s", home->dir, kind, name, file ? "/" : "", file ? file : "");
}

static struct path kind_path(const struct home *home, const char *kind, const char *name,
                             const char *ending)
{
    return path_of("%s/%ss/%s/%s.%s", home->dir, kind, name, kind, ending);
}

struct path client_path(const struct home *home, const struct client *client, const char *file)
{
    return path_in(home, client->kind, client->name, file);
}

/* ---- what the device does ---- */

static int make_key(const char *path, EVP_PKEY **key)
{
    if (files_exist(path))
        return x509_read_key(path, key);
    *key = x509_key_new();
    if (!*key)
        return fail(EXIT_FAILED, "cannot make a P-256 key: %s\ncheck libcrypto", x509_error());
    return x509_write_key(path, *key, FILES_NEW);
}

static int make_request(struct home *home, const struct client *client)
{
    struct path folder = path_of("%s/%ss", home->dir, client->kind);
    struct path own = client_path(home, client, NULL);
    struct path key_path = kind_path(home, client->kind, client->name, "key");
    struct path csr_path = kind_path(home, client->kind, client->name, "csr");
    int code = files_directory(folder.text);
    if (code == EXIT_OK)
        code = files_directory(own.text);
    EVP_PKEY *key = NULL;
    if (code == EXIT_OK)
        code = make_key(key_path.text, &key);
    if (code != EXIT_OK)
        return code;
    X509_REQ *request = x509_request(key, client->name);
    code = request ? x509_write_request(csr_path.text, request, FILES_REPLACE)
                   : fail(EXIT_FAILED, "cannot make a request: %s\ncheck libcrypto", x509_error());
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return code;
}

/* ---- what the authority does ---- */

static int checked_request(struct home *home, const struct client *client, X509_REQ **request)
{
    struct path path = kind_path(home, client->kind, client->name, "csr");
    int code = x509_read_request(path.text, request);
    if (code != EXIT_OK)
        return code;
    const char *fault = x509_request_fault(*request, client->name);
    if (!fault)
        return EXIT_OK;
    return fail(EXIT_INPUT, "%s is refused: %s\nmake the request again, with the device's own key",
                path.text, fault);
}

static X509 *sign(const struct client *client, X509_REQ *request, const struct home_issuer *issuer)
{
    int64_t now = time(NULL), end = now + client->days * HOME_DAY_S;
    int64_t issuer_end = x509_not_after(issuer->certificate);
    return x509_issue(&(struct x509_order){
        .kind = X509_CLIENT,
        .common_name = client->name,
        .key = X509_REQ_get0_pubkey(request),
        .issuer = issuer->certificate,
        .issuer_key = issuer->key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = end < issuer_end ? end : issuer_end,
    });
}

static int issue(struct home *home, const struct client *client, X509_REQ *request, X509 **out)
{
    struct home_issuer issuer;
    int code = home_issuer(home, REGISTRY_DEVICE, &issuer);
    if (code != EXIT_OK)
        return code;
    *out = sign(client, request, &issuer);
    home_issuer_free(&issuer);
    if (!*out)
        return fail(EXIT_FAILED, "cannot sign the certificate: %s\ncheck libcrypto", x509_error());
    code = registry_principal_add(&home->registry, client->name, client->kind,
                                  client->role ? client->role : "");
    if (code == EXIT_OK)
        code = registry_certificate_add(&home->registry, REGISTRY_DEVICE, client->certificate_kind,
                                        client->name, *out);
    return code == EXIT_OK ? registry_event(&home->registry, "issue", client->name) : code;
}

static int taken_by(const struct client *client, const struct registry_principal *taken)
{
    char date[24];
    return fail(EXIT_EXISTS,
                "the name '%s' was given to a %s on %s; nothing was changed\n"
                "thimble %s list, and choose another name",
                client->name, taken->kind, term_date(taken->created_s, date), taken->kind);
}

static bool is_complete(const struct home *home, const struct client *client,
                        const struct registry_principal *taken)
{
    return strcmp(taken->kind, client->kind) != 0 ||
           files_exist(kind_path(home, client->kind, client->name, "crt").text);
}

/* The name is taken, but its certificate's file is missing: an earlier run was cut off, and is
 * finished now if the key is still the one it was issued for. */
static int finish(struct home *home, const struct client *client,
                  const struct registry_principal *taken, X509_REQ *request, X509 **out)
{
    *out = registry_certificate(&home->registry, client->name);
    EVP_PKEY *key = *out ? X509_get0_pubkey(*out) : NULL;
    if (key && EVP_PKEY_eq(key, X509_REQ_get0_pubkey(request)) == 1)
        return EXIT_OK;
    return taken_by(client, taken);
}

static int write_results(struct home *home, const struct client *client, X509 *certificate)
{
    struct path path = kind_path(home, client->kind, client->name, "crt");
    struct path anchors = client_path(home, client, "ca.crt");
    X509 *server = registry_authority(&home->registry, REGISTRY_SERVER);
    int code = server ? x509_write_certificate(anchors.text, server, FILES_REPLACE)
                      : fail(EXIT_MISSING, "there is no server CA\nthimble ca init");
    X509_free(server);
    return code == EXIT_OK ? x509_write_certificate(path.text, certificate, FILES_REPLACE) : code;
}

int client_make(struct home *home, struct client *client)
{
    X509_REQ *request = NULL;
    X509 *certificate = NULL;
    struct registry_principal taken;
    int code = registry_begin(&home->registry);
    bool known = code == EXIT_OK && registry_principal(&home->registry, client->name, &taken);
    if (known && is_complete(home, client, &taken)) /* before anything is made */
        code = taken_by(client, &taken);
    if (code == EXIT_OK)
        code = make_request(home, client);
    if (code == EXIT_OK)
        code = checked_request(home, client, &request);
    if (code == EXIT_OK)
        code = known ? finish(home, client, &taken, request, &certificate)
                     : issue(home, client, request, &certificate);
    if (code == EXIT_OK)
        code = registry_commit(&home->registry);
    else
        registry_rollback(&home->registry);
    if (code == EXIT_OK)
        code = write_results(home, client, certificate);
    if (code == EXIT_OK)
        client->not_after_s = x509_not_after(certificate);
    X509_free(certificate);
    X509_REQ_free(request);
    return code;
}

/* ---- showing ---- */

static void json_row(struct json *json, const struct home *home,
                     const struct registry_principal *row)
{
    json_open(json, NULL, '{');
    json_text(json, "name", row->name);
    if (row->role[0])
        json_text(json, "role", row->role);
    json_text(json, "state", row->state);
    json_number(json, "not_after", row->not_after_s);
    json_text(json, "serial", row->serial);
    json_text(json, "key", kind_path(home, row->kind, row->name, "key").text);
    json_text(json, "certificate", kind_path(home, row->kind, row->name, "crt").text);
    json_text(json, "anchors", path_in(home, row->kind, row->name, "ca.crt").text);
    json_close(json, '}');
}

void client_json(struct json *json, struct home *home, const char *kind, const char *name)
{
    struct registry_principal row;
    if (registry_principal(&home->registry, name, &row) && strcmp(row.kind, kind) == 0)
        json_row(json, home, &row);
}

void client_next(struct home *home, const char *kind, const char *name)
{
    char host[REGISTRY_TEXT_MAX], port[REGISTRY_TEXT_MAX];
    bool device = strcmp(kind, "device") == 0;
    if (!registry_get(&home->registry, "broker.host", host) ||
        !registry_get(&home->registry, device ? "broker.port" : "broker.user_port", port)) {
        say("Next: %sthimble broker init%s", term_out(TERM_CYAN), term_out(TERM_PLAIN));
        return;
    }
    struct path folder = path_in(home, kind, name, NULL);
    say("Next: %smosquitto_%s -h %s -p %s --cafile %s/ca.crt --cert %s/%s.crt --key %s/%s.key -V "
        "mqttv5 -t '%s%s'%s",
        term_out(TERM_CYAN), device ? "pub" : "sub", host, port, folder.text, folder.text, kind,
        folder.text, kind, device ? name : "+", device ? "/status' -m 'hello" : "/status",
        term_out(TERM_PLAIN));
}

struct listing {
    const struct home *home;
    struct json json;
    size_t count;
};

static bool list_row(void *user, const struct registry_principal *row)
{
    struct listing *listing = user;
    char end[24];
    listing->count++;
    if (term.json) {
        json_row(&listing->json, listing->home, row);
        return true;
    }
    if (listing->count == 1)
        say("%s%-32s %-9s %-8s %s%s", term_out(TERM_BOLD), "name", "role", "state",
            "certificate ends", term_out(TERM_PLAIN));
    say("%-32s %-9s %-8s %s", row->name, row->role[0] ? row->role : "device", row->state,
        row->not_after_s ? term_date(row->not_after_s, end) : "none");
    return true;
}

int client_list(const struct usage *usage, const char *kind, int argc, char **argv)
{
    const char *dir = NULL;
    struct words rest = {0};
    const struct option options[] = {OPTION_ROW_DIR(&dir), OPTION_ROW_JSON};
    int code = options_take(usage, options, 2, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    struct home home;
    code = home_open(&home, dir, false);
    if (code != EXIT_OK)
        return code;
    struct listing listing = {.home = &home};
    char array[16];
    snprintf(array, sizeof array, "%ss", kind);
    if (term.json) {
        listing.json = json_begin(stdout);
        json_open(&listing.json, array, '[');
    }
    registry_principals(&home.registry, kind, list_row, &listing);
    if (term.json) {
        json_close(&listing.json, ']');
        json_end(&listing.json);
    } else if (listing.count == 0) {
        say("There are none. Next: thimble %s",
            strcmp(kind, "device") == 0 ? "device enrol lamp" : "user add alice");
    }
    home_close(&home);
    return EXIT_OK;
}
