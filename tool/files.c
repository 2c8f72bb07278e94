/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include "exits.h"
#include "term.h"

struct path path_of(const char *format, ...)
{
    struct path path;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path.text, sizeof path.text, format, arguments);
    va_end(arguments);
    return path;
}

void bytes_free(struct bytes *bytes)
{
    if (bytes->at)
        OPENSSL_cleanse(bytes->at, bytes->len);
    free(bytes->at);
    *bytes = (struct bytes){NULL, 0};
}

bool files_exist(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

bool files_others_read(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & 007) != 0;
}

static bool grow(struct bytes *out, size_t *room, size_t most)
{
    size_t wanted = *room == 0 ? 65536 : *room * 4;
    *room = wanted < most ? wanted : most;
    uint8_t *larger = realloc(out->at, *room + 1);
    if (larger)
        out->at = larger;
    return larger != NULL;
}

static int read_all(int file, const char *path, size_t most, struct bytes *out)
{
    size_t room = 0;
    while (out->len <= most) {
        if (out->len == room && !grow(out, &room, most + 1))
            return fail(EXIT_FAILED, "no memory to read %s\nend other programs", path);
        ssize_t got = read(file, out->at + out->len, room - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(EXIT_INPUT, "cannot read %s: %s\ncheck the file", path, strerror(errno));
        if (got == 0)
            break;
        out->len += (size_t)got;
    }
    if (out->len == 0)
        return fail(EXIT_INPUT, "%s is empty\nwrite the file again", path);
    if (out->len > most)
        return fail(EXIT_INPUT, "%s is larger than %zu MiB\nname the right file", path, most >> 20);
    out->at[out->len] = '\0';
    return EXIT_OK;
}

static int read_most(const char *path, size_t most, struct bytes *out)
{
    *out = (struct bytes){NULL, 0};
    /* A named pipe without a writer would block the open for ever. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail(EXIT_INPUT, "cannot open %s: %s\ncheck the path and its permissions", path,
                    strerror(errno));
    struct stat status;
    int code = EXIT_OK;
    if (fstat(file, &status) == 0 && !S_ISREG(status.st_mode))
        code = fail(EXIT_INPUT, "%s is %s, not a file\nname the file itself", path,
                    S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe");
    if (code == EXIT_OK)
        code = read_all(file, path, most, out);
    close(file);
    if (code != EXIT_OK)
        bytes_free(out);
    return code;
}

int files_read(const char *path, struct bytes *out)
{
    return read_most(path, FILES_MAX, out);
}

int files_read_large(const char *path, struct bytes *out)
{
    return read_most(path, FILES_LARGE, out);
}

static int write_all(int file, const uint8_t *at, size_t len)
{
    while (len > 0) {
        ssize_t put = write(file, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        at += put;
        len -= (size_t)put;
    }
    return fsync(file) == 0 ? 0 : errno;
}

/* The rename itself must reach the disk too. */
static void sync_directory(const char *path)
{
    struct path parent = path_of("%s", path);
    char *slash = strrchr(parent.text, '/');
    if (slash)
        slash[slash == parent.text] = '\0';
    int file = open(slash ? parent.text : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0) {
        fsync(file);
        close(file);
    }
}

static int put_in_place(const char *temporary, const char *path, enum files_when when)
{
    if (when == FILES_REPLACE)
        return rename(temporary, path) == 0 ? 0 : errno;
    int error = link(temporary, path) == 0 ? 0 : errno;
    unlink(temporary);
    return error;
}

int files_write(const char *path, const void *bytes, size_t len, int mode, enum files_when when)
{
    struct path temporary = path_of("%s" FILES_TEMPORARY "XXXXXX", path);
    int file = mkostemp(temporary.text, O_CLOEXEC);
    if (file < 0)
        return fail(EXIT_FAILED, "cannot write %s: %s\nmake its directory writable", path,
                    strerror(errno));
    int error = fchmod(file, (mode_t)mode) == 0 ? write_all(file, bytes, len) : errno;
    if (close(file) != 0 && error == 0)
        error = errno;
    if (error == 0)
        error = put_in_place(temporary.text, path, when);
    else
        unlink(temporary.text);
    if (error == EEXIST && when == FILES_NEW)
        return fail(EXIT_EXISTS, "%s exists already and was left as it is\nmv %s %s.old", path,
                    path, path);
    if (error != 0)
        return fail(EXIT_FAILED,
                    "cannot write %s: %s\nfree space or permissions, then run it again", path,
                    strerror(error));
    sync_directory(path);
    return EXIT_OK;
}

int files_directory(const char *path)
{
    if (mkdir(path, 0700) == 0) {
        sync_directory(path);
        return EXIT_OK;
    }
    int error = errno;
    struct stat status;
    if (error == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return EXIT_OK;
    return fail(EXIT_FAILED, "cannot make the directory %s: %s\nname another one with --dir", path,
                strerror(error));
}
