/* SPDX-License-Identifier: MIT */
/* What a device and a user have in common: show. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client_files.h"
#include "exits.h"
#include "term.h"

/* One name and --dir, --json; the directory open. */
static int begin(const struct usage *usage, const char *kind, int argc, char **argv,
                 struct home *home, struct registry_principal *row)
{
    const char *dir = NULL;
    struct words names = {0};
    const struct option options[] = {OPTION_ROW_DIR(&dir), OPTION_ROW_JSON};
    memset(home, 0, sizeof *home);
    home->lock = -1;
    int code = options_take(usage, options, 2, argc, argv, &names);
    if (code != OPTION_GO_ON)
        return code;
    if (names.count != 1)
        return fail(EXIT_USAGE, "%s needs one name\nthimble %s list", usage->command, kind);
    code = home_open(home, dir, false);
    if (code != EXIT_OK)
        return code;
    if (!registry_principal(&home->registry, names.at[0], row) || strcmp(row->kind, kind) != 0)
        return fail(EXIT_MISSING, "there is no %s '%s'\nthimble %s list", kind, names.at[0], kind);
    return OPTION_GO_ON;
}

/* ---- show ---- */

static void certificate_text(void *user, const struct registry_certificate *row)
{
    (void)user;
    char from[24], to[24], revoked[24];
    bool over = row->not_after_s < time(NULL);
    say("%s  %s (%s)%s", row->serial, row->common_name, row->kind,
        row->revoked_s ? " revoked"
        : over         ? " expired"
                       : "");
    say("  valid    %s to %s", term_date(row->not_before_s, from), term_date(row->not_after_s, to));
    if (row->revoked_s)
        say("  revoked  %s", term_date(row->revoked_s, revoked));
}

static void certificate_json(void *user, const struct registry_certificate *row)
{
    struct json *json = user;
    json_open(json, NULL, '{');
    json_text(json, "serial", row->serial);
    json_text(json, "common_name", row->common_name);
    json_text(json, "kind", row->kind);
    json_number(json, "not_before", row->not_before_s);
    json_number(json, "not_after", row->not_after_s);
    json_number(json, "issued", row->issued_s);
    if (row->revoked_s)
        json_number(json, "revoked", row->revoked_s);
    json_close(json, '}');
}

int client_show(const struct usage *usage, const char *kind, int argc, char **argv)
{
    struct home home;
    struct registry_principal row = {.state = ""};
    char date[24];
    int code = begin(usage, kind, argc, argv, &home, &row);
    if (code == OPTION_GO_ON && term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "name", row.name);
        json_text(&json, "kind", row.kind);
        if (row.role[0])
            json_text(&json, "role", row.role);
        json_text(&json, "state", row.state);
        json_open(&json, "certificates", '[');
        registry_certificates(&home.registry, row.name, certificate_json, &json);
        json_close(&json, ']');
        json_end(&json);
    } else if (code == OPTION_GO_ON) {
        say("%s%s%s: %s%s%s, %s, since %s", term_out(TERM_BOLD), row.name, term_out(TERM_PLAIN),
            row.kind, row.role[0] ? ", " : "", row.role, row.state, term_date(row.created_s, date));
        registry_certificates(&home.registry, row.name, certificate_text, NULL);
    }
    home_close(&home);
    return code == OPTION_GO_ON ? EXIT_OK : code;
}
