/* SPDX-License-Identifier: MIT */
/* Files as the tool keeps them: written whole or not at all, secrets for their owner alone, nothing
 * overwritten without being asked. Each function prints its own error and gives back an exit code,
 * EXIT_OK when done. */
#ifndef TOOL_FILES_H
#define TOOL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILES_SECRET 0600
#define FILES_PUBLIC 0644
#define FILES_MAX    (1 << 20) /* no key, certificate or configuration comes near it */
#define FILES_LARGE  (256 << 20)

struct path {
    char text[1024];
};

/* printf into a path; what is longer than any sensible path is cut and then does not exist. */
struct path path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bytes on the heap; free with bytes_free(), which wipes them first. */
struct bytes {
    uint8_t *at;
    size_t len;
};

void bytes_free(struct bytes *bytes);

bool files_exist(const char *path);

/* True when more than owner and group may do something with it. */
bool files_others_read(const char *path);

/* The whole file, with a NUL behind it. Missing, empty, a directory, too large: EXIT_INPUT. */
int files_read(const char *path, struct bytes *out);

/* The same for what grows with the fleet, as the rights of 100,000 devices do: up to 256 MiB. */
int files_read_large(const char *path, struct bytes *out);

enum files_when {
    FILES_NEW,    /* EXIT_EXISTS when there is one */
    FILES_REPLACE /* old or new, never half: a temporary file, fsync, rename */
};

/* What stands between a file's name and six letters while it is written; a command that is killed
 * leaves such a file. */
#define FILES_TEMPORARY ".tmp-"

int files_write(const char *path, const void *bytes, size_t len, int mode, enum files_when when);

/* A directory for its owner alone; fine when it exists. */
int files_directory(const char *path);

#endif
