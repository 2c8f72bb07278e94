/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exits.h"
#include "term.h"

#define PAIRS 8

struct pair {
    int near, far; /* -1: free */
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* An end is handed on as it came. A cut is a reset, as a network that fails gives it: an end in
 * good order but without TLS's own would have OpenSSL forget the TLS session on the broker's side
 * (ssl3_send_alert, after "unexpected eof"). */
static void drop(struct pair *pair, bool cut)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int *ends[] = {&pair->near, &pair->far};
    for (int i = 0; i < 2; i++) {
        if (*ends[i] < 0)
            continue;
        if (cut)
            setsockopt(*ends[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(*ends[i]);
        *ends[i] = -1;
    }
}

static void take(struct pair *pairs, int listening, uint16_t target)
{
    struct sockaddr_in to = loopback(target);
    int near = accept(listening, NULL, NULL);
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (near >= 0 && far >= 0 && connect(far, (struct sockaddr *)&to, sizeof to) == 0) {
        for (int i = 0; i < PAIRS; i++) {
            if (pairs[i].near < 0) {
                pairs[i] = (struct pair){near, far};
                return;
            }
        }
    }
    if (near >= 0)
        close(near);
    if (far >= 0)
        close(far);
}

/* One reading's worth from one side to the other; false when the connection is over. */
static bool carry(int from, int to)
{
    char buffer[16384];
    ssize_t got = recv(from, buffer, sizeof buffer, 0);
    for (ssize_t at = 0; at < got;) {
        ssize_t put = send(to, buffer + at, (size_t)(got - at), MSG_NOSIGNAL);
        if (put < 0)
            return false;
        at += put;
    }
    return got > 0;
}

static void carry_all(struct pair *pairs, const struct pollfd *files)
{
    for (int i = 0; i < PAIRS; i++) {
        struct pair *pair = &pairs[i];
        if (pair->near < 0)
            continue;
        bool alive = !files[2 * i].revents || carry(pair->near, pair->far);
        alive = alive && (!files[2 * i + 1].revents || carry(pair->far, pair->near));
        if (!alive)
            drop(pair, false);
    }
}

static void serve(int listening, int control, uint16_t target)
{
    struct pair pairs[PAIRS];
    for (int i = 0; i < PAIRS; i++)
        pairs[i] = (struct pair){-1, -1};
    for (;;) {
        struct pollfd files[2 * PAIRS + 2];
        for (int i = 0; i < PAIRS; i++) {
            files[2 * i] = (struct pollfd){pairs[i].near, POLLIN, 0};
            files[2 * i + 1] = (struct pollfd){pairs[i].far, POLLIN, 0};
        }
        files[2 * PAIRS] = (struct pollfd){listening, POLLIN, 0};
        files[2 * PAIRS + 1] = (struct pollfd){control, POLLIN, 0};
        poll(files, 2 * PAIRS + 2, -1);
        if (files[2 * PAIRS + 1].revents) {
            if (read(control, &target, sizeof target) != sizeof target)
                return;
            for (int i = 0; i < PAIRS; i++)
                drop(&pairs[i], true);
            continue;
        }
        carry_all(pairs, files);
        if (files[2 * PAIRS].revents)
            take(pairs, listening, target);
    }
}

static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof address;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file >= 0 && bind(file, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(file, 16) == 0 && getsockname(file, (struct sockaddr *)&address, &len) == 0) {
        *port = ntohs(address.sin_port);
        return file;
    }
    if (file >= 0)
        close(file);
    return -1;
}

int relay_start(struct relay *relay, uint16_t target)
{
    int ends[2];
    *relay = (struct relay){.control = -1};
    int listening = listen_somewhere(&relay->port);
    if (listening < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        if (listening >= 0)
            close(listening);
        return fail(EXIT_FAILED, "cannot listen on 127.0.0.1: %s\nend other programs",
                    strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0); /* a Ctrl-C is the parent's; it ends us by closing the pipe */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[1]);
        serve(listening, ends[0], target);
        _exit(0);
    }
    close(listening);
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return fail(EXIT_FAILED, "cannot start a process: %s\nend other programs", strerror(errno));
    }
    relay->pid = pid;
    relay->control = ends[1];
    return EXIT_OK;
}

void relay_cut(struct relay *relay, uint16_t target)
{
    ssize_t written = write(relay->control, &target, sizeof target);
    (void)written; /* a relay that is gone shows in the links */
}

void relay_stop(struct relay *relay)
{
    if (relay->pid == 0)
        return;
    close(relay->control);
    waitpid(relay->pid, NULL, 0);
    relay->pid = 0;
}
