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

/* The list lies beside the broker that reads it, so its age is no sign of its freshness; and once
 * nextUpdate has passed, mosquitto refuses everybody. */
#define CRL_DAYS 3652

/* ---- a text file that grows ---- */

struct text {
    char *at;
    size_t len;
    FILE *file;
};

static int text_open(struct text *text)
{
    *text = (struct text){NULL, 0, NULL};
    text->file = open_memstream(&text->at, &text->len);
    return text->file ? EXIT_OK : fail(EXIT_FAILED, "no memory\nend other programs");
}

static int text_write(struct text *text, const char *path)
{
    int code = fclose(text->file) == 0
                   ? files_write(path, text->at, text->len, FILES_PUBLIC, FILES_REPLACE)
                   : fail(EXIT_FAILED, "no memory to write %s\nend other programs", path);
    free(text->at);
    return code;
}

/* ---- mosquitto.conf ---- */

static void listener(FILE *to, const struct home *home, const char *who, long port,
                     const char *address)
{
    fprintf(to, "\n# %s\nlistener %ld%s%s\n", who, port, address ? " " : "",
            address ? address : "");
    fprintf(to,
            "cafile %s/broker/clients-ca.crt\n"
            "certfile %s/broker/server.crt\n"
            "keyfile %s/broker/server.key\n"
            "crlfile %s/broker/clients.crl\n",
            home->dir, home->dir, home->dir, home->dir);
    fprintf(to, "tls_version tlsv1.2\n"
                "ciphers ECDHE+AESGCM:ECDHE+CHACHA20\n"
                "require_certificate true\n"
                "use_identity_as_username true\n"
                "use_username_as_clientid true\n");
}

/* Started by root, mosquitto becomes the user it is told; the keys here are their owner's. */
static void owner(FILE *to)
{
    struct passwd *entry = getpwuid(geteuid());
    if (entry)
        fprintf(to, "user %s\n", entry->pw_name);
}

int mosquitto_write_configuration(struct home *home, const struct mosquitto_listeners *listeners)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fprintf(text.file,
            "# Made by `thimble broker init`; --replace makes it anew.\n"
            "# Each listener takes certificates of the device CA alone, and the certificate's\n"
            "# common name is both user name and client id: nobody can take another's session.\n"
            "allow_anonymous false\n"
            "acl_file %s/broker/acl\n"
            "persistence true\n"
            "persistence_location %s/broker/data/\n"
            "autosave_interval 60\n"
            "max_packet_size 4194304\n"
            "max_queued_messages 1000\n"
            "log_dest stderr\n"
            "log_type error\nlog_type warning\nlog_type notice\nlog_type information\n"
            "log_timestamp_format %%Y-%%m-%%d %%H:%%M:%%S\n",
            home->dir, home->dir);
    owner(text.file);
    listener(text.file, home, "Devices", listeners->port, listeners->bind);
    listener(text.file, home, "Users: people and programs", listeners->user_port, listeners->bind);
    return text_write(&text, home_path(home, "broker/mosquitto.conf").text);
}

/* ---- acl ---- */

/* mosquitto applies patterns to users as well, so topics under a user's own name are denied. */
static bool acl_user(void *user, const struct registry_principal *row)
{
    FILE *to = user;
    if (strcmp(row->state, "active") != 0)
        return true;
    fprintf(to,
            "\nuser %s\n"
            "topic write +/from/%s/rpc\n"
            "topic read +/to/%s/#\n"
            "topic read +/status\n"
            "topic read +/telemetry/#\n"
            "topic read +/zone/+\n",
            row->name, row->name, row->name);
    if (strcmp(row->role, "viewer") != 0)
        fprintf(to, "topic read +/log\n");
    fprintf(to,
            "topic deny %s/#\n"
            "topic deny homeassistant/device/%s/#\n"
            "topic deny recover/%s/#\n",
            row->name, row->name, row->name);
    return true;
}

int mosquitto_write_acl(struct home *home)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fputs("# Made by thimble from its registry: who may do what. %u is the certificate's name.\n"
          "\n# Devices\n"
          "pattern read %u/from/#\n"
          "pattern write %u/to/#\n"
          "pattern write %u/status\n"
          "pattern write %u/telemetry/#\n"
          "pattern write %u/zone/#\n"
          "pattern write %u/log\n"
          "pattern write homeassistant/device/%u/config\n"
          "\n# Users\n",
          text.file);
    registry_principals(&home->registry, "user", acl_user, text.file);
    return text_write(&text, home_path(home, "broker/acl").text);
}

/* ---- crl ---- */

int mosquitto_write_crl(struct home *home)
{
    struct home_issuer issuer;
    int code = home_issuer(home, REGISTRY_DEVICE, &issuer);
    if (code != EXIT_OK)
        return code;
    int64_t now = time(NULL);
    struct x509_revoked *revoked;
    size_t count = registry_revoked(&home->registry, REGISTRY_DEVICE, now, &revoked);
    int64_t number = registry_crl_number(&home->registry, REGISTRY_DEVICE);
    X509_CRL *crl = x509_crl(issuer.certificate, issuer.key, number, now - HOME_CLOCK_SLACK_S,
                             now + CRL_DAYS * HOME_DAY_S, revoked, count);
    code = crl ? x509_write_crl(home_path(home, "broker/clients.crl").text, crl)
               : fail(EXIT_FAILED, "cannot make the revocation list: %s\ncheck libcrypto",
                      x509_error());
    X509_CRL_free(crl);
    free(revoked);
    home_issuer_free(&issuer);
    return code;
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

int mosquitto_rights_changed(struct home *home)
{
    if (!files_exist(home_path(home, "broker/mosquitto.conf").text))
        return EXIT_OK;
    int code = mosquitto_write_acl(home);
    int64_t pid = mosquitto_running(home);
    if (code == EXIT_OK && pid > 0 && kill((pid_t)pid, SIGHUP) != 0)
        warn("the running broker was not told of the new rights: %s\nkill -HUP %lld",
             strerror(errno), (long long)pid);
    return code;
}
