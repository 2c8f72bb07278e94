/* SPDX-License-Identifier: MIT */
/* Semihosting: parameters from the emulator's command line, and files of the host. They stand in
 * for what a real board has soldered on. Each call checks its result: a test rig that breaks must
 * say so. */
#include "../common/host.h"

#include <cpu.h>
#include <string.h>

#include "lx106.h"

static char **argv(void)
{
    return (char **)LX_HOST_RAM;
}

void th_host_start(void)
{
    if (th_lx_simcall(LX_SIM_ARGV_SZ, 0, 0, 0) > LX_HOST_RAM_SIZE)
        th_host_exit(2);
    th_lx_simcall(LX_SIM_ARGV, LX_HOST_RAM, 0, 0);
}

const char *th_host_param(const char *name)
{
    size_t length = strlen(name);

    for (char **arg = argv(); *arg != NULL; arg++)
        if (strncmp(*arg, name, length) == 0 && (*arg)[length] == '=')
            return *arg + length + 1;
    return NULL;
}

int th_host_open(const char *path, enum th_host_mode mode)
{
    /* open(2) of Linux: O_WRONLY | O_CREAT | O_APPEND */
    uintptr_t flags = mode == TH_HOST_READ ? 0 : 02101;

    return th_lx_simcall(LX_SIM_OPEN, (uintptr_t)path, flags, 0644);
}

int th_host_read(int file, void *to, size_t length)
{
    return th_lx_simcall(LX_SIM_READ, (uintptr_t)file, (uintptr_t)to, length);
}

TH_IN_RAM int th_host_write(int file, const void *from, size_t length)
{
    return th_lx_simcall(LX_SIM_WRITE, (uintptr_t)file, (uintptr_t)from, length);
}

int th_host_seek(int file, uint32_t offset)
{
    return th_lx_simcall(LX_SIM_LSEEK, (uintptr_t)file, offset, 0);
}

void th_host_close(int file)
{
    th_lx_simcall(LX_SIM_CLOSE, (uintptr_t)file, 0, 0);
}

_Noreturn void th_host_exit(int status)
{
    for (;;)
        th_lx_simcall(LX_SIM_EXIT, (uintptr_t)status, 0, 0);
}
