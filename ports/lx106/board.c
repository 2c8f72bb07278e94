/* SPDX-License-Identifier: MIT */
#include "../common/host.h"
#include "../common/machine.h"
#include "lx106.h"

void th_lx_main(void)
{
    th_host_exit(th_main());
}

void th_machine_start(void)
{
    th_host_start();
    th_lx_rtc_start();
    th_lx_uart_start();
    th_pins_start();
    th_timer_start();
}

struct th_board th_machine_board(struct th_net net)
{
    return (struct th_board){
        .clock = {&th_machine_clock_ops, NULL},
        .entropy = {&th_entropy_host_ops, NULL},
        .flash = {&th_lx_flash_ops, NULL},
        .pins = {&th_pins_ops, NULL},
        .analog = {&th_analog_ops, NULL},
        .rtc = {&th_lx_rtc_ops, NULL},
        .system = {&th_machine_system_ops, NULL},
        .net = net,
    };
}

_Noreturn void th_machine_crash_now(void)
{
    for (;;)
        __asm__ volatile("ill");
}
