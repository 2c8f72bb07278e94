/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exits.h"
#include "term.h"

static bool find_in(const char *folders, const char *program, char *into, size_t room)
{
    while (folders && *folders) {
        size_t len = strcspn(folders, ":");
        int written = snprintf(into, room, "%.*s/%s", (int)len, folders, program);
        if (len > 0 && written > 0 && (size_t)written < room && access(into, X_OK) == 0)
            return true;
        folders += len + (folders[len] == ':');
    }
    return false;
}

bool process_find(const char *program, char *into, size_t room)
{
    return find_in(getenv("PATH"), program, into, room) ||
           find_in("/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin", program, into, room);
}

/* Signals that we block for signalfd must not stay blocked in the child. */
static void become(char *const *argv, int output, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127); /* the parent died before prctl */
    setpgid(0, 0);  /* a Ctrl-C is ours to hand on */
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv(argv[0], argv);
    _exit(127);
}

int process_start(struct process *process, char *const *argv)
{
    int ends[2];
    *process = (struct process){.output = -1};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(EXIT_FAILED, "cannot start %s: %s\nclose other programs", argv[0],
                    strerror(errno));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(argv, ends[1], parent);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return fail(EXIT_FAILED, "cannot start %s: %s\nclose other programs", argv[0],
                    strerror(errno));
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    process->pid = pid;
    process->output = ends[0];
    return EXIT_OK;
}

/* Hands out the first line that is whole, or all when the buffer is full or the pipe has ended. */
static bool cut_line(struct process *process, char *into, size_t room, bool all)
{
    char *end = memchr(process->line, '\n', process->len);
    size_t len = end ? (size_t)(end - process->line) : process->len;
    if (!end && !(all && len > 0) && len < sizeof process->line)
        return false;
    size_t kept = len < room - 1 ? len : room - 1;
    memcpy(into, process->line, kept);
    into[kept] = '\0';
    size_t used = end ? len + 1 : len;
    memmove(process->line, process->line + used, process->len - used);
    process->len -= used;
    return true;
}

bool process_line(struct process *process, const char **line)
{
    static char text[sizeof process->line + 1];
    *line = text;
    if (cut_line(process, text, sizeof text, false))
        return true;
    if (process->output < 0)
        return cut_line(process, text, sizeof text, true);
    ssize_t got =
        read(process->output, process->line + process->len, sizeof process->line - process->len);
    if (got > 0) {
        process->len += (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(process->output);
        process->output = -1;
    }
    return cut_line(process, text, sizeof text, process->output < 0);
}

bool process_ended(struct process *process, int *status)
{
    if (process->pid == 0)
        return true;
    if (waitpid(process->pid, status, WNOHANG) != process->pid)
        return false;
    process->pid = 0;
    return true;
}

int process_stop(struct process *process, unsigned patience_ms)
{
    int status = 0;
    bool ended = process_ended(process, &status);
    if (!ended)
        kill(process->pid, SIGTERM);
    for (unsigned waited = 0; !ended && waited < patience_ms; waited += 20) {
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        ended = process_ended(process, &status);
    }
    if (!ended) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, &status, 0);
        process->pid = 0;
    }
    if (process->output >= 0)
        close(process->output);
    process->output = -1;
    return status;
}

int process_shell(const char *what, const char *command, unsigned most_ms)
{
    char shell[] = "/bin/sh", flag[] = "-c", text[1024];
    struct process process;
    const char *line;
    int status = -1;
    if (snprintf(text, sizeof text, "%s", command) >= (int)sizeof text)
        return fail(EXIT_USAGE, "the %s command is too long\nput it into a script", what);
    char *argv[] = {shell, flag, text, NULL};
    int code = process_start(&process, argv);
    if (code != EXIT_OK)
        return code;
    bool ended = false;
    for (unsigned waited = 0; !ended && waited < most_ms; waited += 20) {
        while (process.output >= 0 && process_line(&process, &line))
            warn("%s: %s\nsee the broker's log", what, line);
        ended = process_ended(&process, &status);
        if (!ended)
            nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    process_stop(&process, 0);
    if (ended && status == 0)
        return EXIT_OK;
    return fail(EXIT_FAILED, "`%s` %s\ntry it by hand", command, ended ? "failed" : "does not end");
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

uint16_t process_free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof address;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = file >= 0 && bind(file, (struct sockaddr *)&address, sizeof address) == 0 &&
                 getsockname(file, (struct sockaddr *)&address, &len) == 0;
    if (file >= 0)
        close(file);
    return bound ? ntohs(address.sin_port) : 0;
}

bool process_listens_at(const char *address, uint16_t port)
{
    struct sockaddr_in v4 = loopback(port);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool old = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (!old && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return false;
    struct timeval patience = {3, 0}; /* a firewall may drop what is sent */
    int file = socket(old ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file >= 0)
        setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    bool listens = file >= 0 && connect(file, old ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
                                        old ? sizeof v4 : sizeof v6) == 0;
    if (file >= 0)
        close(file);
    return listens;
}

bool process_listens(uint16_t port)
{
    return process_listens_at("127.0.0.1", port);
}
