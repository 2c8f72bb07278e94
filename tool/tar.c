/* SPDX-License-Identifier: MIT */
#include "tar.h"

#include <string.h>

#define BLOCK 512

/* The header's fields, in their order; all numbers are octal text. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], owner[32], group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

static unsigned checksum_of(const struct header *header)
{
    struct header copy = *header;
    unsigned sum = 0;
    memset(copy.checksum, ' ', sizeof copy.checksum);
    const unsigned char *at = (const unsigned char *)&copy;
    for (size_t i = 0; i < sizeof copy; i++)
        sum += at[i];
    return sum;
}

/* ---- writing ---- */

static void put_octal(char *field, size_t room, uint64_t value)
{
    field[room - 1] = '\0';
    for (size_t i = room - 1; i > 0; i--, value >>= 3)
        field[i - 1] = (char)('0' + (value & 7));
}

/* A long name is cut at a slash into prefix and name. */
static bool put_name(struct header *header, const char *name)
{
    size_t len = strlen(name);
    if (len <= sizeof header->name) {
        memcpy(header->name, name, len);
        return len > 0;
    }
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t head = (size_t)(slash - name), tail = len - head - 1;
        if (head <= sizeof header->prefix && tail > 0 && tail <= sizeof header->name) {
            memcpy(header->prefix, name, head);
            memcpy(header->name, slash + 1, tail);
            return true;
        }
    }
    return false;
}

bool tar_write(FILE *to, const struct tar_entry *entry)
{
    static const char zeros[BLOCK];
    struct header header = {.type = entry->directory ? '5' : '0', .magic = "ustar"};
    memcpy(header.version, "00", 2);
    if (!put_name(&header, entry->name))
        return false;
    put_octal(header.mode, sizeof header.mode, entry->mode);
    put_octal(header.uid, sizeof header.uid, 0);
    put_octal(header.gid, sizeof header.gid, 0);
    put_octal(header.size, sizeof header.size, entry->directory ? 0 : entry->len);
    put_octal(header.mtime, sizeof header.mtime, (uint64_t)entry->modified_s);
    put_octal(header.checksum, sizeof header.checksum - 1, checksum_of(&header));
    header.checksum[7] = ' ';
    fwrite(&header, 1, sizeof header, to);
    if (!entry->directory && entry->len > 0) {
        fwrite(entry->at, 1, entry->len, to);
        fwrite(zeros, 1, (BLOCK - entry->len % BLOCK) % BLOCK, to);
    }
    return true;
}

void tar_end(FILE *to)
{
    static const char zeros[2 * BLOCK];
    fwrite(zeros, 1, sizeof zeros, to);
}

/* ---- reading ---- */

static bool get_octal(const char *field, size_t room, uint64_t *out)
{
    size_t i = 0;
    *out = 0;
    while (i < room && field[i] == ' ')
        i++;
    for (; i < room && field[i] != '\0' && field[i] != ' '; i++) {
        if (field[i] < '0' || field[i] > '7' || *out >> 60)
            return false;
        *out = *out << 3 | (uint64_t)(field[i] - '0');
    }
    return true;
}

static bool take_header(const struct header *header, struct tar_entry *entry)
{
    uint64_t sum, mode, size, modified;
    if (!get_octal(header->checksum, sizeof header->checksum, &sum) || sum != checksum_of(header) ||
        memcmp(header->magic, "ustar", 6) != 0 ||
        !get_octal(header->mode, sizeof header->mode, &mode) ||
        !get_octal(header->size, sizeof header->size, &size) ||
        !get_octal(header->mtime, sizeof header->mtime, &modified) ||
        (header->type != '0' && header->type != '5') || (header->type == '5' && size != 0))
        return false;
    *entry = (struct tar_entry){.directory = header->type == '5',
                                .mode = (uint32_t)mode & 07777,
                                .modified_s = (int64_t)modified,
                                .len = size};
    snprintf(entry->name, sizeof entry->name, "%.155s%s%.100s", header->prefix,
             header->prefix[0] ? "/" : "", header->name);
    return true;
}

enum tar_result tar_read(const uint8_t *archive, size_t len, size_t *offset,
                         struct tar_entry *entry)
{
    static const uint8_t zeros[BLOCK];
    struct header header;
    if (*offset > len || len - *offset < BLOCK)
        return TAR_DAMAGED;
    memcpy(&header, archive + *offset, BLOCK);
    if (memcmp(&header, zeros, BLOCK) == 0)
        return TAR_END;
    if (!take_header(&header, entry))
        return TAR_DAMAGED;
    *offset += BLOCK;
    if (entry->len > len - *offset)
        return TAR_DAMAGED;
    entry->at = archive + *offset;
    size_t padded = entry->len + (BLOCK - entry->len % BLOCK) % BLOCK;
    *offset = padded > len - *offset ? len : *offset + padded;
    return TAR_ENTRY;
}
