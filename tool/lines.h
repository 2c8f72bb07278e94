/* SPDX-License-Identifier: MIT */
/* Lines of a pipe, a terminal or a file, read only as fast as they are asked for. */
#ifndef TOOL_LINES_H
#define TOOL_LINES_H

#include <thimble/linux.h>
#include <thimble/span.h>

struct lines {
    struct th_linux_watch watch;
    uint8_t *at;
    size_t room, from, to;
    size_t searched; /* no line end before it */
    bool ended, watched;
    bool regular; /* a file: reading never blocks, and no wait wakes for it */
};

enum lines_state {
    LINES_LINE,
    LINES_WAIT, /* no whole line is there now */
    LINES_END
};

void lines_open(struct lines *lines, struct th_linux *loop, int fd);

/* The next line without its end ("\n" or "\r\n"; the last one may have none); it stays where it is
 * until the next call. A line longer than an MQTT payload can be ends the input with a warning. */
enum lines_state lines_next(struct lines *lines, struct th_span *line);
void lines_close(struct lines *lines);

#endif
