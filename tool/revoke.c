/* SPDX-License-Identifier: MIT */
/* thimble device revoke, thimble user revoke. */
#include "revoke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client_files.h"
#include "evict.h"
#include "exits.h"
#include "json.h"
#include "key_pass.h"
#include "mosquitto.h"
#include "process.h"
#include "term.h"
#include "text.h"

#define RELOAD_MS 60000

/* The steps, in their order. */
enum {
    BLOCKED,
    WRITTEN,
    READ,
    EVICTED,
    CLEARED,
    NO_SESSION,
    NO_ENTRY,
    NO_RESUMPTION,
    STEPS,
};

static const char *const step_names[STEPS] = {
    "blocked", "written", "read", "evicted", "cleared", "no-session", "no-entry", "no-resumption",
};

struct revoke {
    struct home home;
    struct registry_principal row;
    const char *dir, *host, *reload;
    bool lists_only;
    int64_t began_ms;
    int64_t done_ms[STEPS];
    size_t done;
    struct evict evict;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_device(const struct revoke *revoke)
{
    return strcmp(revoke->row.kind, "device") == 0;
}

/* Says that the next step is done. */
static void told(struct revoke *revoke, const char *what, const char *more)
{
    int64_t ms = now_ms() - revoke->began_ms;
    revoke->done_ms[revoke->done++] = ms;
    say("  %2lld.%03lld s  %s%s", (long long)(ms / 1000), (long long)(ms % 1000), what, more);
}

/* ---- registry and files ---- */

/* A pass phrase is asked for before anything is done, and before time counts. */
static int open_keys(struct home *home)
{
    struct home_issuer issuer;
    int code = home_issuer(home, REGISTRY_DEVICE, &issuer);
    home_issuer_free(&issuer);
    if (code == EXIT_OK)
        code = home_issuer(home, REGISTRY_IDEVID, &issuer);
    home_issuer_free(&issuer);
    return code;
}

static bool has_passwords(const struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->at[i].passwords)
            return true;
    }
    return false;
}

/* From here on nobody issues to the name: who does looks at its state in the same transaction. */
static int block(struct revoke *revoke)
{
    struct registry *registry = &revoke->home.registry;
    const char *name = revoke->row.name;
    int code = registry_begin(registry);
    if (code == EXIT_OK)
        code = registry_revoke_principal(registry, name, "revoked");
    if (code == EXIT_OK) /* given out again, the name begins without */
        code = registry_principal_password(registry, name, "");
    if (code == EXIT_OK)
        code = registry_event(registry, "revoke", name);
    if (code == EXIT_OK && !revoke->lists_only)
        code = evict_papers_make(&revoke->home, &revoke->row,
                                 has_passwords(&revoke->evict.listeners), &revoke->evict.papers);
    if (code == EXIT_OK)
        code = registry_commit(registry);
    else
        registry_rollback(registry);
    return code;
}

static int append(const struct home *home, const char *file, struct text *lines, bool secret)
{
    struct bytes before = {NULL, 0};
    struct text text;
    struct path path = home_path(home, file);
    int code = fflush(lines->file) == 0 ? files_read_large(path.text, &before)
                                        : fail(EXIT_FAILED, "no memory\nend other programs");
    if (code == EXIT_OK)
        code = text_open(&text);
    if (code == EXIT_OK) {
        fprintf(text.file, "%s%s", (const char *)before.at, lines->at);
        code = secret ? text_write_secret(&text, path.text) : text_write(&text, path.text);
    }
    bytes_free(&before);
    fclose(lines->file);
    free(lines->at);
    return code;
}

static int add_keeper(struct revoke *revoke)
{
    struct text lines;
    int code = text_open(&lines);
    if (code != EXIT_OK)
        return code;
    evict_papers_acl(lines.file, &revoke->row);
    return append(&revoke->home, "broker/acl", &lines, false);
}

static bool print_password(FILE *to, const struct evict_paper *paper)
{
    char hash[REGISTRY_HASH_MAX];
    return secret_hash(paper->password, hash) && fprintf(to, "%s:%s\n", paper->name, hash) > 0;
}

/* Where passwords are what lets in, evictors need one. */
static int add_passwords(struct revoke *revoke)
{
    const struct evict_papers *papers = &revoke->evict.papers;
    struct text lines;
    int code = text_open(&lines);
    if (code != EXIT_OK)
        return code;
    bool good = print_password(lines.file, &papers->keeper);
    for (size_t i = 0; good && mosquitto_one_way(&revoke->home) && i < papers->count; i++)
        good = print_password(lines.file, &papers->at[i]);
    if (!good)
        fail(EXIT_FAILED, "cannot hash a password: %s\ncheck libcrypto", x509_error());
    code = append(&revoke->home, "broker/passwords", &lines, true);
    return good ? code : EXIT_FAILED;
}

static int tell_broker(struct revoke *revoke)
{
    mosquitto_reload(&revoke->home);
    return revoke->reload ? process_shell("reload", revoke->reload, RELOAD_MS) : EXIT_OK;
}

/* Rights first: a broker that somebody else has read its files in between takes them away. */
static int write_files(struct revoke *revoke)
{
    struct home *home = &revoke->home;
    int code = mosquitto_write_acl(home);
    if (code == EXIT_OK && !revoke->lists_only)
        code = add_keeper(revoke);
    if (code == EXIT_OK)
        code = mosquitto_write_passwords(home);
    if (code == EXIT_OK && !revoke->lists_only && has_passwords(&revoke->evict.listeners))
        code = add_passwords(revoke);
    return code == EXIT_OK ? mosquitto_write_crl(home) : code;
}

/* What the eviction needed goes, whatever has become of it. */
static int tidy_up(struct revoke *revoke)
{
    struct registry *registry = &revoke->home.registry;
    int code = registry_begin(registry);
    if (code == EXIT_OK)
        code = evict_papers_revoke(&revoke->home, &revoke->evict.papers);
    if (code == EXIT_OK)
        code = registry_commit(registry);
    else
        registry_rollback(registry);
    revoke->lists_only = true;
    if (code == EXIT_OK)
        code = write_files(revoke);
    return code == EXIT_OK ? tell_broker(revoke) : code;
}

/* ---- what holds, and what does not ---- */

static int unfinished(const struct revoke *revoke, enum evict_result result)
{
    static const char *const missing[STEPS] = {
        [READ] =
            "whether a connection of it stands is not known, and nothing was evicted or cleared",
        [EVICTED] = "its connection and session may stand",
        [CLEARED] = "its connection and session have ended, what it had retained may be there",
        [NO_SESSION] = "it was evicted, and the check has failed",
        [NO_ENTRY] = "it was evicted, and the check has failed",
        [NO_RESUMPTION] = "it was evicted, and the check has failed",
    };
    const char *next =
        result == EVICT_UNREACHABLE ? "start the broker (thimble broker run) and run this again; "
                                      "--host where it is another "
                                      "machine's; --lists-only where none runs"
        : result == EVICT_NOT_READ && mosquitto_running(&revoke->home) == 0
            ? "this broker is not run by thimble broker run: run this again with --reload-command "
              "'systemctl reload mosquitto', or whatever brings it the files of broker/"
            : "run this again; the broker's log may say more";
    return fail(EXIT_UNFINISHED,
                "%s is revoked: nothing is issued to it, and the lists and rights in %s/broker say "
                "so. But it is not shown to be locked out, %s: %s\n%s",
                revoke->row.name, revoke->home.dir, missing[revoke->done], revoke->evict.found,
                next);
}

static void warn_unheeded(const struct revoke *revoke)
{
    if (revoke->evict.unheeded)
        warn("the WebSocket listener lets revoked certificates connect, as mosquitto 2.0 does; "
             "%s has no rights there, hears nothing and says nothing\n"
             "leave that listener out: thimble broker init --replace",
             revoke->row.name);
}

static void show_result(struct revoke *revoke)
{
    int64_t ms = revoke->done_ms[revoke->done - 1];
    const char *name = revoke->row.name;
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "name", name);
        json_text(&json, "state", "revoked");
        json_bool(&json, "locked_out", revoke->done == STEPS);
        json_number(&json, "ms", ms);
        json_number(&json, "cleared", revoke->evict.cleared);
        json_bool(&json, "websocket_heeds", !revoke->evict.unheeded);
        json_open(&json, "steps", '[');
        for (size_t i = 0; i < revoke->done; i++) {
            json_open(&json, NULL, '{');
            json_text(&json, "step", step_names[i]);
            json_number(&json, "ms", revoke->done_ms[i]);
            json_close(&json, '}');
        }
        json_close(&json, ']');
        json_end(&json);
    } else if (revoke->done == STEPS) {
        say("%s%s is locked out%s, %lld.%03lld s after the command.", term_out(TERM_BOLD), name,
            term_out(TERM_PLAIN), (long long)(ms / 1000), (long long)(ms % 1000));
    } else {
        say("%s%s is revoked%s: its certificates open no new connection, and it has no rights, as "
            "soon as a broker has read the files.",
            term_out(TERM_BOLD), name, term_out(TERM_PLAIN));
        say_file(home_path(&revoke->home, "broker/clients.crl").text, "says so to the broker");
    }
    if (revoke->done == STEPS)
        say("Only a new enrolment brings the name back: %sthimble %s %s --replace%s%s",
            term_out(TERM_CYAN), is_device(revoke) ? "device enrol" : "user add", name,
            revoke->home.flag, term_out(TERM_PLAIN));
}

/* ---- at the broker ---- */

static void tell_cleared(struct revoke *revoke)
{
    char text[32];
    snprintf(text, sizeof text, "%u", revoke->evict.cleared);
    if (revoke->evict.cleared)
        told(revoke, text,
             revoke->evict.cleared == 1 ? " retained message is cleared"
                                        : " retained messages are cleared");
    else
        told(revoke, "nothing of it is retained", "");
}

static enum evict_result check(struct revoke *revoke)
{
    struct evict *evict = &revoke->evict;
    enum evict_result result = evict_sessions(evict);
    if (result != EVICT_DONE)
        return result;
    told(revoke, "checked: ", "there is no session of it, and it may publish nothing");
    result = evict_fresh(evict);
    if (result != EVICT_DONE)
        return result;
    told(revoke, "checked: ",
         evict->tried ? "its own certificate is refused by every listener"
         : mosquitto_one_way(&revoke->home)
             ? "the broker knows no password of it any more"
             : "what the list revokes is refused; its key is not here");
    result = evict_resumed(evict);
    if (result == EVICT_DONE)
        told(revoke, "checked: ",
             evict->early_count == 2   ? "so are stored TLS sessions, of 1.3 and 1.2"
             : evict->early_count == 1 ? "so is a stored TLS session"
                                       : "no TLS session could be had to try it with");
    return result;
}

static enum evict_result evict(struct revoke *revoke)
{
    enum evict_result result = evict_await(&revoke->evict);
    if (result != EVICT_DONE)
        return result;
    told(revoke, "the broker has read them: ", "what this list revokes is refused");
    result = evict_names(&revoke->evict);
    if (result != EVICT_DONE)
        return result;
    told(revoke, "evicted: ",
         is_device(revoke) ? "the device, and its birth certificate's name"
                           : "every connection of the user");
    result = evict_retained(&revoke->evict);
    if (result != EVICT_DONE)
        return result;
    tell_cleared(revoke);
    return check(revoke);
}

static int write_and_tell(struct revoke *revoke)
{
    char process[48] = "";
    long long pid = mosquitto_running(&revoke->home);
    int code = write_files(revoke);
    if (code == EXIT_OK)
        code = tell_broker(revoke);
    if (pid)
        snprintf(process, sizeof process, ", and the broker was told (process %lld)", pid);
    if (code == EXIT_OK)
        told(revoke, "rights and lists are written", process);
    return code;
}

static int run(struct revoke *revoke)
{
    bool broker = files_exist(home_path(&revoke->home, "broker/mosquitto.conf").text);
    int code = EXIT_OK;
    revoke->lists_only = revoke->lists_only || !broker;
    if (!revoke->lists_only)
        code = listeners_read(&revoke->home, &revoke->evict.listeners);
    if (code == EXIT_OK && broker)
        code = open_keys(&revoke->home);
    if (code == EXIT_OK && !revoke->lists_only)
        code = evict_open(&revoke->evict);
    revoke->began_ms = now_ms();
    if (code == EXIT_OK)
        code = block(revoke);
    if (code != EXIT_OK)
        return code;
    told(revoke, "blocked: ", "nothing is issued to it, and all its certificates are revoked");
    if (!revoke->lists_only)
        evict_early(&revoke->evict);
    if (broker)
        code = write_and_tell(revoke);
    if (code != EXIT_OK || revoke->lists_only)
        return code;
    enum evict_result result = evict(revoke);
    int tidied = tidy_up(revoke);
    return result == EVICT_DONE ? tidied : unfinished(revoke, result);
}

/* ---- the command ---- */

static int take(struct revoke *revoke, const struct usage *usage, const char *kind, int argc,
                char **argv)
{
    struct words names = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&revoke->dir),
        {0, "lists-only", NULL, "writes rights and lists, for a broker that does not run",
         OPTION_FLAG, &revoke->lists_only, 0, 0},
        {0, "host", "HOST", "the broker runs there instead of here", OPTION_TEXT, &revoke->host, 0,
         0},
        {0, "reload-command", "COMMAND", "has the broker read its files, where another runs it",
         OPTION_TEXT, &revoke->reload, 0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    int code = options_take(usage, options, sizeof options / sizeof options[0], argc, argv, &names);
    if (code != OPTION_GO_ON)
        return code;
    if (names.count != 1)
        return fail(EXIT_USAGE, "%s needs one name\nthimble %s list", usage->command, kind);
    code = home_open(&revoke->home, revoke->dir, false);
    if (code != EXIT_OK)
        return code;
    if (!registry_principal(&revoke->home.registry, names.at[0], &revoke->row) ||
        strcmp(revoke->row.kind, kind) != 0)
        return fail(EXIT_MISSING, "there is no %s '%s'\nthimble %s list", kind, names.at[0], kind);
    revoke->evict.row = &revoke->row;
    revoke->evict.host = revoke->evict.server_name = revoke->host;
    code = home_lock(&revoke->home);
    return code == EXIT_OK ? OPTION_GO_ON : code;
}

int revoke_run(const struct usage *usage, const char *kind, int argc, char **argv)
{
    struct revoke *revoke = calloc(1, sizeof *revoke);
    if (!revoke)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    revoke->home.lock = -1;
    evict_papers_init(&revoke->evict.papers);
    int code = take(revoke, usage, kind, argc, argv);
    if (code == OPTION_GO_ON) {
        code = run(revoke);
        if (code == EXIT_OK) {
            show_result(revoke);
            warn_unheeded(revoke);
        }
        evict_close(&revoke->evict);
    }
    home_close(&revoke->home);
    free(revoke);
    return code;
}
