/* SPDX-License-Identifier: MIT */
#include "lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "files.h"
#include "term.h"

void lint_say(struct lint *lint, const char *path, int line, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *fix = strrchr(text, '\n');
    if (fix)
        *fix++ = '\0';
    lint->found++;
    if (term.json) {
        json_open(&lint->json, NULL, '{');
        json_text(&lint->json, "file", path);
        json_number(&lint->json, "line", line);
        json_text(&lint->json, "found", text);
        json_text(&lint->json, "fix", fix ? fix : "");
        json_close(&lint->json, '}');
        return;
    }
    if (line)
        say("%s%s:%d%s: %s", term_out(TERM_BOLD), path, line, term_out(TERM_PLAIN), text);
    else
        say("%s%s%s: %s", term_out(TERM_BOLD), path, term_out(TERM_PLAIN), text);
    say("  fix: %s", fix ? fix : "");
}

/* ---- reading ---- */

struct line {
    char name[64], value[512];
    int number;
};

/* The next line that says something; false at the end. */
static bool next_line(const char **at, struct line *line)
{
    while (**at) {
        const char *start = *at + strspn(*at, " \t");
        size_t len = strcspn(start, "\n");
        *at = start + len + (start[len] == '\n');
        line->number++;
        size_t name = strcspn(start, " \t\r\n");
        if (name == 0 || name >= sizeof line->name || *start == '#')
            continue;
        const char *value = start + name + strspn(start + name, " \t");
        size_t rest = strcspn(value, "\r\n");
        while (rest > 0 && (value[rest - 1] == ' ' || value[rest - 1] == '\t'))
            rest--;
        snprintf(line->name, sizeof line->name, "%.*s", (int)name, start);
        snprintf(line->value, sizeof line->value, "%.*s", (int)rest, value);
        return true;
    }
    return false;
}

static bool is_true(const struct lint_setting *setting)
{
    return setting->line && strcmp(setting->text, "true") == 0;
}

static void take_listener(struct lint *lint, const struct line *line)
{
    if (lint->listener_count == LINT_LISTENERS_MAX)
        return;
    const char *address = line->value + strcspn(line->value, " \t");
    address += strspn(address, " \t");
    struct lint_listener *listener = &lint->listeners[lint->listener_count++];
    *listener = (struct lint_listener){.line = line->number};
    listener->loopback = strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
                         strcmp(address, "localhost") == 0 || strncmp(line->value, "0 ", 2) == 0;
}

static void set(struct lint_setting *setting, const struct line *line)
{
    setting->line = line->number;
    snprintf(setting->text, sizeof setting->text, "%s", line->value);
}

/* Settings before any listener are the default one's. */
static void take_of_listener(struct lint *lint, const struct line *line)
{
    size_t at = lint->listener_count ? lint->listener_count - 1 : 0;
    struct lint_listener *one = &lint->listeners[at];
    const struct {
        const char *name;
        struct lint_setting *into;
    } settings[] = {
        {"certfile", &one->certfile},
        {"keyfile", &one->keyfile},
        {"cafile", &one->cafile},
        {"capath", &one->capath},
        {"crlfile", &one->crlfile},
        {"require_certificate", &one->require},
        {"use_identity_as_username", &one->identity},
        {"use_subject_as_username", &one->subject},
        {"use_username_as_clientid", &one->client_id},
        {"tls_version", &one->tls_version},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(line->name, settings[i].name) != 0)
            continue;
        lint->listener_count = at + 1;
        set(settings[i].into, line);
    }
}

static const char *const old_options[][2] = {
    {"port", "listener PORT"},
    {"bind_address", "listener PORT ADDRESS"},
    {"allow_duplicate_messages", "take the line out"},
    {"clientid_prefixes", "an acl_file with %c"},
    {"message_size_limit", "max_packet_size BYTES"},
    {"store_clean_interval", "take the line out"},
    {"auth_plugin", "plugin FILE, under its listener"},
    {"per_listener_settings", "one acl_file for all listeners; mosquitto 2.1 has plugins"},
};

/* It goes on taking both until 3.0. */
static const char *const old_options_21[][2] = {
    {"acl_file", "plugin DIR/mosquitto_acl_file.so, and plugin_opt_acl_file FILE"},
    {"password_file", "plugin DIR/mosquitto_password_file.so, and plugin_opt_password_file FILE"},
};

static void take(struct lint *lint, const struct line *line)
{
    for (size_t i = 0; lint->for_21 && i < 2; i++) {
        if (strcmp(line->name, old_options_21[i][0]) == 0)
            lint_say(lint, lint->path, line->number, "'%s' is deprecated since mosquitto 2.1\n%s",
                     line->name, old_options_21[i][1]);
    }
    for (size_t i = 0; i < sizeof old_options / sizeof old_options[0]; i++) {
        if (strcmp(line->name, old_options[i][0]) == 0)
            lint_say(lint, lint->path, line->number, "'%s' is deprecated\n%s", line->name,
                     old_options[i][1]);
    }
    if (strcmp(line->name, "listener") == 0)
        take_listener(lint, line);
    else if (strcmp(line->name, "allow_anonymous") == 0)
        set(&lint->anonymous, line);
    else if (strcmp(line->name, "acl_file") == 0 || strcmp(line->name, "plugin_opt_acl_file") == 0)
        set(&lint->acl, line);
    else if (strcmp(line->name, "password_file") == 0 ||
             strcmp(line->name, "plugin_opt_password_file") == 0)
        set(&lint->passwords, line);
    else if (strcmp(line->name, "plugin") == 0 || strcmp(line->name, "auth_plugin") == 0)
        set(&lint->plugin, line);
    else
        take_of_listener(lint, line);
}

/* ---- judging ---- */

static void judge_anonymous(struct lint *lint)
{
    if (!lint->anonymous.line)
        lint_say(lint, lint->path, 0,
                 "nothing is said of anonymous clients, and versions differ in what that means\n"
                 "allow_anonymous false");
    else if (is_true(&lint->anonymous))
        lint_say(lint, lint->path, lint->anonymous.line, "anybody gets in\nallow_anonymous false");
    if (!lint->acl.line && !lint->plugin.line)
        lint_say(lint, lint->path, 0,
                 "there is no acl_file: every client may read and write every topic\n"
                 "acl_file FILE, as `thimble broker init` makes it");
}

static void judge_binding(struct lint *lint, const struct lint_listener *listener)
{
    if (!is_true(&listener->require)) {
        if (lint->passwords.line && !is_true(&listener->client_id))
            lint_say(lint, lint->path, listener->line,
                     "the client id is not bound: whoever has a password can take over the session "
                     "of another\nuse_username_as_clientid true");
        return;
    }
    if (!is_true(&listener->identity) && !is_true(&listener->subject))
        lint_say(lint, lint->path, listener->require.line,
                 "certificates are asked for, but their names are not the users' names\n"
                 "use_identity_as_username true");
    else if (!is_true(&listener->client_id))
        lint_say(lint, lint->path, listener->require.line,
                 "the client id is not bound: whoever has a certificate can take over the session "
                 "of another\nuse_username_as_clientid true");
    if (!listener->crlfile.line)
        lint_say(lint, lint->path, listener->require.line,
                 "no certificate can be revoked here\ncrlfile FILE");
    if (!listener->cafile.line && !listener->capath.line)
        lint_say(lint, lint->path, listener->require.line,
                 "certificates are asked for, and no CA is named to judge them by\ncafile FILE");
}

static void judge_listener(struct lint *lint, const struct lint_listener *listener)
{
    const char *version = listener->tls_version.text;
    if (!listener->certfile.line && !listener->loopback)
        lint_say(lint, lint->path, listener->line,
                 "this listener is in the clear, off loopback\n"
                 "certfile and keyfile, or: listener 1883 127.0.0.1");
    if (listener->tls_version.line && strcmp(version, "tlsv1.2") != 0 &&
        strcmp(version, "tlsv1.3") != 0)
        lint_say(lint, lint->path, listener->tls_version.line,
                 "%s is no version of TLS to offer\ntls_version tlsv1.2", version);
    judge_binding(lint, listener);
    if (listener->certfile.line)
        lint_files(lint, listener);
}

/* ---- the ACL ---- */

static bool grants_write(const char *value)
{
    return strncmp(value, "read ", 5) != 0 && strncmp(value, "deny ", 5) != 0 &&
           strncmp(value, "subscribe ", 10) != 0;
}

static bool is_everything(const char *value)
{
    const char *space = strrchr(value, ' ');
    return strcmp(space ? space + 1 : value, "#") == 0;
}

static void judge_acl(struct lint *lint)
{
    struct bytes text = {NULL, 0};
    const char *path = lint->acl.text;
    if (!files_exist(path)) {
        lint_say(lint, lint->path, lint->acl.line, "there is no %s\nname the file in full", path);
        return;
    }
    if (files_read_large(path, &text) != EXIT_OK)
        return;
    struct line line = {.number = 0};
    for (const char *at = (const char *)text.at; next_line(&at, &line);) {
        bool personal = strstr(line.value, "%u") || strstr(line.value, "%c");
        if (strcmp(line.name, "pattern") == 0 && !personal && grants_write(line.value))
            lint_say(lint, path, line.number,
                     "this pattern lets everybody write, as it has neither %%u nor %%c\n"
                     "pattern write %%u/…, or `topic` under one `user`");
        else if (strcmp(line.name, "topic") == 0 && grants_write(line.value) &&
                 is_everything(line.value))
            lint_say(lint, path, line.number,
                     "this lets write every topic\ngrant the topics that are needed");
    }
    bytes_free(&text);
}

/* ---- passwords ---- */

static void judge_passwords(struct lint *lint)
{
    struct bytes text = {NULL, 0};
    const char *path = lint->passwords.text;
    if (!files_exist(path)) {
        lint_say(lint, lint->path, lint->passwords.line, "there is no %s\nname the file in full",
                 path);
        return;
    }
    if (files_others_read(path))
        lint_say(lint, lint->path, lint->passwords.line,
                 "everybody may read the passwords' hashes in %s\nchmod 600 %s", path, path);
    if (files_read_large(path, &text) != EXIT_OK)
        return;
    int number = 0;
    for (const char *at = (const char *)text.at; *at;) {
        size_t len = strcspn(at, "\n");
        const char *colon = memchr(at, ':', len);
        number++;
        if (*at != '#' && colon && colon[1] != '$')
            lint_say(lint, path, number,
                     "a password stands here as it is, not as its hash\n"
                     "mosquitto_passwd -U FILE");
        at += len + (at[len] == '\n');
    }
    bytes_free(&text);
}

/* ---- the command ---- */

static int lint_file(struct lint *lint)
{
    struct bytes text = {NULL, 0};
    int code = files_read(lint->path, &text);
    struct line line = {.number = 0};
    for (const char *at = (const char *)text.at; code == EXIT_OK && next_line(&at, &line);)
        take(lint, &line);
    bytes_free(&text);
    if (code != EXIT_OK)
        return code;
    if (lint->listener_count == 0) /* the default one */
        lint->listener_count = 1;
    judge_anonymous(lint);
    for (size_t i = 0; i < lint->listener_count; i++)
        judge_listener(lint, &lint->listeners[i]);
    if (lint->acl.line)
        judge_acl(lint);
    if (lint->passwords.line)
        judge_passwords(lint);
    return EXIT_OK;
}

int broker_lint(int argc, char **argv)
{
    static const struct usage usage = {
        "broker lint", "FILE", "Finds the mistakes people make in a mosquitto.conf.",
        "Each with its line and the fix. It reads the certificates, keys, revocation lists and "
        "the\n"
        "ACL that the file names, too. Example:\n"
        "  thimble broker lint /etc/mosquitto/mosquitto.conf --host broker.example"};
    struct words files = {0}, hosts = {0};
    const char *version = NULL;
    const struct option options[] = {
        {0, "host", "NAME", "a name or address clients reach it by; again for more", OPTION_LIST,
         &hosts, 0, 0},
        {0, "mosquitto", "VERSION", "2.1: its deprecations count, too [2.0]", OPTION_TEXT, &version,
         0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 3, argc, argv, &files);
    if (code != OPTION_GO_ON)
        return code;
    if (version && strcmp(version, "2.0") != 0 && strcmp(version, "2.1") != 0)
        return fail(EXIT_USAGE, "--mosquitto is 2.0 or 2.1, not '%s'\nleave it out for 2.0",
                    version);
    if (files.count != 1)
        return fail(EXIT_USAGE, "broker lint needs one file\n"
                                "thimble broker lint /etc/mosquitto/mosquitto.conf");
    struct lint *lint = calloc(1, sizeof *lint);
    if (!lint)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    lint->path = files.at[0];
    lint->hosts = &hosts;
    lint->for_21 = version && strcmp(version, "2.1") == 0;
    if (term.json) {
        lint->json = json_begin(stdout);
        json_open(&lint->json, "findings", '[');
    }
    code = lint_file(lint);
    if (term.json) {
        json_close(&lint->json, ']');
        json_end(&lint->json);
    } else if (code == EXIT_OK) {
        say(lint->found ? "%u findings" : "Nothing found.", lint->found);
    }
    code = code == EXIT_OK && lint->found ? EXIT_INPUT : code;
    free(lint);
    return code;
}
