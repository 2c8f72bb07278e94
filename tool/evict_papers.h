/* SPDX-License-Identifier: MIT */
/* The certificates of an eviction: valid for five minutes, their keys in memory alone, so that a
 * command that is killed leaves none behind. */
#ifndef TOOL_EVICT_PAPERS_H
#define TOOL_EVICT_PAPERS_H

#include "home.h"
#include "secret.h"

#define EVICT_KEEPER      "keeper.revoke"
#define EVICT_PROBE       "probe.revoke"
#define EVICT_BIRTH_PROBE "probe.revoke.birth"
#define EVICT_NAMES_MAX   32

struct evict_paper {
    char name[REGISTRY_NAME_MAX + 12]; /* "": there is none */
    int certificate, key;              /* memory files; -1 */
    struct path files[2];              /* where they are read: certificate, key */
    char password[SECRET_MAX];         /* for listeners that ask for one */
};

struct evict_papers {
    struct evict_paper keeper;             /* reads everything, and clears what is retained */
    struct evict_paper probe, birth_probe; /* revoked as soon as they are issued */
    struct evict_paper own; /* the device's or user's own files, where they are here */
    struct evict_paper at[EVICT_NAMES_MAX]; /* the evictors: every name of the one revoked */
    size_t count;
    int anchors; /* what the broker is known by */
    struct path anchors_file;
};

/* None yet. */
void evict_papers_init(struct evict_papers *papers);

/* Issues them, inside the transaction that has revoked `row`: an evictor is the one certificate
 * that a revoked name is still given. `passwords`: with a password each, too. */
int evict_papers_make(struct home *home, const struct registry_principal *row, bool passwords,
                      struct evict_papers *papers);

/* Revokes what was issued; inside a transaction. */
int evict_papers_revoke(struct home *home, const struct evict_papers *papers);
void evict_papers_free(struct evict_papers *papers);

/* The keeper's lines for the broker's ACL: it may clear what it finds of `row`. */
void evict_papers_acl(FILE *to, const struct registry_principal *row);

/* The topics below which `row` may have left something retained, as filters; gives back how many.
 */
#define EVICT_FILTERS_MAX (2 * EVICT_NAMES_MAX)
#define EVICT_FILTER_MAX  80
size_t evict_papers_filters(const struct registry_principal *row,
                            char into[EVICT_FILTERS_MAX][EVICT_FILTER_MAX]);

#endif
