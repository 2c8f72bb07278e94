/* SPDX-License-Identifier: MIT */
/* A text that grows in memory and becomes a file whole or not at all. */
#ifndef TOOL_TEXT_H
#define TOOL_TEXT_H

#include <stdio.h>

struct text {
    char *at;
    size_t len;
    FILE *file; /* to print into */
};

/* EXIT_OK, or an error that was printed. */
int text_open(struct text *text);

/* Writes it over `path` (readable by everybody), and frees it. */
int text_write(struct text *text, const char *path);

/* The same for its owner alone. */
int text_write_secret(struct text *text, const char *path);

#endif
