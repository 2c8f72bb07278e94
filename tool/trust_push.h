/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TRUST_PUSH_H
#define TOOL_TRUST_PUSH_H

/* thimble trust push; gives back the exit code. */
int trust_push(int argc, char **argv);

#endif
