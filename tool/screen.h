/* SPDX-License-Identifier: MIT */
/* The terminal as a screen of our own, given back whatever happens to us but SIGKILL. */
#ifndef TOOL_SCREEN_H
#define TOOL_SCREEN_H

#include <stdbool.h>

/* The other screen, without cursor, keys as they are pressed (Ctrl-C and its like stay signals). */
void screen_open(void);
/* Gives it back; more often does no harm. */
void screen_close(void);

/* 24 x 80 where the terminal does not say. */
void screen_size(unsigned *rows, unsigned *columns);

/* The terminal's locale has UTF-8. */
bool screen_utf8(void);

#endif
