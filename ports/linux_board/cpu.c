/* SPDX-License-Identifier: MIT */
#include <cpu.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "../common/machine.h"
#include "linux_board.h"

#define NANOSECONDS 1000000000

static timer_t alarm_timer;
static int wake_fd = -1;
static bool console_seen; /* it wakes once for what nobody reads */

uint32_t th_cpu_cycles(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

/* One that has passed already is looked for by the caller; a timer of zero would never come. */
void th_cpu_set_alarm(uint32_t cycles)
{
    int32_t left = (int32_t)(cycles - th_cpu_cycles());
    int64_t ns = left > 0 ? (int64_t)left * 1000 : 1;
    struct itimerspec when = {.it_value = {ns / NANOSECONDS, ns % NANOSECONDS}};
    timer_settime(alarm_timer, 0, &when, NULL);
}

static sigset_t the_alarm(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    return set;
}

uint32_t th_cpu_irq_save(void)
{
    sigset_t set = the_alarm(), before;
    sigprocmask(SIG_BLOCK, &set, &before);
    return sigismember(&before, SIGALRM) == 1;
}

void th_cpu_irq_restore(uint32_t mask)
{
    sigset_t set = the_alarm();
    if (mask == 0)
        sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The alarm is let through in the same call that waits: one that came before is not slept over. */
void th_cpu_wait(void)
{
    struct pollfd sources[] = {{.fd = console_seen ? -1 : 0, .events = POLLIN},
                               {.fd = wake_fd, .events = POLLIN}};
    sigset_t none;
    sigemptyset(&none);
    if (ppoll(sources, 2, NULL, &none) > 0 && sources[0].revents != 0)
        console_seen = true;
}

void th_linux_board_console_read(void)
{
    console_seen = false;
}

void th_linux_board_wake_by(int fd)
{
    wake_fd = fd;
}

static void on_alarm(int signal, siginfo_t *info, void *context)
{
    (void)info;
    if (th_timer_interrupt())
        th_linux_board_keep_crash(TH_RESET_WATCHDOG, signal, NULL, context);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    th_linux_board_keep_crash(TH_RESET_CRASH, signal, info->si_addr, context);
}

/* SIGUSR1 is the reset line. */
static void on_reset(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    th_linux_board_reset();
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

void th_linux_board_cpu_start(void)
{
    static const int faults[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    sigset_t none;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        handle(faults[i], on_fault);
    handle(SIGALRM, on_alarm);
    handle(SIGUSR1, on_reset);
    if (timer_create(CLOCK_MONOTONIC, &event, &alarm_timer) != 0)
        abort();
    /* A reset out of a handler leaves everything masked. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
