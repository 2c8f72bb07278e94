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

#include "exits.h"
#include "term.h"

static struct path chosen(const char *dir)
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
    struct path path = chosen(dir);
    return make_absolute(home, path.text, dir != NULL);
}

bool home_exists(const char *dir)
{
    return files_exist(path_of("%s/registry.db", chosen(dir).text).text);
}

int home_open(struct home *home, const char *dir, bool create)
{
    memset(home, 0, sizeof *home);
    home->lock = -1;
    struct path path = chosen(dir);
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
        if (glob(path_of("%s/%s/*.??????", home->dir, folders[i]).text, 0, NULL, &found) != 0)
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

void home_close(struct home *home)
{
    registry_close(&home->registry);
    if (home->lock >= 0)
        close(home->lock);
    home->lock = -1;
}

struct path home_path(const struct home *home, const char *relative)
{
    return path_of("%s/%s", home->dir, relative);
}

struct path home_authority_path(const struct home *home, enum registry_authority which,
                                const char *ending)
{
    return path_of("%s/ca/%s.%s", home->dir, registry_authority_name(which), ending);
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
                    "begin anew: thimble ca init --dir DIR",
                    registry_authority_name(which), term_date(x509_not_after(certificate), date));
    return EXIT_OK;
}

int home_issuer(struct home *home, enum registry_authority which, struct home_issuer *out)
{
    *out = (struct home_issuer){NULL, NULL};
    out->certificate = registry_authority(&home->registry, which);
    if (!out->certificate)
        return fail(EXIT_MISSING, "there is no %s CA in %s\nthimble ca init",
                    registry_authority_name(which), home->dir);
    int code = check_dates(out->certificate, which);
    struct path path = home_authority_path(home, which, "key");
    if (code == EXIT_OK)
        code = x509_read_key(path.text, &out->key);
    if (code == EXIT_OK && X509_check_private_key(out->certificate, out->key) != 1)
        code = fail(EXIT_INPUT, "%s is not the key of the %s CA\nrestore it from its backup",
                    path.text, registry_authority_name(which));
    if (code != EXIT_OK)
        home_issuer_free(out);
    return code;
}

void home_issuer_free(struct home_issuer *issuer)
{
    X509_free(issuer->certificate);
    EVP_PKEY_free(issuer->key);
    *issuer = (struct home_issuer){NULL, NULL};
}
