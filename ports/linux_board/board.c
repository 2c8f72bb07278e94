/* SPDX-License-Identifier: MIT */
/* Console, board and network. The network is ports/linux. */
#include <cpu.h>
#include <poll.h>
#include <string.h>
#include <thimble/linux.h>
#include <thimble/time.h>
#include <unistd.h>

#include "../common/host.h"
#include "../common/machine.h"
#include "linux_board.h"

#define NAMES_MS 100 /* look-ups have time-outs of their own */

static struct th_linux loop;
static struct th_linux_net net;

void th_machine_start(void)
{
    th_host_start();
    th_linux_board_rtc_start();
    th_linux_board_cpu_start();
    th_pins_start();
    th_timer_start();
}

void th_machine_put(void *unused, char c)
{
    (void)unused;
    (void)!write(1, &c, 1);
}

int th_machine_get(void)
{
    struct pollfd ready = {.fd = 0, .events = POLLIN};
    unsigned char c;
    th_linux_board_console_read();
    return poll(&ready, 1, 0) > 0 && read(0, &c, 1) == 1 ? c : -1;
}

struct th_board th_machine_board(struct th_net given)
{
    return (struct th_board){
        .clock = {&th_machine_clock_ops, NULL},
        .entropy = {&th_entropy_host_ops, NULL},
        .pins = {&th_pins_ops, NULL},
        .rtc = {&th_linux_board_rtc_ops, NULL},
        .system = {&th_machine_system_ops, NULL},
        .net = given,
    };
}

/* The stack is the system's. */
size_t th_machine_stack_peak(void)
{
    return 0;
}

_Noreturn void th_machine_crash_now(void)
{
    __builtin_trap();
}

/* ---- network ---- */

void th_machine_net_start(void)
{
    struct th_failure failure;

    if (!th_linux_init(&loop, &failure))
        th_host_exit(2);
    th_linux_net_init(&net, &loop);
    th_linux_board_wake_by(th_linux_fd(&loop));
}

struct th_net th_machine_net(void)
{
    struct th_board board;
    th_linux_board(&net, &board);
    return board.net;
}

void th_machine_net_poll(void)
{
    th_linux_wait(&loop, 0);
}

uint32_t th_machine_net_deadline(void)
{
    if (loop.early.first != NULL)
        return 0;
    return loop.lookups > 0 ? NAMES_MS : TH_FOREVER;
}

void th_machine_net_address(uint8_t ip[4])
{
    memset(ip, 0, 4); /* whichever the route of a connection takes */
}

uint32_t th_machine_net_dropped(void)
{
    return 0;
}
