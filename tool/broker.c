/* SPDX-License-Identifier: MIT */
/* thimble broker init: everything mosquitto needs, in one directory. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "broker_again.h"
#include "broker_agent.h"
#include "broker_export.h"
#include "broker_run.h"
#include "commands.h"
#include "exits.h"
#include "home.h"
#include "hosts.h"
#include "json.h"
#include "key_pass.h"
#include "lint.h"
#include "mosquitto.h"
#include "mosquitto_program.h"
#include "names.h"
#include "options.h"
#include "password.h"
#include "process.h"
#include "prove.h"
#include "term.h"

#define SERVER_DAYS 365

struct broker {
    struct hosts hosts;
    struct words given; /* --host */
    struct mosquitto_plan plan;
    const char *version, *plugins; /* as given */
    bool replace, no_proof;
};

/* The key stays when the rest is replaced: pins on it stay good. */
static int server_key(struct home *home, EVP_PKEY **key)
{
    struct path path = home_path(home, "broker/server.key");
    if (files_exist(path.text))
        return x509_read_key(path.text, key);
    char kind[REGISTRY_TEXT_MAX];
    bool rsa = registry_get(&home->registry, "ca.key", kind) && strcmp(kind, "rsa") == 0;
    *key = rsa ? x509_key_new_rsa() : x509_key_new();
    if (!*key)
        return fail(EXIT_FAILED, "cannot make a key: %s\ncheck libcrypto", x509_error());
    return x509_write_key(path.text, *key, FILES_NEW);
}

static X509 *server_certificate(const struct broker *broker, EVP_PKEY *key,
                                const struct home_issuer *issuer)
{
    const char *hosts[HOSTS_MAX] = {NULL};
    for (size_t i = 0; i < broker->hosts.count; i++)
        hosts[i] = broker->hosts.at[i];
    int64_t now = time(NULL), end = now + SERVER_DAYS * HOME_DAY_S;
    int64_t issuer_end = x509_not_after(issuer->certificate);
    char common_name[65]; /* the longest RFC 5280 allows; nothing of ours reads it */
    snprintf(common_name, sizeof common_name, "%.64s", broker->hosts.at[0]);
    return x509_issue(&(struct x509_order){
        .kind = X509_SERVER,
        .common_name = common_name,
        .key = key,
        .issuer = issuer->certificate,
        .issuer_key = issuer->key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = end < issuer_end ? end : issuer_end,
        .hosts = hosts,
        .host_count = broker->hosts.count,
    });
}

static int make_certificate(struct home *home, const struct broker *broker)
{
    struct home_issuer issuer;
    EVP_PKEY *key = NULL;
    int code = home_issuer(home, REGISTRY_SERVER, &issuer);
    if (code == EXIT_OK)
        code = server_key(home, &key);
    X509 *certificate = code == EXIT_OK ? server_certificate(broker, key, &issuer) : NULL;
    if (code == EXIT_OK && !certificate)
        code = fail(EXIT_FAILED, "cannot make the server's certificate: %s\ncheck libcrypto",
                    x509_error());
    if (code == EXIT_OK)
        code =
            registry_certificate_add(&home->registry, REGISTRY_SERVER, "server", NULL, certificate);
    if (code == EXIT_OK)
        code = x509_write_certificate(home_path(home, "broker/server.crt").text, certificate,
                                      FILES_REPLACE);
    X509_free(certificate);
    EVP_PKEY_free(key);
    home_issuer_free(&issuer);
    return code;
}

static int write_anchors(struct home *home)
{
    static const enum registry_authority which[] = {REGISTRY_DEVICE, REGISTRY_IDEVID};
    static const char *const files[] = {"broker/clients-ca.crt", "broker/recovery-ca.crt"};
    int code = EXIT_OK;
    for (int i = 0; code == EXIT_OK && i < 2; i++)
        code = home_write_anchors(home, which[i], home_path(home, files[i]).text);
    return code;
}

static int keep_settings(struct home *home, const struct broker *broker)
{
    const struct mosquitto_plan *plan = &broker->plan;
    const struct {
        const char *name;
        long port;
    } ports[] = {
        {"broker.port", plan->port},
        {"broker.user_port", plan->user_port},
        {"broker.recovery_port", plan->recovery_port},
        {"broker.plaintext_port", plan->plaintext_port},
    };
    int code = registry_set(&home->registry, "broker.host", broker->hosts.at[0]);
    if (code == EXIT_OK)
        code =
            registry_set(&home->registry, "broker.profile", plan->one_way ? "one-way" : "mutual");
    for (size_t i = 0; code == EXIT_OK && i < sizeof ports / sizeof ports[0]; i++) {
        char port[8];
        snprintf(port, sizeof port, "%ld", ports[i].port);
        code = registry_set(&home->registry, ports[i].name, port);
    }
    if (code == EXIT_OK)
        code = broker_again_keep(&home->registry, plan, &broker->given);
    return code == EXIT_OK ? registry_event(&home->registry, "broker init", broker->hosts.at[0])
                           : code;
}

/* mosquitto.conf is written last: a run that was cut off before it counts as not done. */
static int make_all(struct home *home, const struct broker *broker)
{
    struct path configuration = home_path(home, "broker/mosquitto.conf");
    if (files_exist(configuration.text) && !broker->replace)
        return fail(EXIT_EXISTS,
                    "%s exists already and was left as it is\n"
                    "thimble broker init --replace (the server's key is kept)",
                    configuration.text);
    int code = files_directory(home_path(home, "broker").text);
    if (code == EXIT_OK)
        code = files_directory(home_path(home, "broker/data").text);
    if (code == EXIT_OK)
        code = make_certificate(home, broker);
    if (code == EXIT_OK)
        code = write_anchors(home);
    if (code == EXIT_OK)
        code = mosquitto_write_crl(home);
    if (code == EXIT_OK)
        code = mosquitto_write_acl(home);
    if (code == EXIT_OK)
        code = mosquitto_write_passwords(home);
    if (code == EXIT_OK)
        code = broker_write_unit(home);
    if (code == EXIT_OK && !broker->plan.one_way)
        code = agent_write_unit(home);
    if (code == EXIT_OK)
        code = keep_settings(home, broker);
    return code == EXIT_OK ? mosquitto_write_configuration(home, &broker->plan) : code;
}

/* ---- showing ---- */

static void show_files(const struct home *home, const struct mosquitto_plan *plan)
{
    say("Files:");
    say_file(home_path(home, "broker/mosquitto.conf").text, "what mosquitto is started with");
    say_file(home_path(home, "broker/acl").text, "who may do what");
    if (plan->one_way || plan->plaintext_port)
        say_file(home_path(home, "broker/passwords").text, "hashes of the passwords");
    say_file(home_path(home, "broker/server.crt").text, "its certificate, valid for a year");
    say_file(home_path(home, "broker/server.key").text, "its private key");
    say_file(home_path(home, "broker/systemd.conf").text, "a drop-in for systemd, if you want it");
    if (!plan->one_way)
        say_file(home_path(home, "broker/agent.service").text, "a unit for the agent");
    if (plan->one_way) {
        say_file(home_path(home, "ca/server.crt").text, "what clients know it by");
        return;
    }
    say_file(home_path(home, "broker/clients-ca.crt").text, "what it knows clients by");
    say_file(home_path(home, "broker/clients.crl").text, "revoked certificates");
    say_file(home_path(home, "broker/recovery-ca.crt").text, "the same for recovery,");
    say_file(home_path(home, "broker/recovery.crl").text, "by birth certificates alone");
}

static void show_text(const struct home *home, const struct broker *broker)
{
    const struct mosquitto_plan *plan = &broker->plan;
    say("%sThe broker is set up%s for devices on port %ld and users on port %ld%s. Its certificate "
        "names:",
        term_out(TERM_BOLD), term_out(TERM_PLAIN), plan->port, plan->user_port,
        plan->one_way ? ", with passwords" : "");
    for (size_t i = 0; i < broker->hosts.count; i++)
        say("  %s", broker->hosts.at[i]);
    show_files(home, plan);
    say("Next: %sthimble broker run%s%s, then %sthimble %s%s%s", term_out(TERM_CYAN), home->flag,
        term_out(TERM_PLAIN), term_out(TERM_CYAN),
        plan->one_way ? "broker password lamp --device" : "device enrol lamp", home->flag,
        term_out(TERM_PLAIN));
}

static void show_json(const struct home *home, const struct broker *broker)
{
    struct json json = json_begin(stdout);
    json_text(&json, "configuration", home_path(home, "broker/mosquitto.conf").text);
    json_text(&json, "acl", home_path(home, "broker/acl").text);
    json_text(&json, "certificate", home_path(home, "broker/server.crt").text);
    json_text(&json, "key", home_path(home, "broker/server.key").text);
    json_text(&json, "crl", home_path(home, "broker/clients.crl").text);
    json_number(&json, "port", broker->plan.port);
    json_number(&json, "user_port", broker->plan.user_port);
    json_number(&json, "recovery_port", broker->plan.recovery_port);
    if (broker->plan.websocket_port)
        json_number(&json, "websocket_port", broker->plan.websocket_port);
    if (broker->plan.plaintext_port)
        json_number(&json, "plaintext_port", broker->plan.plaintext_port);
    json_text(&json, "profile", broker->plan.one_way ? "one-way" : "mutual");
    json_open(&json, "hosts", '[');
    for (size_t i = 0; i < broker->hosts.count; i++)
        json_text(&json, NULL, broker->hosts.at[i]);
    json_close(&json, ']');
    json_end(&json);
}

/* ---- init ---- */

static int take_hosts(const struct words *given, struct hosts *hosts)
{
    for (size_t i = 0; i < given->count; i++) {
        const char *fault = names_host_fault(given->at[i]);
        if (fault)
            return fail(EXIT_INPUT,
                        "'%s' cannot stand in a certificate: %s\n"
                        "give a name such as broker.example or an IP address",
                        given->at[i], fault);
        hosts_add(hosts, given->at[i]);
        if (!hosts_resolve(given->at[i]))
            warn("'%s' has no address here; nobody finds the broker by a name that no name server "
                 "knows\nmake it known, or use an address: thimble broker init --host 192.0.2.7",
                 given->at[i]);
    }
    hosts_of_this_machine(hosts);
    return EXIT_OK;
}

static int check_ports(const struct mosquitto_plan *plan)
{
    const long all[] = {plan->port, plan->user_port, plan->recovery_port, plan->websocket_port,
                        plan->plaintext_port};
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) {
            if (all[i] && all[i] == all[j])
                return fail(EXIT_USAGE,
                            "each listener needs a port of its own, not %ld twice\n"
                            "thimble broker init --port 8883 --user-port 8884 --recovery-port 8885",
                            all[i]);
        }
    }
    return EXIT_OK;
}

static int check(const struct broker *broker, const struct words *rest)
{
    uint8_t address[16];
    const char *bind = broker->plan.bind, *version = broker->version;
    if (rest->count)
        return fail(EXIT_USAGE, "broker init takes no '%s'\nthimble broker init --host %s",
                    rest->at[0], rest->at[0]);
    if (bind && inet_pton(AF_INET, bind, address) != 1 && inet_pton(AF_INET6, bind, address) != 1)
        return fail(EXIT_USAGE,
                    "--bind takes an IP address, not '%s'\n"
                    "thimble broker init --bind 127.0.0.1",
                    bind);
    if (version && strcmp(version, "2.0") != 0 && strcmp(version, "2.1") != 0)
        return fail(EXIT_USAGE,
                    "--mosquitto is 2.0 or 2.1, not '%s'\nleave it out for the one installed",
                    version);
    if (broker->plugins && (*broker->plugins != '/' || strpbrk(broker->plugins, "\r\n") ||
                            strlen(broker->plugins) >= MOSQUITTO_TEXT_MAX))
        return fail(EXIT_USAGE, "--plugins takes the full path of a directory\n"
                                "thimble broker init --plugins /usr/local/lib");
    return check_ports(&broker->plan);
}

/* For which mosquitto the files are: the one installed, unless told. */
static int choose_version(struct broker *broker)
{
    struct mosquitto_version version = {.major = 2};
    bool ask = !broker->no_proof || !broker->version;
    char program[256];
    if (broker->no_proof && !process_find("mosquitto", program, sizeof program))
        ask = false;
    int code = ask ? mosquitto_version(&version) : EXIT_OK;
    if (code != EXIT_OK)
        return code;
    bool newer = broker->version ? strcmp(broker->version, "2.1") == 0
                                 : version.major > 2 || version.minor > 0;
    if (broker->plan.websocket_port && !broker->plan.one_way && version.major == 2 &&
        version.minor == 0 && ask)
        warn("mosquitto %s does not heed the revocation list over WebSocket: whoever is revoked "
             "gets "
             "in there, without rights\n"
             "use mosquitto 2.1, or leave --websockets out",
             version.text);
    char *into = broker->plan.plugins;
    if (newer && broker->plugins)
        snprintf(into, MOSQUITTO_TEXT_MAX, "%s", broker->plugins);
    else if (newer && !mosquitto_plugins(into, MOSQUITTO_TEXT_MAX))
        warn("the plugins of mosquitto 2.1 are not where they usually are; its acl_file, which it "
             "calls deprecated, does the same\n"
             "thimble broker init --replace --plugins DIR, where mosquitto_acl_file.so is");
    return EXIT_OK;
}

/* `broker run` will say it as well, but then the certificates are made. */
static void warn_of_ports(const struct home *home, const struct mosquitto_plan *plan)
{
    const long all[] = {plan->port, plan->user_port, plan->recovery_port, plan->websocket_port,
                        plan->plaintext_port};
    for (int i = 0; i < 5 && mosquitto_running(home) == 0; i++) {
        if (all[i] && process_listens((uint16_t)all[i]))
            warn("port %ld is in use by another program now\n"
                 "end it before thimble broker run, or choose another port with --replace",
                 all[i]);
    }
}

static int init_in(const char *dir, const struct broker *broker)
{
    struct home home;
    int code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK)
        warn_of_ports(&home, &broker->plan);
    if (code == EXIT_OK)
        code = registry_begin(&home.registry);
    if (code == EXIT_OK)
        code = make_all(&home, broker);
    if (code == EXIT_OK)
        code = registry_commit(&home.registry);
    if (code == EXIT_OK && term.json)
        show_json(&home, broker);
    else if (code == EXIT_OK)
        show_text(&home, broker);
    if (code == EXIT_OK && !broker->no_proof)
        code = prove_broker(&home, true, NULL);
    if (code == EXIT_OK && mosquitto_running(&home) > 0)
        warn("the running broker still has its old configuration\n"
             "end `thimble broker run` and start it again");
    home_close(&home);
    return code;
}

static size_t listener_options(struct option *options, struct mosquitto_plan *plan)
{
    const struct option rows[] = {
        {'p', "port", "PORT", "for devices [8883]", OPTION_NUMBER, &plan->port, 1, 65535},
        {0, "user-port", "PORT", "for users [8884]", OPTION_NUMBER, &plan->user_port, 1, 65535},
        {0, "recovery-port", "PORT", "for devices in recovery [8885]; 0 for none", OPTION_NUMBER,
         &plan->recovery_port, 0, 65535},
        {0, "websockets", "PORT", "for users over WebSocket [none]", OPTION_NUMBER,
         &plan->websocket_port, 1, 65535},
        {0, "plaintext-loopback", "PORT", "without TLS, with passwords, on 127.0.0.1 [none]",
         OPTION_NUMBER, &plan->plaintext_port, 1, 65535},
        {0, "bind", "ADDRESS", "listen on this address alone", OPTION_TEXT, &plan->bind, 0, 0},
        {0, "one-way", NULL, "passwords over TLS instead of certificates", OPTION_FLAG,
         &plan->one_way, 0, 0},
        {0, "connections", "N", "at once, for each listener [10000]", OPTION_NUMBER,
         &plan->connections, 1, 1000000},
        {0, "packet", "BYTES", "the largest, with topic and payload [4194304]", OPTION_NUMBER,
         &plan->packet, 1024, 268435455},
        {0, "queue", "N", "messages kept for a client that is away or slow [1000]", OPTION_NUMBER,
         &plan->queue, 1, 1000000000},
        {0, "queue-bytes", "BYTES", "and at most so many bytes of them [67108864]", OPTION_NUMBER,
         &plan->queue_bytes, 1, 1000000000000},
        {0, "save", "SECONDS", "how often sessions go to the disk [60]; 0: never", OPTION_NUMBER,
         &plan->save_s, 0, 86400},
    };
    return options_append(options, 0, rows, sizeof rows / sizeof rows[0]);
}

static bool is_same(const struct mosquitto_plan *a, const struct mosquitto_plan *b)
{
    return a->port == b->port && a->user_port == b->user_port &&
           a->recovery_port == b->recovery_port && a->websocket_port == b->websocket_port &&
           a->plaintext_port == b->plaintext_port && a->bind == b->bind &&
           a->one_way == b->one_way && a->connections == b->connections && a->packet == b->packet &&
           a->queue == b->queue && a->queue_bytes == b->queue_bytes && a->save_s == b->save_s;
}

static int broker_init(int argc, char **argv)
{
    static const struct usage usage = {
        "broker init", "", "Sets mosquitto up so that only your devices and users can use it.",
        "Files: broker/mosquitto.conf acl passwords server.crt server.key clients-ca.crt\n"
        "clients.crl recovery-ca.crt recovery.crl systemd.conf agent.service data/\n"
        "It is then tried out, as by `thimble broker prove`.\n"
        "The certificate holds every name and address of this machine besides --host. Example:\n"
        "  thimble broker init --host broker.example --host 192.0.2.7"};
    static const struct mosquitto_plan usual = {.port = 8883,
                                                .user_port = 8884,
                                                .recovery_port = 8885,
                                                .connections = 10000,
                                                .packet = 4194304,
                                                .queue = 1000,
                                                .queue_bytes = 67108864,
                                                .save_s = 60};
    struct broker broker = {.plan = usual};
    struct broker_again again;
    const char *dir = NULL;
    struct words rest = {0};
    const struct option own[] = {
        OPTION_ROW_DIR(&dir),
        {0, "host", "NAME", "a name or address devices reach it by; again for more", OPTION_LIST,
         &broker.given, 0, 0},
        {0, "mosquitto", "VERSION", "2.0 or 2.1 [the one installed]", OPTION_TEXT, &broker.version,
         0, 0},
        {0, "plugins", "DIR", "where mosquitto 2.1 has mosquitto_acl_file.so", OPTION_TEXT,
         &broker.plugins, 0, 0},
        {0, "replace", NULL, "replace an earlier configuration; alone: with its options",
         OPTION_FLAG, &broker.replace, 0, 0},
        {0, "no-proof", NULL, "do not try it out", OPTION_FLAG, &broker.no_proof, 0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    struct option options[24];
    size_t count = listener_options(options, &broker.plan);
    count = options_append(options, count, own, sizeof own / sizeof own[0]);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    bool alone = broker.replace && !broker.given.count && is_same(&broker.plan, &usual);
    if (code == OPTION_GO_ON && alone && broker_again_read(dir, &again))
        code = options_take(&usage, options, count, again.count, again.words, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (broker.plan.one_way) /* without a certificate there is nothing to recover */
        broker.plan.recovery_port = 0;
    code = check(&broker, &rest);
    if (code == EXIT_OK)
        code = take_hosts(&broker.given, &broker.hosts);
    if (code == EXIT_OK)
        code = choose_version(&broker);
    return code == EXIT_OK ? init_in(dir, &broker) : code;
}

int broker_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"init", broker_init, "makes its configuration, certificate and rights"},
        {"run", broker_run, "runs it in the foreground"},
        {"agent", broker_agent, "answers devices: renews certificates, tells the time"},
        {"prove", broker_prove, "tries what is allowed and what is forbidden"},
        {"lint", broker_lint, "finds mistakes in any mosquitto.conf"},
        {"password", broker_password, "gives a name a password, for one-way brokers"},
        {"export", broker_export, "its files, for a router or another machine"},
    };
    return commands_run("broker", verbs, sizeof verbs / sizeof verbs[0], argc, argv);
}
