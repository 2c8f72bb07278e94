/* SPDX-License-Identifier: MIT */
/* The console's printf: %s %.*s %c %d %u %x %%, width and leading zero for numbers. The C library's
 * would bring floating point with it. */
#ifndef TH_PORT_PRINT_H
#define TH_PORT_PRINT_H

typedef void th_put_fn(void *user, char c);

/* Numbers are 32 bits wide, int and long alike; hence no format attribute, which would tell them
 * apart. */
void th_print(th_put_fn *put, void *user, const char *format, ...);

#endif
