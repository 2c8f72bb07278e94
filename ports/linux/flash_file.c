/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/linux/linux_port.h"

enum { PIECE = 4096 };

static bool within(const struct th_linux_flash *flash, uint32_t offset, size_t len)
{
    return offset <= flash->geometry.size && len <= flash->geometry.size - offset;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len, uint32_t offset)
{
    while (len > 0) {
        ssize_t put = pwrite(fd, bytes, len, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        offset += (uint32_t)put;
        len -= (size_t)put;
    }
    return true;
}

static bool read_all(int fd, uint8_t *into, size_t len, uint32_t offset)
{
    while (len > 0) {
        ssize_t got = pread(fd, into, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        into += got;
        offset += (uint32_t)got;
        len -= (size_t)got;
    }
    return true;
}

static bool erase_at(int fd, uint32_t offset, uint32_t len)
{
    uint8_t erased[PIECE];

    memset(erased, 0xFF, sizeof erased);
    for (uint32_t done = 0; done < len; done += PIECE) {
        size_t piece = len - done < PIECE ? len - done : PIECE;
        if (!write_all(fd, erased, piece, offset + done))
            return false;
    }
    return true;
}

/* ---- the vtable ---- */

static struct th_flash_geometry flash_geometry(void *ctx)
{
    const struct th_linux_flash *flash = ctx;

    return flash->geometry;
}

static bool flash_read(void *ctx, uint32_t offset, uint8_t *into, size_t len)
{
    const struct th_linux_flash *flash = ctx;

    return within(flash, offset, len) && read_all(flash->fd, into, len, offset);
}

static bool flash_program(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len)
{
    const struct th_linux_flash *flash = ctx;
    uint32_t align = flash->geometry.program_align;
    uint8_t piece[PIECE];

    if (!within(flash, offset, len) || offset % align != 0 || len % align != 0)
        return false;
    while (len > 0) {
        size_t n = len < sizeof piece ? len : sizeof piece;
        if (!read_all(flash->fd, piece, n, offset))
            return false;
        for (size_t i = 0; i < n; i++)
            piece[i] &= bytes[i];
        if (!write_all(flash->fd, piece, n, offset))
            return false;
        bytes += n;
        offset += (uint32_t)n;
        len -= n;
    }
    return true;
}

static bool flash_erase(void *ctx, uint32_t offset)
{
    const struct th_linux_flash *flash = ctx;
    uint32_t unit = flash->geometry.erase_unit;

    return offset % unit == 0 && within(flash, offset, unit) && erase_at(flash->fd, offset, unit);
}

const struct th_flash_ops th_linux_flash_ops = {
    .geometry = flash_geometry,
    .read = flash_read,
    .program = flash_program,
    .erase = flash_erase,
};

/* ---- opening ---- */

/* A file that is shorter and erased is one whose making was cut: it is made to its end. */
static bool complete(const struct th_linux_flash *flash, off_t size)
{
    uint8_t piece[PIECE];

    for (off_t at = 0; at < size; at += PIECE) {
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
        if (!read_all(flash->fd, piece, n, (uint32_t)at))
            return false;
        for (size_t i = 0; i < n; i++) {
            if (piece[i] != 0xFF)
                return false;
        }
    }
    return erase_at(flash->fd, 0, flash->geometry.size);
}

static enum th_error give_up(struct th_linux_flash *flash, const char *path, enum th_error error,
                             struct th_failure *failure)
{
    int number = errno;

    th_linux_flash_close(flash);
    *failure = th_failure_of(error);
    failure->detail = error == TH_ERR_FILE_SYSTEM ? number : 0;
    th_failure_name(failure, th_span_str(path));
    return error;
}

enum th_error th_linux_flash_open(struct th_linux_flash *flash, const char *path,
                                  struct th_flash_geometry geometry, struct th_failure *failure)
{
    struct stat found;

    *flash = (struct th_linux_flash){geometry, open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (flash->fd < 0)
        return give_up(flash, path, TH_ERR_FILE_SYSTEM, failure);
    if (flock(flash->fd, LOCK_EX | LOCK_NB) < 0)
        return give_up(flash, path, errno == EWOULDBLOCK ? TH_ERR_FILE_LOCKED : TH_ERR_FILE_SYSTEM,
                       failure);
    if (fstat(flash->fd, &found) < 0)
        return give_up(flash, path, TH_ERR_FILE_SYSTEM, failure);
    if (found.st_size == (off_t)geometry.size)
        return TH_OK;
    if (found.st_size > (off_t)geometry.size || !complete(flash, found.st_size))
        return give_up(flash, path, TH_ERR_FILE_FLASH, failure);
    return TH_OK;
}

void th_linux_flash_close(struct th_linux_flash *flash)
{
    if (flash->fd >= 0)
        close(flash->fd);
    flash->fd = -1;
}
