/* SPDX-License-Identifier: MIT */
#include "proof_cast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <thimble/time.h>

#include "acl.h"
#include "exits.h"
#include "mosquitto.h"
#include "secret.h"
#include "term.h"
#include "text.h"

#define LIFE_S       600
#define ANSWER_MS    5000
#define HURRY_MS     300 /* … once something went wrong */
#define SETTLE_TRIES 20

#define DEVICE "prove.a"
#define OTHER  "prove.b"

static const struct {
    const char *name, *role;
    enum listener_kind on;
    bool homeassistant;
} cast_list[PROOF_CAST] = {
    [PROOF_DEVICE] = {DEVICE, "", LISTENER_DEVICES, false},
    [PROOF_OTHER] = {OTHER, "", LISTENER_DEVICES, false},
    [PROOF_BIRTH] = {DEVICE ".birth", "", LISTENER_RECOVERY, false},
    [PROOF_VIEWER] = {"prove.viewer", "viewer", LISTENER_USERS, false},
    [PROOF_OPERATOR] = {"prove.operator", "operator", LISTENER_USERS, false},
    [PROOF_ADMIN] = {"prove.admin", "admin", LISTENER_USERS, false},
    [PROOF_HASS] = {"prove.hass", "viewer", LISTENER_USERS, true},
    [PROOF_AGENT] = {"prove.agent", "agent", LISTENER_USERS, false},
    [PROOF_KEEPER] = {"prove.keeper", "keeper", LISTENER_USERS, false},
    [PROOF_WEB] = {"prove.web", "viewer", LISTENER_WEBSOCKETS, false},
};

static const char *const papers[PROOF_PAPERS] = {
    [PROOF_PAPER_DEVICE] = "prove.c",
    [PROOF_PAPER_USER] = "prove.d",
    [PROOF_PAPER_BIRTH] = "prove.c.birth",
    [PROOF_PAPER_REVOKED] = "prove.gone",
    [PROOF_PAPER_REVOKED_BIRTH] = "prove.gone.birth",
    [PROOF_PAPER_LATER] = "prove.later",
    [PROOF_PAPER_FOREIGN] = "foreign",
};

const char *proof_who_name(enum proof_who who)
{
    return cast_list[who].name;
}

/* ---- certificates ---- */

static struct path paper_path(const struct home *home, const char *name, const char *ending)
{
    return path_of("%s/" PROOF_DIR "/%s.%s", home->dir, name, ending);
}

static bool is_birth(const char *name)
{
    size_t len = strlen(name);
    return len > 6 && strcmp(name + len - 6, ".birth") == 0;
}

static int write_paper(struct home *home, const char *name, EVP_PKEY *key, X509 *certificate)
{
    int code = x509_write_key(paper_path(home, name, "key").text, key, FILES_REPLACE);
    return code == EXIT_OK ? x509_write_certificate(paper_path(home, name, "crt").text, certificate,
                                                    FILES_REPLACE)
                           : code;
}

static X509 *sign(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                  enum x509_kind kind)
{
    int64_t now = time(NULL);
    return x509_issue(&(struct x509_order){
        .kind = kind,
        .common_name = name,
        .key = key,
        .issuer = issuer,
        .issuer_key = issuer_key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = now + LIFE_S,
    });
}

static int make_paper(struct home *home, const char *name, const char *kind)
{
    enum registry_authority which = is_birth(name) ? REGISTRY_IDEVID : REGISTRY_DEVICE;
    struct home_issuer issuer;
    int code = home_issuer(home, which, &issuer);
    if (code != EXIT_OK)
        return code;
    EVP_PKEY *key = x509_key_new();
    X509 *certificate = key ? sign(name, key, issuer.certificate, issuer.key, X509_CLIENT) : NULL;
    code = certificate
               ? write_paper(home, name, key, certificate)
               : fail(EXIT_FAILED, "cannot make a certificate: %s\ncheck libcrypto", x509_error());
    if (code == EXIT_OK)
        code = registry_certificate_add(&home->registry, which, kind, NULL, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    home_issuer_free(&issuer);
    return code;
}

/* A certificate for the device's name, by an authority the broker has never heard of. */
static int make_foreign(struct home *home)
{
    EVP_PKEY *ca_key = x509_key_new(), *key = x509_key_new();
    X509 *ca = ca_key ? sign("Somebody's device CA", ca_key, NULL, ca_key, X509_CA) : NULL;
    X509 *certificate = ca && key ? sign(DEVICE, key, ca, ca_key, X509_CLIENT) : NULL;
    int code = certificate ? write_paper(home, papers[PROOF_PAPER_FOREIGN], key, certificate)
                           : fail(EXIT_FAILED, "cannot make a certificate: %s\ncheck libcrypto",
                                  x509_error());
    X509_free(certificate);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return code;
}

static int issue_all(struct home *home)
{
    int code = EXIT_OK;
    for (int i = 0; code == EXIT_OK && i < PROOF_CAST; i++)
        code = make_paper(home, cast_list[i].name,
                          is_birth(cast_list[i].name) ? "idevid"
                          : cast_list[i].role[0]      ? "user"
                                                      : "ldevid");
    for (int i = PROOF_PAPER_DEVICE; code == EXIT_OK && i < PROOF_PAPER_FOREIGN; i++)
        code = make_paper(home, papers[i],
                          is_birth(papers[i])     ? "idevid"
                          : i == PROOF_PAPER_USER ? "user"
                                                  : "ldevid");
    if (code == EXIT_OK)
        code = make_foreign(home);
    if (code == EXIT_OK)
        code = registry_revoke_name(&home->registry, papers[PROOF_PAPER_REVOKED], "proof");
    if (code == EXIT_OK)
        code = registry_revoke_name(&home->registry, papers[PROOF_PAPER_REVOKED_BIRTH], "proof");
    return code == EXIT_OK ? registry_event(&home->registry, "prove", "broker") : code;
}

int proof_cast_papers(struct proof_cast *cast, struct proof_stage *stage)
{
    uint8_t random[8];
    memset(cast, 0, sizeof *cast);
    cast->stage = stage;
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return fail(EXIT_FAILED, "the system gives no random numbers\ntry again");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(cast->nonce + 2 * i, 3, "%02x", random[i]);
    if (!secret_make(cast->secret))
        return fail(EXIT_FAILED, "the system gives no random numbers\ntry again");
    struct home *home = stage->home;
    int code = registry_begin(&home->registry);
    if (code == EXIT_OK)
        code = issue_all(home);
    if (code == EXIT_OK) /* while the server CA is exchanged there are two */
        code = home_write_anchors(home, REGISTRY_SERVER,
                                  home_path(home, PROOF_DIR "/anchors.crt").text);
    if (code == EXIT_OK)
        code = mosquitto_write_crl(home);
    if (code == EXIT_OK)
        code = registry_commit(&home->registry);
    else
        registry_rollback(&home->registry);
    return code;
}

char *proof_cast_acl(void)
{
    struct text text;
    if (text_open(&text) != EXIT_OK)
        return NULL;
    fputs(PROOF_ACL_MARK, text.file);
    acl_birth(text.file, DEVICE);
    acl_legacy_device(text.file, DEVICE, PROOF_MAC);
    for (int i = 0; i < PROOF_CAST; i++) {
        struct registry_principal row = {.connections = 1,
                                         .homeassistant = cast_list[i].homeassistant};
        snprintf(row.name, sizeof row.name, "%s", cast_list[i].name);
        snprintf(row.role, sizeof row.role, "%s", cast_list[i].role);
        if (!row.role[0])
            continue;
        acl_user(text.file, &row);
        if (i != PROOF_AGENT && i != PROOF_KEEPER)
            acl_legacy_user(text.file, &row, PROOF_MAC);
    }
    if (fclose(text.file) == 0)
        return text.at;
    free(text.at);
    return NULL;
}

static void password_of(const struct proof_cast *cast, const char *name, char into[SECRET_MAX])
{
    snprintf(into, SECRET_MAX, "%.64s.%.64s", cast->secret, name);
}

static bool write_password(FILE *to, const struct proof_cast *cast, const char *name)
{
    char password[SECRET_MAX], hash[REGISTRY_HASH_MAX];
    password_of(cast, name, password);
    return secret_hash(password, hash) && fprintf(to, "%s:%s\n", name, hash) > 0;
}

char *proof_cast_passwords(const struct proof_cast *cast, bool revoked)
{
    struct text text;
    bool good = true;
    if (text_open(&text) != EXIT_OK)
        return NULL;
    for (int i = 0; good && i < PROOF_CAST; i++)
        good = write_password(text.file, cast, cast_list[i].name);
    for (int i = PROOF_PAPER_DEVICE; good && i < PROOF_PAPER_FOREIGN; i++) {
        if (i != (revoked ? PROOF_PAPER_LATER : PROOF_PAPER_REVOKED))
            good = write_password(text.file, cast, papers[i]);
    }
    if (fclose(text.file) == 0 && good)
        return text.at;
    free(text.at);
    return NULL;
}

/* ---- playing ---- */

static void on_message(struct proof_member *member, const struct th_mqtt_message *message)
{
    struct th_span payload = message->payload;
    member->heard = member->heard || th_span_equal(payload, th_span_str(member->want));
    member->fenced = member->fenced || th_span_equal(payload, th_span_str(member->fence));
}

static void on_event(struct actor *actor, const struct th_mqtt_event *event)
{
    struct proof_member *member = actor->user;
    static const struct th_mqtt_filter all = {.filter = {(const uint8_t *)"#", 1},
                                              .qos = TH_MQTT_QOS1,
                                              .retain_handling = TH_MQTT_RETAINED_DO_NOT_SEND};
    if (event->kind == TH_MQTT_EVENT_CONNECTED)
        th_mqtt_subscribe(&actor->peer.mqtt, &all, 1, NULL, 0, NULL);
    else if (event->kind == TH_MQTT_EVENT_SUBSCRIBED)
        member->subscribed = true;
    else if (event->kind == TH_MQTT_EVENT_PUBLISHED)
        member->acknowledged = true;
    else if (event->kind == TH_MQTT_EVENT_MESSAGE)
        on_message(member, &event->u.message);
}

static void step_all(struct proof_cast *cast)
{
    for (int i = 0; i < PROOF_CAST; i++) {
        if (cast->playing[i])
            actor_step(&cast->members[i].actor);
    }
}

static void wait_all(struct proof_cast *cast, uint32_t most_ms)
{
    uint32_t wait_ms = most_ms;
    for (int i = 0; i < PROOF_CAST; i++) {
        if (cast->playing[i])
            wait_ms = th_time_sooner(wait_ms, actor_deadline(&cast->members[i].actor));
    }
    proof_stage_wait(cast->stage, wait_ms);
}

/* Plays until `happened`, at most ANSWER_MS. */
static bool until(struct proof_cast *cast, bool (*happened)(struct proof_cast *cast, int who),
                  int who)
{
    uint32_t since = th_linux_now(&cast->stage->loop);
    for (;;) {
        step_all(cast);
        if (happened(cast, who))
            return true;
        uint32_t gone = th_linux_now(&cast->stage->loop) - since;
        uint32_t limit = cast->impatient ? HURRY_MS : ANSWER_MS;
        if (gone >= limit) {
            cast->impatient = true;
            return false;
        }
        wait_all(cast, limit - gone);
    }
}

/* Texts that flags point at. */
struct flags_texts {
    struct path files[3];
    char password[SECRET_MAX];
};

static void flags_for(struct proof_cast *cast, const struct listener *listener, const char *name,
                      struct peer_flags *flags, struct flags_texts *texts)
{
    struct home *home = cast->stage->home;
    struct path *files = texts->files;
    memset(flags, 0, sizeof *flags);
    peer_flags_init(flags);
    flags->host = listener->address;
    flags->port = listener->port;
    flags->id = name;
    flags->plaintext = !listener->tls;
    flags->websocket = listener->websockets ? "/mqtt" : NULL;
    if (listener->tls) {
        flags->server_name = "localhost";
        files[0] = home_path(home, PROOF_DIR "/anchors.crt");
        flags->cafile = files[0].text;
    }
    if (name && listener->passwords) {
        password_of(cast, name, texts->password);
        flags->user = name;
        flags->password = texts->password;
    } else if (name && listener->tls) {
        files[1] = paper_path(home, name, "crt");
        files[2] = paper_path(home, name, "key");
        flags->cert = files[1].text;
        flags->key = files[2].text;
    }
}

static bool all_subscribed(struct proof_cast *cast, int who)
{
    (void)who;
    for (int i = 0; i < PROOF_CAST; i++) {
        if (cast->playing[i] && !cast->members[i].subscribed)
            return false;
    }
    return true;
}

bool proof_cast_connect(struct proof_cast *cast, char *found, size_t room)
{
    struct peer_flags flags;
    struct flags_texts texts = {.password = ""};
    for (int i = 0; i < PROOF_CAST; i++) {
        struct proof_member *member = &cast->members[i];
        const struct listener *listener = proof_stage_listener(cast->stage, cast_list[i].on);
        if (!listener)
            continue;
        flags_for(cast, listener, cast_list[i].name, &flags, &texts);
        if (flags.password) { /* a flag is a pointer, and lives as long as the connection */
            memcpy(member->password, texts.password, sizeof member->password);
            flags.password = member->password;
        }
        member->actor.event = on_event;
        member->actor.user = member;
        cast->playing[i] = true;
        if (actor_start(&member->actor, cast_list[i].name, &cast->stage->loop, &flags) != EXIT_OK) {
            snprintf(found, room, "%s cannot start", cast_list[i].name);
            return false;
        }
    }
    if (until(cast, all_subscribed, 0))
        return true;
    for (int i = 0; i < PROOF_CAST; i++) {
        const struct actor *actor = &cast->members[i].actor;
        if (cast->playing[i] && !cast->members[i].subscribed)
            snprintf(found, room, "%s gets no connection: %s", actor->name,
                     actor->failures ? th_error_text(actor->failure.error) : "no answer");
    }
    return false;
}

void proof_cast_leave(struct proof_cast *cast)
{
    for (int i = 0; i < PROOF_CAST; i++) {
        if (cast->playing[i])
            actor_stop(&cast->members[i].actor);
        cast->playing[i] = false;
    }
}

/* ---- saying and hearing ---- */

static bool publish(struct proof_cast *cast, enum proof_who who, const char *topic,
                    const char *payload)
{
    const struct th_mqtt_publish message = {
        .topic = th_span_str(topic), .payload = th_span_str(payload), .qos = TH_MQTT_QOS1};
    return cast->playing[who] && cast->members[who].actor.up &&
           th_mqtt_publish(&cast->members[who].actor.peer.mqtt, &message, NULL) == TH_OK;
}

/* What everybody may hear, one message for each kind of listener. */
static const struct {
    enum proof_who by;
    const char *topic;
} fences[] = {
    {PROOF_ADMIN, DEVICE "/from/prove.admin/rpc"},
    {PROOF_ADMIN, OTHER "/from/prove.admin/rpc"},
    {PROOF_DEVICE, DEVICE "/telemetry/fence"},
    {PROOF_AGENT, "recover/" DEVICE "/answer"},
};

static bool all_fenced(struct proof_cast *cast, int who)
{
    (void)who;
    for (int i = 0; i < PROOF_CAST; i++) {
        if (cast->playing[i] && !cast->members[i].fenced)
            return false;
    }
    return true;
}

/* mosquitto hands messages to each client in the order in which it took them: who has the fence
 * will not get anything earlier any more. */
static bool fence(struct proof_cast *cast, char *found, size_t room)
{
    bool sent = true;
    for (size_t i = 0; i < sizeof fences / sizeof fences[0]; i++) {
        if (cast->playing[fences[i].by] &&
            (fences[i].by != PROOF_AGENT || cast->playing[PROOF_BIRTH]))
            sent = sent && publish(cast, fences[i].by, fences[i].topic, cast->members[0].fence);
    }
    if (sent && until(cast, all_fenced, 0))
        return true;
    for (int i = 0; i < PROOF_CAST; i++) {
        if (cast->playing[i] && !cast->members[i].fenced)
            snprintf(found, room, "%s does not hear what it may", cast_list[i].name);
    }
    return false;
}

static void expect(struct proof_cast *cast, const char *payload)
{
    cast->number++;
    for (int i = 0; i < PROOF_CAST; i++) {
        struct proof_member *member = &cast->members[i];
        snprintf(member->want, sizeof member->want, "%s", payload);
        snprintf(member->fence, sizeof member->fence, "fence %s %u", cast->nonce, cast->number);
        member->heard = member->fenced = member->acknowledged = false;
    }
}

static unsigned those_who_heard(const struct proof_cast *cast)
{
    unsigned heard = 0;
    for (int i = 0; i < PROOF_CAST; i++) {
        if (cast->playing[i] && cast->members[i].heard)
            heard |= PROOF_BIT(i);
    }
    return heard;
}

static bool acknowledged(struct proof_cast *cast, int who)
{
    return cast->members[who].acknowledged;
}

bool proof_cast_say(struct proof_cast *cast, enum proof_who who, const char *topic, unsigned *heard,
                    char *found, size_t room)
{
    char payload[64];
    snprintf(payload, sizeof payload, "proof %s %u", cast->nonce, cast->number);
    expect(cast, payload);
    if (!publish(cast, who, topic, payload) || !until(cast, acknowledged, who)) {
        snprintf(found, room, "%s has lost its connection", cast_list[who].name);
        return false;
    }
    bool judged = fence(cast, found, room);
    *heard = those_who_heard(cast);
    return judged;
}

void proof_cast_expect(struct proof_cast *cast, const char *payload)
{
    expect(cast, payload);
}

bool proof_cast_hearing(struct proof_cast *cast, unsigned *heard, char *found, size_t room)
{
    bool judged = fence(cast, found, room);
    *heard = those_who_heard(cast);
    return judged;
}

void proof_cast_settle(struct proof_cast *cast)
{
    char found[160];
    bool settled = cast->stage->own;
    for (int i = 0; !settled && i < SETTLE_TRIES; i++) {
        cast->impatient = true;
        expect(cast, "");
        settled = fence(cast, found, sizeof found);
    }
    cast->impatient = false;
}

/* ---- visits ---- */

static void ignore(struct actor *actor, const struct th_mqtt_event *event)
{
    (void)actor;
    (void)event;
}

/* TLS 1.3 says only behind the handshake that it refuses our certificate. */
static bool refused_by_tls(const struct actor *actor)
{
    enum th_layer layer = th_error_layer(actor->failure.error);
    return layer == TH_LAYER_TLS || layer == TH_LAYER_TRUST || layer == TH_LAYER_DATE ||
           actor->failure.alert != TH_NO_ALERT;
}

static void watch(struct proof_cast *cast, struct proof_visit *visit, struct actor *actor)
{
    uint32_t since = th_linux_now(&cast->stage->loop);
    uint32_t limit = cast->impatient ? HURRY_MS : ANSWER_MS;
    for (;;) {
        actor_step(actor);
        step_all(cast);
        if (actor->connections || actor->failures ||
            th_linux_now(&cast->stage->loop) - since >= limit)
            break;
        wait_all(cast, th_time_sooner(20, actor_deadline(actor)));
    }
    bool by_password =
        visit->listener->passwords && th_error_layer(actor->failure.error) == TH_LAYER_CONNACK;
    visit->entered = actor->connections > 0;
    visit->refused = !visit->entered && (visit->plaintext || by_password || refused_by_tls(actor));
    if (actor->failures)
        th_failure_text(&actor->failure, visit->found, sizeof visit->found);
    else
        snprintf(visit->found, sizeof visit->found, "%s",
                 visit->entered ? "was let in" : "got no answer");
}

int proof_cast_visit(struct proof_cast *cast, struct proof_visit *visit)
{
    struct peer_flags flags;
    struct flags_texts texts = {.password = ""};
    struct actor *actor = calloc(1, sizeof *actor);
    if (!actor)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    bool foreign = visit->paper == PROOF_PAPER_FOREIGN && visit->listener->passwords;
    const char *name = papers[foreign ? PROOF_PAPER_DEVICE : visit->paper];
    flags_for(cast, visit->listener, name, &flags, &texts);
    if (foreign)
        flags.password = "not the password";
    flags.id = visit->id ? visit->id : name;
    flags.will_topic = visit->will_topic;
    flags.will_payload = visit->will;
    flags.will_qos = visit->will_topic ? 1 : 0;
    if (visit->plaintext) {
        flags.plaintext = true;
        flags.cafile = flags.cert = flags.key = flags.server_name = flags.websocket = NULL;
    }
    actor->event = ignore;
    int code = actor_start(actor, "visitor", &cast->stage->loop, &flags);
    if (code == EXIT_OK)
        watch(cast, visit, actor);
    actor_stop(actor);
    free(actor);
    return code;
}
