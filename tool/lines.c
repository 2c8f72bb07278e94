/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "payload.h"
#include "term.h"

#define ROOM_FIRST 65536

void lines_open(struct lines *lines, struct th_linux *loop, int fd)
{
    *lines = (struct lines){.watched = false};
    lines->watched = th_linux_watch(loop, &lines->watch, fd);
    lines->ended = !lines->watched;
    struct stat status;
    lines->regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static bool cut(struct lines *lines, struct th_span *line)
{
    if (lines->searched == lines->to)
        return false;
    uint8_t *end = memchr(lines->at + lines->searched, '\n', lines->to - lines->searched);
    lines->searched = lines->to;
    if (!end)
        return false;
    size_t len = (size_t)(end - (lines->at + lines->from));
    *line = th_span_of(lines->at + lines->from, len);
    lines->from += len + 1;
    lines->searched = lines->from;
    if (line->len > 0 && line->at[line->len - 1] == '\r')
        line->len--;
    return true;
}

static bool make_room(struct lines *lines)
{
    if (lines->from > 0) {
        memmove(lines->at, lines->at + lines->from, lines->to - lines->from);
        lines->to -= lines->from;
        lines->searched -= lines->from;
        lines->from = 0;
    }
    if (lines->to < lines->room)
        return true;
    size_t room = lines->room ? 2 * lines->room : ROOM_FIRST;
    uint8_t *larger = lines->room >= PAYLOAD_MAX ? NULL : realloc(lines->at, room);
    if (!larger) {
        warn("a line of %zu bytes is too long for a message; the rest of the input is left\n"
             "send it with: thimble pub -s",
             lines->to);
        lines->ended = true;
        lines->to = lines->searched = lines->from;
        return false;
    }
    lines->at = larger;
    lines->room = room;
    return true;
}

/* Reads once; only when the loop has said that it will not block. */
static bool fill(struct lines *lines)
{
    if ((!lines->watch.ready && !lines->regular) || !make_room(lines))
        return false;
    lines->watch.ready = false;
    ssize_t got = read(lines->watch.fd, lines->at + lines->to, lines->room - lines->to);
    if (got > 0)
        lines->to += (size_t)got;
    else if (got == 0 || (errno != EINTR && errno != EAGAIN))
        lines->ended = true;
    return true;
}

enum lines_state lines_next(struct lines *lines, struct th_span *line)
{
    do {
        if (cut(lines, line))
            return LINES_LINE;
    } while (!lines->ended && fill(lines));
    if (!lines->ended)
        return LINES_WAIT;
    if (lines->from == lines->to)
        return LINES_END;
    *line = th_span_of(lines->at + lines->from, lines->to - lines->from);
    lines->from = lines->searched = lines->to;
    return LINES_LINE;
}

void lines_close(struct lines *lines)
{
    if (lines->watched)
        th_linux_unwatch(&lines->watch);
    free(lines->at);
    *lines = (struct lines){.watched = false};
}
