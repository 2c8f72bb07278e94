/* SPDX-License-Identifier: MIT */
#include "payload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exits.h"
#include "term.h"

static size_t read_at(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    const struct payload *payload = user;
    if (payload->fd < 0) {
        size_t left = offset < payload->text.len ? payload->text.len - offset : 0;
        size_t len = left < room ? left : room;
        if (len)
            memcpy(into, payload->text.at + offset, len);
        return len;
    }
    ssize_t got;
    do {
        got = pread(payload->fd, into, room, offset);
    } while (got < 0 && errno == EINTR);
    return got > 0 ? (size_t)got : TH_MQTT_SOURCE_BROKEN; /* the file has become shorter */
}

void payload_of_text(struct payload *payload, struct th_span text)
{
    *payload = (struct payload){.fd = -1, .text = text};
    payload->source = (struct th_mqtt_source){read_at, payload, (uint32_t)text.len};
}

static int of_fd(struct payload *payload, const char *name, off_t size)
{
    if (size > PAYLOAD_MAX)
        return fail(EXIT_INPUT,
                    "%s has %lld bytes; an MQTT message carries at most %d\n"
                    "send it in pieces: split -b 200M %s",
                    name, (long long)size, PAYLOAD_MAX, name);
    payload->source = (struct th_mqtt_source){read_at, payload, (uint32_t)size};
    if (size == 0)
        payload_of_text(payload, (struct th_span){NULL, 0});
    return EXIT_OK;
}

int payload_of_file(struct payload *payload, const char *path)
{
    struct stat status;
    payload_close(payload);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0)
        return fail(EXIT_INPUT, "-f: cannot open %s: %s\ncheck the path and its permissions", path,
                    strerror(errno));
    payload->fd = fd;
    if (!S_ISREG(status.st_mode))
        return fail(EXIT_INPUT, "-f: %s is no regular file\n%s", path,
                    S_ISDIR(status.st_mode) ? "name a file in it" : "cat it into: thimble pub -s");
    int code = of_fd(payload, path, status.st_size);
    if (payload->fd < 0)
        close(fd);
    return code;
}

static bool copy(int from, int to, off_t *size)
{
    static uint8_t buffer[65536];
    *size = 0;
    for (;;) {
        ssize_t got = read(from, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        for (ssize_t at = 0; at < got;) {
            ssize_t put = write(to, buffer + at, (size_t)(got - at));
            if (put < 0 && errno != EINTR)
                return false;
            at += put > 0 ? put : 0;
        }
        *size += got;
        if (*size > PAYLOAD_MAX)
            return true; /* of_fd() says so */
    }
}

int payload_of_input(struct payload *payload, int fd)
{
    const char *folder = getenv("TMPDIR");
    off_t size;
    payload_close(payload);
    char path[512];
    snprintf(path, sizeof path, "%s/thimble.XXXXXX", folder && *folder ? folder : "/tmp");
    payload->fd = mkostemp(path, O_CLOEXEC);
    if (payload->fd >= 0)
        unlink(path);
    if (payload->fd < 0 || !copy(fd, payload->fd, &size))
        return fail(EXIT_FAILED, "-s: cannot keep standard input: %s\nfree space in %s",
                    strerror(errno), folder && *folder ? folder : "/tmp");
    int temporary = payload->fd;
    int code = of_fd(payload, "standard input", size);
    if (payload->fd < 0)
        close(temporary);
    return code;
}

void payload_close(struct payload *payload)
{
    if (payload->fd >= 0)
        close(payload->fd);
    payload->fd = -1;
}
