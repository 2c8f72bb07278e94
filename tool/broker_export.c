/* SPDX-License-Identifier: MIT */
#include "broker_export.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "json.h"
#include "mosquitto.h"
#include "options.h"
#include "term.h"
#include "text.h"

/* ---- systemd ---- */

/* In a unit '%' begins a specifier. */
void broker_unit_escape(const char *text, char into[2 * PATH_MAX])
{
    size_t len = 0;
    for (; *text && len + 2 < 2 * (size_t)PATH_MAX; text++) {
        if (*text == '%')
            into[len++] = '%';
        into[len++] = *text;
    }
    into[len] = '\0';
}

int broker_write_unit(struct home *home)
{
    char dir[2 * PATH_MAX], runs[2 * PATH_MAX];
    struct text text;
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    struct passwd *owner = getpwuid(geteuid());
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    program[len > 0 ? len : 0] = '\0';
    broker_unit_escape(program, runs);
    broker_unit_escape(home->dir, dir);
    fprintf(text.file,
            "# Made by `thimble broker init`: Debian's mosquitto.service runs this broker.\n"
            "#   install -D -m 644 '%s/broker/systemd.conf' "
            "/etc/systemd/system/mosquitto.service.d/thimble.conf\n"
            "#   systemctl daemon-reload && systemctl restart mosquitto\n"
            "[Service]\n"
            "Type=notify\n"
            "NotifyAccess=main\n"
            "User=%s\n"
            "ExecStartPre=\n"
            "ExecStart=\n"
            "ExecStart=\"%s\" broker run --dir \"%s\"\n"
            "ExecReload=\n"
            "ExecReload=/bin/kill -HUP $MAINPID\n"
            "Restart=always\n"
            "RestartSec=2\n"
            "LimitNOFILE=65536\n"
            "NoNewPrivileges=yes\n"
            "PrivateTmp=yes\n"
            "ProtectSystem=strict\n"
            "ReadWritePaths=\"%s/broker\"\n",
            home->dir, owner ? owner->pw_name : "root", runs, dir, dir);
    return text_write(&text, home_path(home, "broker/systemd.conf").text);
}

/* ---- export ---- */

struct export
{
    const char *to, *prefix, *data, *user;
};

static const struct {
    const char *name;
    int mode;
} files[] = {
    {"acl", FILES_PUBLIC},
    {"passwords", FILES_SECRET},
    {"server.crt", FILES_PUBLIC},
    {"server.key", FILES_SECRET},
    {"clients-ca.crt", FILES_PUBLIC},
    {"clients.crl", FILES_PUBLIC},
    {"recovery-ca.crt", FILES_PUBLIC},
    {"recovery.crl", FILES_PUBLIC},
};

static int copy_files(const struct home *home, const struct export *export)
{
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < sizeof files / sizeof files[0]; i++) {
        struct bytes bytes = {NULL, 0};
        struct path from = path_of("%s/broker/%s", home->dir, files[i].name);
        if (!files_exist(from.text))
            continue;
        code = files_read_large(from.text, &bytes);
        if (code == EXIT_OK)
            code = files_write(path_of("%s/%s", export->to, files[i].name).text, bytes.at,
                               bytes.len, files[i].mode, FILES_REPLACE);
        bytes_free(&bytes);
    }
    return code;
}

/* One line of mosquitto.conf as it must be there; what follows `home`/broker/ stays. */
static void put_line(FILE *to, const struct home *home, const struct export *export,
                     const char *line, size_t len)
{
    char inside[sizeof home->dir + 16];
    snprintf(inside, sizeof inside, "%s/broker/", home->dir);
    const char *path = memmem(line, len, inside, strlen(inside));
    if (len > 5 && memcmp(line, "user ", 5) == 0) {
        fprintf(to, "user %s\n", export->user);
    } else if (len > 21 && memcmp(line, "persistence_location ", 21) == 0) {
        fprintf(to, "persistence_location %s/\n", export->data);
    } else if (len == 15 && memcmp(line, "log_dest stderr", 15) == 0) {
        fprintf(to, "log_dest syslog\n");
    } else if (path) {
        const char *rest = path + strlen(inside);
        fprintf(to, "%.*s%s/%.*s\n", (int)(path - line), line, export->prefix,
                (int)(len - (size_t)(rest - line)), rest);
    } else {
        fprintf(to, "%.*s\n", (int)len, line);
    }
}

static int write_configuration(const struct home *home, const struct export *export)
{
    struct bytes old = {NULL, 0};
    struct text text;
    int code = files_read(path_of("%s/broker/mosquitto.conf", home->dir).text, &old);
    if (code == EXIT_OK)
        code = text_open(&text);
    if (code != EXIT_OK) {
        bytes_free(&old);
        return code;
    }
    for (const char *at = (const char *)old.at; *at;) {
        size_t len = strcspn(at, "\n");
        put_line(text.file, home, export, at, len);
        at += len + (at[len] == '\n');
    }
    bytes_free(&old);
    return text_write(&text, path_of("%s/mosquitto.conf", export->to).text);
}

static void show(const struct export *export)
{
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "directory", export->to);
        json_text(&json, "configuration", path_of("%s/mosquitto.conf", export->to).text);
        json_text(&json, "prefix", export->prefix);
        json_end(&json);
        return;
    }
    say("%sThe broker's files are in %s%s, to lie in %s on its machine:", term_out(TERM_BOLD),
        export->to, term_out(TERM_PLAIN), export->prefix);
    say("  scp -r %s/* root@router:%s/", export->to, export->prefix);
    say("  ssh root@router 'mkdir -p %s && chown -R %s %s %s && /etc/init.d/mosquitto restart'",
        export->data, export->user, export->prefix, export->data);
    say("The key of its certificate is among them. Who is added or revoked later is not: export "
        "and copy it again.");
}

static int check(const struct export *export)
{
    const char *texts[] = {export->prefix, export->data, export->user};
    for (int i = 0; i < 3; i++) {
        if (!*texts[i] || strpbrk(texts[i], "\r\n") || (i < 2 && texts[i][0] != '/'))
            return fail(EXIT_USAGE, "'%s' is not %s\nthimble broker export --help", texts[i],
                        i < 2 ? "the full path of a directory" : "the name of a user");
    }
    return EXIT_OK;
}

static int run(const char *dir, const struct export *export)
{
    struct home home;
    int code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    struct path configuration = home_path(&home, "broker/mosquitto.conf");
    if (code == EXIT_OK && !files_exist(configuration.text))
        code = fail(EXIT_MISSING, "there is no %s\nthimble broker init", configuration.text);
    if (code == EXIT_OK)
        code = files_directory(export->to);
    if (code == EXIT_OK)
        code = copy_files(&home, export);
    if (code == EXIT_OK)
        code = write_configuration(&home, export);
    home_close(&home);
    if (code == EXIT_OK)
        show(export);
    return code;
}

int broker_export(int argc, char **argv)
{
    static const struct usage usage = {
        "broker export", "FOLDER", "Puts all that mosquitto needs into one directory to be copied.",
        "For a broker on another machine, such as a router with OpenWrt, whose mosquitto reads\n"
        "/etc/mosquitto/mosquitto.conf. Files: mosquitto.conf acl passwords server.crt server.key\n"
        "clients-ca.crt clients.crl recovery-ca.crt recovery.crl. Example:\n"
        "  thimble broker export router"};
    const char *dir = NULL;
    struct export export = {
        .prefix = "/etc/mosquitto", .data = "/tmp/mosquitto", .user = "mosquitto"};
    struct words folders = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "prefix", "DIR", "where it will lie on that machine [/etc/mosquitto]", OPTION_TEXT,
         &export.prefix, 0, 0},
        {0, "data", "DIR", "where it keeps sessions [/tmp/mosquitto]", OPTION_TEXT, &export.data, 0,
         0},
        {0, "user", "NAME", "as whom it runs there [mosquitto]", OPTION_TEXT, &export.user, 0, 0},
        OPTION_ROW_JSON,
    };
    int code =
        options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &folders);
    if (code != OPTION_GO_ON)
        return code;
    if (folders.count != 1)
        return fail(EXIT_USAGE, "broker export needs one directory\nthimble broker export router");
    export.to = folders.at[0];
    code = check(&export);
    return code == EXIT_OK ? run(dir, &export) : code;
}
