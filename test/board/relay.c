/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 16

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Takes the connection that waits, and makes its other half. */
static unsigned add(int listener, int to_port, struct pollfd *ends, unsigned count)
{
    struct sockaddr_in to = loopback(to_port);
    int in = accept(listener, NULL, NULL);
    int out = socket(AF_INET, SOCK_STREAM, 0);

    if (in < 0 || out < 0 || count + 2 > 2 * PAIRS ||
        connect(out, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(in);
        close(out);
        return count;
    }
    ends[count] = (struct pollfd){.fd = in, .events = POLLIN};
    ends[count + 1] = (struct pollfd){.fd = out, .events = POLLIN};
    return count + 2;
}

/* False at the end of `from`. What nobody takes any more is lost. */
static bool pass(int from, int to)
{
    char bytes[4096];
    ssize_t got = recv(from, bytes, sizeof(bytes), 0);

    for (ssize_t done = 0, put = 0; to >= 0 && done < got; done += put) {
        put = send(to, bytes + done, (size_t)(got - done), MSG_NOSIGNAL);
        if (put <= 0)
            break;
    }
    return got > 0;
}

/* The board's end is first of a pair. When it ends the broker is not told: a board that is reset
 * says nothing either. */
static unsigned pass_all(struct pollfd *ends, unsigned count)
{
    for (unsigned at = 0; at < count; at += 2) {
        struct pollfd *board = ends + at, *to = board + 1;
        if (board->fd >= 0 && board->revents != 0 && !pass(board->fd, to->fd)) {
            close(board->fd);
            board->fd = -1;
        }
        if (to->revents == 0 || pass(to->fd, board->fd))
            continue;
        close(to->fd);
        if (board->fd >= 0)
            close(board->fd);
        count -= 2;
        ends[at] = ends[count];
        ends[at + 1] = ends[count + 1];
        at -= 2; /* the one that moved here */
    }
    return count;
}

/* The cable is up or down as `control` was last told. */
static _Noreturn void run(int listener, int control, int to_port)
{
    struct pollfd ends[2 + 2 * PAIRS] = {{.fd = control, .events = POLLIN},
                                         {.fd = listener, .events = POLLIN}};
    unsigned count = 0;
    char up = 1;

    for (;;) {
        if (poll(ends, up ? 2 + count : 1, -1) < 0)
            continue;
        if (ends[0].revents != 0) {
            if (read(control, &up, 1) != 1)
                _exit(0);
            continue;
        }
        count = pass_all(ends + 2, count);
        if (ends[1].revents != 0)
            count = add(listener, to_port, ends + 2, count);
    }
}

static int listen_anywhere(int *port)
{
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(listener, (struct sockaddr *)&at, len) != 0 || listen(listener, PAIRS) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) != 0)
        return -1;
    *port = ntohs(at.sin_port);
    return listener;
}

bool relay_start(struct relay *relay, int to_port)
{
    int control[2];
    int listener = listen_anywhere(&relay->port);

    if (listener < 0 || pipe2(control, O_CLOEXEC) != 0)
        return false;
    relay->pid = fork();
    if (relay->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(control[1]);
        run(listener, control[0], to_port);
    }
    close(listener);
    close(control[0]);
    relay->control = control[1];
    return relay->pid > 0;
}

void relay_set(struct relay *relay, bool up)
{
    char level = up ? 1 : 0;
    (void)!write(relay->control, &level, 1);
}

/* It ends with its control. */
void relay_stop(struct relay *relay)
{
    if (relay->pid == 0)
        return;
    close(relay->control);
    kill(relay->pid, SIGKILL);
    waitpid(relay->pid, NULL, 0);
    relay->pid = 0;
}
