/* SPDX-License-Identifier: MIT */
/* thimble broker prove: tries what is allowed and what is forbidden, and checks what is delivered:
 * mosquitto denies in silence. */
#include "prove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "json.h"
#include "key_pass.h"
#include "options.h"
#include "proof_cast.h"
#include "term.h"

#define DEVICE "prove.a"
#define OTHER  "prove.b"
#define USERS                                                                       \
    (PROOF_BIT(PROOF_VIEWER) | PROOF_BIT(PROOF_OPERATOR) | PROOF_BIT(PROOF_ADMIN) | \
     PROOF_BIT(PROOF_HASS) | PROOF_BIT(PROOF_AGENT) | PROOF_BIT(PROOF_KEEPER) |     \
     PROOF_BIT(PROOF_WEB))
#define NOBODY 0U

/* ---- what is published, and who must hear it; nobody else may ---- */

static const struct says {
    const char *id, *claim;
    enum proof_who who;
    const char *topic;
    unsigned hears;
} says[] = {
    {"F6", "every user hears a device's status", PROOF_DEVICE, DEVICE "/status", USERS},
    {"F6", "and its telemetry", PROOF_DEVICE, DEVICE "/telemetry/x", USERS},
    {"F6", "and its zones", PROOF_DEVICE, DEVICE "/zone/1", USERS},
    {"F6", "its log only operators and up", PROOF_DEVICE, DEVICE "/log",
     USERS & ~(PROOF_BIT(PROOF_VIEWER) | PROOF_BIT(PROOF_HASS) | PROOF_BIT(PROOF_WEB))},
    {"F6", "an answer is for its caller alone", PROOF_DEVICE, DEVICE "/to/prove.operator/rpc",
     PROOF_BIT(PROOF_OPERATOR) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "a device cannot tell another's status", PROOF_DEVICE, OTHER "/status", NOBODY},
    {"F6", "nor answer for another", PROOF_DEVICE, OTHER "/to/prove.operator/rpc", NOBODY},
    {"F6", "nor call another as an operator", PROOF_DEVICE, OTHER "/from/prove.operator/rpc",
     NOBODY},
    {"F6", "nor itself as an operator", PROOF_DEVICE, DEVICE "/from/prove.operator/rpc", NOBODY},
    {"F6", "an operator's request reaches the device", PROOF_OPERATOR,
     DEVICE "/from/prove.operator/rpc", PROOF_BIT(PROOF_DEVICE) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "a viewer's too, under its own name", PROOF_VIEWER, DEVICE "/from/prove.viewer/rpc",
     PROOF_BIT(PROOF_DEVICE) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "an admin's too", PROOF_ADMIN, DEVICE "/from/prove.admin/rpc",
     PROOF_BIT(PROOF_DEVICE) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "a viewer cannot guess another caller", PROOF_VIEWER, DEVICE "/from/prove.admin/rpc",
     NOBODY},
    {"F6", "nor an operator", PROOF_OPERATOR, DEVICE "/from/prove.admin/rpc", NOBODY},
    {"F6", "nor write below the request", PROOF_VIEWER, DEVICE "/from/prove.viewer/rpc/x", NOBODY},
    {"F6", "a viewer cannot tell a device's status", PROOF_VIEWER, DEVICE "/status", NOBODY},
    {"F6", "nor pose as a device of its own name", PROOF_VIEWER, "prove.viewer/status", NOBODY},
    {"F6", "nor answer another user", PROOF_VIEWER, DEVICE "/to/prove.operator/rpc", NOBODY},
    {"F6", "an admin cannot tell a device's status", PROOF_ADMIN, DEVICE "/status", NOBODY},
    {"F6", "Home Assistant hears a device's entities", PROOF_DEVICE,
     "homeassistant/device/" DEVICE "/config", PROOF_BIT(PROOF_HASS) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "a device cannot make another's entities", PROOF_DEVICE,
     "homeassistant/device/" OTHER "/config", NOBODY},
    {"F6", "a viewer cannot inject entities", PROOF_VIEWER,
     "homeassistant/device/" DEVICE "/config", NOBODY},
    {"F6", "nor under its own name", PROOF_VIEWER, "homeassistant/device/prove.viewer/config",
     NOBODY},
    {"F6", "nor of another kind", PROOF_VIEWER, "homeassistant/sensor/x/config", NOBODY},
    {"F6", "Home Assistant tells its status", PROOF_HASS, "homeassistant/status", USERS},
    {"F6", "a viewer does not", PROOF_VIEWER, "homeassistant/status", NOBODY},
    {"F6", "the agent's request reaches the device", PROOF_AGENT, DEVICE "/from/prove.agent/rpc",
     PROOF_BIT(PROOF_DEVICE) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "the agent cannot tell a device's status", PROOF_AGENT, DEVICE "/status", NOBODY},
    {"F6", "the keeper writes nothing", PROOF_KEEPER, DEVICE "/status", NOBODY},
    {"F6", "not even a request", PROOF_KEEPER, DEVICE "/from/prove.keeper/rpc", NOBODY},
    {"F6", "nor under its own name", PROOF_KEEPER, "prove.keeper/status", NOBODY},
    {"I7", "a device in recovery reaches the agent", PROOF_BIRTH, "recover/" DEVICE "/request",
     PROOF_BIT(PROOF_AGENT) | PROOF_BIT(PROOF_KEEPER)},
    {"I7", "and the agent reaches it", PROOF_AGENT, "recover/" DEVICE "/answer",
     PROOF_BIT(PROOF_BIRTH) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "a birth certificate tells no status", PROOF_BIRTH, DEVICE "/status", NOBODY},
    {"F6", "not even under its own name", PROOF_BIRTH, DEVICE ".birth/status", NOBODY},
    {"F6", "nor answers anybody", PROOF_BIRTH, DEVICE ".birth/to/prove.operator/rpc", NOBODY},
    {"F6", "nor asks for another device", PROOF_BIRTH, "recover/" OTHER "/request", NOBODY},
    {"F6", "nor makes entities", PROOF_BIRTH, "homeassistant/device/" DEVICE ".birth/config",
     NOBODY},
    {"F6", "a device asks for no other's recovery", PROOF_OTHER, "recover/" DEVICE "/request",
     NOBODY},
    {"F6", "an operator answers no recovery", PROOF_OPERATOR, "recover/" DEVICE "/answer", NOBODY},
    {"F6", "a legacy request reaches who asked for it", PROOF_OPERATOR, "mqtt_rx_" PROOF_MAC,
     PROOF_BIT(PROOF_DEVICE) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "and its answer the users", PROOF_DEVICE, "mqtt_tx_" PROOF_MAC,
     USERS & ~PROOF_BIT(PROOF_AGENT)},
    {"F6", "a viewer makes none", PROOF_VIEWER, "mqtt_rx_" PROOF_MAC, NOBODY},
    {"F6", "nor does another device answer", PROOF_OTHER, "mqtt_tx_" PROOF_MAC, NOBODY},
    {"F6", "nor has it legacy topics unasked", PROOF_OTHER, "irrigation/zone/on", NOBODY},
    {"F6", "a request over WebSocket reaches the device", PROOF_WEB, DEVICE "/from/prove.web/rpc",
     PROOF_BIT(PROOF_DEVICE) | PROOF_BIT(PROOF_KEEPER)},
    {"F6", "none in another's name", PROOF_WEB, DEVICE "/from/prove.viewer/rpc", NOBODY},
    {"F6", "and no status of a device", PROOF_WEB, DEVICE "/status", NOBODY},
    {"F6", "a user cannot ask for recovery", PROOF_VIEWER, "recover/prove.viewer/request", NOBODY},
};

/* ---- the table ---- */

struct proof {
    struct home *home;
    struct proof_stage stage;
    struct proof_cast cast;
    struct json json;
    bool brief;
    unsigned rows, failed;
};

static void row(struct proof *proof, const char *id, const char *claim, bool good,
                const char *found)
{
    proof->rows++;
    proof->failed += !good;
    if (term.json && !proof->brief) {
        json_open(&proof->json, NULL, '{');
        json_text(&proof->json, "id", id);
        json_text(&proof->json, "claim", claim);
        json_bool(&proof->json, "ok", good);
        json_text(&proof->json, "found", found);
        json_close(&proof->json, '}');
    } else if (!good || !proof->brief) {
        say("%s%s%s  %-3s %-44s %s", term_out(good ? TERM_GREEN : TERM_RED), good ? "ok  " : "FAIL",
            term_out(TERM_PLAIN), id, claim, found);
    }
}

static void names_of(unsigned heard, char *into, size_t room)
{
    size_t len = (size_t)snprintf(into, room, "%s", heard ? "heard by" : "heard by nobody");
    for (int i = 0; i < PROOF_CAST; i++) {
        if ((heard & PROOF_BIT(i)) && len < room)
            len += (size_t)snprintf(into + len, room - len, " %s",
                                    strchr(proof_who_name((enum proof_who)i), '.') + 1);
    }
}

/* ---- rows ---- */

static void prove_file(struct proof *proof)
{
    char found[160] = "none but on loopback";
    bool good = true;
    for (size_t i = 0; i < proof->stage.listeners.count; i++) {
        const struct listener *listener = &proof->stage.listeners.at[i];
        if (listener->tls || listener->loopback)
            continue;
        good = false;
        snprintf(found, sizeof found, "port %ld is in the clear", listener->configured);
    }
    row(proof, "F8", "no listener without TLS off loopback", good, found);
    row(proof, "F8", "anonymous clients are denied, in so many words",
        proof->stage.listeners.anonymous_denied,
        proof->stage.listeners.anonymous_denied ? "allow_anonymous false" : "no such line");
}

/* Without a recovery listener nobody recovers, and so on. */
static unsigned those_playing(const struct proof *proof)
{
    unsigned playing = 0;
    for (int who = 0; who < PROOF_CAST; who++)
        playing |= proof->cast.playing[who] ? PROOF_BIT(who) : 0;
    return playing;
}

static void prove_says(struct proof *proof)
{
    unsigned playing = those_playing(proof);
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        unsigned heard = 0;
        char found[160] = "";
        if (!(playing & PROOF_BIT(says[i].who)))
            continue;
        bool judged =
            proof_cast_say(&proof->cast, says[i].who, says[i].topic, &heard, found, sizeof found);
        if (judged)
            names_of(heard, found, sizeof found);
        row(proof, says[i].id, says[i].claim, judged && heard == (says[i].hears & playing), found);
    }
}

/* A certificate with another's client id: the other must not notice. */
static int prove_takeover(struct proof *proof, enum listener_kind kind, const char *id,
                          enum proof_who victim, const char *claim)
{
    struct proof_visit visit = {.listener = proof_stage_listener(&proof->stage, kind),
                                .paper = PROOF_PAPER_DEVICE,
                                .id = id};
    const struct actor *actor = &proof->cast.members[victim].actor;
    unsigned failures = actor->failures, heard;
    char found[160] = "it did not notice";
    int code = visit.listener ? proof_cast_visit(&proof->cast, &visit) : EXIT_OK;
    if (code != EXIT_OK || !visit.listener)
        return code;
    proof_cast_expect(&proof->cast, "");
    bool judged = proof_cast_hearing(&proof->cast, &heard, found, sizeof found);
    bool good = judged && visit.entered && actor->failures == failures;
    if (!visit.entered)
        snprintf(found, sizeof found, "the certificate was not let in: %.100s", visit.found);
    else if (actor->failures != failures)
        snprintf(found, sizeof found, "its connection was taken over");
    row(proof, "F6", claim, good, found);
    return EXIT_OK;
}

/* The second visit with the same name comes in only when the first connection is at its end, and
 * with it the will is out. */
static int prove_will(struct proof *proof, const char *topic, unsigned hears, const char *claim)
{
    struct proof_visit visit = {.listener = proof_stage_listener(&proof->stage, LISTENER_DEVICES),
                                .paper = PROOF_PAPER_DEVICE,
                                .will_topic = topic,
                                .will = "the last will of the proof"};
    struct proof_visit again = {.listener = visit.listener, .paper = PROOF_PAPER_DEVICE};
    unsigned heard = 0;
    char found[160] = "";
    if (!visit.listener)
        return EXIT_OK;
    proof_cast_expect(&proof->cast, visit.will);
    int code = proof_cast_visit(&proof->cast, &visit);
    if (code == EXIT_OK)
        code = proof_cast_visit(&proof->cast, &again);
    if (code != EXIT_OK)
        return code;
    bool judged = proof_cast_hearing(&proof->cast, &heard, found, sizeof found);
    if (judged)
        names_of(heard, found, sizeof found);
    row(proof, "F6", claim,
        judged && visit.entered && again.entered && heard == (hears & those_playing(proof)), found);
    return EXIT_OK;
}

static int prove_visit(struct proof *proof, struct proof_visit *visit, const char *id,
                       const char *what, bool enters)
{
    char claim[96];
    int code = proof_cast_visit(&proof->cast, visit);
    snprintf(claim, sizeof claim, "%s listener: %s", listener_kind_name(visit->listener->kind),
             what);
    if (code == EXIT_OK)
        row(proof, id, claim, enters ? visit->entered : visit->refused, visit->found);
    return code;
}

struct entry {
    const char *id, *what;
    enum proof_paper paper;
    bool plaintext, enters;
};

static int prove_entries(struct proof *proof, const struct listener *listener,
                         const struct entry *entries, size_t count)
{
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < count; i++) {
        struct proof_visit visit = {
            .listener = listener, .paper = entries[i].paper, .plaintext = entries[i].plaintext};
        if (listener->tls || !entries[i].plaintext)
            code = prove_visit(proof, &visit, entries[i].id, entries[i].what, entries[i].enters);
    }
    return code;
}

/* Each listener lets in its own kind of certificate and nothing else. */
static int prove_entry(struct proof *proof, const struct listener *listener)
{
    static const struct entry passwords[] = {
        {"F8", "a name with its password gets in", PROOF_PAPER_DEVICE, false, true},
        {"F8", "no password is refused", PROOF_PAPER_NONE, false, false},
        {"F8", "a wrong one is refused", PROOF_PAPER_FOREIGN, false, false},
        {"F8", "plaintext is refused", PROOF_PAPER_NONE, true, false},
    };
    bool recovery = listener->kind == LISTENER_RECOVERY;
    const struct entry certificates[] = {
        {"F8", "its own kind gets in", recovery ? PROOF_PAPER_BIRTH : PROOF_PAPER_DEVICE, false,
         true},
        {"F8", "no certificate is refused", PROOF_PAPER_NONE, false, false},
        {"F8", "another CA's is refused", PROOF_PAPER_FOREIGN, false, false},
        {"F6", recovery ? "an operational one is refused" : "a birth certificate is refused",
         recovery ? PROOF_PAPER_DEVICE : PROOF_PAPER_BIRTH, false, false},
        {"F8", "plaintext is refused", PROOF_PAPER_NONE, true, false},
    };
    return listener->passwords ? prove_entries(proof, listener, passwords, 4)
                               : prove_entries(proof, listener, certificates, 5);
}

/* A running broker reads its passwords when it gets to it: not before the later one is let in. */
static int await_passwords(struct proof *proof)
{
    const struct listener *listener = proof->stage.listeners.at;
    size_t count = proof->stage.listeners.count;
    while (count > 0 && !listener->passwords) {
        listener++;
        count--;
    }
    bool known = count == 0 || proof->stage.own || proof->stage.restart;
    for (int i = 0; !known && i < 100; i++) {
        struct proof_visit visit = {.listener = listener, .paper = PROOF_PAPER_LATER};
        int code = proof_cast_visit(&proof->cast, &visit);
        if (code != EXIT_OK)
            return code;
        known = visit.entered;
        if (!known)
            proof_stage_wait(&proof->stage, 50);
    }
    return EXIT_OK; /* else the rows will say so */
}

static int prove_revoked(struct proof *proof)
{
    char *passwords = proof_cast_passwords(&proof->cast, false);
    int code = passwords ? proof_stage_again(&proof->stage, passwords)
                         : fail(EXIT_FAILED, "no memory\nend other programs");
    free(passwords);
    if (code == EXIT_OK)
        code = await_passwords(proof);
    bool restarted = proof->stage.own || proof->stage.restart;
    const char *what = restarted ? "a revoked one, after a restart" : "a revoked one";
    for (size_t i = 0; code == EXIT_OK && i < proof->stage.listeners.count; i++) {
        const struct listener *listener = &proof->stage.listeners.at[i];
        struct proof_visit visit = {.listener = listener,
                                    .paper = listener->kind == LISTENER_RECOVERY
                                                 ? PROOF_PAPER_REVOKED_BIRTH
                                                 : PROOF_PAPER_REVOKED};
        code = prove_visit(proof, &visit, "I8", what, false);
    }
    return code;
}

static int prove_connected(struct proof *proof)
{
    prove_says(proof);
    int code = prove_takeover(proof, LISTENER_DEVICES, DEVICE, PROOF_DEVICE,
                              "another's client id takes nothing over");
    if (code == EXIT_OK)
        code = prove_takeover(proof, LISTENER_USERS, DEVICE, PROOF_DEVICE,
                              "nor on the users' listener");
    if (code == EXIT_OK)
        code = prove_takeover(proof, LISTENER_USERS, "prove.operator", PROOF_OPERATOR,
                              "nor a user's connection");
    if (code == EXIT_OK)
        code = prove_takeover(proof, LISTENER_WEBSOCKETS, DEVICE, PROOF_DEVICE,
                              "nor over WebSocket a device's");
    if (code == EXIT_OK)
        code = prove_will(proof, "prove.c/status", USERS, "a device's last will is heard");
    if (code == EXIT_OK)
        code = prove_will(proof, DEVICE "/status", NOBODY, "a will in another's name is not");
    return code;
}

static int prove_all(struct proof *proof)
{
    char found[160] = "";
    char *lines = proof_cast_acl(), *passwords = proof_cast_passwords(&proof->cast, true);
    int code = lines && passwords ? proof_stage_start(&proof->stage, lines, passwords)
                                  : fail(EXIT_FAILED, "no memory\nend other programs");
    free(lines);
    free(passwords);
    if (code != EXIT_OK)
        return code;
    prove_file(proof);
    bool connected = proof_cast_connect(&proof->cast, found, sizeof found);
    row(proof, "F6", "who has a certificate gets in, with its rights", connected, found);
    if (connected) {
        proof_cast_settle(&proof->cast);
        code = prove_connected(proof);
    }
    for (size_t i = 0; code == EXIT_OK && i < proof->stage.listeners.count; i++)
        code = prove_entry(proof, &proof->stage.listeners.at[i]);
    proof_cast_leave(&proof->cast);
    return code == EXIT_OK ? prove_revoked(proof) : code;
}

/* ---- the command ---- */

static int show_sum(const struct proof *proof)
{
    if (proof->failed == 0) {
        say("%sProved%s: %u statements hold.", term_out(TERM_BOLD), term_out(TERM_PLAIN),
            proof->rows);
        return EXIT_OK;
    }
    return fail(EXIT_PROOF,
                "%u of %u statements do not hold for this broker\n"
                "thimble broker init --replace, and run it anew",
                proof->failed, proof->rows);
}

int prove_broker(struct home *home, bool init, const char *restart)
{
    struct proof *proof = calloc(1, sizeof *proof);
    if (!proof)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    proof->home = home;
    proof->brief = init;
    int code = proof_stage_open(&proof->stage, home, init);
    proof->stage.restart = restart;
    if (code == EXIT_OK)
        code = proof_cast_papers(&proof->cast, &proof->stage);
    bool json = term.json && !init;
    if (code == EXIT_OK && json) {
        proof->json = json_begin(stdout);
        json_open(&proof->json, "proof", '[');
    }
    bool begun = code == EXIT_OK;
    if (code == EXIT_OK)
        code = prove_all(proof);
    if (begun && json) {
        json_close(&proof->json, ']');
        json_bool(&proof->json, "ok", code == EXIT_OK && proof->failed == 0);
        json_end(&proof->json);
        if (code == EXIT_OK && proof->failed)
            code = EXIT_PROOF;
    } else if (code == EXIT_OK) {
        code = show_sum(proof);
    }
    proof_stage_close(&proof->stage);
    free(proof);
    return code;
}

int broker_prove(int argc, char **argv)
{
    static const struct usage usage = {
        "broker prove", "", "Tries what is allowed and what is forbidden, and checks what arrives.",
        "It proves the broker that `thimble broker run` runs, or else one started for it from the\n"
        "same files. Names of the proof begin with 'prove.'; certificates live for ten minutes."};
    const char *dir = NULL, *restart = NULL;
    struct words rest = {0};
    const struct option options[] = {OPTION_ROW_DIR(&dir),
                                     {0, "restart-command", "COMMAND",
                                      "restarts the running broker, to prove that as well",
                                      OPTION_TEXT, &restart, 0, 0},
                                     OPTION_ROW_KEY_PASS,
                                     OPTION_ROW_JSON};
    int code = options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count)
        return fail(EXIT_USAGE, "broker prove takes no '%s'\nthimble broker prove --help",
                    rest.at[0]);
    struct home home;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK)
        code = prove_broker(&home, false, restart);
    home_close(&home);
    return code;
}
