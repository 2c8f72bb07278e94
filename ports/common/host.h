/* SPDX-License-Identifier: MIT */
/* The machine that runs the emulator: its arguments and files, by semihosting. It stands in for
 * what a real board has soldered on. Each port implements it. */
#ifndef TH_PORT_HOST_H
#define TH_PORT_HOST_H

#include <stddef.h>
#include <stdint.h>

enum th_host_mode { TH_HOST_READ, TH_HOST_APPEND };

void th_host_start(void);

/* The value of `name=value` among the emulator's arguments, valid for ever, or NULL. */
const char *th_host_param(const char *name);
uint32_t th_host_param_number(const char *name, uint32_t otherwise);

/* As open, read, write, lseek and close; -1 on failure. th_host_write() may be called from an
 * interrupt. */
int th_host_open(const char *path, enum th_host_mode mode);
int th_host_read(int file, void *to, size_t length);
int th_host_write(int file, const void *from, size_t length);
int th_host_seek(int file, uint32_t offset);
void th_host_close(int file);

/* Ends the emulator. */
_Noreturn void th_host_exit(int status);

#endif
