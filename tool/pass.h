/* SPDX-License-Identifier: MIT */
/* Pass phrases: from the first line of a file, or asked for on the terminal; never from argv, which
 * everybody on the machine can read. */
#ifndef TOOL_PASS_H
#define TOOL_PASS_H

#include <stdbool.h>

#define PASS_MAX 255 /* bytes */

/* The first line of `path`, a file or a pipe. Prints its error. Wipe `pass` after its last use. */
int pass_of_file(const char *path, char pass[PASS_MAX + 1]);

/* From `path`, or where that is NULL from the terminal, with `prompt`; `twice` for a new one.
 * `without` is the next step of the error when there is no terminal to ask on. */
int pass_take(const char *path, const char *prompt, bool twice, const char *without,
              char pass[PASS_MAX + 1]);

#endif
