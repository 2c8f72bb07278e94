/* SPDX-License-Identifier: MIT */
#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "exits.h"
#include "key_pass.h"
#include "term.h"
#include "token_key.h"

struct path home_choose(const char *dir)
{
    const char *set = getenv("THIMBLE_HOME");
    const char *user = getenv("HOME");
    if (dir)
        return path_of("%s", dir);
    if (set && *set)
        return path_of("%s", set);
    return path_of("%s/.thimble", user && *user ? user : ".");
}

static int make_absolute(struct home *home, const char *dir, bool named)
{
    char resolved[PATH_MAX];
    if (!realpath(dir, resolved))
        return fail(EXIT_MISSING, "there is no state directory %s: %s\nthimble ca init --dir %s",
                    dir, strerror(errno), dir);
    if (strlen(resolved) >= sizeof home->dir || strpbrk(resolved, "\n\r"))
        return fail(EXIT_INPUT, "the path of the state directory is too long or has line ends\n"
                                "name another one with --dir");
    memcpy(home->dir, resolved, strlen(resolved) + 1);
    if (named)
        snprintf(home->flag, sizeof home->flag, " --dir %s%s%s", term_quote(home->dir), home->dir,
                 term_quote(home->dir));
    struct stat status;
    if (stat(resolved, &status) == 0 && !S_ISDIR(status.st_mode))
        return fail(EXIT_INPUT, "%s is not a directory\nname another one with --dir", dir);
    if (stat(resolved, &status) == 0 && (status.st_mode & 077) != 0)
        warn("others may look into %s, which holds private keys\nchmod 700 %s", resolved, resolved);
    return EXIT_OK;
}

int home_find(struct home *home, const char *dir)
{
    memset(home, 0, sizeof *home);
    home->lock = -1;
    struct path path = home_choose(dir);
    return make_absolute(home, path.text, dir != NULL);
}

bool home_exists(const char *dir)
{
    return files_exist(path_of("%s/registry.db", home_choose(dir).text).text);
}

int home_open(struct home *home, const char *dir, bool create)
{
    memset(home, 0, sizeof *home);
    home->lock = -1;
    struct path path = home_choose(dir);
    int code = create ? files_directory(path.text) : EXIT_OK;
    if (code == EXIT_OK)
        code = make_absolute(home, path.text, dir != NULL);
    if (code != EXIT_OK)
        return code;
    struct path registry = home_path(home, "registry.db");
    return registry_open(&home->registry, registry.text, create);
}

/* What files_write() of a killed command has left. Only who holds the lock writes there. */
static void sweep(const struct home *home)
{
    static const char *const folders[] = {"ca", "broker"};
    for (size_t i = 0; i < 2 && !strpbrk(home->dir, "*?[\\"); i++) {
        glob_t found;
        if (glob(path_of("%s/%s/*" FILES_TEMPORARY "??????", home->dir, folders[i]).text, 0, NULL,
                 &found) != 0)
            continue;
        for (size_t j = 0; j < found.gl_pathc; j++)
            unlink(found.gl_pathv[j]);
        globfree(&found);
    }
}

int home_lock(struct home *home)
{
    struct path path = home_path(home, "lock");
    home->lock = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (home->lock >= 0 && flock(home->lock, LOCK_EX) == 0) {
        sweep(home);
        return EXIT_OK;
    }
    return fail(EXIT_FAILED, "cannot lock %s: %s\ncheck its permissions", path.text,
                strerror(errno));
}

bool home_lock_now(struct home *home)
{
    home->lock = open(home_path(home, "lock").text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (home->lock >= 0 && flock(home->lock, LOCK_EX | LOCK_NB) == 0) {
        sweep(home);
        return true;
    }
    home_unlock(home);
    return false;
}

void home_unlock(struct home *home)
{
    if (home->lock >= 0)
        close(home->lock);
    home->lock = -1;
}

void home_close(struct home *home)
{
    registry_close(&home->registry);
    home_unlock(home);
    for (size_t i = 0; i < home->key_count; i++)
        EVP_PKEY_free(home->keys[i].key);
    home->key_count = 0;
}

struct path home_path(const struct home *home, const char *relative)
{
    return path_of("%s/%s", home->dir, relative);
}

/* ---- authorities ---- */

struct path home_anchor_key(const struct home *home, const struct registry_anchor *anchor)
{
    return token_key_named(anchor->key) ? path_of("%s", anchor->key) : home_path(home, anchor->key);
}

struct path home_anchor_path(const struct home *home, const struct registry_anchor *anchor)
{
    return path_of("%s/%s.crt", home->dir, anchor->stem);
}

int home_write_anchors(struct home *home, enum registry_authority which, const char *path)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    X509 *certificates[REGISTRY_ANCHORS_MAX];
    size_t count = registry_anchors(&home->registry, which, anchors);
    for (size_t i = 0; i < count; i++)
        certificates[i] = anchors[i].certificate;
    int code = count ? x509_write_certificates(path, certificates, count)
                     : fail(EXIT_MISSING, "there is no %s CA in %s\nthimble ca init",
                            registry_authority_name(which), home->dir);
    registry_anchors_free(anchors, count);
    return code;
}

static int check_dates(const X509 *certificate, enum registry_authority which)
{
    char date[24];
    int64_t now = time(NULL);
    if (now < x509_not_before(certificate))
        return fail(EXIT_INPUT,
                    "the %s CA is valid from %s on, and this machine's clock is before "
                    "that\nset the clock: date --utc",
                    registry_authority_name(which), term_date(x509_not_before(certificate), date));
    if (now >= x509_not_after(certificate))
        return fail(EXIT_INPUT,
                    "the %s CA has expired on %s and issues nothing any more\n"
                    "make its successor: thimble ca rotate %s",
                    registry_authority_name(which), term_date(x509_not_after(certificate), date),
                    registry_authority_name(which));
    return EXIT_OK;
}

static int open_token(const char *what, const char *uri, EVP_PKEY **key)
{
    const char *pin = NULL;
    int code = token_key_has_pin(uri) ? EXIT_OK : key_pass_take("the token (its PIN)", &pin);
    return code == EXIT_OK ? token_key_load(&(struct token_key){what, uri, pin, NULL}, key) : code;
}

static int open_key(struct home *home, const struct registry_anchor *anchor, EVP_PKEY **key)
{
    for (size_t i = 0; i < home->key_count; i++) {
        if (home->keys[i].anchor == anchor->id) {
            *key = home->keys[i].key;
            return EXIT_OK;
        }
    }
    struct path path = home_anchor_key(home, anchor);
    char what[32];
    bool encrypted;
    snprintf(what, sizeof what, "the %s CA's key", registry_authority_name(anchor->which));
    int code = token_key_named(anchor->key) ? open_token(what, anchor->key, key)
                                            : x509_open_key(path.text, key, &encrypted);
    if (code != EXIT_OK)
        return code;
    if (X509_check_private_key(anchor->certificate, *key) != 1) {
        EVP_PKEY_free(*key);
        ERR_clear_error();
        return fail(EXIT_INPUT, "%s is not the key of the %s CA\nrestore it from its backup",
                    path.text, registry_authority_name(anchor->which));
    }
    if (home->key_count < HOME_KEYS_MAX)
        home->keys[home->key_count++] = (struct home_key){anchor->id, *key};
    return EXIT_OK;
}

int home_anchor_issuer(struct home *home, const struct registry_anchor *anchor,
                       struct home_issuer *out)
{
    EVP_PKEY *key = NULL;
    *out = (struct home_issuer){NULL, NULL};
    int code = open_key(home, anchor, &key);
    if (code != EXIT_OK)
        return code;
    X509_up_ref(anchor->certificate);
    EVP_PKEY_up_ref(key); /* the home keeps the other reference */
    *out = (struct home_issuer){anchor->certificate, key};
    return EXIT_OK;
}

int home_issuer(struct home *home, enum registry_authority which, struct home_issuer *out)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    size_t count = registry_anchors(&home->registry, which, anchors);
    *out = (struct home_issuer){NULL, NULL};
    int code = EXIT_OK;
    if (count == 0 || strcmp(anchors[0].state, "active") != 0)
        code = fail(EXIT_MISSING, "there is no %s CA in %s\nthimble ca init",
                    registry_authority_name(which), home->dir);
    if (code == EXIT_OK)
        code = check_dates(anchors[0].certificate, which);
    if (code == EXIT_OK)
        code = home_anchor_issuer(home, &anchors[0], out);
    registry_anchors_free(anchors, count);
    return code;
}

void home_issuer_free(struct home_issuer *issuer)
{
    X509_free(issuer->certificate);
    EVP_PKEY_free(issuer->key);
    *issuer = (struct home_issuer){NULL, NULL};
}
