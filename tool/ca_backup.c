/* SPDX-License-Identifier: MIT */
/* thimble ca backup: the state directory as one encrypted archive (docs/backup-format.md). */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "backup.h"
#include "ca.h"
#include "exits.h"
#include "json.h"
#include "key_pass.h"
#include "options.h"
#include "sealed.h"
#include "tar.h"
#include "term.h"
#include "text.h"

#define DEPTH_MAX 8

struct packing {
    const struct home *home;
    FILE *to;
    size_t files;
};

/* What a broker or another command is just writing, and what is the machine's own. */
static bool is_left_out(const char *name)
{
    static const char *const names[] = {"lock",        "broker/data",     "broker/run.lock",
                                        "registry.db", "registry.db-wal", "registry.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return strstr(name, FILES_TEMPORARY) != NULL;
}

static int pack(struct packing *packing, const struct tar_entry *entry)
{
    if (!tar_write(packing->to, entry))
        return fail(EXIT_INPUT, "the name %s is too long for the archive\nshorten it", entry->name);
    packing->files += !entry->directory;
    return EXIT_OK;
}

static int pack_file(struct packing *packing, const char *name, const struct stat *status)
{
    struct bytes bytes = {NULL, 0};
    struct path path = home_path(packing->home, name);
    struct tar_entry entry = {.mode = status->st_mode & 0777, .modified_s = status->st_mtime};
    memcpy(entry.name, name, strlen(name) + 1); /* pack_one() has measured it */
    int code = status->st_size ? files_read_large(path.text, &bytes) : EXIT_OK;
    entry.at = bytes.at;
    entry.len = bytes.len;
    if (code == EXIT_OK)
        code = pack(packing, &entry);
    bytes_free(&bytes);
    return code;
}

static int pack_directory(struct packing *packing, const char *name, int depth);

static int pack_one(struct packing *packing, const char *name, int depth)
{
    struct stat status;
    struct path path = home_path(packing->home, name);
    if (is_left_out(name))
        return EXIT_OK;
    if (strlen(name) >= TAR_NAME_MAX || depth > DEPTH_MAX)
        return fail(EXIT_INPUT, "%s is too deep or too long for the archive\nmove it elsewhere",
                    path.text);
    if (lstat(path.text, &status) != 0)
        return fail(EXIT_FAILED, "cannot look at %s: %s\ncheck its permissions", path.text,
                    strerror(errno));
    if (S_ISREG(status.st_mode))
        return pack_file(packing, name, &status);
    if (!S_ISDIR(status.st_mode)) {
        warn("%s is no file and is left out\nmove it elsewhere", path.text);
        return EXIT_OK;
    }
    struct tar_entry entry = {.directory = true, .mode = 0700, .modified_s = status.st_mtime};
    memcpy(entry.name, name, strlen(name) + 1); /* pack_one() has measured it */
    int code = pack(packing, &entry);
    return code == EXIT_OK ? pack_directory(packing, name, depth + 1) : code;
}

/* `name` "" is the state directory itself; in order of names, so that equal states pack equally. */
static int pack_directory(struct packing *packing, const char *name, int depth)
{
    struct dirent **entries = NULL;
    struct path path = home_path(packing->home, name);
    int count = scandir(path.text, &entries, NULL, alphasort);
    int code = count >= 0 ? EXIT_OK
                          : fail(EXIT_FAILED, "cannot list %s: %s\ncheck its permissions",
                                 path.text, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *entry = entries[i]->d_name;
        struct path below = path_of("%s%s%s", name, *name ? "/" : "", entry);
        if (code == EXIT_OK && strcmp(entry, ".") != 0 && strcmp(entry, "..") != 0)
            code = pack_one(packing, below.text, depth);
        free(entries[i]);
    }
    free(entries);
    return code;
}

/* First what it is, then the registry as it is at one moment, then the files. */
static int pack_all(struct packing *packing, struct home *home)
{
    char about[1200];
    int64_t now = time(NULL);
    struct bytes registry;
    int len = snprintf(about, sizeof about, BACKUP_FIRST_LINE "\ncreated %lld\ndirectory %s\n",
                       (long long)now, home->dir);
    struct tar_entry entry = {.name = BACKUP_ABOUT,
                              .mode = 0600,
                              .modified_s = now,
                              .at = (const uint8_t *)about,
                              .len = (size_t)len};
    int code = pack(packing, &entry);
    if (code == EXIT_OK)
        code = registry_snapshot(&home->registry, &registry);
    if (code != EXIT_OK)
        return code;
    struct tar_entry snapshot = {.name = "registry.db",
                                 .mode = 0600,
                                 .modified_s = now,
                                 .at = registry.at,
                                 .len = registry.len};
    code = pack(packing, &snapshot);
    bytes_free(&registry);
    if (code == EXIT_OK)
        code = pack_directory(packing, "", 0);
    tar_end(packing->to);
    return code;
}

static int backup(struct home *home, const char *file, size_t *files)
{
    const char *pass;
    struct text text;
    struct bytes sealed = {NULL, 0};
    if (files_exist(file))
        return fail(EXIT_EXISTS, "%s exists already and was left as it is\nname another file",
                    file);
    int code = key_pass_new("the archive", &pass);
    if (code == EXIT_OK)
        code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    struct packing packing = {home, text.file, 0};
    code = pack_all(&packing, home);
    if (fclose(text.file) != 0 && code == EXIT_OK)
        code = fail(EXIT_FAILED, "no memory for the archive\nend other programs");
    if (code == EXIT_OK)
        code = sealed_make(text.at, text.len, pass, &sealed);
    OPENSSL_cleanse(text.at, text.len);
    free(text.at);
    if (code == EXIT_OK)
        code = files_write(file, sealed.at, sealed.len, FILES_SECRET, FILES_NEW);
    bytes_free(&sealed);
    *files = packing.files;
    return code == EXIT_OK ? registry_event(&home->registry, "backup", file) : code;
}

static void show(const struct home *home, const char *file, size_t files)
{
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "archive", file);
        json_number(&json, "files", (int64_t)files);
        json_end(&json);
        return;
    }
    say("%s%s is archived%s: %zu files, under the pass phrase.", term_out(TERM_BOLD), home->dir,
        term_out(TERM_PLAIN), files);
    say_file(file, "keep it, and the pass phrase, elsewhere");
    say("What is issued or revoked from now on is not in it: back up again after changes.");
    say("To have it back: thimble ca restore %s%s%s", term_quote(file), file, term_quote(file));
}

int ca_backup(int argc, char **argv)
{
    static const struct usage usage = {
        "ca backup", "FILE", "Archives keys, registry and configuration in one encrypted file.",
        "A pass phrase is asked for, or taken from --passphrase-file. The broker's own data\n"
        "(retained messages, sessions) are not in it. openssl opens the archive too:\n"
        "  openssl cms -decrypt -inform DER -in FILE -pwri_password PHRASE | tar t"};
    const char *dir = NULL;
    struct words words = {0};
    const struct option options[] = {
        OPTION_ROW_DIR(&dir),
        {0, "passphrase-file", "FILE", "its first line is the archive's pass phrase [asked]",
         OPTION_TEXT, &key_pass.file, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, 3, argc, argv, &words);
    if (code != OPTION_GO_ON)
        return code;
    if (words.count != 1)
        return fail(EXIT_USAGE, "ca backup needs one file\nthimble ca backup thimble.backup");
    struct home home;
    size_t files = 0;
    code = home_open(&home, dir, false);
    if (code == EXIT_OK)
        code = home_lock(&home);
    if (code == EXIT_OK)
        code = backup(&home, words.at[0], &files);
    if (code == EXIT_OK)
        show(&home, words.at[0], files);
    home_close(&home);
    return code;
}
