/* SPDX-License-Identifier: MIT */
#include "client_files.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "exits.h"
#include "mosquitto.h"
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

/* ---- papers: the certificates a client has, each over a key of its own ---- */

struct paper {
    char stem[16]; /* its files are <stem>.key, .csr, .crt */
    char common_name[REGISTRY_NAME_MAX + 12];
    const char *kind; /* as in the registry */
    enum registry_authority issuer;
    int64_t life_s; /* 0: for life */
};

static bool is_device(const struct client *client)
{
    return strcmp(client->kind, "device") == 0;
}

static int paper_count(const struct client *client)
{
    return is_device(client) ? 2 : client->connections;
}

static struct paper paper_of(const struct client *client, int at)
{
    struct paper paper = {
        .kind = is_device(client) ? "ldevid" : "user",
        .issuer = REGISTRY_DEVICE,
        .life_s = client->days * HOME_DAY_S,
    };
    bool birth = is_device(client) && at == 1;
    if (birth) {
        paper.kind = "idevid";
        paper.issuer = REGISTRY_IDEVID;
        paper.life_s = 0;
        snprintf(paper.stem, sizeof paper.stem, "birth");
        snprintf(paper.common_name, sizeof paper.common_name, "%s.birth", client->name);
    } else if (at == 0) {
        snprintf(paper.stem, sizeof paper.stem, "%s", client->kind);
        snprintf(paper.common_name, sizeof paper.common_name, "%s", client->name);
    } else {
        snprintf(paper.stem, sizeof paper.stem, "%s.%d", client->kind, at + 1);
        snprintf(paper.common_name, sizeof paper.common_name, "%s.%d", client->name, at + 1);
    }
    return paper;
}

static struct path paper_path(const struct home *home, const struct client *client,
                              const struct paper *paper, const char *ending)
{
    return path_of("%s/%ss/%s/%s.%s", home->dir, client->kind, client->name, paper->stem, ending);
}

/* ---- what the device does ---- */

static int make_key(const char *path, bool rsa, EVP_PKEY **key)
{
    if (files_exist(path))
        return x509_read_key(path, key);
    *key = rsa ? x509_key_new_rsa() : x509_key_new();
    if (!*key)
        return fail(EXIT_FAILED, "cannot make a key: %s\ncheck libcrypto", x509_error());
    return x509_write_key(path, *key, FILES_NEW);
}

static int make_request(struct home *home, const struct client *client, const struct paper *paper)
{
    struct path key_path = paper_path(home, client, paper, "key");
    struct path csr_path = paper_path(home, client, paper, "csr");
    EVP_PKEY *key = NULL;
    int code = make_key(key_path.text, client->rsa, &key);
    if (code != EXIT_OK)
        return code;
    X509_REQ *request = x509_request(key, paper->common_name);
    code = request ? x509_write_request(csr_path.text, request, FILES_REPLACE)
                   : fail(EXIT_FAILED, "cannot make a request: %s\ncheck libcrypto", x509_error());
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return code;
}

/* The device has made key and request elsewhere; a copy stays here. */
static int take_request(struct home *home, const struct client *client, const struct paper *paper,
                        const char *file)
{
    X509_REQ *request = NULL;
    int code = x509_read_request(file, &request);
    if (code == EXIT_OK)
        code =
            x509_write_request(paper_path(home, client, paper, "csr").text, request, FILES_REPLACE);
    X509_REQ_free(request);
    return code;
}

/* The requests are those that the name's certificates were issued for. */
static bool is_answered(struct home *home, const struct client *client)
{
    bool same = client->own[0] != NULL;
    for (int i = 0; same && i < paper_count(client); i++) {
        struct paper paper = paper_of(client, i);
        X509 *issued = registry_certificate(&home->registry, paper.common_name);
        same = issued &&
               EVP_PKEY_eq(X509_get0_pubkey(issued), X509_REQ_get0_pubkey(client->own[i])) == 1;
        X509_free(issued);
    }
    return same;
}

static int make_folder(struct home *home, const struct client *client)
{
    struct path folder = path_of("%s/%ss", home->dir, client->kind);
    int code = files_directory(folder.text);
    return code == EXIT_OK ? files_directory(client_path(home, client, NULL).text) : code;
}

/* ---- what the authority does ---- */

static int check_request(struct home *home, const struct client *client, const struct paper *paper,
                         X509_REQ *request)
{
    struct path path = paper_path(home, client, paper, "csr");
    char owner[REGISTRY_NAME_MAX];
    uint8_t pin[32];
    const char *fault = x509_request_fault(request, paper->common_name);
    if (fault)
        return fail(EXIT_INPUT,
                    "%s is refused: %s\nmake the request again, with the device's own key",
                    path.text, fault);
    x509_request_pin(request, pin);
    bool known = registry_key_is_known(&home->registry, pin, paper->common_name, owner);
    if (known && client->own[0])
        return fail(EXIT_INPUT,
                    "the request for %s is refused: its key is the one of %s, for the device's "
                    "life\nlet it ask under that name; or erase its birth key first: "
                    "thimble-device --flash FILE --decommission",
                    paper->common_name, owner);
    if (known)
        return fail(EXIT_INPUT,
                    "%s is refused: its key is the one of %s, and a key has one owner\n"
                    "remove the copied key and run it again",
                    path.text, owner);
    return EXIT_OK;
}

static X509 *sign(const struct paper *paper, X509_REQ *request, const struct home_issuer *issuer)
{
    int64_t now = time(NULL), end = paper->life_s ? now + paper->life_s : X509_FOR_LIFE;
    int64_t issuer_end = x509_not_after(issuer->certificate);
    return x509_issue(&(struct x509_order){
        .kind = X509_CLIENT,
        .common_name = paper->common_name,
        .key = X509_REQ_get0_pubkey(request),
        .issuer = issuer->certificate,
        .issuer_key = issuer->key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = end < issuer_end ? end : issuer_end,
    });
}

static int issue(struct home *home, const struct client *client, const struct paper *paper,
                 X509_REQ *request, X509 **out)
{
    struct home_issuer issuer;
    int code = home_issuer(home, paper->issuer, &issuer);
    if (code != EXIT_OK)
        return code;
    *out = sign(paper, request, &issuer);
    home_issuer_free(&issuer);
    if (!*out)
        return fail(EXIT_FAILED, "cannot sign the certificate: %s\ncheck libcrypto", x509_error());
    code =
        registry_certificate_add(&home->registry, paper->issuer, paper->kind, client->name, *out);
    return code == EXIT_OK ? registry_event(&home->registry, "issue", paper->common_name) : code;
}

static int taken_by(const struct client *client, const struct registry_principal *taken)
{
    char date[24];
    return fail(EXIT_EXISTS,
                "the name '%s' was given to a %s on %s; nothing was changed\n"
                "thimble %s list, and choose another name%s",
                client->name, taken->kind, term_date(taken->created_s, date), taken->kind,
                client->own[0] && strcmp(taken->kind, client->kind) == 0
                    ? "; or --replace, if it is that device after a reset"
                    : "");
}

static bool is_complete(const struct home *home, const struct client *client,
                        const struct registry_principal *taken)
{
    if (strcmp(taken->kind, client->kind) != 0 || strcmp(taken->state, "active") != 0)
        return true;
    for (int i = 0; i < paper_count(client); i++) {
        struct paper paper = paper_of(client, i);
        if (!files_exist(paper_path(home, client, &paper, "crt").text) ||
            (client->pkcs12_pass && !files_exist(paper_path(home, client, &paper, "p12").text)))
            return false;
    }
    return true;
}

/* The name is taken, but a certificate's file is missing: an earlier run was cut off, and is
 * finished now if the key is still the one it was issued for. */
static int finish(struct home *home, const struct client *client, const struct paper *paper,
                  const struct registry_principal *taken, X509_REQ *request, X509 **out)
{
    *out = registry_certificate(&home->registry, paper->common_name);
    EVP_PKEY *key = *out ? X509_get0_pubkey(*out) : NULL;
    if (key && EVP_PKEY_eq(key, X509_REQ_get0_pubkey(request)) == 1)
        return EXIT_OK;
    return taken_by(client, taken);
}

static int write_results(struct home *home, const struct client *client,
                         X509 *const certificates[CLIENT_PAPERS_MAX])
{
    int code = home_write_anchors(home, REGISTRY_SERVER, client_path(home, client, "ca.crt").text);
    for (int i = 0; code == EXIT_OK && i < paper_count(client); i++) {
        struct paper paper = paper_of(client, i);
        code = x509_write_certificate(paper_path(home, client, &paper, "crt").text, certificates[i],
                                      FILES_REPLACE);
    }
    return code;
}

/* For programs that take nothing else: <stem>.p12 beside each key. */
static int write_pkcs12(struct home *home, const struct client *client,
                        X509 *const certificates[CLIENT_PAPERS_MAX])
{
    int code = EXIT_OK;
    X509 *issuer = registry_authority(&home->registry, REGISTRY_DEVICE);
    for (int i = 0; code == EXIT_OK && i < paper_count(client); i++) {
        struct paper paper = paper_of(client, i);
        EVP_PKEY *key = NULL;
        code = x509_read_key(paper_path(home, client, &paper, "key").text, &key);
        if (code == EXIT_OK)
            code = x509_write_pkcs12(paper_path(home, client, &paper, "p12").text,
                                     client->pkcs12_pass, key, certificates[i], issuer);
        EVP_PKEY_free(key);
    }
    X509_free(issuer);
    return code;
}

static int add_name(struct home *home, const struct client *client)
{
    struct registry_principal row = {.connections = is_device(client) ? 1 : client->connections,
                                     .homeassistant = client->homeassistant};
    snprintf(row.name, sizeof row.name, "%s", client->name);
    snprintf(row.kind, sizeof row.kind, "%s", client->kind);
    snprintf(row.role, sizeof row.role, "%s", client->role ? client->role : "");
    return registry_principal_add(&home->registry, &row);
}

static int make_paper(struct home *home, const struct client *client, int at,
                      const struct registry_principal *taken, X509 **out)
{
    struct paper paper = paper_of(client, at);
    X509_REQ *request = NULL;
    const char *file = is_device(client) ? client->requests[at] : NULL;
    X509_REQ *own = is_device(client) ? client->own[at] : NULL;
    int code =
        own ? x509_write_request(paper_path(home, client, &paper, "csr").text, own, FILES_REPLACE)
        : file ? take_request(home, client, &paper, file)
               : make_request(home, client, &paper);
    if (code == EXIT_OK)
        code = x509_read_request(paper_path(home, client, &paper, "csr").text, &request);
    if (code == EXIT_OK)
        code = check_request(home, client, &paper, request);
    if (code == EXIT_OK)
        code = taken ? finish(home, client, &paper, taken, request, out)
                     : issue(home, client, &paper, request, out);
    X509_REQ_free(request);
    return code;
}

/* The old keys go first: killed here, a run with --replace again finishes. */
static int clear_for_new(struct home *home, const struct client *client)
{
    static const char *const endings[] = {"crt", "csr", "key"};
    for (int i = 0; i < paper_count(client); i++) {
        struct paper paper = paper_of(client, i);
        for (int j = 0; j < 3; j++)
            remove(paper_path(home, client, &paper, endings[j]).text);
    }
    int code = registry_revoke_principal(&home->registry, client->name, "replaced");
    if (code == EXIT_OK)
        code = registry_principal_restore(&home->registry, client->name);
    return code == EXIT_OK ? registry_event(&home->registry, "replace", client->name) : code;
}

/* Inside one transaction. */
static int make_papers(struct home *home, struct client *client,
                       X509 *certificates[CLIENT_PAPERS_MAX])
{
    struct registry_principal taken;
    int code = EXIT_OK;
    bool known = registry_principal(&home->registry, client->name, &taken);
    bool replace = known && client->replace && strcmp(taken.kind, client->kind) == 0;
    if (known)
        client->connections = taken.connections;
    client->again = known && strcmp(taken.state, "active") == 0 &&
                    strcmp(taken.kind, client->kind) == 0 && is_answered(home, client);
    if (client->again)
        replace = false; /* that is what the name has: a run that was cut off goes on */
    if (replace)
        code = clear_for_new(home, client);
    else if (known && !client->again && is_complete(home, client, &taken))
        return taken_by(client, &taken); /* before anything is made */
    if (code == EXIT_OK)
        code = make_folder(home, client);
    if (code == EXIT_OK && !known)
        code = add_name(home, client);
    const struct registry_principal *unfinished = known && !replace ? &taken : NULL;
    for (int i = 0; code == EXIT_OK && i < paper_count(client); i++)
        code = make_paper(home, client, i, unfinished, &certificates[i]);
    return code;
}

int client_make(struct home *home, struct client *client)
{
    X509 *certificates[CLIENT_PAPERS_MAX] = {NULL};
    int code = registry_begin(&home->registry);
    if (code == EXIT_OK)
        code = make_papers(home, client, certificates);
    if (code == EXIT_OK)
        code = registry_commit(&home->registry);
    else
        registry_rollback(&home->registry);
    if (code == EXIT_OK)
        code = write_results(home, client, certificates);
    if (code == EXIT_OK && client->pkcs12_pass)
        code = write_pkcs12(home, client, certificates);
    if (code == EXIT_OK)
        client->not_after_s = x509_not_after(certificates[0]);
    for (int i = 0; i < CLIENT_PAPERS_MAX; i++)
        X509_free(certificates[i]);
    return code;
}

int client_told(struct home *home, const struct client *client, int code)
{
    if (code != EXIT_OK && code != EXIT_EXISTS)
        return code;
    int told = client->replace ? mosquitto_revoked(home) : mosquitto_rights_changed(home);
    return code == EXIT_OK ? told : code;
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
    struct path key = kind_path(home, row->kind, row->name, "key");
    if (files_exist(key.text)) /* else the device alone has it */
        json_text(json, "key", key.text);
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
        say("Next: %sthimble broker init%s%s", term_out(TERM_CYAN), home->flag,
            term_out(TERM_PLAIN));
        return;
    }
    if (mosquitto_one_way(home)) {
        say("This broker asks for passwords. Next: %sthimble broker password %s%s%s",
            term_out(TERM_CYAN), name, home->flag, term_out(TERM_PLAIN));
        return;
    }
    struct path folder = path_in(home, kind, name, NULL);
    if (device)
        say("Next: %sthimble pub --as %s%s -t %s/status -m hello%s", term_out(TERM_CYAN), name,
            home->flag, name, term_out(TERM_PLAIN));
    else
        say("Next: %sthimble sub --as %s%s -t '+/status' -v%s", term_out(TERM_CYAN), name,
            home->flag, term_out(TERM_PLAIN));
    const char *quote = term_quote(folder.text);
    say("Any other MQTT client joins with the same files:\n"
        "  %smosquitto_sub -h %s -p %s --cafile %s%s/ca.crt%s --cert %s%s/%s.crt%s "
        "--key %s%s/%s.key%s -t '%s%s'%s",
        term_out(TERM_CYAN), host, port, quote, folder.text, quote, quote, folder.text, kind, quote,
        quote, folder.text, kind, quote, device ? name : "+", device ? "/from/#" : "/status",
        term_out(TERM_PLAIN));
}

struct listing {
    const struct home *home;
    struct json json;
    size_t count;
    int64_t before_s; /* only whose certificate ends before; 0: all */
};

static bool list_row(void *user, const struct registry_principal *row)
{
    struct listing *listing = user;
    char end[24];
    if (listing->before_s &&
        (strcmp(row->state, "active") != 0 || row->not_after_s >= listing->before_s))
        return true;
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

/* "60d" or "60" */
static bool days_of(const char *text, long *days)
{
    char number[8];
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == 'd')
        len--;
    if (len == 0 || len >= sizeof number)
        return false;
    memcpy(number, text, len);
    number[len] = '\0';
    return options_number(number, 0, 36500, days);
}

int client_list(const struct usage *usage, const char *kind, int argc, char **argv)
{
    const char *dir = NULL, *expiring = NULL;
    struct words rest = {0};
    long days = 0;
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "expiring", "DAYS", "only those whose certificate ends within, for example 60d",
         OPTION_TEXT, &expiring, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(usage, options, 3, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (expiring && !days_of(expiring, &days))
        return fail(EXIT_USAGE, "--expiring takes days, not '%s'\nthimble %s list --expiring 60d",
                    expiring, kind);
    struct home home;
    code = home_open(&home, dir, false);
    if (code != EXIT_OK)
        return code;
    struct listing listing = {.home = &home};
    if (expiring)
        listing.before_s = time(NULL) + days * HOME_DAY_S;
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
    } else if (listing.count == 0 && expiring) {
        say("None ends within %ld days.", days);
    } else if (listing.count == 0) {
        say("There are none. Next: thimble %s",
            strcmp(kind, "device") == 0 ? "device enrol lamp" : "user add alice");
    }
    home_close(&home);
    return EXIT_OK;
}
