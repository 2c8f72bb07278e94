/* SPDX-License-Identifier: MIT */
/*
 * thimble ca restore: the archive becomes the state directory. Everything is unpacked and checked
 * beside it, in DIR.restoring, and takes its place in one rename: old or new, never half. A run
 * that was cut off leaves DIR.restoring at most, which the next run clears away.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup.h"
#include "ca.h"
#include "exits.h"
#include "json.h"
#include "key_pass.h"
#include "mosquitto.h"
#include "options.h"
#include "sealed.h"
#include "tar.h"
#include "term.h"

struct restore {
    struct path target, beside; /* DIR, DIR.restoring */
    struct path before;         /* where a live one has gone; "" none */
    bool replace, live;
    int lock; /* on DIR.restoring */
    size_t files;
    int64_t created_s;
    char origin[1024]; /* the directory it was made from */
};

/* ---- unpacking ---- */

/* The archive is authentic, and still no name may lead out of the directory. */
static bool is_inside(const char *name)
{
    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        size_t len = strcspn(at, "/");
        if (len == 0 || (len == 1 && at[0] == '.') || (len == 2 && memcmp(at, "..", 2) == 0))
            return false;
    }
    return true;
}

static int take_about(struct restore *restore, const struct tar_entry *entry)
{
    char text[1400];
    size_t first = strlen(BACKUP_FIRST_LINE);
    size_t len = entry->len < sizeof text - 1 ? entry->len : sizeof text - 1;
    memcpy(text, entry->at, len);
    text[len] = '\0';
    if (strncmp(text, BACKUP_FIRST_LINE "\n", first + 1) != 0)
        return fail(EXIT_INPUT, "the archive is of another version: %.40s\nupdate thimble", text);
    const char *created = strstr(text, "\ncreated "), *origin = strstr(text, "\ndirectory ");
    if (created)
        restore->created_s = strtoll(created + 9, NULL, 10);
    if (origin)
        snprintf(restore->origin, sizeof restore->origin, "%.*s", (int)strcspn(origin + 11, "\n"),
                 origin + 11);
    return EXIT_OK;
}

static int unpack_one(struct restore *restore, const struct tar_entry *entry)
{
    if (!is_inside(entry->name))
        return fail(EXIT_INPUT, "the archive names '%s', outside the directory\nuse another one",
                    entry->name);
    struct path path = path_of("%s/%s", restore->beside.text, entry->name);
    if (entry->directory)
        return files_directory(path.text);
    restore->files++;
    return files_write(path.text, entry->at, entry->len,
                       (int)(entry->mode & 0700 ? entry->mode : 0600), FILES_NEW);
}

static int unpack(struct restore *restore, const struct bytes *archive)
{
    struct tar_entry entry;
    size_t offset = 0;
    bool first = true;
    int code = EXIT_OK;
    enum tar_result result = TAR_DAMAGED;
    while (code == EXIT_OK &&
           (result = tar_read(archive->at, archive->len, &offset, &entry)) == TAR_ENTRY) {
        bool about = strcmp(entry.name, BACKUP_ABOUT) == 0;
        if (about != first)
            return fail(EXIT_INPUT, "this is no archive of `thimble ca backup`\nname another one");
        code = about ? take_about(restore, &entry) : unpack_one(restore, &entry);
        first = false;
    }
    if (code == EXIT_OK && (result != TAR_END || first))
        code = fail(EXIT_INPUT, "the archive is damaged\nuse another one");
    return code;
}

/* The registry opens, is whole, and is not of a newer thimble. */
static int check_unpacked(struct restore *restore)
{
    struct registry registry;
    struct path path = path_of("%s/registry.db", restore->beside.text);
    int code = registry_open(&registry, path.text, false);
    if (code == EXIT_OK)
        code = registry_check(&registry);
    if (code == EXIT_OK)
        code = registry_event(&registry, "restore", restore->origin);
    registry_close(&registry);
    return code;
}

/* ---- the place beside ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int clear_away(const char *path)
{
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT
               ? EXIT_OK
               : fail(EXIT_FAILED, "cannot remove %s: %s\nremove it, then run it again", path,
                      strerror(errno));
}

/* Who holds the lock on it owns it; one without a lock was left by a run that was killed. */
static int make_beside(struct restore *restore)
{
    const char *path = restore->beside.text;
    int code = files_directory(path);
    if (code != EXIT_OK)
        return code;
    int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
        restore->lock = lock;
        return EXIT_OK;
    }
    if (lock >= 0)
        close(lock);
    return fail(EXIT_EXISTS, "another command is restoring into %s\nwait for it to end", path);
}

static int keep_emptying(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    return walk->level == 0 ? 0 : remove(path);
}

static int empty_beside(struct restore *restore)
{
    return nftw(restore->beside.text, keep_emptying, 16, FTW_DEPTH | FTW_PHYS) == 0
               ? EXIT_OK
               : fail(EXIT_FAILED, "cannot empty %s: %s\nremove it, then run it again",
                      restore->beside.text, strerror(errno));
}

/* ---- taking the place ---- */

static void sync_parent(const struct restore *restore)
{
    struct path parent = restore->target;
    char *slash = strrchr(parent.text, '/');
    slash[slash == parent.text] = '\0';
    int file = open(parent.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0) {
        fsync(file);
        close(file);
    }
}

static int not_moved(const struct restore *restore)
{
    return fail(EXIT_FAILED,
                "cannot put %s in the place of %s: %s\ncheck the permissions of its "
                "parent directory",
                restore->beside.text, restore->target.text, strerror(errno));
}

/* An empty directory is replaced by the rename itself. */
static int take_place(struct restore *restore)
{
    if (!restore->live) {
        if (rename(restore->beside.text, restore->target.text) != 0)
            return not_moved(restore);
        sync_parent(restore);
        return EXIT_OK;
    }
    char date[24];
    struct tm utc;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    restore->before = path_of("%s.before-%s", restore->target.text, date);
    if (files_exist(restore->before.text))
        return fail(EXIT_EXISTS, "%s exists already\nrun it again in a second",
                    restore->before.text);
    /* The new one takes the name that the old one will have, and the two change places in one step:
     * killed before it, the old one is untouched, and after it nothing is left to do. */
    const char *before = restore->before.text;
    if (rename(restore->beside.text, before) != 0 ||
        renameat2(AT_FDCWD, before, AT_FDCWD, restore->target.text, RENAME_EXCHANGE) != 0)
        return not_moved(restore);
    sync_parent(restore);
    return EXIT_OK;
}

/* ---- the command ---- */

static bool is_empty(const char *path)
{
    return rmdir(path) == 0 ? mkdir(path, 0700) == 0 : errno == ENOENT;
}

/* A live one is neither overwritten without being asked, nor while something works in it. */
static int check_target(struct restore *restore, struct home *live)
{
    const char *target = restore->target.text;
    if (!files_exist(target) || is_empty(target))
        return EXIT_OK;
    if (!restore->replace)
        return fail(EXIT_EXISTS,
                    "%s is in use and was left as it is\n"
                    "thimble ca restore FILE --dir OTHER, or --replace, which moves it aside",
                    target);
    restore->live = true;
    if (!files_exist(path_of("%s/registry.db", target).text))
        return EXIT_OK;
    int code = home_find(live, target);
    if (code == EXIT_OK)
        code = home_lock(live);
    if (code == EXIT_OK && mosquitto_running(live) > 0)
        code = fail(EXIT_EXISTS, "the broker of %s is running\nend `thimble broker run` first",
                    target);
    return code;
}

static int find_target(struct restore *restore, const char *dir)
{
    char resolved[4096];
    struct path path = home_choose(dir), parent = path;
    size_t len = strlen(parent.text);
    while (len > 1 && parent.text[len - 1] == '/')
        parent.text[--len] = '\0';
    path = parent;
    if (realpath(path.text, resolved)) {
        restore->target = path_of("%s", resolved);
    } else {
        char *slash = strrchr(parent.text, '/');
        const char *name = slash ? path.text + (slash - parent.text) + 1 : path.text;
        if (slash)
            slash[slash == parent.text] = '\0';
        if (!realpath(slash ? parent.text : ".", resolved))
            return fail(EXIT_MISSING, "there is no directory %s\nmkdir -p %s", parent.text,
                        parent.text);
        restore->target = path_of("%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, name);
    }
    restore->beside = path_of("%.1000s.restoring", restore->target.text);
    return EXIT_OK;
}

static void show(const struct restore *restore)
{
    char date[24];
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "directory", restore->target.text);
        json_number(&json, "files", (int64_t)restore->files);
        json_number(&json, "created", restore->created_s);
        if (restore->before.text[0])
            json_text(&json, "before", restore->before.text);
        json_end(&json);
        return;
    }
    say("%s%s is restored%s: %zu files, as of %s.", term_out(TERM_BOLD), restore->target.text,
        term_out(TERM_PLAIN), restore->files, term_date(restore->created_s, date));
    if (restore->before.text[0])
        say_file(restore->before.text, "what was there before, with its keys");
    say("What was issued since is unknown to it, and cannot be revoked by name: thimble ca rotate "
        "device, where that matters.");
    if (strcmp(restore->origin, restore->target.text) != 0)
        warn("its broker's files name the directory %s\nthimble broker init --replace --dir %s",
             restore->origin, restore->target.text);
}

static int restore_from(struct restore *restore, const char *file)
{
    const char *pass;
    struct bytes sealed = {NULL, 0}, archive = {NULL, 0};
    int code = files_read_large(file, &sealed);
    if (code == EXIT_OK)
        code = key_pass_take(file, &pass);
    if (code == EXIT_OK)
        code = sealed_open(file, &sealed, pass, &archive);
    if (code == EXIT_OK)
        code = make_beside(restore);
    if (code == EXIT_OK)
        code = empty_beside(restore);
    if (code == EXIT_OK)
        code = unpack(restore, &archive);
    if (code == EXIT_OK)
        code = check_unpacked(restore);
    if (code == EXIT_OK)
        code = take_place(restore);
    if (code != EXIT_OK && restore->lock >= 0)
        clear_away(restore->beside.text);
    if (restore->lock >= 0)
        close(restore->lock);
    bytes_free(&sealed);
    bytes_free(&archive);
    return code;
}

int ca_restore(int argc, char **argv)
{
    static const struct usage usage = {
        "ca restore", "FILE", "Makes the state directory of an archive of `thimble ca backup`.",
        "A directory in use is left alone, unless --replace is given: then it is moved to\n"
        "DIR.before-<time>, and `thimble broker run` must not be running there."};
    const char *dir = NULL;
    struct restore restore = {.lock = -1};
    struct words words = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "replace", NULL, "although the directory is in use; moves it aside", OPTION_FLAG,
         &restore.replace, 0, 0},
        {0, "passphrase-file", "FILE", "its first line is the archive's pass phrase [asked]",
         OPTION_TEXT, &key_pass.file, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 4, argc, argv, &words);
    if (code != OPTION_GO_ON)
        return code;
    if (words.count != 1)
        return fail(EXIT_USAGE, "ca restore needs one file\nthimble ca restore thimble.backup");
    struct home live = {.lock = -1};
    code = find_target(&restore, dir);
    if (code == EXIT_OK)
        code = check_target(&restore, &live);
    if (code == EXIT_OK)
        code = restore_from(&restore, words.at[0]);
    if (code == EXIT_OK)
        show(&restore);
    home_close(&live);
    return code;
}
