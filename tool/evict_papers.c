/* SPDX-License-Identifier: MIT */
#include "evict_papers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */
#include <openssl/pem.h>

#include "exits.h"
#include "term.h"

#define LIFE_S 300

static bool is_device(const struct registry_principal *row)
{
    return strcmp(row->kind, "device") == 0;
}

/* ---- files that are in no directory ---- */

/* A PEM text into a memory file, which is read by the path that /proc gives it. */
static int keep_in_memory(BIO *text, int *file, struct path *path)
{
    char *at = NULL;
    long len = text ? BIO_get_mem_data(text, &at) : 0;
    *file = memfd_create("thimble", MFD_CLOEXEC);
    bool kept = len > 0 && *file >= 0 && write(*file, at, (size_t)len) == len;
    if (at)
        OPENSSL_cleanse(at, (size_t)len);
    BIO_free(text);
    *path = path_of("/proc/self/fd/%d", *file);
    return kept ? EXIT_OK
                : fail(EXIT_FAILED, "cannot keep a key in memory: %s\nend other programs",
                       strerror(errno));
}

static int keep_certificate(X509 *certificate, struct evict_paper *paper)
{
    BIO *text = BIO_new(BIO_s_mem());
    if (text)
        PEM_write_bio_X509(text, certificate);
    return keep_in_memory(text, &paper->certificate, &paper->files[0]);
}

static int keep_key(EVP_PKEY *key, struct evict_paper *paper)
{
    BIO *text = BIO_new(BIO_s_mem());
    if (text)
        PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL);
    return keep_in_memory(text, &paper->key, &paper->files[1]);
}

static int keep_anchors(struct home *home, struct evict_papers *papers)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    size_t count = registry_anchors(&home->registry, REGISTRY_SERVER, anchors);
    BIO *text = BIO_new(BIO_s_mem());
    for (size_t i = 0; text && i < count; i++)
        PEM_write_bio_X509(text, anchors[i].certificate);
    registry_anchors_free(anchors, count);
    return keep_in_memory(text, &papers->anchors, &papers->anchors_file);
}

/* ---- issuing ---- */

static X509 *sign(const struct home_issuer *issuer, const char *name, EVP_PKEY *key)
{
    int64_t now = time(NULL);
    return x509_issue(&(struct x509_order){
        .kind = X509_CLIENT,
        .common_name = name,
        .key = key,
        .issuer = issuer->certificate,
        .issuer_key = issuer->key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = now + LIFE_S,
    });
}

/* It is nobody's of the registry's names, and so not kept from one that is blocked. */
static int make_under(struct home *home, enum registry_authority which, const char *kind,
                      struct evict_paper *paper)
{
    struct home_issuer issuer;
    int code = home_issuer(home, which, &issuer);
    if (code != EXIT_OK)
        return code;
    EVP_PKEY *key = x509_key_new();
    X509 *certificate = key ? sign(&issuer, paper->name, key) : NULL;
    code = certificate
               ? keep_certificate(certificate, paper)
               : fail(EXIT_FAILED, "cannot make a certificate: %s\ncheck libcrypto", x509_error());
    if (code == EXIT_OK)
        code = keep_key(key, paper);
    if (code == EXIT_OK)
        code = registry_revoke_name(&home->registry, paper->name, "revoked");
    if (code == EXIT_OK)
        code = registry_certificate_add(&home->registry, which, kind, NULL, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    home_issuer_free(&issuer);
    return code;
}

static int make(struct home *home, const char *name, const char *kind, bool password,
                struct evict_paper *paper)
{
    snprintf(paper->name, sizeof paper->name, "%s", name);
    if (password && !secret_make(paper->password))
        return fail(EXIT_FAILED, "the system gives no random numbers\ntry again");
    return make_under(home, REGISTRY_DEVICE, kind, paper);
}

static int make_probes(struct home *home, struct evict_papers *papers)
{
    int code = make(home, EVICT_PROBE, "user", false, &papers->probe);
    if (code == EXIT_OK)
        code = registry_revoke_name(&home->registry, EVICT_PROBE, "probe");
    snprintf(papers->birth_probe.name, sizeof papers->birth_probe.name, EVICT_BIRTH_PROBE);
    if (code == EXIT_OK)
        code = make_under(home, REGISTRY_IDEVID, "idevid", &papers->birth_probe);
    if (code == EXIT_OK)
        code = registry_revoke_name(&home->registry, EVICT_BIRTH_PROBE, "probe");
    return code;
}

static void name_of(const struct registry_principal *row, int at, char *into, size_t room)
{
    if (is_device(row))
        snprintf(into, room, at == 0 ? "%s" : "%s.birth", row->name);
    else if (at == 0)
        snprintf(into, room, "%s", row->name);
    else
        snprintf(into, room, "%s.%d", row->name, at + 1);
}

static size_t names_of(const struct registry_principal *row)
{
    size_t count = is_device(row) ? 2 : (size_t)row->connections;
    return count < EVICT_NAMES_MAX ? count : EVICT_NAMES_MAX;
}

/* With them the check knocks as the one revoked. Devices that made their key themselves have it. */
static void find_own(const struct home *home, const struct registry_principal *row,
                     struct evict_paper *own)
{
    static const char *const endings[] = {"crt", "key"};
    for (int i = 0; i < 2; i++) {
        own->files[i] =
            path_of("%s/%ss/%s/%s.%s", home->dir, row->kind, row->name, row->kind, endings[i]);
        if (!files_exist(own->files[i].text))
            return;
    }
    snprintf(own->name, sizeof own->name, "%s", row->name);
}

void evict_papers_init(struct evict_papers *papers)
{
    memset(papers, 0, sizeof *papers);
    papers->anchors = papers->keeper.certificate = papers->keeper.key = -1;
    papers->probe.certificate = papers->probe.key = -1;
    papers->birth_probe.certificate = papers->birth_probe.key = -1;
    papers->own.certificate = papers->own.key = -1;
    for (size_t i = 0; i < EVICT_NAMES_MAX; i++)
        papers->at[i].certificate = papers->at[i].key = -1;
}

int evict_papers_make(struct home *home, const struct registry_principal *row, bool passwords,
                      struct evict_papers *papers)
{
    char name[REGISTRY_NAME_MAX + 12];
    find_own(home, row, &papers->own);
    int code = keep_anchors(home, papers);
    if (code == EXIT_OK)
        code = make(home, EVICT_KEEPER, "user", passwords, &papers->keeper);
    if (code == EXIT_OK)
        code = make_probes(home, papers);
    papers->count = names_of(row);
    for (size_t i = 0; code == EXIT_OK && i < papers->count; i++) {
        name_of(row, (int)i, name, sizeof name);
        code = make(home, name, is_device(row) ? "ldevid" : "user", passwords, &papers->at[i]);
    }
    return code;
}

int evict_papers_revoke(struct home *home, const struct evict_papers *papers)
{
    int code = registry_revoke_name(&home->registry, papers->keeper.name, "evicted");
    for (size_t i = 0; code == EXIT_OK && i < papers->count; i++)
        code = registry_revoke_name(&home->registry, papers->at[i].name, "evicted");
    return code;
}

static void free_paper(struct evict_paper *paper)
{
    if (paper->certificate >= 0)
        close(paper->certificate);
    if (paper->key >= 0)
        close(paper->key);
    OPENSSL_cleanse(paper->password, sizeof paper->password);
    paper->certificate = paper->key = -1;
}

void evict_papers_free(struct evict_papers *papers)
{
    free_paper(&papers->keeper);
    free_paper(&papers->probe);
    free_paper(&papers->birth_probe);
    for (size_t i = 0; i < papers->count; i++)
        free_paper(&papers->at[i]);
    if (papers->anchors >= 0)
        close(papers->anchors);
    papers->anchors = -1;
}

/* ---- rights ---- */

static size_t device_filters(const struct registry_principal *row,
                             char into[EVICT_FILTERS_MAX][EVICT_FILTER_MAX])
{
    size_t count = 0;
    snprintf(into[count++], EVICT_FILTER_MAX, "%s/#", row->name);
    snprintf(into[count++], EVICT_FILTER_MAX, "homeassistant/device/%s/config", row->name);
    snprintf(into[count++], EVICT_FILTER_MAX, "recover/%s/#", row->name);
    if (row->mac[0])
        snprintf(into[count++], EVICT_FILTER_MAX, "mqtt_tx_%s", row->mac);
    return count;
}

/* A user's requests that a broker keeps would be handed to every device that comes. */
size_t evict_papers_filters(const struct registry_principal *row,
                            char into[EVICT_FILTERS_MAX][EVICT_FILTER_MAX])
{
    char name[REGISTRY_NAME_MAX + 12];
    size_t count = 0;
    if (is_device(row))
        return device_filters(row, into);
    for (size_t i = 0; i < names_of(row); i++) {
        name_of(row, (int)i, name, sizeof name);
        snprintf(into[count++], EVICT_FILTER_MAX, "+/from/%s/#", name);
        snprintf(into[count++], EVICT_FILTER_MAX, "+/to/%s/#", name);
    }
    return count;
}

void evict_papers_acl(FILE *to, const struct registry_principal *row)
{
    char filters[EVICT_FILTERS_MAX][EVICT_FILTER_MAX];
    size_t count = evict_papers_filters(row, filters);
    fprintf(to, "\nuser " EVICT_KEEPER "\ntopic read #\n");
    for (size_t i = 0; i < count; i++)
        fprintf(to, "topic write %s\n", filters[i]);
}
