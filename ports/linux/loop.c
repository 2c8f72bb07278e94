/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <thimble/time.h>

#include "ports/linux/linux_port.h"

enum { EVENTS_PER_WAIT = 64, QUEUED_NOT = 0, QUEUED_EARLY, QUEUED_READY };

/* ---- queues of nets ---- */

static void push(struct th_linux_queue *queue, struct th_linux_net *net, uint8_t queued)
{
    net->next = NULL;
    net->queued = queued;
    if (queue->last)
        queue->last->next = net;
    else
        queue->first = net;
    queue->last = net;
}

static struct th_linux_net *pop(struct th_linux_queue *queue)
{
    struct th_linux_net *net = queue->first;
    if (!net)
        return NULL;
    queue->first = net->next;
    if (!queue->first)
        queue->last = NULL;
    net->next = NULL;
    net->queued = QUEUED_NOT;
    return net;
}

static void take_out(struct th_linux_queue *queue, struct th_linux_net *net)
{
    struct th_linux_net *before = NULL;
    for (struct th_linux_net *at = queue->first; at; before = at, at = at->next) {
        if (at != net)
            continue;
        if (before)
            before->next = at->next;
        else
            queue->first = at->next;
        if (queue->last == at)
            queue->last = before;
        return;
    }
}

void th_linux_early(struct th_linux_net *net)
{
    if (net->queued == QUEUED_EARLY)
        return;
    th_linux_unqueue(net);
    push(&net->loop->early, net, QUEUED_EARLY);
}

void th_linux_unqueue(struct th_linux_net *net)
{
    if (net->queued == QUEUED_EARLY)
        take_out(&net->loop->early, net);
    else if (net->queued == QUEUED_READY)
        take_out(&net->loop->ready, net);
    net->next = NULL;
    net->queued = QUEUED_NOT;
}

struct th_linux_net *th_linux_ready(struct th_linux *loop)
{
    return pop(&loop->ready);
}

/* ---- life ---- */

bool th_linux_init(struct th_linux *loop, struct th_failure *failure)
{
    *loop = (struct th_linux){.turn = 1, .entropy = {.source = th_linux_getrandom}};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll >= 0)
        return true;
    *failure = th_failure_of(TH_ERR_TCP_OTHER);
    failure->detail = errno;
    return false;
}

void th_linux_close(struct th_linux *loop)
{
    th_linux_names_close(loop);
    if (loop->epoll >= 0)
        close(loop->epoll);
    loop->epoll = -1;
}

int th_linux_fd(const struct th_linux *loop)
{
    return loop->epoll;
}

uint32_t th_linux_now(const struct th_linux *loop)
{
    (void)loop;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* ---- waiting ---- */

static bool dispatch(struct th_linux *loop, const struct epoll_event *event)
{
    uintptr_t kind = (uintptr_t)event->data.ptr & SOURCE_MASK;
    void *source = (char *)event->data.ptr - kind;
    if (kind == SOURCE_NAMES) {
        th_linux_names_event(loop);
        return false;
    }
    if (kind == SOURCE_WATCH) {
        ((struct th_linux_watch *)source)->ready = true;
        return true;
    }
    struct th_linux_net *net = source;
    if (event->events & EPOLLOUT)
        th_linux_wire_writable(net);
    if (event->events == EPOLLIN && !th_linux_wire_readable(net))
        return false;
    if (net->queued == QUEUED_NOT)
        push(&loop->ready, net, QUEUED_READY);
    return true;
}

/* Nets that finished outside of a wait, for example a name out of /etc/hosts. */
static bool take_early(struct th_linux *loop)
{
    struct th_linux_net *net;
    while ((net = pop(&loop->early)) != NULL)
        push(&loop->ready, net, QUEUED_READY);
    return loop->ready.first != NULL;
}

bool th_linux_wait(struct th_linux *loop, uint32_t timeout_ms)
{
    while (pop(&loop->ready))
        ;
    if (++loop->turn == 0)
        loop->turn = 1;
    bool any = take_early(loop);
    if (any)
        timeout_ms = 0;
    if (loop->names)
        timeout_ms = th_linux_names_timeout(loop, timeout_ms);
    struct epoll_event events[EVENTS_PER_WAIT];
    int wait = timeout_ms == TH_FOREVER ? -1 : timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
    int count = epoll_wait(loop->epoll, events, EVENTS_PER_WAIT, wait);
    for (int i = 0; i < count; i++) {
        if (dispatch(loop, &events[i]))
            any = true;
    }
    if (loop->names) {
        th_linux_names_tick(loop);
        if (take_early(loop))
            any = true;
    }
    return any;
}

/* ---- watches ---- */

bool th_linux_watch(struct th_linux *loop, struct th_linux_watch *watch, int fd)
{
    *watch = (struct th_linux_watch){.fd = fd, .loop = loop};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = (char *)watch + SOURCE_WATCH};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    watch->always = errno == EPERM;
    watch->ready = watch->always;
    return watch->always;
}

void th_linux_unwatch(struct th_linux_watch *watch)
{
    if (!watch->always)
        epoll_ctl(watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->ready = false;
}

/* ---- the board ---- */

static uint32_t board_now(void *ctx)
{
    (void)ctx;
    return th_linux_now(NULL);
}

static bool net_up(void *ctx)
{
    /* The route look-up of connect(2) knows better, and says which address has no way. */
    (void)ctx;
    return true;
}

static enum th_reset_reason reset_reason(void *ctx)
{
    (void)ctx;
    return TH_RESET_POWER_ON;
}

static void feed_watchdog(void *ctx)
{
    (void)ctx; /* the supervisor of a Linux process watches its exit */
}

static void restart(void *ctx)
{
    (void)ctx;
    exit(EXIT_SUCCESS);
}

static const struct th_clock_ops clock_ops = {.now_ms = board_now};
static const struct th_entropy_ops entropy_ops = {.fill = th_linux_random};
static const struct th_system_ops system_ops = {
    .reset_reason = reset_reason, .feed_watchdog = feed_watchdog, .restart = restart};
static const struct th_net_ops net_ops = {.up = net_up,
                                          .resolve = th_linux_resolve,
                                          .resolved = th_linux_resolved,
                                          .resolve_cancel = th_linux_resolve_cancel,
                                          .connect = th_linux_connect};

void th_linux_net_init(struct th_linux_net *net, struct th_linux *loop)
{
    *net = (struct th_linux_net){.loop = loop, .fd = -1, .state = NET_IDLE};
}

void th_linux_net_close(struct th_linux_net *net)
{
    th_linux_resolve_cancel(net);
    th_linux_wire_close(net, false);
    th_linux_unqueue(net);
}

void th_linux_board(struct th_linux_net *net, struct th_board *board)
{
    *board = (struct th_board){.clock = {&clock_ops, net},
                               .entropy = {&entropy_ops, net},
                               .system = {&system_ops, net},
                               .net = {&net_ops, net}};
}
