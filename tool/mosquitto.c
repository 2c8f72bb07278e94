/* SPDX-License-Identifier: MIT */
#include "mosquitto.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exits.h"
#include "term.h"
#include "text.h"

/* The list lies beside the broker that reads it, so its age is no sign of its freshness; and once
 * nextUpdate has passed, mosquitto refuses everybody. The agent makes it anew in time. */
#define CRL_DAYS 3652

/* ---- mosquitto.conf ---- */

struct listener {
    const char *who;
    long port;
    const char *anchors, *revoked; /* files in broker/; NULL: clients come with passwords */
    bool websockets, plaintext;
};

static void write_tls(FILE *to, const char *dir, const struct listener *listener)
{
    fprintf(to,
            "certfile %s/broker/server.crt\n"
            "keyfile %s/broker/server.key\n"
            "tls_version tlsv1.2\n",
            dir, dir);
    /* mosquitto's own order counts, not the client's: a device without AES in hardware takes four
     * times as long over AES-GCM, a host that has it loses little. */
    fprintf(to, "ciphers ECDHE+CHACHA20:ECDHE+AESGCM\n");
    if (listener->anchors)
        fprintf(to,
                "cafile %s/broker/%s\n"
                "crlfile %s/broker/%s\n"
                "require_certificate true\n"
                "use_identity_as_username true\n",
                dir, listener->anchors, dir, listener->revoked);
}

static void write_listener(FILE *to, const struct home *home, const struct listener *listener,
                           const struct mosquitto_plan *plan)
{
    const char *address = listener->plaintext ? "127.0.0.1" : plan->bind;
    fprintf(to, "\n# %s\nlistener %ld%s%s\n", listener->who, listener->port, address ? " " : "",
            address ? address : "");
    if (listener->websockets)
        fprintf(to, "protocol websockets\n");
    if (!listener->plaintext)
        write_tls(to, home->dir, listener);
    fprintf(to, "use_username_as_clientid true\nmax_connections %ld\n", plan->connections);
}

/* Started by root, mosquitto becomes the user it is told; the keys here are their owner's. */
static void owner(FILE *to)
{
    struct passwd *entry = getpwuid(geteuid());
    if (entry)
        fprintf(to, "user %s\n", entry->pw_name);
}

static void write_listeners(FILE *to, const struct home *home, const struct mosquitto_plan *plan)
{
    const char *anchors = plan->one_way ? NULL : "clients-ca.crt", *revoked = "clients.crl";
    const struct listener listeners[] = {
        {"Devices", plan->port, anchors, revoked, false, false},
        {"Users: people and programs", plan->user_port, anchors, revoked, false, false},
        {"Recovery: devices whose certificate has ended, by their birth certificate",
         plan->recovery_port, "recovery-ca.crt", "recovery.crl", false, false},
        {"Users over WebSocket", plan->websocket_port, anchors, revoked, true, false},
        {"Programs of this machine, without TLS", plan->plaintext_port, NULL, NULL, false, true},
    };
    for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++) {
        if (listeners[i].port)
            write_listener(to, home, &listeners[i], plan);
    }
}

/* mosquitto 2.1 has moved both into plugins and calls the options deprecated. */
static void write_rights(FILE *to, const struct home *home, const struct mosquitto_plan *plan)
{
    static const char *const options[] = {"acl_file", "password_file"};
    static const char *const files[] = {"acl", "passwords"};
    int count = plan->one_way || plan->plaintext_port ? 2 : 1;
    for (int i = 0; i < count; i++) {
        if (plan->plugins[0])
            fprintf(to, "plugin %s/mosquitto_%s.so\nplugin_opt_", plan->plugins, options[i]);
        fprintf(to, "%s %s/broker/%s\n", options[i], home->dir, files[i]);
    }
}

static void write_limits(FILE *to, const struct home *home, const struct mosquitto_plan *plan)
{
    fprintf(to,
            "max_packet_size %ld\n"
            "max_queued_messages %ld\n"
            "max_queued_bytes %ld\n",
            plan->packet, plan->queue, plan->queue_bytes);
    if (plan->save_s)
        fprintf(to,
                "persistence true\n"
                "persistence_location %s/broker/data/\n"
                "autosave_interval %ld\n",
                home->dir, plan->save_s);
}

int mosquitto_write_configuration(struct home *home, const struct mosquitto_plan *plan)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fprintf(text.file,
            "# Made by `thimble broker init`; --replace makes it anew.\n"
            "# %s\n"
            "allow_anonymous false\n",
            plan->one_way
                ? "The user name, proved by its password, is the client id as well: nobody can\n"
                  "# take another's session."
                : "Each listener takes certificates of one CA alone, and the certificate's common\n"
                  "# name is both user name and client id: nobody can take another's session.");
    write_rights(text.file, home, plan);
    fprintf(text.file, "set_tcp_nodelay true\n");
    write_limits(text.file, home, plan);
    fprintf(text.file, "log_dest stderr\n"
                       "log_type error\nlog_type warning\nlog_type notice\nlog_type information\n"
                       "log_timestamp_format %%Y-%%m-%%d %%H:%%M:%%S\n");
    owner(text.file);
    write_listeners(text.file, home, plan);
    return text_write(&text, home_path(home, "broker/mosquitto.conf").text);
}

/* ---- passwords ---- */

static bool each_password(void *user, const struct registry_principal *row)
{
    bool active = strcmp(row->state, "active") == 0;
    for (int i = 1; active && row->password[0] && i <= row->connections; i++) {
        fprintf(user, "%s", row->name);
        if (i > 1)
            fprintf(user, ".%d", i);
        fprintf(user, ":%s\n", row->password);
    }
    return true;
}

int mosquitto_write_passwords(struct home *home)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fputs("# Made by thimble from its registry: thimble broker password NAME\n", text.file);
    registry_principals(&home->registry, "device", each_password, text.file);
    registry_principals(&home->registry, "user", each_password, text.file);
    return text_write_secret(&text, home_path(home, "broker/passwords").text);
}

bool mosquitto_one_way(struct home *home)
{
    char profile[REGISTRY_TEXT_MAX];
    return registry_get(&home->registry, "broker.profile", profile) &&
           strcmp(profile, "one-way") == 0;
}

/* ---- crl ---- */

static int make_crl(struct home *home, const struct registry_anchor *anchor, int64_t life_s,
                    X509_CRL **out)
{
    struct home_issuer issuer;
    int code = home_anchor_issuer(home, anchor, &issuer);
    if (code != EXIT_OK)
        return code;
    int64_t now = time(NULL);
    struct x509_revoked *revoked;
    size_t count = registry_revoked(&home->registry, anchor->id, now, &revoked);
    int64_t number = registry_crl_number(&home->registry, anchor->id);
    if (number > 0) /* else it could not be counted up, which the transaction's end will say */
        *out = x509_crl(issuer.certificate, issuer.key, number, now - HOME_CLOCK_SLACK_S,
                        now + life_s, revoked, count);
    free(revoked);
    home_issuer_free(&issuer);
    if (*out)
        return EXIT_OK;
    return number > 0 ? fail(EXIT_FAILED, "cannot make the revocation list: %s\ncheck libcrypto",
                             x509_error())
                      : fail(EXIT_FAILED, "registry: cannot count a revocation list\n"
                                          "free space on the disk, and check its permissions");
}

/* One list for each anchor that the broker trusts, all in one file. */
static int write_crls(struct home *home, enum registry_authority which, int64_t life_s,
                      const char *file)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    X509_CRL *crls[REGISTRY_ANCHORS_MAX] = {NULL};
    size_t count = registry_anchors(&home->registry, which, anchors);
    int code = count ? EXIT_OK
                     : fail(EXIT_MISSING, "there is no %s CA in %s\nthimble ca init",
                            registry_authority_name(which), home->dir);
    for (size_t i = 0; code == EXIT_OK && i < count; i++)
        code = make_crl(home, &anchors[i], life_s, &crls[i]);
    if (code == EXIT_OK)
        code = x509_write_crls(home_path(home, file).text, crls, count);
    for (size_t i = 0; i < count; i++)
        X509_CRL_free(crls[i]);
    registry_anchors_free(anchors, count);
    return code;
}

int mosquitto_write_clients_crl(struct home *home, int64_t life_s)
{
    return write_crls(home, REGISTRY_DEVICE, life_s, "broker/clients.crl");
}

int mosquitto_write_crl(struct home *home)
{
    int code = mosquitto_write_clients_crl(home, CRL_DAYS * HOME_DAY_S);
    return code == EXIT_OK
               ? write_crls(home, REGISTRY_IDEVID, CRL_DAYS * HOME_DAY_S, "broker/recovery.crl")
               : code;
}

/* ---- a running broker ---- */

int64_t mosquitto_running(const struct home *home)
{
    int file = open(home_path(home, "broker/run.lock").text, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return 0;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(file);
    return held ? lock.l_pid : 0;
}

void mosquitto_reload(struct home *home)
{
    int64_t pid = mosquitto_running(home);
    if (pid > 0 && kill((pid_t)pid, SIGHUP) != 0)
        warn("the running broker was not told of the change: %s\nkill -HUP %lld", strerror(errno),
             (long long)pid);
}

int mosquitto_rights_changed(struct home *home)
{
    if (!files_exist(home_path(home, "broker/mosquitto.conf").text))
        return EXIT_OK;
    int code = mosquitto_write_acl(home);
    if (code == EXIT_OK)
        code = mosquitto_write_passwords(home);
    if (code == EXIT_OK)
        mosquitto_reload(home);
    return code;
}

int mosquitto_revoked(struct home *home)
{
    if (!files_exist(home_path(home, "broker/mosquitto.conf").text))
        return EXIT_OK;
    int code = mosquitto_write_crl(home);
    return code == EXIT_OK ? mosquitto_rights_changed(home) : code;
}
