/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define BYTES_A_STEP 512 /* then the device has its turn */

/* A line of JSON and nothing else goes and comes: no echo, no signals, no translation. */
static void make_raw(struct console *console)
{
    struct termios raw;

    if (tcgetattr(console->in, &console->before) != 0)
        return;
    raw = console->before;
    cfmakeraw(&raw);
    console->raw = tcsetattr(console->in, TCSANOW, &raw) == 0;
}

bool console_open(struct console *console, const char *path, struct th_linux *loop,
                  struct th_requests *requests, struct th_failure *failure)
{
    *console = (struct console){.requests = requests, .in = -1, .out = -1};
    if (!path)
        return true;
    th_rpc_serial_init(&console->serial, &requests->rpc, TH_ROLE_ADMIN);
    if (strcmp(path, "-") == 0) {
        console->in = STDIN_FILENO;
        console->out = STDOUT_FILENO;
    } else {
        console->in = console->out = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (console->in >= 0)
            make_raw(console);
    }
    console->watched = console->in >= 0 && th_linux_watch(loop, &console->watch, console->in);
    if (console->watched)
        return true;
    *failure = th_failure_of(TH_ERR_FILE_MISSING);
    th_failure_name(failure, th_span_str(path));
    console_close(console);
    return false;
}

void console_close(struct console *console)
{
    if (console->watched)
        th_linux_unwatch(&console->watch);
    if (console->raw)
        tcsetattr(console->in, TCSANOW, &console->before);
    if (console->in > STDERR_FILENO)
        close(console->in);
    console->in = console->out = -1;
    console->watched = console->raw = false;
}

/* Whoever does not read loses lines; the device never waits for him. Standard output is the
 * exception, as everywhere. A line is written whole or not at all, as far as a terminal tells. */
static void put_line(struct console *console, struct th_span line)
{
    char end = '\n';
    struct iovec parts[] = {{(void *)(uintptr_t)line.at, line.len}, {&end, 1}};

    if (writev(console->out, parts, 2) != (ssize_t)line.len + 1)
        console->cut++;
}

bool console_say(struct console *console, const char *line)
{
    if (console->out < 0)
        return false;
    put_line(console, th_span_str(line));
    return true;
}

void console_step(struct console *console, uint32_t now_ms)
{
    uint8_t bytes[BYTES_A_STEP], answer[TH_LOCAL_ANSWER_MAX];

    if (!console->watched || !console->watch.ready)
        return;
    console->watch.ready = false;
    ssize_t got = read(console->in, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        /* Whoever held the other end is gone. */
        th_linux_unwatch(&console->watch);
        console->watched = false;
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        struct th_span line =
            th_rpc_serial_take(&console->serial, bytes[i],
                               th_requests_now(console->requests, now_ms), answer, sizeof answer);
        if (line.len > 0)
            put_line(console, line);
    }
}
