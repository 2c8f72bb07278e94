/* SPDX-License-Identifier: MIT */
/* What semihosting is to an emulated board: arguments and files; and the way to start anew. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/host.h"
#include "../common/machine.h"
#include "linux_board.h"

static char **arguments;

void th_host_start(void)
{
}

const char *th_host_param(const char *name)
{
    size_t len = strlen(name);
    for (char **at = arguments + 1; *at != NULL; at++)
        if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
            return *at + len + 1;
    return NULL;
}

int th_host_open(const char *path, enum th_host_mode mode)
{
    return open(path, (mode == TH_HOST_READ ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND) | O_CLOEXEC,
                0600);
}

int th_host_read(int file, void *to, size_t length)
{
    return (int)read(file, to, length);
}

int th_host_write(int file, const void *from, size_t length)
{
    return (int)write(file, from, length);
}

int th_host_seek(int file, uint32_t offset)
{
    return (int)lseek(file, (off_t)offset, SEEK_SET);
}

void th_host_close(int file)
{
    close(file);
}

_Noreturn void th_host_exit(int status)
{
    _exit(status);
}

_Noreturn void th_linux_board_reset(void)
{
    execv("/proc/self/exe", arguments);
    _exit(127);
}

int main(int count, char **given)
{
    (void)count;
    arguments = given;
    return th_main();
}
