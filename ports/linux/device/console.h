/* SPDX-License-Identifier: MIT */
/* The serial console: lines for people, and beside them one JSON frame a line, each answered with
 * one line (docs/rpc.md). Standard input and output, or a terminal such as one end of a PTY. */
#ifndef TH_LINUX_DEVICE_CONSOLE_H
#define TH_LINUX_DEVICE_CONSOLE_H

#include <termios.h>

#include <thimble/linux.h>
#include <thimble/requests.h>

struct console {
    struct th_requests *requests;
    struct th_rpc_serial serial;
    struct th_linux_watch watch;
    struct termios before; /* of a terminal that is made raw */
    int in, out;           /* -1: none */
    bool raw, watched;
    uint32_t cut; /* lines that whoever listens has not taken */
};

/* Opens `path`, "-" for standard input and output; NULL: none. The struct must not move. */
bool console_open(struct console *console, const char *path, struct th_linux *loop,
                  struct th_requests *requests, struct th_failure *failure);
void console_close(struct console *console);

/* Takes what has come. */
void console_step(struct console *console, uint32_t now_ms);

/* A line for people. False: there is no console. */
bool console_say(struct console *console, const char *line);

#endif
