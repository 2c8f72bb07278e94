/* SPDX-License-Identifier: MIT */
/* ARM semihosting, version 2.0. */
#include "../common/host.h"

#include <string.h>

enum call {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0A,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
};

enum { MODE_RB = 1, MODE_AB = 9 };

#define APPLICATION_EXIT 0x20026

/* The command line, in PSRAM behind what stands for RTC memory: it is no part of the machine whose
 * memory is counted. */
#define COMMAND_LINE       ((char *)0x21010000)
#define COMMAND_LINE_BYTES 0x4000

static int call(enum call number, const uintptr_t *arguments)
{
    register int r0 __asm__("r0") = (int)number;
    register const uintptr_t *r1 __asm__("r1") = arguments;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* The arguments come as one line; a parameter's value has no spaces in it. */
void th_host_start(void)
{
    uintptr_t arguments[] = {(uintptr_t)COMMAND_LINE, COMMAND_LINE_BYTES};

    if (call(SYS_GET_CMDLINE, arguments) != 0)
        th_host_exit(2);
    for (char *at = COMMAND_LINE; at < COMMAND_LINE + arguments[1]; at++)
        if (*at == ' ')
            *at = '\0';
    COMMAND_LINE[arguments[1] + 1] = '\0';
}

const char *th_host_param(const char *name)
{
    size_t length = strlen(name);

    for (const char *at = COMMAND_LINE; *at != '\0'; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

int th_host_open(const char *path, enum th_host_mode mode)
{
    uintptr_t arguments[] = {(uintptr_t)path, mode == TH_HOST_READ ? MODE_RB : MODE_AB,
                             strlen(path)};
    return call(SYS_OPEN, arguments);
}

/* Both calls return how much was *not* done. */
int th_host_read(int file, void *to, size_t length)
{
    uintptr_t arguments[] = {(uintptr_t)file, (uintptr_t)to, length};
    int left = call(SYS_READ, arguments);
    return left < 0 ? -1 : (int)length - left;
}

int th_host_write(int file, const void *from, size_t length)
{
    uintptr_t arguments[] = {(uintptr_t)file, (uintptr_t)from, length};
    int left = call(SYS_WRITE, arguments);
    return left < 0 ? -1 : (int)length - left;
}

int th_host_seek(int file, uint32_t offset)
{
    uintptr_t arguments[] = {(uintptr_t)file, offset};
    return call(SYS_SEEK, arguments) == 0 ? (int)offset : -1;
}

void th_host_close(int file)
{
    uintptr_t arguments[] = {(uintptr_t)file};
    call(SYS_CLOSE, arguments);
}

_Noreturn void th_host_exit(int status)
{
    uintptr_t arguments[] = {APPLICATION_EXIT, (uintptr_t)status};
    for (;;)
        call(SYS_EXIT_EXTENDED, arguments);
}
