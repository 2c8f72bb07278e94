/* SPDX-License-Identifier: MIT */
/* POSIX ustar (IEEE 1003.1-2008, pax): files and directories alone, with names of up to 255 bytes,
 * written and read in memory. What tar(1) packs and unpacks. */
#ifndef TOOL_TAR_H
#define TOOL_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TAR_NAME_MAX 256 /* with NUL */

struct tar_entry {
    char name[TAR_NAME_MAX];
    bool directory;
    uint32_t mode; /* 07777 */
    int64_t modified_s;
    const uint8_t *at; /* of a file, inside the archive that is read */
    size_t len;
};

/* Appends; false when the name does not fit. Errors of `to` are its own. */
bool tar_write(FILE *to, const struct tar_entry *entry);
/* The two empty blocks. */
void tar_end(FILE *to);

enum tar_result { TAR_ENTRY, TAR_END, TAR_DAMAGED };

/* The entry at *offset, which is moved behind it. */
enum tar_result tar_read(const uint8_t *archive, size_t len, size_t *offset,
                         struct tar_entry *entry);

#endif
