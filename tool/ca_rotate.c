/* SPDX-License-Identifier: MIT */
/*
 * thimble ca rotate: a new anchor beside the old one, both trusted until the old one is retired.
 *
 * Who must learn of it differs. The broker alone knows the device CA and the IDevID CA, so their
 * successor issues at once, and the old one goes when nobody has a certificate of it any more.
 * Every device knows the server CA: its successor is trusted first (next), signs the broker's
 * certificate when all have it (--switch), and only then can the old one go.
 *
 * Registry and files change together: files are written inside the transaction, and a run that was
 * cut off before its end is repeated over the same key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "broker_certificate.h"
#include "ca.h"
#include "exits.h"
#include "json.h"
#include "key_pass.h"
#include "mosquitto.h"
#include "options.h"
#include "term.h"
#include "trust_ask.h"
#include "trust_held.h"

struct rotate {
    const char *dir;
    enum registry_authority which;
    const char *as;
    bool switch_over, retire, plan, another, force, ask;
    struct home home;
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    size_t count;
    struct trust_asked
        *asked; /* with --ask: the devices that trust by bundles, and what they say */
    size_t asked_count;
};

static const char *name_of(const struct rotate *rotate)
{
    return registry_authority_name(rotate->which);
}

/* The first in this state; the newest, of old ones. */
static struct registry_anchor *in_state(struct rotate *rotate, const char *state)
{
    for (size_t i = 0; i < rotate->count; i++) {
        if (strcmp(rotate->anchors[i].state, state) == 0)
            return &rotate->anchors[i];
    }
    return NULL;
}

/* ---- who knows which ---- */

struct census {
    struct rotate *rotate;
    struct json *json;
    const struct registry_anchor *wanted; /* what everybody must have */
    int ready, waiting;
    char examples[160];
};

/* A file of ours, written from the same certificates: their text is compared. */
static bool file_has(const char *path, X509 *wanted)
{
    X509 *found[REGISTRY_ANCHORS_MAX];
    size_t count = 0;
    bool has = false;
    if (!files_exist(path) || x509_read_certificates(path, found, REGISTRY_ANCHORS_MAX, &count))
        count = 0;
    for (size_t i = 0; i < count; i++) {
        has = has || X509_cmp(found[i], wanted) == 0;
        X509_free(found[i]);
    }
    return has;
}

/* What made its own key trusts by signed bundles alone; others by a file that is copied. */
static bool trusts_by_bundle(const struct home *home, const struct registry_principal *row)
{
    struct path key = path_of("%s/devices/%s/device.key", home->dir, row->name);
    return strcmp(row->kind, "device") == 0 && !files_exist(key.text);
}

static enum trust_answer said(const struct rotate *rotate, const char *name)
{
    for (size_t i = 0; i < rotate->asked_count; i++) {
        if (strcmp(rotate->asked[i].name, name) == 0)
            return rotate->asked[i].answer;
    }
    return TRUST_SILENT;
}

static bool is_ready(struct census *census, const struct registry_principal *row)
{
    struct home *home = &census->rotate->home;
    enum trust_answer answer = said(census->rotate, row->name);
    if (answer != TRUST_SILENT)
        return answer == TRUST_HAS;
    if (census->rotate->which == REGISTRY_SERVER && trusts_by_bundle(home, row))
        return trust_held_has(home, row->name, census->wanted->certificate);
    if (census->rotate->which == REGISTRY_SERVER)
        return file_has(path_of("%s/%ss/%s/ca.crt", home->dir, row->kind, row->name).text,
                        census->wanted->certificate);
    return registry_holds_other(&home->registry, row->name, census->rotate->which,
                                census->wanted->id) == 0;
}

static bool count_one(void *user, const struct registry_principal *row)
{
    struct census *census = user;
    bool idevid = census->rotate->which == REGISTRY_IDEVID;
    if (strcmp(row->state, "active") != 0 || (idevid && strcmp(row->kind, "device") != 0))
        return true;
    bool ready = is_ready(census, row);
    *(ready ? &census->ready : &census->waiting) += 1;
    size_t used = strlen(census->examples);
    if (!ready && used + strlen(row->name) + 8 < sizeof census->examples)
        snprintf(census->examples + used, sizeof census->examples - used, "%s%s", used ? ", " : "",
                 row->name);
    if (!census->rotate->plan)
        return true;
    bool says = said(census->rotate, row->name) != TRUST_SILENT;
    if (term.json) {
        json_open(census->json, NULL, '{');
        json_text(census->json, "name", row->name);
        json_text(census->json, "kind", row->kind);
        json_bool(census->json, "ready", ready);
        json_bool(census->json, "says", says);
        json_close(census->json, '}');
    } else {
        say("  %-32s %-7s %s%s", row->name, row->kind, ready ? "ready" : "not yet",
            says ? ", it says" : "");
    }
    return true;
}

static void count_all(struct census *census)
{
    registry_principals(&census->rotate->home.registry, "device", count_one, census);
    registry_principals(&census->rotate->home.registry, "user", count_one, census);
}

static const char *how_to_move(enum registry_authority which)
{
    return which == REGISTRY_SERVER ? "thimble trust sign, and thimble trust push NAME FILE to "
                                      "devices; others are given their new ca.crt"
                                    : "thimble device enrol NAME --replace, thimble user add NAME "
                                      "--replace";
}

static int plan(struct rotate *rotate, const struct registry_anchor *active)
{
    struct registry_anchor *next = in_state(rotate, "next");
    struct json json = term.json ? json_begin(stdout) : (struct json){0};
    struct census census = {.rotate = rotate, .json = &json, .wanted = next ? next : active};
    char name[128];
    x509_common_name(census.wanted->certificate, name, sizeof name);
    if (term.json) {
        json_text(&json, "authority", name_of(rotate));
        json_text(&json, "anchor", name);
        json_open(&json, "clients", '[');
    } else {
        say("%sWho is ready for %s%s, as far as this machine knows:", term_out(TERM_BOLD), name,
            term_out(TERM_PLAIN));
    }
    count_all(&census);
    if (term.json) {
        json_close(&json, ']');
        json_end(&json);
        return EXIT_OK;
    }
    say("%d ready, %d not yet", census.ready, census.waiting);
    if (census.waiting)
        say("Next: %s", how_to_move(rotate->which));
    else if (next)
        say("Next: thimble ca rotate server --switch%s", rotate->home.flag);
    else if (in_state(rotate, "old"))
        say("Next: thimble ca rotate %s --retire%s", name_of(rotate), rotate->home.flag);
    return EXIT_OK;
}

/* ---- the three steps ---- */

static int begin(struct rotate *rotate)
{
    struct home *home = &rotate->home;
    bool server = rotate->which == REGISTRY_SERVER;
    if (in_state(rotate, "next") || (in_state(rotate, "old") && !rotate->another))
        return fail(EXIT_EXISTS,
                    "the %s has a successor already, and the exchange is not over; nothing was "
                    "changed\nthimble ca rotate %s --plan",
                    ca_subject(rotate->which), name_of(rotate));
    if (rotate->count == REGISTRY_ANCHORS_MAX)
        return fail(EXIT_EXISTS,
                    "%d anchors of a kind are trusted already\nretire one: thimble ca "
                    "rotate %s --retire",
                    REGISTRY_ANCHORS_MAX, name_of(rotate));
    struct ca_keys keys;
    char name[REGISTRY_TEXT_MAX] = "Thimble";
    ca_keys_of(home, &keys);
    registry_get(&home->registry, "ca.name", name);
    int code = ca_unlock(home, rotate->which);
    if (code == EXIT_OK && !server)
        code = registry_anchor_state(&home->registry, in_state(rotate, "active")->id, "old");
    struct registry_anchor made = {.which = rotate->which};
    snprintf(made.state, sizeof made.state, "%s", server ? "next" : "active");
    if (code == EXIT_OK)
        code = ca_make(home, &keys, name, &made);
    registry_anchors_free(&made, 1);
    return code == EXIT_OK ? registry_event(&home->registry, "rotate", name_of(rotate)) : code;
}

static int switch_over(struct rotate *rotate)
{
    struct registry *registry = &rotate->home.registry;
    struct registry_anchor *next = in_state(rotate, "next"), *active = in_state(rotate, "active");
    if (!next)
        return fail(EXIT_MISSING,
                    "there is no next server CA to switch to\nthimble ca rotate server");
    struct census census = {.rotate = rotate, .wanted = next};
    count_all(&census);
    if (census.waiting && !rotate->force)
        return fail(EXIT_INPUT,
                    "%d would not know the broker any more: %s ...; nothing was changed\n%s, or "
                    "--force",
                    census.waiting, census.examples, how_to_move(rotate->which));
    int code = registry_anchor_state(registry, active->id, "old");
    if (code == EXIT_OK)
        code = registry_anchor_state(registry, next->id, "active");
    return code == EXIT_OK ? registry_event(registry, "switch", name_of(rotate)) : code;
}

static int retire(struct rotate *rotate)
{
    struct registry *registry = &rotate->home.registry;
    struct registry_anchor *old = in_state(rotate, "old");
    if (!old)
        return fail(EXIT_MISSING, "there is no old %s to retire\nthimble ca rotate %s",
                    ca_subject(rotate->which), name_of(rotate));
    struct census census = {.rotate = rotate, .wanted = in_state(rotate, "active")};
    if (rotate->which != REGISTRY_SERVER)
        count_all(&census);
    if (census.waiting && !rotate->force)
        return fail(EXIT_INPUT,
                    "%d would be locked out, as their certificates are of the old %s: %s ...; "
                    "nothing was changed\n%s, or --force",
                    census.waiting, ca_subject(rotate->which), census.examples,
                    how_to_move(rotate->which));
    int code = registry_anchor_state(registry, old->id, "retired");
    return code == EXIT_OK ? registry_event(registry, "retire", name_of(rotate)) : code;
}

/* ---- the command ---- */

static void show(struct rotate *rotate)
{
    struct home *home = &rotate->home;
    bool server = rotate->which == REGISTRY_SERVER;
    const char *subject = ca_subject(rotate->which);
    if (rotate->retire) {
        say("%sThe old %s is retired%s: %s.", term_out(TERM_BOLD), subject, term_out(TERM_PLAIN),
            server ? "what this directory hands out from now on is without it"
                   : "nobody trusts it any more");
        if (server)
            say("Devices that made their own keys trust it until they are given a bundle without: "
                "thimble trust sign, thimble trust push NAME FILE");
        return;
    }
    if (rotate->switch_over) {
        say("%sThe broker's certificate is of the new server CA%s now. Both are trusted.",
            term_out(TERM_BOLD), term_out(TERM_PLAIN));
        say_file(home_path(home, "broker/server.crt").text, "over the same key: pins hold");
        say("Next, when nobody needs the old one: thimble ca rotate server --retire%s", home->flag);
        return;
    }
    say("%sThere is a new %s%s beside the old one, and both are trusted.", term_out(TERM_BOLD),
        subject, term_out(TERM_PLAIN));
    struct registry_anchor *made = in_state(rotate, server ? "next" : "active");
    if (made)
        say_file(home_anchor_path(home, made).text, ca_purpose(rotate->which));
    if (server)
        say("It issues nothing until every device and user has it: their ca.crt in this directory "
            "have both.");
    else
        say("It issues from now on. What the old one issued stays good until it ends.");
    say("Next: thimble ca rotate %s --plan%s", name_of(rotate), home->flag);
}

static void take_anchors(struct rotate *rotate)
{
    registry_anchors_free(rotate->anchors, rotate->count);
    rotate->count = registry_anchors(&rotate->home.registry, rotate->which, rotate->anchors);
}

static int change(struct rotate *rotate)
{
    struct registry *registry = &rotate->home.registry;
    int code = registry_begin(registry);
    if (code == EXIT_OK)
        take_anchors(rotate);
    const struct registry_anchor *active = in_state(rotate, "active");
    if (code == EXIT_OK && !active)
        code = fail(EXIT_MISSING, "there is no %s in %s\nthimble ca init",
                    ca_subject(rotate->which), rotate->home.dir);
    if (code == EXIT_OK && active && rotate->plan)
        return plan(rotate, active);
    if (code == EXIT_OK)
        code = rotate->retire        ? retire(rotate)
               : rotate->switch_over ? switch_over(rotate)
                                     : begin(rotate);
    if (code == EXIT_OK)
        code = ca_publish(&rotate->home, rotate->which);
    if (code == EXIT_OK && rotate->switch_over &&
        files_exist(home_path(&rotate->home, "broker/mosquitto.conf").text))
        code = broker_certificate_renew(&rotate->home);
    if (code == EXIT_OK)
        code = registry_commit(registry);
    if (code != EXIT_OK)
        return code;
    take_anchors(rotate);
    mosquitto_reload(&rotate->home); /* it reads anchors, lists and certificate again (measured) */
    if (term.json)
        return ca_json(&rotate->home);
    show(rotate);
    return EXIT_OK;
}

/* ---- asking the devices ---- */

static bool to_be_asked(void *user, const struct registry_principal *row)
{
    struct rotate *rotate = user;
    if (strcmp(row->state, "active") != 0 || !trusts_by_bundle(&rotate->home, row))
        return true;
    struct trust_asked *larger = realloc(rotate->asked, (rotate->asked_count + 1) * sizeof *larger);
    if (!larger)
        return false;
    rotate->asked = larger;
    larger[rotate->asked_count] = (struct trust_asked){.answer = TRUST_SILENT};
    snprintf(larger[rotate->asked_count++].name, sizeof larger->name, "%s", row->name);
    return true;
}

/* Before anything is locked: others may use the registry while devices answer. */
static int ask(struct rotate *rotate)
{
    take_anchors(rotate);
    const struct registry_anchor *next = in_state(rotate, "next");
    const struct registry_anchor *wanted = next ? next : in_state(rotate, "active");
    registry_principals(&rotate->home.registry, "device", to_be_asked, rotate);
    if (!wanted || rotate->asked_count == 0)
        return EXIT_OK;
    return trust_ask(rotate->dir, rotate->as, wanted->certificate, rotate->asked,
                     rotate->asked_count);
}

static int rotate_in(struct rotate *rotate)
{
    int code = home_open(&rotate->home, rotate->dir, false);
    if (code == EXIT_OK && rotate->ask)
        code = ask(rotate);
    if (code == EXIT_OK)
        code = home_lock(&rotate->home);
    if (code == EXIT_OK)
        code = change(rotate);
    registry_anchors_free(rotate->anchors, rotate->count);
    free(rotate->asked);
    home_close(&rotate->home);
    return code;
}

static int check(struct rotate *rotate, const struct words *words)
{
    int at = -1;
    for (int i = 0; words->count == 1 && i < REGISTRY_AUTHORITIES; i++) {
        if (strcmp(words->at[0], registry_authority_name((enum registry_authority)i)) == 0)
            at = i;
    }
    if (at < 0)
        return fail(EXIT_USAGE, "ca rotate takes one of server, device and idevid\n"
                                "thimble ca rotate device");
    rotate->which = (enum registry_authority)at;
    if (rotate->switch_over + rotate->retire + rotate->plan > 1)
        return fail(EXIT_USAGE,
                    "--plan, --switch and --retire are steps of their own\n"
                    "thimble ca rotate %s --plan",
                    name_of(rotate));
    if (rotate->ask && (rotate->which != REGISTRY_SERVER || !(rotate->plan || rotate->switch_over)))
        return fail(EXIT_USAGE, "--ask goes with --plan and --switch of the server CA\n"
                                "thimble ca rotate server --plan --ask");
    if (rotate->as && !rotate->ask)
        return fail(EXIT_USAGE, "--as tells who asks\nadd --ask");
    if (rotate->switch_over && rotate->which != REGISTRY_SERVER)
        return fail(EXIT_USAGE,
                    "only the server CA is switched: the new %s issues from the start\n"
                    "thimble ca rotate %s --plan",
                    ca_subject(rotate->which), name_of(rotate));
    return EXIT_OK;
}

int ca_rotate(int argc, char **argv)
{
    static const struct usage usage = {
        "ca rotate", "server|device|idevid", "Makes an authority's successor, and retires the old.",
        "device, idevid: the successor issues at once; the broker trusts both until --retire.\n"
        "server: everybody is given both anchors; --switch gives the broker a certificate of the\n"
        "new one, over the same key; --retire ends the exchange. Examples:\n"
        "  thimble ca rotate server\n"
        "  thimble ca rotate server --plan"};
    struct rotate rotate = {.dir = NULL};
    struct words words = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&rotate.dir),
        {0, "plan", NULL, "only tell who is ready for the next step", OPTION_FLAG, &rotate.plan, 0,
         0},
        {0, "switch", NULL, "the broker's certificate from the next server CA", OPTION_FLAG,
         &rotate.switch_over, 0, 0},
        {0, "retire", NULL, "trust the old one no more", OPTION_FLAG, &rotate.retire, 0, 0},
        {0, "ask", NULL, "with --plan, --switch: ask the devices, over MQTT", OPTION_FLAG,
         &rotate.ask, 0, 0},
        {0, "as", "NAME", "the user who asks, an operator or admin", OPTION_TEXT, &rotate.as, 0, 0},
        {0, "another", NULL, "a further successor, while an old one is still trusted", OPTION_FLAG,
         &rotate.another, 0, 0},
        {0, "force", NULL, "go on although some are not ready: they are locked out", OPTION_FLAG,
         &rotate.force, 0, 0},
        OPTION_ROW_KEY_PASS,
        OPTION_ROW_JSON,
    };
    int code =
        options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &words);
    if (code != OPTION_GO_ON)
        return code;
    code = check(&rotate, &words);
    return code == EXIT_OK ? rotate_in(&rotate) : code;
}
